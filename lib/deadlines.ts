/**
 * All deadlines of the data path in one sweep: no timer, closure or promise per message or
 * connection. Whoever has a deadline is watched and asked ten times a second when it ends.
 *
 * Invariants: a deadline is met within {@linkcode SWEEP_MS}, early or late; time in which this
 * process did not run does not count; nobody is expired while input that was ready has not been
 * handed out. (Deno runs timers before ready I/O, so after a stall of the loop a healthy connection
 * would look late. A suspect is judged again one turn later; and since one turn hands out only so
 * much, a long stall counts as a short one.)
 */
import type { Clock } from "./clock.ts";
import { Histogram } from "./histogram.ts";
import { type Member, Roster } from "./roster.ts";

/** Something with a deadline. */
export interface Expiring extends Member {
  /** When it ends, on the clock of {@linkcode Deadlines.now}; it may move at any time. */
  expiresAt(): number;
  /** Called once the moment has passed. It must be unwatched or have moved on afterwards. */
  expire(): void;
}

/** How often the sweep runs, in milliseconds, and so how exact a deadline is. */
export const SWEEP_MS = 100;
/** The most that one sweep counts, in milliseconds, however late it comes. */
const COUNTED_MS_MAX = 2 * SWEEP_MS;

/** The watched, and the clock they go by. It runs from its making until it is disposed of. */
export class Deadlines implements Disposable {
  /** The time at the last sweep, in milliseconds: cheap to read for every message. */
  now: number;
  /** How late the sweeps came: the event loop's delay, as anybody who waits for it feels it. */
  readonly delays: Histogram = new Histogram();
  readonly #clock: Clock;
  /** The time at the last sweep on the clock, stalls included. */
  #sweptMs: number;
  /** When the next sweep should come, on the clock. */
  #dueMs: number;
  readonly #watched = new Roster<Expiring>();
  #cancel: () => void;
  #stopped = false;

  /** Takes the clock to go by. */
  constructor(clock: Clock) {
    this.#clock = clock;
    this.now = this.#sweptMs = clock.now();
    this.#dueMs = this.now + SWEEP_MS;
    this.#cancel = clock.after(SWEEP_MS, this.#sweep);
  }

  /** How many are watched. */
  get size(): number {
    return this.#watched.size;
  }

  /** Watches from now on. */
  watch(expiring: Expiring): void {
    this.#watched.add(expiring);
  }

  /** Watches no longer. Harmless when it was not watched. */
  unwatch(expiring: Expiring): void {
    this.#watched.delete(expiring);
  }

  /** Expires everybody now, whatever the deadline. */
  expireAll(): void {
    for (const expiring of this.#watched) expiring.expire();
  }

  /** Ends the sweep: nobody is expired any more. */
  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#cancel();
  }

  readonly #sweep = (): void => {
    const clockMs = this.#clock.now();
    this.delays.observe(Math.max(0, clockMs - this.#dueMs));
    this.now += Math.min(clockMs - this.#sweptMs, COUNTED_MS_MAX);
    this.#sweptMs = clockMs;
    for (const expiring of this.#watched) {
      if (expiring.expiresAt() > this.now) continue;
      this.#cancel = this.#clock.after(0, this.#judge);
      return;
    }
    this.#sleep();
  };

  /** One turn after the sweep: whoever had input by then has moved its deadline. */
  readonly #judge = (): void => {
    for (const expiring of this.#watched) {
      if (expiring.expiresAt() <= this.now) expiring.expire();
    }
    if (!this.#stopped) this.#sleep();
  };

  #sleep(): void {
    this.#dueMs = this.#clock.now() + SWEEP_MS;
    this.#cancel = this.#clock.after(SWEEP_MS, this.#sweep);
  }
}
