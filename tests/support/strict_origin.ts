/**
 * A backend that takes nothing on trust: it keeps its connections, writes down each request with
 * every byte of it, and holds whatever is not exactly a request against its sender.
 */
import { latin1Bytes, latin1Text } from "./latin1.ts";
import { RawServer, writeAll } from "./raw_server.ts";
import { readRequests, type StrictRequest } from "./strict_requests.ts";

/** The header that names a request, so that answers can be told apart. */
export const ID_HEADER = "X-Id";
/** The header of an answer that says, as `encodeURIComponent` writes it, whose it is. */
export const ANSWER_HEADER = "X-Answer-To";
/** The header of a request that is answered as soon as its head is there. */
export const EARLY_HEADER = "X-Early: 1";

/** A listening server. */
export class StrictOrigin implements AsyncDisposable {
  /** The requests, in the order in which they ended, those that broke off included. */
  readonly requests: StrictRequest[] = [];
  /** What came that is no request; none may. */
  readonly faults: string[] = [];
  readonly #server = new RawServer((conn) => this.#serve(conn));

  /** Where it listens. */
  get port(): number {
    return this.#server.port;
  }

  /** Connections accepted so far. */
  get connections(): number {
    return this.#server.connections;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#server.open;
  }

  /** Closes everything. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#server.close();
  }

  async #serve(conn: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    let text = "";
    let isAnswered = false;
    for (;;) {
      // A connection that breaks has ended as well: the balancer may not wait for an early answer.
      const count = await conn.read(buffer).catch(() => null);
      if (count === null) return this.#end(text);
      text += latin1Text(buffer.subarray(0, count));
      const { requests, length, fault } = readRequests(text, "balancer");
      const [request] = requests;
      if (request?.isWhole && length < text.length) {
        this.faults.push(`bytes behind a request: ${JSON.stringify(text)}`);
      } else if (fault !== null) this.faults.push(`${fault} in ${JSON.stringify(text)}`);
      if (this.faults.length > 0) return;
      if (request === undefined) continue;
      if (request.isWhole) {
        this.requests.push(request);
        text = "";
      }
      if (!isAnswered && (request.isWhole || isEarly(request))) {
        await writeAll(conn, latin1Bytes(answerTo(request))).catch(() => {});
        isAnswered = true;
      }
      if (request.isWhole) isAnswered = false;
    }
  }

  /** The stream has ended with that unread. */
  #end(text: string): void {
    if (text === "") return;
    const [request] = readRequests(text, "balancer").requests;
    if (request !== undefined) this.requests.push(request);
    else this.faults.push(`a head that breaks off: ${JSON.stringify(text)}`);
  }
}

/** The id of a request; empty: it has none. */
export function idOf({ headers }: StrictRequest): string {
  const prefix = `${ID_HEADER.toLowerCase()}: `;
  return headers.find((line) => line.toLowerCase().startsWith(prefix))?.slice(prefix.length) ?? "";
}

/** May it be answered before all of it has come? */
export function isEarly({ headers }: StrictRequest): boolean {
  return headers.includes(EARLY_HEADER);
}

function answerTo(request: StrictRequest): string {
  const body = "seen";
  const head = [
    "HTTP/1.1 200 OK",
    `${ANSWER_HEADER}: ${encodeURIComponent(idOf(request))}`,
    `Content-Length: ${body.length}`,
    "",
    "",
  ].join("\r\n");
  return request.method === "HEAD" ? head : head + body;
}
