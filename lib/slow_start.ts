/**
 * How much of its share a backend takes that has just come back: it ramps up, whatever the policy.
 * The pool asks at each pick whether the backend may be among the candidates. Pure.
 *
 * Invariant: while it ramps, the clients it takes after an offer never exceed the sum, over all picks
 * since it came back, of its share of the pick times the ramp's fraction at that moment.
 */

/** The fraction at the beginning: small, but with 0 its first client would be long in coming. */
const FIRST_FRACTION = 0.1;
/**
 * The most clients that may be saved up, and so the most that come at once. Where policies take
 * turns, it waits for its turn once it may be a candidate; with 1, what it earns meanwhile would be
 * lost: toward the end of the ramp that is half.
 */
const CREDIT_MAX = 2;

/** The ramp of one backend. */
export class SlowStart {
  #durationMs: number;
  /** How long the last ramp was to last. */
  #rampMs = 0;
  #endMs = -Infinity;
  /** Clients that it may take now. */
  #credit = 0;

  /** Does not ramp before {@linkcode begin}; with 0 milliseconds never. */
  constructor(durationMs: number) {
    this.#durationMs = durationMs;
  }

  /** Takes over how long ramps last that begin from now on. */
  set(durationMs: number): void {
    this.#durationMs = durationMs;
  }

  /** Begins to ramp up, from the beginning: the backend came back. */
  begin(nowMs: number): void {
    this.#rampMs = this.#durationMs;
    this.#endMs = nowMs + this.#rampMs;
    this.#credit = 0;
  }

  /** Does it ramp up at that moment? */
  ramping(nowMs: number): boolean {
    return nowMs < this.#endMs;
  }

  /** How much of its share it may take: from a small part, in a straight line, to 1. */
  fraction(nowMs: number): number {
    if (!this.ramping(nowMs)) return 1;
    return 1 - (1 - FIRST_FRACTION) * (this.#endMs - nowMs) / this.#rampMs;
  }

  /**
   * May it be a candidate for this pick? Called once for each pick.
   * @param share its fair share of the picks: its weight by the sum of those of all who are ready.
   */
  offer(share: number, nowMs: number): boolean {
    if (!this.ramping(nowMs)) return true;
    this.#credit = Math.min(CREDIT_MAX, this.#credit + this.fraction(nowMs) * share);
    return this.#credit >= 1;
  }

  /** It was picked. Without an offer, when nobody else could be, it does not owe for it. */
  picked(): void {
    this.#credit = Math.max(0, this.#credit - 1);
  }
}
