/**
 * `p2c`, the power of two choices: draws two at random and takes the one that serves fewer
 * connections for its weight; a tie goes to the first drawn. The longest queue grows with log log n
 * instead of log n (M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", IEEE
 * TPDS 12(10), 2001), and several balancers do not all run to the same backend, as they do with
 * least-connections. O(1); O(n) where weights differ. For many backends or many balancers.
 */
import type { Candidate, Policy, PolicySources } from "./mod.ts";
import { WeightedDraw } from "./weighted_draw.ts";

/** Makes the policy. */
export function p2c(sources: PolicySources): Policy {
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
      return second.inFlight * first.weight < first.inFlight * second.weight ? second : first;
    },
  };
}
