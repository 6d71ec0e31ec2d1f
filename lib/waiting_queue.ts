/**
 * The waiting queue: clients that wait for a bridge, first come first served, bounded in number
 * and in time. The acceptor offers, the bridges take.
 *
 * Invariants: a client is taken once; while a bridge waits no client does; everybody in the queue
 * has the same deadline, so the first in it is the first to run out of time.
 */
import type { Deadlines, Expiring } from "./deadlines.ts";

/** What the queue is made of. `T` is a client. */
export interface WaitingQueueOptions<T> {
  /** How many may wait. */
  readonly lengthMax: number;
  /** How long one may wait, in milliseconds. */
  readonly timeoutMs: number;
  /** What watches the deadline. */
  readonly deadlines: Deadlines;
  /** Called with a client that ran out of time; it is no longer in the queue. */
  readonly onTimeout: (item: T) => void;
}

/** A bounded first-in first-out queue with deadlines. */
export class WaitingQueue<T> implements Expiring {
  /** For the deadlines. */
  place: number = -1;
  readonly #options: WaitingQueueOptions<T>;
  /** Since when each waits, first come first: a Map keeps the order, and is cheap to leave. */
  readonly #waiting = new Map<T, number>();
  /** Bridges with nothing to do; the last one to come is the first to go. */
  readonly #idle: ((item: T | null) => void)[] = [];
  #closed = false;

  /** An empty queue. */
  constructor(options: WaitingQueueOptions<T>) {
    this.#options = options;
  }

  /** How many wait. */
  get length(): number {
    return this.#waiting.size;
  }

  /** How many bridges wait for a client. */
  get idle(): number {
    return this.#idle.length;
  }

  /** Hands a client to an idle bridge, or lets it wait; says which, or that there is no room. */
  offer(item: T): "taken" | "waits" | "full" {
    const take = this.#idle.pop();
    if (take !== undefined) {
      take(item);
      return "taken";
    }
    if (this.#closed || this.#waiting.size >= this.#options.lengthMax) return "full";
    if (this.#waiting.size === 0) this.#options.deadlines.watch(this);
    this.#waiting.set(item, this.#options.deadlines.now);
    return "waits";
  }

  /** Is that client still waiting? */
  has(item: T): boolean {
    return this.#waiting.has(item);
  }

  /** Gives a place up; false if the client was not waiting any more. */
  leave(item: T): boolean {
    const left = this.#waiting.delete(item);
    if (this.#waiting.size === 0) this.#options.deadlines.unwatch(this);
    return left;
  }

  /** The next client; null when the queue is closed and empty. */
  take(): Promise<T | null> {
    for (const item of this.#waiting.keys()) {
      this.leave(item);
      return Promise.resolve(item);
    }
    if (this.#closed) return Promise.resolve(null);
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Takes no more clients. Those that wait can still be taken; idle bridges are sent home. */
  close(): void {
    this.#closed = true;
    for (const take of this.#idle.splice(0)) take(null);
  }

  /** Empties the queue; those that waited are the caller's. */
  drop(): T[] {
    const dropped = [...this.#waiting.keys()];
    for (const item of dropped) this.leave(item);
    return dropped;
  }

  /** When the first in the queue runs out of time. */
  expiresAt(): number {
    for (const sinceMs of this.#waiting.values()) return sinceMs + this.#options.timeoutMs;
    return Infinity;
  }

  /** Lets go of all that ran out of time. */
  expire(): void {
    const { deadlines, timeoutMs, onTimeout } = this.#options;
    for (const [item, sinceMs] of this.#waiting) {
      if (sinceMs + timeoutMs > deadlines.now) return;
      this.leave(item);
      onTimeout(item);
    }
  }
}
