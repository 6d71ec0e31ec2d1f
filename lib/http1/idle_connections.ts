/**
 * The connections to backends that carry nothing right now and wait for the next request (RFC 9112
 * section 9.3). The request carrier takes one before it dials, and gives it back when an answer has ended
 * and both sides want to go on.
 *
 * The newest is taken first: it has the most time left, and what was opened for a burst is not kept
 * alive by turns but runs out.
 *
 * Invariants: whatever is here is quiet, or is closed as soon as it is heard of; it is here for no
 * longer than the idle limits allow; there are never more than the bounds say. What is taken or
 * refused belongs to nobody here: a taken one to the taker, a refused one is closed.
 */
import type { Backend } from "../backend.ts";
import type { Deadlines, Expiring } from "../deadlines.ts";
import type { Header } from "./head_parser.ts";

/** A connection that can be kept. */
export interface IdleConnection extends Disposable {
  /** Has nothing been received that nobody asked for, not even the end of the stream? */
  readonly quiet: boolean;
  /**
   * Settles, either way, when it is quiet no more. That takes a read, and a read cannot be called
   * back: when the connection was taken meanwhile, its user goes on with that very read.
   */
  watch(): Promise<unknown>;
}

/** The limits of what is kept. */
export interface IdleConnectionsOptions {
  /** How long one is kept, in milliseconds. */
  readonly timeoutMs?: number;
  /** How many are kept for one backend. */
  readonly perBackendMax?: number;
  /** How many are kept in all. */
  readonly countMax?: number;
  /** What watches the deadlines. */
  readonly deadlines: Deadlines;
}

/** What is known of one connection. */
export interface KeepOptions {
  /** The backend's own idle limit, in milliseconds; by default it has none. */
  readonly timeoutMs?: number;
}

/** Below the five seconds after which Node's servers close. */
const TIMEOUT_MS = 4000;
/**
 * A burst leaves as many connections as it had requests at once; with fewer kept, the next one would
 * have to connect again. But each may bind a thread of the backend, so it is not all of them: as many
 * as Node's own client keeps of one host.
 */
const PER_BACKEND_MAX = 256;
/** As many as are carried at once by default: idle ones at most double the descriptors in use. */
const COUNT_MAX = 1024;
/** A backend's own limit counts from an earlier moment, and our next request needs time to arrive. */
const SAFETY_MS = 1000;

/** The connections that are kept, of all backends. */
export class IdleConnections<T extends IdleConnection> implements Disposable {
  readonly #deadlines: Deadlines;
  readonly #timeoutMs: number;
  readonly #perBackendMax: number;
  readonly #countMax: number;
  /** Oldest first. One that is empty stays for the next, until its backend is dropped. */
  readonly #shelves = new Map<Backend, Idle<T>[]>();
  #size = 0;
  #reused = 0;
  #lost = 0;
  #disposed = false;

  /** Nothing is kept yet. */
  constructor(options: IdleConnectionsOptions) {
    this.#deadlines = options.deadlines;
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#perBackendMax = options.perBackendMax ?? PER_BACKEND_MAX;
    this.#countMax = options.countMax ?? COUNT_MAX;
  }

  /** How many are kept. */
  get size(): number {
    return this.#size;
  }

  /** How many were taken since the start. */
  get reused(): number {
    return this.#reused;
  }

  /** How many ended since the start because the backend closed or broke them, or spoke unasked. */
  get lost(): number {
    return this.#lost;
  }

  /** How many are kept of one backend. */
  countOf(backend: Backend): number {
    return this.#shelves.get(backend)?.length ?? 0;
  }

  /** Hands out the newest of a backend; null: there is none. */
  take(backend: Backend): T | null {
    const shelf = this.#shelves.get(backend);
    for (let idle = shelf?.at(-1); idle !== undefined; idle = shelf?.at(-1)) {
      // What came a moment ago may not have been told yet, and must not pass for an answer.
      if (!idle.connection.quiet) {
        this.#lose(idle);
        continue;
      }
      this.#remove(idle);
      this.#reused++;
      return idle.connection;
    }
    return null;
  }

  /**
   * Keeps a connection, or closes it: when its backend is not to be sent anything now, when there is
   * no time left, when it is not quiet. Where there are too many the backend's oldest makes room; if
   * it has none, nobody does.
   * @param timeoutMs the backend's own limit, if it named one: see {@linkcode keepAliveTimeoutMs}.
   */
  keep(backend: Backend, connection: T, { timeoutMs = Infinity }: KeepOptions = {}): void {
    const keptMs = Math.min(this.#timeoutMs, timeoutMs - SAFETY_MS);
    const wanted = !this.#disposed && backend.state === "ready" && keptMs > 0 && connection.quiet;
    if (!wanted || !this.#makeRoom(backend)) return connection[Symbol.dispose]();
    const idle = new Idle({
      backend,
      connection,
      untilMs: this.#deadlines.now + keptMs,
      onExpired: this.#close,
    });
    this.#shelfOf(backend).push(idle);
    this.#size++;
    this.#deadlines.watch(idle);
    const heard = (): void => this.#lose(idle);
    connection.watch().then(heard, heard);
  }

  /** Closes all of a backend: it is down, drains or was removed. */
  drop(backend: Backend): void {
    for (const idle of [...this.#shelves.get(backend) ?? []]) this.#close(idle);
    this.#shelves.delete(backend);
  }

  /** Closes all; from then on nothing is kept. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    for (const backend of [...this.#shelves.keys()]) this.drop(backend);
  }

  #shelfOf(backend: Backend): Idle<T>[] {
    let shelf = this.#shelves.get(backend);
    if (shelf === undefined) this.#shelves.set(backend, shelf = []);
    return shelf;
  }

  /** Is there room for one more, or can it be made? */
  #makeRoom(backend: Backend): boolean {
    if (this.#size < this.#countMax && this.countOf(backend) < this.#perBackendMax) return true;
    const oldest = this.#shelves.get(backend)?.[0];
    if (oldest !== undefined) this.#close(oldest);
    return oldest !== undefined;
  }

  /** Takes in that one is quiet no more. If it was taken meanwhile, that is its taker's business. */
  #lose(idle: Idle<T>): void {
    if (!this.#remove(idle)) return;
    this.#lost++;
    idle.connection[Symbol.dispose]();
  }

  readonly #close = (idle: Idle<T>): void => {
    if (this.#remove(idle)) idle.connection[Symbol.dispose]();
  };

  /** False: it is not here. */
  #remove(idle: Idle<T>): boolean {
    const shelf = this.#shelves.get(idle.backend);
    // From the end: that is where one is taken, many times as often as one runs out.
    const place = shelf?.lastIndexOf(idle) ?? -1;
    if (place === -1) return false;
    shelf?.splice(place, 1);
    this.#size--;
    this.#deadlines.unwatch(idle);
    return true;
  }
}

interface IdleOptions<T> {
  readonly backend: Backend;
  readonly connection: T;
  readonly untilMs: number;
  readonly onExpired: (idle: Idle<T>) => void;
}

/** A connection while it is kept. */
class Idle<T> implements Expiring {
  place = -1;
  readonly backend: Backend;
  readonly connection: T;
  readonly #untilMs: number;
  readonly #onExpired: (idle: Idle<T>) => void;

  constructor(options: IdleOptions<T>) {
    this.backend = options.backend;
    this.connection = options.connection;
    this.#untilMs = options.untilMs;
    this.#onExpired = options.onExpired;
  }

  expiresAt(): number {
    return this.#untilMs;
  }

  expire(): void {
    this.#onExpired(this);
  }
}

/**
 * How long a backend says that it keeps an idle connection, in milliseconds: the `timeout` of its
 * `Keep-Alive` header, in seconds (RFC 2068 section 19.7.1; no later one defines it, and servers
 * send it all the same). Infinity: it does not say, or not so that it could be understood.
 */
export function keepAliveTimeoutMs(headers: readonly Header[]): number {
  let timeoutMs = Infinity;
  for (const { name, value } of headers) {
    if (name.length !== "keep-alive".length || name.toLowerCase() !== "keep-alive") continue;
    const seconds = /(?:^|[,;])[ \t]*timeout[ \t]*=[ \t]*"?(\d{1,9})"?[ \t]*(?:$|[,;])/i.exec(value)
      ?.[1];
    if (seconds !== undefined) timeoutMs = Math.min(timeoutMs, Number(seconds) * 1000);
  }
  return timeoutMs;
}
