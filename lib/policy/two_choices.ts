/**
 * The power of two choices: of two backends drawn at random the better one. The longest queue grows
 * with log log n instead of log n (M. Mitzenmacher, "The Power of Two Choices in Randomized Load
 * Balancing", IEEE TPDS 12(10), 2001), and several balancers do not all run to the same backend.
 * O(1); O(n) where weights differ.
 */
import type { Candidate, Policy, PolicySources } from "./mod.ts";
import { WeightedDraw } from "./weighted_draw.ts";

/** A policy that needs nothing but this comparison. A tie goes to the first drawn. */
export function twoChoices(
  sources: PolicySources,
  isBetter: (second: Candidate, first: Candidate) => boolean,
): Policy {
  const draw = new WeightedDraw(sources.random);
  return {
    prepare: (backends) => draw.prepare(backends),
    pick<T extends Candidate>(candidates: readonly T[]): T {
      const place = draw.place(candidates);
      const first = candidates[place];
      const second = candidates[draw.place(candidates, place)];
      if (first === undefined || second === undefined) {
        throw new RangeError("Cannot pick: there is no candidate");
      }
      return isBetter(second, first) ? second : first;
    },
  };
}
