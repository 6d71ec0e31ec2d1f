/**
 * `random`: any one, each as often as its weight says. No memory, so many balancers side by side do
 * not fall into step. Of m clients one of n backends gets m/n, give or take about √(m/n). O(1); O(n)
 * where weights differ. `p2c` costs little more and spreads much better.
 */
import type { Candidate, Policy, PolicySources } from "./mod.ts";
import { WeightedDraw } from "./weighted_draw.ts";

/** Makes the policy. */
export function random(sources: PolicySources): Policy {
  const draw = new WeightedDraw(sources.random);
  return {
    prepare: (backends) => draw.prepare(backends),
    pick<T extends Candidate>(candidates: readonly T[]): T {
      const picked = candidates[draw.place(candidates)];
      if (picked === undefined) throw new RangeError("Cannot pick: there is no candidate");
      return picked;
    },
  };
}
