/**
 * Reads HTTP/1.x requests from a connection, one after another, each with its body as a stream
 * (RFC 9112). Strict, because it stands behind a proxy: what two readers could understand in two
 * ways (bare LF, folded lines, Content-Length with Transfer-Encoding, …) is refused with 400.
 * Holds at most one head and one chunk of the connection in memory.
 */

import type { TcpConnection } from "./tcp_connection.ts";

const HEAD_BYTES_MAX = 16 * 1024;
const LF = 0x0a;
const CR = 0x0d;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const NOTHING = new Uint8Array(0);
const encoder = new TextEncoder();

/** A request that must be refused; the connection cannot be used for another one. */
export class BadRequest extends Error {
  /** Always the same. */
  override readonly name = "BadRequest";
  /** The status to answer with. */
  readonly status: number;

  /** `message` is meant for the body of the answer. */
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The head of a request, checked. */
export interface HttpRequest {
  /** As sent; any token. */
  readonly method: string;
  /** As sent: path and query, or `*`, or a whole URL. */
  readonly target: string;
  /** HTTP/1.0 or HTTP/1.1. */
  readonly minorVersion: 0 | 1;
  /** All header fields. */
  readonly headers: Headers;
  /** Length of the body in bytes, 0 for none. */
  readonly bodyBytes: number | "chunked";
  /** Whether the client lets the connection serve another request. */
  readonly keepAlive: boolean;
}

/** Cuts a connection's bytes into requests. */
export class RequestReader {
  readonly #connection: TcpConnection;
  #pending: Uint8Array<ArrayBuffer> = NOTHING;

  /** Reads from `connection`, which nobody else may read meanwhile. */
  constructor(connection: TcpConnection) {
    this.#connection = connection;
  }

  /**
   * The next request's head, or `null` if the client sends no more. The body of the one before must
   * have been read. Rejects with {@linkcode BadRequest} or `ConnectionLost`.
   */
  async next(): Promise<HttpRequest | null> {
    const budget = { bytes: HEAD_BYTES_MAX };
    let requestLine: string | null;
    do {
      requestLine = await this.#line(budget);
      if (requestLine === null) return null;
    } while (requestLine === ""); // RFC 9112, 2.2: empty lines before a request are skipped
    const start = parseRequestLine(requestLine);
    const headers = await this.#headers(budget);
    if (start.minorVersion === 1 && !headers.has("host")) {
      throw new BadRequest(400, "HTTP/1.1 without a Host header");
    }
    const connectionOptions = (headers.get("connection") ?? "").toLowerCase().split(
      /[ \t]*,[ \t]*/,
    );
    return {
      ...start,
      headers,
      bodyBytes: parseFraming(headers),
      keepAlive: start.minorVersion === 1 && !connectionOptions.includes("close"),
    };
  }

  /**
   * The bytes of the body of `request`, the last that `next` returned; to be read once and to the
   * end. Sends `100 Continue` first if the client waits for it.
   */
  async *body(request: HttpRequest): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const expect = request.headers.get("expect");
    if (expect !== null && expect.toLowerCase() !== "100-continue") {
      throw new BadRequest(417, `Expect: ${expect} is not understood`);
    }
    if (expect !== null && request.minorVersion === 1 && this.#pending.length === 0) {
      await this.#connection.write(encoder.encode("HTTP/1.1 100 Continue\r\n\r\n"));
    }
    if (request.bodyBytes !== "chunked") return yield* this.#take(request.bodyBytes);
    for (;;) {
      const line = await this.#wholeLine({ bytes: 1024 });
      const size = /^([0-9a-f]{1,12})[ \t]*(?:;.*)?$/i.exec(line)?.[1];
      if (size === undefined) throw new BadRequest(400, "malformed chunk size");
      const bytes = parseInt(size, 16);
      if (bytes === 0) break;
      yield* this.#take(bytes);
      if (await this.#wholeLine({ bytes: 1024 }) !== "") {
        throw new BadRequest(400, "chunk longer than its size");
      }
    }
    await this.#headers({ bytes: HEAD_BYTES_MAX }); // the trailers
  }

  async *#take(bytes: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    for (let left = bytes; left > 0;) {
      if (this.#pending.length === 0 && !(await this.#fill())) throw endsEarly();
      const part = this.#pending.subarray(0, left);
      this.#pending = this.#pending.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  async #headers(budget: { bytes: number }): Promise<Headers> {
    const headers = new Headers();
    for (;;) {
      const line = await this.#wholeLine(budget);
      if (line === "") return headers;
      const colon = line.indexOf(":");
      const name = line.slice(0, Math.max(colon, 0));
      // deno-lint-ignore no-control-regex
      if (!TOKEN.test(name) || /[\0-\x08\x0a-\x1f\x7f]/.test(line)) {
        throw new BadRequest(400, "malformed header line");
      }
      headers.append(name, line.slice(colon + 1));
    }
  }

  async #wholeLine(budget: { bytes: number }): Promise<string> {
    const line = await this.#line(budget);
    if (line === null) throw endsEarly();
    return line;
  }

  /** The next line without its CRLF, `null` if the stream ends before its first byte. */
  async #line(budget: { bytes: number }): Promise<string | null> {
    for (let searched = 0;;) {
      const end = this.#pending.indexOf(LF, searched);
      const lineBytes = end < 0 ? this.#pending.length : end + 1;
      if (lineBytes > budget.bytes) throw new BadRequest(431, "line or head too long");
      if (end >= 0) {
        if (this.#pending[end - 1] !== CR) throw new BadRequest(400, "line not ended by CRLF");
        const line = String.fromCharCode(...this.#pending.subarray(0, end - 1));
        this.#pending = this.#pending.subarray(lineBytes);
        budget.bytes -= lineBytes;
        return line;
      }
      searched = this.#pending.length;
      if (await this.#fill()) continue;
      if (searched === 0) return null;
      throw endsEarly();
    }
  }

  async #fill(): Promise<boolean> {
    const chunk = await this.#connection.read();
    if (chunk === null) return false;
    if (this.#pending.length === 0) {
      this.#pending = chunk;
    } else {
      const joined = new Uint8Array(this.#pending.length + chunk.length);
      joined.set(this.#pending);
      joined.set(chunk, this.#pending.length);
      this.#pending = joined;
    }
    return true;
  }
}

function parseRequestLine(line: string): Pick<HttpRequest, "method" | "target" | "minorVersion"> {
  const [method = "", target = "", version = "", ...rest] = line.split(" ");
  if (rest.length > 0 || !TOKEN.test(method) || !/^[^\0-\x20\x7f]+$/.test(target)) {
    throw new BadRequest(400, "malformed request line");
  }
  if (/^HTTP\/[02-9]\.[0-9]$/.test(version)) throw new BadRequest(505, `${version} is not spoken`);
  if (!/^HTTP\/1\.[0-9]$/.test(version)) throw new BadRequest(400, "malformed request line");
  return { method, target, minorVersion: version === "HTTP/1.0" ? 0 : 1 };
}

/** RFC 9112, 6: how long the body is. */
function parseFraming(headers: Headers): number | "chunked" {
  const coding = headers.get("transfer-encoding");
  const length = headers.get("content-length");
  if (coding !== null) {
    if (length !== null) throw new BadRequest(400, "Content-Length with Transfer-Encoding");
    if (coding.toLowerCase() !== "chunked") throw new BadRequest(501, "unknown transfer coding");
    return "chunked";
  }
  if (length === null) return 0;
  if (!/^[0-9]{1,15}$/.test(length)) throw new BadRequest(400, "malformed Content-Length");
  return Number(length);
}

function endsEarly(): BadRequest {
  return new BadRequest(400, "the request ends early");
}
