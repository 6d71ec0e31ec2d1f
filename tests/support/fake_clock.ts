/** A clock that tests turn by hand, so that no test of a time has to wait for it. */
import { setImmediate } from "node:timers";
import type { Clock } from "../../lib/clock.ts";

interface Timer {
  readonly dueMs: number;
  readonly callback: () => void;
}

/** More timers than this within one {@linkcode FakeClock.advance} are a loop without end. */
const TIMERS_MAX = 100_000;

/** Time stands still but for {@linkcode advance} and {@linkcode stall}. */
export class FakeClock implements Clock {
  #nowMs: number;
  /** In the order of their making; those that are due at the same time run in that order. */
  readonly #timers = new Set<Timer>();

  /** Starts at some moment that no test should depend on. */
  constructor(nowMs = 0) {
    this.#nowMs = nowMs;
  }

  /** How many timers have neither run nor been cancelled. */
  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /**
   * Lets so much time pass. Each timer runs at its moment, in order, those included that others
   * set; all that is ready runs in between (see {@linkcode settle}).
   */
  async advance(durationMs: number): Promise<void> {
    const untilMs = this.#nowMs + durationMs;
    await settle();
    for (let count = 0;; count++) {
      if (count === TIMERS_MAX) throw new RangeError("Cannot advance: timers without end");
      const timer = this.#next();
      if (timer === null || timer.dueMs > untilMs) break;
      this.#timers.delete(timer);
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
      timer.callback();
      await settle();
    }
    this.#nowMs = untilMs;
  }

  /** Lets time pass without running anything, as when the event loop is held up. */
  stall(durationMs: number): void {
    this.#nowMs += durationMs;
  }

  #next(): Timer | null {
    let next: Timer | null = null;
    for (const timer of this.#timers) {
      if (next === null || timer.dueMs < next.dueMs) next = timer;
    }
    return next;
  }
}

/** Lets all promise callbacks run that are ready, and those that these make ready. */
export function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
