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

/** How {@linkcode GrowingPause} grows, in milliseconds. */
export interface GrowingPauseOptions {
  /** The first pause. */
  readonly firstMs: number;
  /** The longest. */
  readonly mostMs: number;
}

/** Pauses of one wait: the first is short, each one after it twice as long, up to a bound. */
export class GrowingPause {
  readonly #clock: Clock;
  readonly #mostMs: number;
  #nextMs: number;

  /** Waits by that clock. */
  constructor(
    clock: Clock,
    { firstMs, mostMs }: GrowingPauseOptions = { firstMs: 50, mostMs: 1000 },
  ) {
    this.#clock = clock;
    this.#nextMs = firstMs;
    this.#mostMs = mostMs;
  }

  /** Resolves after the next pause. */
  async wait(): Promise<void> {
    const delayMs = this.#nextMs;
    this.#nextMs = Math.min(2 * delayMs, this.#mostMs);
    await pause(delayMs, this.#clock);
  }
}
