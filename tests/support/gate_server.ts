/** A backend that answers when it is told to, and knows who asked and how many at once. */
import { RawServer, readSome, writeAll } from "./raw_server.ts";

/** What it answers. */
export const GATE_ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** Holds its answers back until it is opened. */
export class GateServer implements AsyncDisposable {
  /** The paths that were asked for, in their order. */
  readonly asked: string[] = [];
  /** The most connections that it had at once. */
  most = 0;
  readonly #server: RawServer;
  readonly #open = Promise.withResolvers<void>();
  #now = 0;

  /** Listens at once. */
  constructor() {
    this.#server = new RawServer((conn) => this.#serve(conn));
  }

  /** Where it listens. */
  get port(): number {
    return this.#server.port;
  }

  /** Connections accepted so far. */
  get connections(): number {
    return this.#server.connections;
  }

  /** From now on it answers, whoever has asked first. */
  open(): void {
    this.#open.resolve();
  }

  /** Closes it; nobody waits for its answers any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.open();
    await this.#server.close();
  }

  async #serve(conn: Deno.TcpConn): Promise<void> {
    this.most = Math.max(this.most, ++this.#now);
    try {
      const request = await readSome(conn);
      if (request === "") return;
      this.asked.push(request.split(" ")[1] ?? "");
      await this.#open.promise;
      await writeAll(conn, GATE_ANSWER);
    } finally {
      this.#now--;
    }
  }
}
