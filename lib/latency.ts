/**
 * The latency of one backend, from a request to the first byte of its answer, as one number: an
 * exponentially weighted moving average that is sensitive to peaks (Twitter's Finagle, `PeakEwma`).
 * A longer time counts at once and in full, a shorter one by how long nothing was heard; and while
 * nothing is heard it goes down, so that a backend that was slow once is tried again. Pure.
 */

/** After so long without news, 1/e of what was known is left: Finagle's default. */
const DECAY_MS = 10_000;
/**
 * A failure counts as twice what is known, within these bounds, in milliseconds. Who fails fast has
 * few connections, so the most must outweigh hundreds of slow ones elsewhere. It does not put off
 * the return for long: from an hour to ten milliseconds the average decays in about two minutes.
 */
const FAILURE_MS = { min: 1000, max: 3_600_000 } as const;

/** A moving average. */
export class Latency {
  #averageMs = 0;
  #heardMs = -Infinity;
  #failedMs = -Infinity;

  /** The average at that moment, in milliseconds; 0 while nothing is known. */
  at(nowMs: number): number {
    return this.#averageMs * this.#kept(nowMs);
  }

  /** Takes in how long an answer took. */
  answered(tookMs: number, nowMs: number): void {
    const kept = this.#kept(nowMs);
    const averageMs = this.#averageMs * kept;
    this.#averageMs = Math.max(tookMs, averageMs + tookMs * (1 - kept));
    this.#heardMs = nowMs;
  }

  /** Takes in that a client waited so long for nothing, and left. */
  unanswered(tookMs: number, nowMs: number): void {
    if (tookMs > this.at(nowMs)) this.answered(tookMs, nowMs);
  }

  /**
   * Takes in a failure: a backend that fails fast is not to look fast. All that were waiting at the
   * first failure count as one: a restart drops many at once.
   */
  failed(tookMs: number, nowMs: number): void {
    const { min, max } = FAILURE_MS;
    const factor = nowMs - tookMs < this.#failedMs ? 1 : 2;
    const penaltyMs = Math.min(max, Math.max(min, factor * this.at(nowMs)));
    this.#failedMs = nowMs;
    this.answered(Math.max(tookMs, penaltyMs), nowMs);
  }

  #kept(nowMs: number): number {
    return Math.exp((this.#heardMs - nowMs) / DECAY_MS);
  }
}
