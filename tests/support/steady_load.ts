/**
 * HTTP clients that ask one request after the other without a pause, and count what they lose. They
 * keep to the rules (RFC 9112, 9.3): a connection is used again unless its answer says `close`, and
 * ends only behind such an answer.
 */
import { ByteClient } from "./byte_client.ts";
import { until } from "./until.ts";

/** What is asked of whom. */
export interface SteadyLoadOptions {
  /** The port to connect to, read anew for each connection. */
  readonly port: () => number;
  /** How many clients keep their connections. */
  readonly keeping?: number;
  /** How many bring a connection for each request. */
  readonly closing?: number;
}

/** Asks until it is disposed of. */
export class SteadyLoad implements AsyncDisposable {
  /** How many were answered with 200. */
  answered = 0;
  /** What came of the others. */
  readonly lost: string[] = [];
  readonly #port: () => number;
  readonly #clients: Promise<unknown>;
  #over = false;

  /** Begins at once. */
  constructor({ port, keeping = 6, closing = 2 }: SteadyLoadOptions) {
    this.#port = port;
    const clients = [
      ...Array.from({ length: keeping }, () => this.#run("keep-alive")),
      ...Array.from({ length: closing }, () => this.#run("close")),
    ];
    this.#clients = Promise.all(clients);
  }

  /** Waits until so many more requests were answered, or one was lost. */
  async more(count: number): Promise<void> {
    const enough = this.answered + count;
    await until(() => this.answered >= enough || this.lost.length > 0, () => {
      return `${count} more than ${enough - count} requests are answered: ${this.answered}`;
    });
  }

  /** Ends it; each client gets the answer that it waits for. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    await this.#clients;
  }

  async #run(connection: "keep-alive" | "close"): Promise<void> {
    let client: ByteClient | null = null;
    const request = `GET /a.txt HTTP/1.1\r\nHost: test\r\nConnection: ${connection}\r\n\r\n`;
    while (!this.#over) {
      try {
        client ??= await ByteClient.connect(this.#port());
        const before = client.text.length;
        await client.send(request);
        while (!client.text.slice(before).endsWith("alpha\n")) {
          if (await client.receive() === null) throw new Error(`the end, behind ${client.text}`);
        }
        const answer = client.text.slice(before);
        if (!answer.startsWith("HTTP/1.1 200 ")) throw new Error(answer);
        this.answered++;
        if (/^connection: close\r$/im.test(answer)) client = close(client);
      } catch (error) {
        this.lost.push(String(error));
        client = client === null ? null : close(client);
      }
    }
    client?.[Symbol.dispose]();
  }
}

function close(client: ByteClient): null {
  client[Symbol.dispose]();
  return null;
}
