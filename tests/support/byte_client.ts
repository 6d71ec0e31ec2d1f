/** A client that sends and receives bytes, and can hang up in every way that there is. */
import net from "node:net";

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("latin1");

/** A connection to a server of this machine. */
export class ByteClient implements Disposable {
  /** The connection itself. */
  readonly conn: Deno.TcpConn;
  #received: Uint8Array<ArrayBuffer>[] = [];

  private constructor(conn: Deno.TcpConn) {
    this.conn = conn;
  }

  /** Connects. */
  static async connect(port: number): Promise<ByteClient> {
    return new ByteClient(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Sends all of it. */
  async send(data: string | Uint8Array): Promise<this> {
    const bytes = typeof data === "string" ? ENCODER.encode(data) : data;
    for (let at = 0; at < bytes.length;) at += await this.conn.write(bytes.subarray(at));
    return this;
  }

  /** Ends this side of the stream. */
  async end(): Promise<this> {
    await this.conn.closeWrite();
    return this;
  }

  /** Receives some more bytes; null at the end of the stream. */
  async receive(): Promise<Uint8Array<ArrayBuffer> | null> {
    const buffer = new Uint8Array(64 * 1024);
    const count = await this.conn.read(buffer);
    if (count === null) return null;
    const bytes = buffer.slice(0, count);
    this.#received.push(bytes);
    return bytes;
  }

  /** All that was received so far, one character a byte. */
  get text(): string {
    return this.#received.map((bytes) => DECODER.decode(bytes)).join("");
  }

  /** Receives until the text contains `part`; returns all of it. */
  async receiveUntil(part: string): Promise<string> {
    while (!this.text.includes(part)) {
      if (await this.receive() === null) throw new Error(`The stream ended with: ${this.text}`);
    }
    return this.text;
  }

  /** Receives to the end of the stream; returns all of it. */
  async receiveAll(): Promise<string> {
    while (await this.receive() !== null);
    return this.text;
  }

  /** Receives to the end of the stream; returns all of it. */
  async receiveAllBytes(): Promise<Uint8Array<ArrayBuffer>> {
    while (await this.receive() !== null);
    return await new Blob(this.#received).bytes();
  }

  /** Closes; a second time does nothing. */
  [Symbol.dispose](): void {
    this.conn[Symbol.dispose]();
  }
}

/** One request over a connection of its own; returns all that came back. */
export async function askOnce(port: number, request: string): Promise<string> {
  using client = await ByteClient.connect(port);
  await client.send(request);
  return await client.receiveAll();
}

/** A GET request for the last answer on its connection. */
export function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n`;
}

/** Connects, sends, and breaks the connection with a reset. */
export async function connectAndReset(port: number, data = ""): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.once("close", () => resolve());
      if (data === "") socket.resetAndDestroy();
      else socket.write(data, () => socket.resetAndDestroy());
    });
  });
}
