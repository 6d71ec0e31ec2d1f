/**
 * The session: one client's connection in http mode. It reads one request after the other, hands
 * each out, and goes on to the next when that is settled; so an idle client holds no bridge.
 *
 * Invariants: one request at a time, in the order sent, however many came at once; the head of the
 * next is read only when the answer to the last one is out; who is slow with a head, or with asking
 * at all, has a deadline; the connection is closed or handed to the lingering close in the end.
 */
import { plainIp } from "../address.ts";
import type { Buffers } from "../buffers.ts";
import type { Clock } from "../clock.ts";
import type { Deadlines, Expiring } from "../deadlines.ts";
import { ENDING, type Ending } from "../ending.ts";
import type { Journal } from "../journal.ts";
import type { Departing } from "../lingering.ts";
import { Passage, type RequestLine } from "../passage.ts";
import type { Member } from "../roster.ts";
import { ClientRequest, type ErrorStatus } from "./client_request.ts";
import { ConnectionReader } from "./connection_reader.ts";
import type { DateHeader } from "./date_header.ts";
import { errorAnswer } from "./error_answer.ts";
import { keepsAlive, requestBody } from "./framing.ts";
import { type HeadError, RequestHeadParser } from "./head_parser.ts";

/** What a session works with; the same for all. */
export interface SessionOptions {
  /** How long a head may take from its first byte, and the first head from the connect, in milliseconds. */
  readonly headTimeoutMs: number;
  /** How long a client may wait before it asks again, in milliseconds. */
  readonly keepAliveTimeoutMs: number;
  /** Is a proxy's word on those before it taken? Asked once for each client. */
  readonly isTrusted: (ip: string) => boolean;
  /** What watches the deadlines. */
  readonly deadlines: Deadlines;
  /** Where buffers come from. */
  readonly buffers: Buffers;
  /** The source of time. */
  readonly clock: Clock;
  /** The date of what clients are told. */
  readonly date: DateHeader;
  /** Is told of what never became a request. */
  readonly journal: Journal;
  /** Called with each request; it is to be settled in the end. */
  readonly onRequest: (request: ClientRequest) => void;
  /** Called with each request that is settled. Returns when that is, on the clock. */
  readonly onSettled: (request: ClientRequest) => number;
  /** Called when the session is over, with the client's last bytes, maybe none. */
  readonly onLeave: (session: Session, lastBytes: Uint8Array) => void;
}

/** What it is doing: waiting for a request, reading a head, waiting for an answer, or over. */
type Phase = "idle" | "head" | "carried" | "over";

/**
 * So long a client may wait with its request, in milliseconds, when there is to be no other: it may be
 * on its way, and whoever asks again and again is told with an answer.
 */
const LAST_REQUEST_MS = 1000;
const NOTHING = new Uint8Array(0);

/** One client's connection. */
export class Session implements Departing, Member {
  /** For the roster of all sessions. */
  place: number = -1;
  /** The connection. */
  readonly conn: Deno.TcpConn;
  /** The address that it came from. */
  readonly ip: string;
  /** Is its word on those before it taken? */
  readonly isTrusted: boolean;
  /** What was received and not read yet. */
  readonly reader: ConnectionReader;
  readonly #options: SessionOptions;
  readonly #parser = new RequestHeadParser();
  readonly #deadline: Expiring;
  #phase: Phase = "idle";
  /** Since when it waits for the client, on the clock of the deadlines. */
  #sinceMs: number;
  /** The same on the clock, to tell of. */
  #beganMs: number;
  #asked = false;
  #retiring = false;
  /** Since when it has to end; Infinity: it has not. */
  #drainingMs = Infinity;
  #closed = false;

  /** Takes over the connection. */
  constructor(conn: Deno.TcpConn, options: SessionOptions) {
    this.conn = conn;
    this.ip = plainIp(conn.remoteAddr.hostname);
    this.isTrusted = options.isTrusted(this.ip);
    this.reader = new ConnectionReader(conn, options.buffers);
    this.#options = options;
    this.#sinceMs = options.deadlines.now;
    this.#beganMs = options.clock.now();
    this.#deadline = {
      place: -1,
      expiresAt: () => this.#expiresAt(),
      expire: () => this.#expire(),
    };
  }

  /** Has this side closed it? */
  get closed(): boolean {
    return this.#closed;
  }

  /** Has the client ended its side of the stream? */
  get ended(): boolean {
    return this.reader.ended;
  }

  /** Is a read under way? */
  get receiving(): boolean {
    return this.reader.receiving;
  }

  /** Reads requests until the end. Never rejects. */
  async run(): Promise<void> {
    let last: Uint8Array = NOTHING;
    try {
      this.conn.setNoDelay(true);
      for (;;) {
        const request = await this.#next();
        if (!(request instanceof ClientRequest)) {
          last = request;
          break;
        }
        this.#phase = "carried";
        this.#options.onRequest(request);
        const settlement = await request.settled;
        this.#beganMs = this.#options.onSettled(request);
        if (settlement === "keep") continue;
        if (settlement === "cut") this[Symbol.dispose]();
        if (typeof settlement === "number") last = errorAnswer(settlement, this.#options.date);
        break;
      }
    } catch {
      this[Symbol.dispose](); // It broke the connection, or was closed from this side.
    }
    this.#leave(last);
  }

  /**
   * Lets the client know with an answer that it is the last one (RFC 9112, 9.6): the next, or that to
   * the last request that has come by then. Until then nothing changes, so no request is lost.
   */
  retire(): void {
    this.#retiring = true;
  }

  /** The same; and who does not ask within a second goes. */
  drain(): void {
    this.#retiring = true;
    this.#drainingMs = this.#options.deadlines.now;
  }

  /** Is the answer under way to be the last? */
  get endsNext(): boolean {
    return this.#retiring && this.reader.held === 0;
  }

  /** When it is given up, unless a request is under way. */
  #expiresAt(): number {
    const { headTimeoutMs, keepAliveTimeoutMs } = this.#options;
    if (this.#phase !== "idle") return this.#sinceMs + headTimeoutMs;
    const lastMs = Math.max(this.#sinceMs, this.#drainingMs) + LAST_REQUEST_MS;
    return Math.min(this.#sinceMs + (this.#asked ? keepAliveTimeoutMs : headTimeoutMs), lastMs);
  }

  /** Gives it up; who is in the middle of a head is told so (RFC 9110, 15.5.9). */
  #expire(): void {
    if (this.#phase === "head") {
      return this.#leave(
        this.#refuse(this.#unasked(), { status: 408, ending: ENDING.headTimeout }),
      );
    }
    if (this.#drainingMs < Infinity) return this.#leave(NOTHING); // No fault of the client's.
    const passage = this.#unasked();
    passage.end(this.#asked ? ENDING.keepAliveTimeout : ENDING.headTimeout);
    this.#options.journal.unasked(passage);
    this.#leave(NOTHING);
  }

  /** For the lingering close: forgets what is held. */
  dropHeld(): void {
    this.reader.consume(this.reader.held);
  }

  /** For the lingering close: waits until more is held, or the client has ended. */
  async receive(): Promise<void> {
    await this.reader.fill();
  }

  /** Closes the connection; a read under way rejects. A second time does nothing. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.conn[Symbol.dispose]();
    this.reader[Symbol.dispose]();
  }

  /** The next request; or that there is none, and the client's last bytes. */
  async #next(): Promise<ClientRequest | Uint8Array> {
    const { clock, deadlines } = this.#options;
    const { reader } = this;
    this.#phase = "idle";
    this.#sinceMs = deadlines.now;
    reader.shrink();
    deadlines.watch(this.#deadline);
    try {
      for (;;) {
        if (reader.held > 0) {
          const nowMs = clock.now();
          if (this.#phase === "idle") {
            this.#sinceMs = deadlines.now;
            this.#beganMs = nowMs;
          }
          this.#phase = "head";
          const result = this.#read(nowMs);
          if (result !== null) return result;
        }
        if (reader.ended || this.#closed) return this.#brokenOff();
        await reader.fill();
        if (this.#isOver()) return NOTHING;
      }
    } finally {
      deadlines.unwatch(this.#deadline);
    }
  }

  /** A request from what is held; null while its head is not all there. */
  #read(nowMs: number): ClientRequest | Uint8Array | null {
    const parsed = this.#parser.parse(this.reader.bytes);
    if (parsed.state === "partial") return null;
    if (parsed.state === "error") return this.#refuseHead(parsed, parsed.line ?? null);
    const { head } = parsed;
    const framing = requestBody(head);
    if (typeof framing === "object" && "state" in framing) return this.#refuseHead(framing, head);
    this.reader.consume(parsed.length);
    this.#asked = true;
    const passage = new Passage(this.conn.remoteAddr, nowMs, head);
    return new ClientRequest(this, { head, passage, framing, keepsAlive: keepsAlive(head) });
  }

  /** What a client is told whose head is no request, or none that can be served. */
  #refuseHead({ status, reason }: HeadError, line: RequestLine | string | null): Uint8Array {
    const passage = this.#unasked(line);
    passage.refusal = reason;
    const ending = status === 400 ? ENDING.badRequest : ENDING.refused;
    return this.#refuse(passage, { status, ending });
  }

  #refuse(
    passage: Passage,
    { status, ending }: { readonly status: ErrorStatus; readonly ending: Ending },
  ): Uint8Array {
    passage.status = status;
    passage.end(ending);
    this.#options.journal.ended(passage);
    return errorAnswer(status, this.#options.date);
  }

  /** The passage of what never became a request, from when it was waited for, or began to come. */
  #unasked(line: RequestLine | string | null = null): Passage {
    return new Passage(this.conn.remoteAddr, this.#beganMs, line);
  }

  /** A head that breaks off is nobody's request. */
  #brokenOff(): Uint8Array {
    if (this.#phase !== "head") return NOTHING;
    const passage = this.#unasked();
    passage.end(ENDING.leftEarly);
    this.#options.journal.unasked(passage);
    return NOTHING;
  }

  #isOver(): boolean {
    return this.#phase === "over";
  }

  #leave(lastBytes: Uint8Array): void {
    if (this.#phase === "over") return;
    this.#phase = "over";
    this.#options.deadlines.unwatch(this.#deadline);
    this.#options.onLeave(this, lastBytes);
  }
}
