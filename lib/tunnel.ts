/**
 * The tunnel: copies bytes both ways between a client and one backend until both directions have
 * ended. Called by the bridge, which owns the client before and after.
 *
 * - Each direction ends by itself: the end of one is passed on as a half-close, and the other goes
 *   on. (`pipeTo` would close the whole connection and lose the answer of a client that
 *   half-closes.)
 * - Back-pressure: a direction reads again only when all that it read has been written.
 * - Until the answer begins, the client's bytes are held, so that another backend can be tried
 *   where that is safe.
 * - One deadline moves along with the traffic; a message costs no timer, see `deadlines.ts`.
 *
 * Invariants: the backend's connection is closed when `run` returns; the client is then either
 * closed or nobody reads from or writes to it, but for a read that is under way, which whoever
 * comes next joins by `client.receive`; no promise is left to reject by itself.
 */
import type { Buffers } from "./buffers.ts";
import type { Client } from "./client.ts";
import type { Deadlines, Expiring } from "./deadlines.ts";
import { ENDING, type Ending } from "./ending.ts";
import { isSafeToResend, requestExtent } from "./resend.ts";

/** How the client was carried to its end; or the backend `ended` early, and another may be tried. */
export type TunnelEnd = Ending | "ended";

/** Who is told how an exchange begins. */
export interface TunnelObserver {
  /** The first bytes of the client are on their way to the backend. */
  asked(): void;
  /** The first bytes of the answer are here. */
  answered(): void;
  /** The backend ended, or was given up, before its first byte; the client is still there. */
  dropped(reason: string): void;
}

/** What a tunnel connects. */
export interface TunnelEnds {
  /** The tunnel's until {@linkcode Tunnel.run} returns. */
  readonly client: Client;
  /** The tunnel's from now on. */
  readonly backend: Deno.TcpConn;
  /** Is told of each at most once. */
  readonly observer: TunnelObserver;
}

/** What a tunnel works with; the same for all. */
export interface TunnelOptions {
  /** Is each request owed an answer, and may it be sent again elsewhere where that is safe? */
  readonly http: boolean;
  /** How long a backend may stay silent after the client's bytes, in milliseconds. */
  readonly firstByteTimeoutMs: number;
  /** How long both may stay silent, in milliseconds. */
  readonly idleTimeoutMs: number;
  /** How long a client may stay silent after the backend's end, in milliseconds. */
  readonly lingerTimeoutMs: number;
  /** What watches the deadline. */
  readonly deadlines: Deadlines;
  /** Where buffers come from. */
  readonly buffers: Buffers;
}

/** One client and one backend. */
export class Tunnel implements Expiring {
  /** For the deadlines. */
  place: number = -1;
  /** Bytes sent to the backend. */
  bytesUp = 0;
  /** Bytes sent to the client. */
  bytesDown = 0;

  readonly #client: Client;
  readonly #backend: Deno.TcpConn;
  readonly #observer: TunnelObserver;
  readonly #options: TunnelOptions;
  /** When a byte last moved. */
  #activeMs: number;
  /** Has the answer begun? */
  #answered = false;
  #backendEnded = false;
  /** Did it end by breaking its connection? */
  #broke = false;
  /** What ended it from within: a deadline, or a connection that broke. */
  #ending: Ending | null = null;
  /** Was anything written to the backend, or is it being written? */
  #asked = false;
  /** Were bytes of the client dropped before the answer began? */
  #forgot = false;
  /** What was known of the length of its request then. */
  #forgotExtent: number | null = null;
  /** Is the direction to the backend in the middle of a write? */
  #sending = false;
  #quickUp = false;
  #quickDown = false;
  /** Has `run` returned? The client is no longer this tunnel's. */
  #over = false;

  /** Takes over the backend's connection, and the client until {@linkcode run} returns. */
  constructor(ends: TunnelEnds, options: TunnelOptions) {
    this.#client = ends.client;
    this.#backend = ends.backend;
    this.#observer = ends.observer;
    this.#options = options;
    this.#activeMs = options.deadlines.now;
  }

  /** Copies until the end. Never rejects. */
  async run(): Promise<TunnelEnd> {
    this.#options.deadlines.watch(this);
    const up = this.#up();
    const end = await this.#down();
    if (end !== "ended" && end !== ENDING.firstByteTimeout) await up;
    this.#over = true;
    this.#options.deadlines.unwatch(this);
    this.#backend[Symbol.dispose]();
    if (!this.#client.receiving) await up;
    return end === "ended" ? end : this.#ending ?? end;
  }

  /**
   * When this is given up if nothing moves: after a request, the answer has a deadline of its own
   * to begin; after the backend's end, the client has a little time to take it in.
   */
  expiresAt(): number {
    const { firstByteTimeoutMs, idleTimeoutMs, lingerTimeoutMs } = this.#options;
    if (this.#backendEnded) return this.#activeMs + lingerTimeoutMs;
    return this.#activeMs + (this.#owesAnswer() ? firstByteTimeoutMs : idleTimeoutMs);
  }

  /** Gives up the backend alone if it owes an answer, else both sides. */
  expire(): void {
    if (this.#owesAnswer()) {
      this.#ending ??= ENDING.firstByteTimeout;
      this.#backend[Symbol.dispose]();
    } else {
      this.#close(this.#backendEnded ? ENDING.lingerTimeout : ENDING.idleTimeout);
    }
  }

  #owesAnswer(): boolean {
    return !this.#answered && !this.#backendEnded && this.#asked;
  }

  /** Backend to client, until the backend's end; passes that on, unless the client may go on. */
  async #down(): Promise<TunnelEnd> {
    const { deadlines, buffers } = this.#options;
    const { conn } = this.#client;
    let buffer = buffers.take();
    let writing = false;
    try {
      for (;;) {
        const count = await this.#backend.read(buffer);
        if (count === null) break;
        if (!this.#answered) this.#observer.answered();
        this.#answered = true;
        this.#activeMs = deadlines.now;
        writing = true;
        if (this.bytesDown > 0 && !this.#quickDown) this.#quickDown = noDelay(conn);
        for (let at = 0; at < count;) {
          at += await conn.write(slice(buffer, at, count));
          this.#activeMs = deadlines.now;
        }
        writing = false;
        this.bytesDown += count;
        buffer = buffers.fit(buffer, count);
      }
    } catch {
      // A backend that breaks the connection has ended; a client that does leaves nobody to serve.
      if (writing) this.#close(ENDING.clientBroke);
      else this.#broke = true;
    }
    buffers.give(buffer);
    this.#backendEnded = true;
    this.#activeMs = deadlines.now;
    if (this.#isFailure()) this.#observer.dropped(this.#failure());
    const end = this.#end();
    const goesOn = end === "ended" || end === ENDING.firstByteTimeout;
    if (!goesOn && !this.#client.ended && !this.#client.closed) {
      // Whoever breaks the connection now has its whole answer.
      await conn.closeWrite().catch(() => this.#close(ENDING.servedClient));
    }
    return end;
  }

  /** What the backend's end means. */
  #end(): TunnelEnd {
    if (this.#ending !== null) return this.#ending;
    const { ended, closed } = this.#client;
    if (this.#answered) {
      if (this.#broke) return ENDING.backendBroke;
      return ended ? ENDING.servedClient : ENDING.served;
    }
    if (closed) return ENDING.leftEarly;
    if (this.#options.http) {
      return !this.#forgot && this.#isSafe() ? "ended" : ENDING.unanswered;
    }
    // Not every protocol has answers.
    if (!ended || this.#broke) return ENDING.unanswered;
    return this.#asked ? ENDING.servedClient : ENDING.leftEarly;
  }

  /**
   * Did the backend end where an answer was due? Not before the client has asked, and in HTTP that
   * takes a whole request: backends close on those who never finish one. (One that ends in the middle
   * of a write has its part in that.) Without HTTP, a client that ended first may not want an answer.
   */
  #isFailure(): boolean {
    if (this.#answered || this.#client.closed || !this.#asked) return false;
    if (this.#options.http) return this.#isWhole();
    return this.#ending === ENDING.firstByteTimeout || !this.#client.ended;
  }

  #isWhole(): boolean {
    const extent = this.#forgot ? this.#forgotExtent : requestExtent(this.#client.heldFrom(0));
    const isWriting = this.#sending && !this.#client.ended;
    return extent !== null && (this.bytesUp >= extent || isWriting);
  }

  #failure(): string {
    const { firstByteTimeoutMs } = this.#options;
    return this.#ending === ENDING.firstByteTimeout
      ? `no first byte within ${firstByteTimeoutMs / 1000}s`
      : "connection ended before the first byte";
  }

  #isSafe(): boolean {
    return !this.#asked || isSafeToResend(this.#client.heldFrom(0));
  }

  /** Client to backend, until the client's end or until the backend takes no more. */
  async #up(): Promise<void> {
    try {
      await this.#upHeld();
      if (this.#over) return;
      if (!this.#client.ended) await this.#upFlowing();
      this.#sending = true;
      if (!this.#backendEnded) await this.#backend.closeWrite();
    } catch {
      // A backend that takes no more has ended, which the other direction sees and judges. A client
      // that broke the connection, or was closed from this side, leaves nobody to serve.
      if (!this.#sending && !this.#over) this.#close(ENDING.clientBroke);
    }
  }

  /** Until the answer begins: what is sent stays held. */
  async #upHeld(): Promise<void> {
    const client = this.#client;
    for (let sent = 0; !this.#over;) {
      this.#activeMs = this.#options.deadlines.now;
      this.#sending = true;
      while (sent < client.held) {
        if (!this.#asked && !this.#answered) this.#observer.asked();
        this.#asked = true;
        if (this.bytesUp > 0 && !this.#quickUp) this.#quickUp = noDelay(this.#backend);
        const count = await this.#backend.write(client.heldFrom(sent));
        sent += count;
        this.bytesUp += count;
        this.#activeMs = this.#options.deadlines.now;
      }
      this.#sending = false;
      if (this.#over) return;
      if (client.ended || (this.#answered && !client.receiving)) return;
      if (client.full) {
        if (!this.#forgot) this.#forgotExtent = requestExtent(client.heldFrom(0));
        client.dropHeld();
        this.#forgot = true;
        sent = 0;
      }
      await client.receive();
    }
  }

  /** From then on: nothing is held, and each message takes the shortest way. */
  async #upFlowing(): Promise<void> {
    const { deadlines, buffers } = this.#options;
    const { conn } = this.#client;
    let buffer = this.#client.releaseBuffer();
    try {
      for (;;) {
        const count = await conn.read(buffer);
        if (count === null) break;
        this.#activeMs = deadlines.now;
        this.#sending = true;
        if (!this.#quickUp) this.#quickUp = noDelay(this.#backend);
        for (let at = 0; at < count;) {
          at += await this.#backend.write(slice(buffer, at, count));
          this.#activeMs = deadlines.now;
        }
        this.#sending = false;
        this.bytesUp += count;
        buffer = buffers.fit(buffer, count);
      }
      this.#client.ended = true;
    } finally {
      buffers.give(buffer);
    }
  }

  #close(ending: Ending): void {
    const isEarly = ending === ENDING.clientBroke && !this.#answered;
    this.#ending ??= isEarly ? ENDING.leftEarly : ending;
    this.#client[Symbol.dispose]();
    this.#backend[Symbol.dispose]();
  }
}

/**
 * Sends small pieces at once. Only a second write can be held back by Nagle's algorithm, so a
 * connection of one message each way is spared the two system calls.
 */
function noDelay(conn: Deno.TcpConn): true {
  conn.setNoDelay(true);
  return true;
}

function slice(buffer: Uint8Array, start: number, end: number): Uint8Array {
  return start === 0 && end === buffer.length ? buffer : buffer.subarray(start, end);
}
