/**
 * The waiting queue: clients that wait for a bridge and for a backend that has room, first come
 * first served, bounded in number and in time. The acceptor offers, the bridges take.
 *
 * Invariants: a client is taken once, together with what it needs to go on; no client waits while a
 * bridge is idle and there is room for it; everybody in a line has the same deadline, so the first
 * in it is the first to run out of time.
 */
import type { Deadlines, Expiring } from "./deadlines.ts";

/** What the queue is made of. `T` is a client, `G` what it needs to go on: a backend, say. */
export interface WaitingQueueOptions<T, G> {
  /** How many may wait. */
  readonly lengthMax: number;
  /** How long one may wait, in milliseconds. */
  readonly timeoutMs: number;
  /** What watches the deadline. */
  readonly deadlines: Deadlines;
  /**
   * Called when a client's turn has come: what it needs, or that it has to wait because there is no
   * room. Those that were not returned are all alike: if one has to wait, so has the next.
   */
  readonly admit: (item: T) => G | "wait";
  /** Called with a client that ran out of time; it is no longer in the queue. */
  readonly onTimeout: (item: T) => void;
}

/** A client whose turn has come. */
export interface Admitted<T, G> {
  /** The client. */
  readonly item: T;
  /** What it needs to go on. */
  readonly grant: G;
}

/** A bounded first-in first-out queue with deadlines. */
export class WaitingQueue<T, G> implements Expiring {
  /** For the deadlines. */
  place: number = -1;
  readonly #options: WaitingQueueOptions<T, G>;
  /** Since when each waits, first come first: a Map keeps the order, and is cheap to leave. */
  readonly #waiting = new Map<T, number>();
  /** The same for those that bridges returned. They go before the others, where there is room. */
  readonly #returned = new Map<T, number>();
  /** Bridges with nothing to do; the last one to come is the first to go. */
  readonly #idle: ((admitted: Admitted<T, G> | null) => void)[] = [];
  #closed = false;

  /** An empty queue. */
  constructor(options: WaitingQueueOptions<T, G>) {
    this.#options = options;
  }

  /** How many wait. */
  get length(): number {
    return this.#waiting.size + this.#returned.size;
  }

  /** How many bridges wait for a client. */
  get idle(): number {
    return this.#idle.length;
  }

  /** Hands a client to an idle bridge, or lets it wait; says which, or that the queue is full. */
  offer(item: T): "taken" | "waits" | "full" {
    if (this.#closed) return "full";
    if (this.#idle.length > 0 && this.#waiting.size === 0) {
      const grant = this.#options.admit(item);
      if (grant !== "wait") {
        this.#idle.pop()?.({ item, grant });
        return "taken";
      }
    }
    if (this.length >= this.#options.lengthMax) return "full";
    this.#wait(item, this.#waiting);
    return "waits";
  }

  /** Takes back a client for which there is no room now. There are no more of them than bridges. */
  giveBack(item: T): void {
    this.#wait(item, this.#returned);
  }

  /** Hands out whom there is room for now. Called when there may be more than there was. */
  admit(): void {
    for (let take = this.#idle.pop(); take !== undefined; take = this.#idle.pop()) {
      const next = this.#next();
      if (next === null) {
        this.#idle.push(take);
        return;
      }
      take(next);
    }
  }

  /** Is that client still waiting? */
  has(item: T): boolean {
    return this.#waiting.has(item) || this.#returned.has(item);
  }

  /** Gives a place up; false if the client was not waiting any more. */
  leave(item: T): boolean {
    const left = this.#waiting.delete(item) || this.#returned.delete(item);
    if (this.length === 0) {
      this.#options.deadlines.unwatch(this);
      if (this.#closed) this.#sendHome();
    }
    return left;
  }

  /** The next client for whom there is room; null when the queue is closed and empty. */
  take(): Promise<Admitted<T, G> | null> {
    const next = this.#next();
    if (next !== null) return Promise.resolve(next);
    if (this.#closed && this.length === 0) return Promise.resolve(null);
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Takes no more clients. Those that wait can still be taken; then idle bridges are sent home. */
  close(): void {
    this.#closed = true;
    if (this.length === 0) this.#sendHome();
  }

  /** Empties the queue; those that waited are the caller's. */
  drop(): T[] {
    const dropped = [...this.#returned.keys(), ...this.#waiting.keys()];
    for (const item of dropped) this.leave(item);
    return dropped;
  }

  /** When the first in the queue runs out of time. */
  expiresAt(): number {
    const { timeoutMs } = this.#options;
    return Math.min(first(this.#returned), first(this.#waiting)) + timeoutMs;
  }

  /** Lets go of all that ran out of time. */
  expire(): void {
    for (const line of [this.#returned, this.#waiting]) this.#expire(line);
  }

  #expire(line: ReadonlyMap<T, number>): void {
    const { deadlines, timeoutMs, onTimeout } = this.#options;
    for (const [item, sinceMs] of line) {
      if (sinceMs + timeoutMs > deadlines.now) return;
      this.leave(item);
      onTimeout(item);
    }
  }

  #wait(item: T, line: Map<T, number>): void {
    const { deadlines } = this.#options;
    if (this.length === 0) deadlines.watch(this);
    line.set(item, deadlines.now);
  }

  /** The first for whom there is room; no longer in the queue. */
  #next(): Admitted<T, G> | null {
    for (const item of this.#returned.keys()) {
      const grant = this.#options.admit(item);
      if (grant !== "wait") return this.#admitted(item, grant);
    }
    for (const item of this.#waiting.keys()) {
      const grant = this.#options.admit(item);
      return grant === "wait" ? null : this.#admitted(item, grant);
    }
    return null;
  }

  #admitted(item: T, grant: G): Admitted<T, G> {
    this.leave(item);
    return { item, grant };
  }

  #sendHome(): void {
    for (const take of this.#idle.splice(0)) take(null);
  }
}

/** Since when the first in line waits; Infinity: the line is empty. */
function first(line: ReadonlyMap<unknown, number>): number {
  for (const sinceMs of line.values()) return sinceMs;
  return Infinity;
}
