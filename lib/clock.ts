/** Time as a parameter, so that tests can turn it by hand. */

/** A source of time and of wake-ups. */
export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. */
  now(): number;
  /** Calls back once, after at least that long; returns what cancels it. */
  after(delayMs: number, callback: () => void): () => void;
}

/** The machine's monotonic clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, callback): () => void {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Resolves after one whole turn of the event loop, so after all input that was ready by now. */
export function oneTurn(clock: Clock): Promise<void> {
  return pause(0, clock);
}

/** Resolves after that long. */
export function pause(delayMs: number, clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.after(delayMs, resolve));
}

/** Pauses of one wait: the first is short, each one after it twice as long, up to a second. */
export class GrowingPause {
  readonly #clock: Clock;
  #nextMs = 50;

  /** Waits by that clock. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves after the next pause. */
  async wait(): Promise<void> {
    const delayMs = this.#nextMs;
    this.#nextMs = Math.min(2 * delayMs, 1000);
    await pause(delayMs, this.#clock);
  }
}
