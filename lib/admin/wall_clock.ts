/** From times that only count on to times as people write them. */
import type { Clock } from "../clock.ts";

/** How far the two may be apart before it is noticed: somebody set the time, or the machine slept. */
const DRIFT_MS = 1000;

/**
 * Writes times of a clock as dates. The same time is written in the same way each time, but where the
 * date of this machine was set meanwhile.
 */
export class WallClock {
  readonly #clock: Clock;
  readonly #date: () => number;
  /** The date when the clock was at 0. */
  #zeroMs: number;

  /** `date` is the date, as milliseconds since 1970. */
  constructor(clock: Clock, date: () => number = Date.now) {
    this.#clock = clock;
    this.#date = date;
    this.#zeroMs = date() - clock.now();
  }

  /** ISO 8601, in UTC. */
  readonly iso = (ms: number): string => {
    const zeroMs = this.#date() - this.#clock.now();
    if (Math.abs(zeroMs - this.#zeroMs) > DRIFT_MS) this.#zeroMs = zeroMs;
    return new Date(this.#zeroMs + ms).toISOString();
  };
}
