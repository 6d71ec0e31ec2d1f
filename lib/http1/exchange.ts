/**
 * The exchange: one request and its answer over one connection to a backend. Called by the request
 * carrier, which owns the request and the connection before and after.
 *
 * The request goes up and the answer comes down side by side, so that a backend may answer while
 * the body still comes. Heads are built anew from what was understood; bodies are passed on as they
 * come, with back-pressure.
 *
 * Invariants: nothing is sent to the client before the backend's head was read and found good; of
 * the client's bytes behind a request with an Upgrade nothing is sent before the backend's 101; no
 * promise is left to reject by itself.
 */
import type { Buffers } from "../buffers.ts";
import type { Deadlines, Expiring } from "../deadlines.ts";
import { ENDING } from "../ending.ts";
import type { BackendConnection } from "./backend_connection.ts";
import type { Encoding } from "./accept_encoding.ts";
import { planAnswer } from "./answer_plan.ts";
import { BodyMover, type BodyObserver } from "./body.ts";
import type { ClientRequest } from "./client_request.ts";
import { CompressedSink } from "./compressed_sink.ts";
import type { Zlib } from "./compressor.ts";
import type { DateHeader } from "./date_header.ts";
import { keepsAlive, type ResponseBody, responseBody } from "./framing.ts";
import { type Header, isNamed, type ResponseHead } from "./head_parser.ts";
import {
  requestHeadBytes,
  responseHeadBytes,
  writeRequestHead,
  writeResponseHead,
} from "./head_writer.ts";
import { forwardedRequest, forwardedResponse } from "./headers.ts";
import type { Session } from "./session.ts";

/**
 * What became of it: the whole answer is out (`answered`); the backend ended before its first byte
 * (`unanswered`), or did not begin its answer in time (`silent`), or sent what is no answer
 * (`malformed`); the client was too slow with its body (`slow client`), or sent what is no body (`bad
 * client`), or is gone (`gone`); or the answer broke off in the middle (`cut`).
 */
export type ExchangeEnd =
  | "answered"
  | "unanswered"
  | "silent"
  | "malformed"
  | "slow client"
  | "bad client"
  | "gone"
  | "cut";

/** Who is told how an exchange begins. */
export interface ExchangeObserver {
  /** The request is on its way to the backend. */
  asked(): void;
  /** The first bytes of the answer are here. */
  answered(): void;
}

/** What an exchange works with; the same for all. */
export interface ExchangeOptions {
  /** How long a backend may take to begin its answer, in milliseconds. */
  readonly firstByteTimeoutMs: number;
  /** How long a body may stand still, in milliseconds. */
  readonly idleTimeoutMs: number;
  /** How long a connection with another protocol may stand still, in milliseconds. */
  readonly upgradedIdleTimeoutMs: number;
  /** How long a client may stay silent after the backend's end, where both had another protocol. */
  readonly lingerTimeoutMs: number;
  /** The Host of requests that name none. */
  readonly defaultHost: string;
  /** The date of answers that have none. */
  readonly date: DateHeader;
  /** What watches the deadlines. */
  readonly deadlines: Deadlines;
  /** Where buffers come from. */
  readonly buffers: Buffers;
}

/** What an exchange is between. */
export interface ExchangeEnds {
  /** The client's side. */
  readonly request: ClientRequest;
  /** The backend's side. */
  readonly connection: BackendConnection;
  /** Is told of each at most once. */
  readonly observer: ExchangeObserver;
  /** A cookie that the client is to get with its answer. */
  readonly cookie: Header | null;
  /** What to compress answers with; null: they are not compressed. */
  readonly zlib: Zlib | null;
}

/** More interim answers than this to one request are no way to answer it. */
const INTERIMS_MAX = 100;

/** So much room there is for a body behind its head, at the least, in bytes. */
const SMALL_BODY_BYTES = 256;

/** A head, and maybe the whole body behind it, ready to be sent from a buffer of its own. */
interface Message {
  readonly buffer: Uint8Array<ArrayBuffer>;
  /** Of all that is to be sent, in bytes. */
  readonly length: number;
  /** Of the body in it. */
  readonly bodyBytes: number;
}

/** One request and its answer. */
export class Exchange implements Expiring, BodyObserver {
  /** For the deadlines. */
  place: number = -1;
  /** Why it ended as it did, where that is the backend's fault; in words for the log. */
  reason = "";
  /** May the client send another request? */
  keepsClient = false;
  /** May another request be sent over the backend's connection? */
  keepsBackend = false;
  /** For how long the backend says that it keeps its connection open, in its own words. */
  keepAliveHeaders: ResponseHead["headers"] = [];
  /** Has the backend sent a good head? */
  answered = false;
  /** Did the backend end while the client still owed it some of the request? */
  wasOwed = false;
  /** Bytes of the body that were sent to the backend. */
  bytesUp = 0;
  /** Bytes of the answer's body that were sent to the client. */
  bytesDown = 0;

  readonly #request: ClientRequest;
  readonly #session: Session;
  readonly #connection: BackendConnection;
  readonly #observer: ExchangeObserver;
  readonly #cookie: Header | null;
  readonly #zlib: Zlib | null;
  readonly #options: ExchangeOptions;
  #activeMs: number;
  #phase: "asking" | "answering" | "upgraded" = "asking";
  /** Has the backend sent anything at all? */
  #heard = false;
  #interims = 0;
  /** Is a head being written to the client? */
  #isWritingDown = false;
  /** Has it ended an upgraded connection? */
  #backendEnded = false;
  /** Or had the client ended before it? */
  #clientEndedFirst = false;
  /** Is the whole request sent? */
  #sent = false;
  #upMover: BodyMover | null = null;
  /** Why the exchange has to end, if it has. */
  #verdict: ExchangeEnd | null = null;
  #over = false;

  /** Takes over both sides until {@linkcode run} returns. */
  constructor(ends: ExchangeEnds, options: ExchangeOptions) {
    this.#request = ends.request;
    this.#session = ends.request.session;
    this.#connection = ends.connection;
    this.#observer = ends.observer;
    this.#cookie = ends.cookie;
    this.#zlib = ends.zlib;
    this.#options = options;
    this.#activeMs = options.deadlines.now;
  }

  /** Carries the request and its answer. Never rejects. */
  async run(): Promise<ExchangeEnd> {
    const { deadlines } = this.#options;
    deadlines.watch(this);
    const up = this.#up();
    const down = await this.#down();
    this.#over = true;
    deadlines.unwatch(this);
    this.#upMover?.stop();
    if (this.#sent) await up;
    this.bytesUp = this.#upMover?.bytes ?? 0;
    const end = this.#verdict ?? down;
    if (end !== "answered") this.keepsClient = this.keepsBackend = false;
    return end;
  }

  /** Bytes have moved. */
  active(): void {
    this.#activeMs = this.#options.deadlines.now;
  }

  /** When this is given up if nothing moves. */
  expiresAt(): number {
    const { firstByteTimeoutMs, idleTimeoutMs } = this.#options;
    if (this.#phase === "upgraded") return this.#activeMs + this.#upgradedTimeoutMs();
    const owed = this.#phase === "asking" && this.#sent;
    return this.#activeMs + (owed ? firstByteTimeoutMs : idleTimeoutMs);
  }

  /** Gives it up, and says through whose fault. */
  expire(): void {
    if (this.#phase !== "asking" || this.#isWritingDown) {
      this.#request.passage.end(this.#backendEnded ? ENDING.lingerTimeout : ENDING.idleTimeout);
      return this.#judge("cut");
    }
    if (!this.#sent && this.#session.receiving) return this.#judge("slow client");
    const { firstByteTimeoutMs, idleTimeoutMs } = this.#options;
    if (!this.#sent) this.#request.passage.end(ENDING.idleTimeout);
    this.reason = this.#sent
      ? `no first byte within ${firstByteTimeoutMs / 1000}s`
      : `it took nothing of the request for ${idleTimeoutMs / 1000}s`;
    this.#judge("silent");
  }

  /**
   * Ends it for that reason, unless there is one already. Closing the connections ends what is under
   * way; the client's is left open only while it can still be told what happened. Buffers are not
   * given back here: what is in them may be being written.
   */
  #judge(verdict: ExchangeEnd): void {
    if (this.#over) return;
    this.#verdict ??= verdict;
    this.#connection.close();
    if (this.#phase !== "asking" || this.#isWritingDown) this.#session[Symbol.dispose]();
  }

  #upgradedTimeoutMs(): number {
    const { upgradedIdleTimeoutMs, lingerTimeoutMs } = this.#options;
    return this.#backendEnded ? lingerTimeoutMs : upgradedIdleTimeoutMs;
  }

  /** The request. Never rejects. */
  async #up(): Promise<void> {
    const { framing } = this.#request;
    try {
      const message = this.#requestMessage();
      this.#observer.asked();
      if (!await this.#send(message, this.#connection.conn) || this.#over) return;
      if (framing !== "none") {
        await this.#sendBody(framing);
      } else {
        this.#sent = true;
        this.#watchClient();
      }
    } catch {
      // The backend takes no more: that it has ended, or answers early, is seen from its side.
    }
  }

  #requestMessage(): Message {
    const { defaultHost, buffers } = this.#options;
    const { head, framing, asksUpgrade, session } = this.#request;
    const forwarded = forwardedRequest(head, {
      framing,
      connection: asksUpgrade ? "upgrade" : null,
      clientIp: session.ip,
      isTrusted: session.isTrusted,
      proto: "http",
      defaultHost,
    });
    const buffer = buffers.takeFor(requestHeadBytes(forwarded));
    return { buffer, length: writeRequestHead(forwarded, buffer, 0), bodyBytes: 0 };
  }

  async #sendBody(framing: Exclude<ClientRequest["framing"], "none">): Promise<void> {
    const { reader } = this.#session;
    // Until its first byte is here, the request can be had again.
    if (reader.held === 0 && !reader.ended) await this.#firstOfBody();
    if (this.#over) return;
    const mover = this.#upMover = new BodyMover({
      reader: this.#session.reader,
      framing,
      sink: this.#connection.conn,
      coding: framing === "chunked" ? "chunked" : "plain",
      observer: this,
      buffers: this.#options.buffers,
    });
    this.#request.bodyTouched = true;
    const result = await mover.run();
    if (result.end === "complete") {
      this.#sent = true;
      this.active();
      this.#watchClient();
    } else if (result.end === "malformed") {
      this.#judge(this.#phase === "asking" ? "bad client" : "cut");
    } else if (result.end === "short" || (result.end === "broken" && result.side === "reader")) {
      this.#judge("gone");
    }
  }

  async #firstOfBody(): Promise<void> {
    try {
      await this.#session.reader.fill();
      this.active();
    } catch {
      this.#judge("gone");
    }
  }

  /** Notices a client that breaks its connection while the backend works. */
  #watchClient(): void {
    const { reader } = this.#session;
    if (reader.full || reader.ended) return;
    // Not awaited: what comes is the next request, and the session's.
    reader.fill().catch(() => this.#judge("gone"));
  }

  /** The answer. Never rejects. */
  async #down(): Promise<ExchangeEnd> {
    const { reader, parser } = this.#connection;
    try {
      for (;;) {
        if (reader.held > 0) {
          this.#heard = true;
          const parsed = parser.parse(reader.bytes);
          if (parsed.state === "error") return this.#malformed(parsed.reason);
          if (parsed.state === "complete") {
            reader.consume(parsed.length);
            const end = await this.#take(parsed.head);
            if (end !== null) return end;
            continue;
          }
        }
        if (reader.ended) return this.#ended();
        await reader.fill();
        this.active();
      }
    } catch {
      return this.#ended(); // It broke the connection, or was given up.
    }
  }

  #ended(): ExchangeEnd {
    if (this.#heard) return this.#malformed("a head that breaks off");
    this.wasOwed = !this.#sent && this.#session.receiving;
    this.reason ||= "connection ended before the first byte";
    return "unanswered";
  }

  #malformed(reason: string): ExchangeEnd {
    this.reason ||= `it sent ${reason}`;
    return "malformed";
  }

  /** Takes in a head; null: another follows. */
  #take(head: ResponseHead): Promise<ExchangeEnd | null> {
    const body = responseBody(head, this.#request.head.method);
    if (typeof body === "object" && "state" in body) {
      return Promise.resolve(this.#malformed(body.reason));
    }
    if (head.status < 200 && ++this.#interims > INTERIMS_MAX) {
      return Promise.resolve(this.#malformed("too many interim answers"));
    }
    if (!this.answered) this.#observer.answered();
    this.answered = true;
    this.#request.passage.status = head.status;
    if (head.status === 101) return this.#upgrade(head);
    return head.status >= 200 ? this.#answer(head, body) : this.#sendInterim(head);
  }

  /** Passes on an interim answer (RFC 9110, 15.2); HTTP/1.0 knows none. */
  async #sendInterim(head: ResponseHead): Promise<null> {
    if (this.#request.head.minor === 0) return null;
    const { date } = this.#options;
    const forwarded = forwardedResponse(head, { framing: "none", connection: null, date });
    await this.#sendDown(this.#responseMessage(forwarded, 0));
    return null;
  }

  async #answer(received: ResponseHead, body: ResponseBody): Promise<ExchangeEnd> {
    const { reader } = this.#connection;
    this.#phase = "answering";
    const { head, framing, encoding, keeps, connection } = planAnswer(received, {
      request: this.#request,
      body,
      cookie: this.#cookie,
      mayCompress: this.#zlib !== null,
      mayKeep: this.#sent && !this.#session.endsNext,
    });
    const { date } = this.#options;
    const forwarded = forwardedResponse(head, { framing, connection, date });
    const isWhole = typeof body === "object" && encoding === null && reader.held >= body.length;
    const whole = isWhole ? body.length : 0;
    const message = this.#responseMessage(forwarded, whole);
    if (!await this.#sendDown(message)) return "gone";
    this.bytesDown += message.bodyBytes;
    const isDone = body === "none" || (whole > 0 && message.bodyBytes === whole);
    if (!isDone) {
      const end = await this.#sendBodyDown({ body, framing, encoding });
      if (end !== "answered") return end;
    }
    this.keepsClient = keeps;
    this.keepsBackend = body !== "until-close" && keepsAlive(received) && this.#sent &&
      reader.held === 0 && !reader.ended;
    this.keepAliveHeaders = head.headers;
    return "answered";
  }

  async #sendBodyDown({ body, framing, encoding }: {
    readonly body: ResponseBody;
    readonly framing: ResponseBody;
    readonly encoding: Encoding | null;
  }): Promise<ExchangeEnd> {
    const { buffers } = this.#options;
    const coding = framing === "chunked" ? "chunked" : "plain";
    using sink = encoding === null || this.#zlib === null
      ? null
      : new CompressedSink(this.#session.conn, { encoding, coding, zlib: this.#zlib, buffers });
    const mover = new BodyMover({
      reader: this.#connection.reader,
      framing: body,
      sink: sink ?? this.#session.conn,
      coding: sink === null ? coding : "plain",
      observer: this,
      buffers,
    });
    const result = await mover.run();
    this.bytesDown += mover.bytes;
    if (result.end === "complete") return await sink?.end() === false ? "gone" : "answered";
    const isClients = result.end === "broken" && result.side === "sink";
    if (isClients) return "gone";
    this.reason ||= "answer broke off in the middle";
    return "cut";
  }

  /** A head and, for the same write, so much of the body from what is held, if it fits. */
  #responseMessage(head: ResponseHead, bodyBytes: number): Message {
    const { reader } = this.#connection;
    const buffer = this.#options.buffers.takeFor(responseHeadBytes(head) + SMALL_BODY_BYTES);
    const end = writeResponseHead(head, buffer, 0);
    if (bodyBytes === 0 || bodyBytes > buffer.length - end) {
      return { buffer, length: end, bodyBytes: 0 };
    }
    buffer.set(reader.bytes.subarray(0, bodyBytes), end);
    reader.consume(bodyBytes);
    return { buffer, length: end + bodyBytes, bodyBytes };
  }

  async #sendDown(message: Message): Promise<boolean> {
    this.#isWritingDown = true;
    const isSent = await this.#send(message, this.#session.conn);
    this.#isWritingDown = false;
    return isSent;
  }

  /** Sends a message and gives its buffer back. False: the other side takes no more. Never rejects. */
  async #send({ buffer, length }: Message, conn: Deno.TcpConn): Promise<boolean> {
    try {
      for (let at = 0; at < length;) {
        at += await conn.write(buffer.subarray(at, length));
        this.active();
      }
      return true;
    } catch {
      return false; // It is closed, or broken; what follows is the caller's to decide.
    } finally {
      this.#options.buffers.give(buffer);
    }
  }

  /** Another protocol from here on (RFC 9110, 7.8): bytes both ways until both sides have ended. */
  async #upgrade(head: ResponseHead): Promise<ExchangeEnd> {
    const isAsked = this.#request.asksUpgrade &&
      head.headers.some((each) => isNamed(each, "upgrade"));
    if (!isAsked) return this.#malformed("a switch of protocols that nobody asked for");
    this.#phase = "upgraded";
    const { date, buffers } = this.#options;
    const forwarded = forwardedResponse(head, { framing: "none", connection: "upgrade", date });
    const session = this.#session;
    if (!await this.#sendDown(this.#responseMessage(forwarded, 0))) return "gone";
    const connection = this.#connection;
    const raw = { framing: "until-close", coding: "plain", observer: this, buffers } as const;
    const up = new BodyMover({ ...raw, reader: session.reader, sink: connection.conn });
    const down = new BodyMover({ ...raw, reader: connection.reader, sink: session.conn });
    this.#upMover = up;
    await Promise.all([
      this.#passOn(up, connection.conn),
      this.#passOn(down, session.conn),
    ]);
    this.bytesDown += down.bytes;
    if (this.#clientEndedFirst) this.#request.passage.end(ENDING.servedClient);
    return "answered";
  }

  /** Moves one direction to its end, and passes that on as a half-close. */
  async #passOn(mover: BodyMover, sink: Deno.TcpConn): Promise<void> {
    const isDown = sink === this.#session.conn;
    const result = await mover.run();
    if (isDown) this.#backendEnded = true;
    else this.#clientEndedFirst = !this.#backendEnded;
    this.active();
    try {
      if (result.end !== "complete") throw new Deno.errors.ConnectionReset();
      await sink.closeWrite();
    } catch {
      // One side broke its connection: there is nothing left to say to the other.
      const isClients = isDown === (result.end !== "broken" || result.side === "sink");
      this.#request.passage.end(isClients ? ENDING.clientBroke : ENDING.backendBroke);
      this.#judge("cut");
    }
  }
}
