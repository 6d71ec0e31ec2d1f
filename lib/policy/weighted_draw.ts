/**
 * Draws one of several at random, each as often as its weight says. O(1) while all backends weigh
 * the same, else O(n).
 */
import type { Candidate } from "./mod.ts";

/** A draw; its only state is whether the weights of all backends are the same. */
export class WeightedDraw {
  readonly #random: () => number;
  #alike = false;

  /** `random` answers with numbers from 0 to just under 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Looks at the weights of all backends that may ever be drawn from. */
  prepare(backends: readonly Candidate[]): void {
    this.#alike = backends.every(({ weight }) => weight === backends[0]?.weight);
  }

  /** The place of the one drawn. The one at `but` is left out, if there is another. */
  place(candidates: readonly Candidate[], but: number = -1): number {
    if (candidates.length === 1) return 0;
    return this.#alike ? this.#anyPlace(candidates, but) : this.#weighedPlace(candidates, but);
  }

  #anyPlace({ length }: readonly Candidate[], but: number): number {
    if (but === -1) return Math.floor(this.#random() * length);
    const place = Math.floor(this.#random() * (length - 1));
    return place < but ? place : place + 1;
  }

  #weighedPlace(candidates: readonly Candidate[], but: number): number {
    let sum = 0;
    for (const candidate of candidates) sum += candidate.weight;
    if (but !== -1) sum -= candidates[but]?.weight ?? 0;
    let left = this.#random() * sum;
    let place = 0;
    for (const candidate of candidates) {
      if (place !== but) left -= candidate.weight;
      if (left < 0) return place;
      place++;
    }
    return candidates.length - 1; // The weights are whole numbers: nothing is lost to rounding.
  }
}
