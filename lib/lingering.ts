/**
 * The lingering close: gives a client its last bytes, if any, and ends the connection so that it
 * really receives them. A plain `close` with unread input sends a reset, and the peer may lose
 * what was just written; so the stream is half-closed, and what the client still sends is read
 * and dropped until it closes too, for a bounded time (nginx calls it `lingering_close`).
 *
 * It happens beside the bridges, so a client that is slow to take its refusal holds none.
 */
import type { Deadlines, Expiring } from "./deadlines.ts";

/** Whom to see out: a client, in the mode's own form. */
export interface Departing extends Disposable {
  /** The connection. */
  readonly conn: Pick<Deno.TcpConn, "write" | "closeWrite">;
  /** Has this side closed it? */
  readonly closed: boolean;
  /** Has the client ended its side of the stream? */
  readonly ended: boolean;
  /** Is a read under way? */
  readonly receiving: boolean;
  /** Forgets what is held. Not while a read is under way. */
  dropHeld(): void;
  /** Waits until more is held, or the client has ended. Rejects when it broke the connection. */
  receive(): Promise<void>;
}

/** The limits of all lingering closes. */
export interface LingeringOptions {
  /** How long a client may stay silent, in milliseconds; in all it has six times as long. */
  readonly timeoutMs: number;
  /** How many may linger at once; one more is closed as soon as its last bytes are written. */
  readonly countMax?: number;
  /** What watches the deadlines. */
  readonly deadlines: Deadlines;
}

/** The most that linger at once where nothing else is said. */
const COUNT_MAX = 4096;
/** A client has this many times the silence allowed, in all. */
const TOTAL_FACTOR = 6;
const NOTHING = new Uint8Array(0);

/** The clients that are on their way out. */
export class Lingering {
  readonly #options: LingeringOptions;
  readonly #closings = new Set<Promise<void>>();

  /** Nobody lingers yet. */
  constructor(options: LingeringOptions) {
    this.#options = options;
  }

  /** How many linger. */
  get size(): number {
    return this.#closings.size;
  }

  /** Takes a client over and sees it out. Returns at once. */
  close(client: Departing, lastBytes: Uint8Array = NOTHING): void {
    if (client.closed) return;
    if (client.ended && lastBytes.length === 0) return client[Symbol.dispose]();
    const closing = new Closing(client, this.#options);
    const patient = this.#closings.size < (this.#options.countMax ?? COUNT_MAX);
    const running = closing.run(lastBytes, patient);
    this.#closings.add(running);
    running.finally(() => this.#closings.delete(running));
  }

  /** Resolves when nobody lingers. */
  async settled(): Promise<void> {
    while (this.#closings.size > 0) await Promise.all(this.#closings);
  }
}

class Closing implements Expiring {
  place: number = -1;
  readonly #client: Departing;
  readonly #options: LingeringOptions;
  readonly #startedMs: number;
  #activeMs: number;

  constructor(client: Departing, options: LingeringOptions) {
    this.#client = client;
    this.#options = options;
    this.#startedMs = this.#activeMs = options.deadlines.now;
  }

  async run(lastBytes: Uint8Array, patient: boolean): Promise<void> {
    const { deadlines } = this.#options;
    const { conn } = this.#client;
    deadlines.watch(this);
    try {
      for (let at = 0; at < lastBytes.length;) at += await conn.write(lastBytes.subarray(at));
      await conn.closeWrite();
      if (patient) await this.#dropInput();
    } catch {
      // The client is gone or out of time: it is closed either way.
    } finally {
      deadlines.unwatch(this);
      this.#client[Symbol.dispose]();
    }
  }

  expiresAt(): number {
    const { timeoutMs } = this.#options;
    return Math.min(this.#activeMs + timeoutMs, this.#startedMs + TOTAL_FACTOR * timeoutMs);
  }

  expire(): void {
    this.#client[Symbol.dispose]();
  }

  async #dropInput(): Promise<void> {
    const client = this.#client;
    while (!client.ended) {
      if (!client.receiving) client.dropHeld();
      await client.receive();
      this.#activeMs = this.#options.deadlines.now;
    }
  }
}
