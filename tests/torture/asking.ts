/** A client's side of a connection: asks, and checks every byte of what comes back. */
import { Buffer } from "node:buffer";
import { isPattern, patternOf } from "./pattern.ts";

const HEAD_BYTES_MAX = 32 * 1024;
const READ_BYTES = 64 * 1024;

/** What is asked for. */
export interface Question {
  /** Names the request, and what is in its bodies. */
  readonly id: string;
  /** How it is asked. */
  readonly method: "GET" | "POST";
  /** How many bytes are to come back. */
  readonly answerBytes: number;
  /** How many bytes go with it. */
  readonly uploadBytes: number;
  /** Is it the last one on its connection? */
  readonly isLast: boolean;
}

/**
 * What came back. `served`: the right bytes, all of them. `refused`: the balancer's own answer.
 * `ended`: the stream ended, or broke, before that. `garbled`: bytes that are no right answer.
 * `late`: the client gave up.
 */
export type Outcome =
  | { readonly kind: "served"; readonly origin: string; readonly keeps: boolean }
  | { readonly kind: "refused"; readonly status: number; readonly retryAfter: boolean }
  | { readonly kind: "ended"; readonly bytes: number }
  | { readonly kind: "garbled"; readonly what: string }
  | { readonly kind: "late"; readonly bytes: number };

/** Asks one question after the other over one connection. */
export class AskingConnection implements Disposable {
  readonly #conn: Deno.TcpConn;
  #held = Buffer.alloc(0);

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
    conn.setNoDelay(true);
  }

  /** Connects to the balancer. */
  static async open(port: number, hostname = "127.0.0.1"): Promise<AskingConnection> {
    return new AskingConnection(await Deno.connect({ hostname, port }));
  }

  /** Asks, and waits so long at most. Anything but `served` and `keeps` is the connection's end. */
  async ask(question: Question, patienceMs: number): Promise<Outcome> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this[Symbol.dispose]();
    }, patienceMs);
    try {
      // Side by side: a refusal may come before all of an upload is taken.
      const sent = this.#send(question).catch(() => {/* What came back tells more. */});
      const outcome = await this.#receive(question);
      if (outcome.kind === "served") await sent;
      return isLate ? { kind: "late", bytes: this.#held.length } : outcome;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Closes; a second time does nothing. */
  [Symbol.dispose](): void {
    this.#conn[Symbol.dispose]();
  }

  async #send({ id, method, answerBytes, uploadBytes, isLast }: Question): Promise<void> {
    const head = [
      `${method} /${id}/${answerBytes} HTTP/1.1`,
      "Host: torture",
      ...(method === "POST" ? [`Content-Length: ${uploadBytes}`] : []),
      `Connection: ${isLast ? "close" : "keep-alive"}`,
      "\r\n",
    ];
    const bytes = Buffer.concat([Buffer.from(head.join("\r\n")), patternOf(id, uploadBytes)]);
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }

  async #receive(question: Question): Promise<Outcome> {
    let headBytes = -1;
    while ((headBytes = this.#held.indexOf("\r\n\r\n")) === -1) {
      if (this.#held.length > HEAD_BYTES_MAX) return garbled("a head without end");
      if (!await this.#more()) return this.#ended();
    }
    const head = this.#held.subarray(0, headBytes).toString("latin1");
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
    const origin = /^x-origin: (\d+)$/im.exec(head)?.[1];
    const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1]);
    if (Number.isNaN(status)) return garbled("no head of an answer");
    if (origin === undefined) {
      return { kind: "refused", status, retryAfter: /^retry-after: \d/im.test(head) };
    }
    if (status !== 200) return garbled(`status ${status} of origin ${origin}`);
    if (length !== question.answerBytes) return garbled(`a length of ${length}`);
    const end = headBytes + 4 + length;
    while (this.#held.length < end) if (!await this.#more()) return this.#ended();
    const body = this.#held.subarray(headBytes + 4, end);
    if (!isPattern(body, question.id)) return garbled("a body of somebody else");
    if (this.#held.length > end) return garbled("bytes behind the answer");
    this.#held = Buffer.alloc(0);
    return { kind: "served", origin, keeps: !/^connection: close/im.test(head) };
  }

  #ended(): Outcome {
    return { kind: "ended", bytes: this.#held.length };
  }

  /** False: the stream has ended or was broken. */
  async #more(): Promise<boolean> {
    const buffer = new Uint8Array(READ_BYTES);
    const count = await this.#conn.read(buffer).catch(() => null);
    if (count === null) return false;
    this.#held = Buffer.concat([this.#held, buffer.subarray(0, count)]);
    return true;
  }
}

function garbled(what: string): Outcome {
  return { kind: "garbled", what };
}
