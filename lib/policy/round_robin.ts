/**
 * `round-robin`: one after the other, each as often as its weight says, and well mixed: the
 * smooth weighted round robin of nginx (`ngx_http_upstream_round_robin.c`, 2012). At each pick
 * every candidate gains its weight, and the one with the most is taken and pays the sum of all
 * weights. O(n).
 */
import type { Candidate, Policy } from "./mod.ts";

/** Makes the policy. It keeps one number for each backend for as long as that backend exists. */
export function roundRobin(): Policy {
  const credits = new WeakMap<Candidate, number>();
  return {
    pick<T extends Candidate>(candidates: readonly T[]): T {
      let sum = 0;
      let most = -Infinity;
      let best: T | undefined;
      for (const candidate of candidates) {
        const credit = (credits.get(candidate) ?? 0) + candidate.weight;
        credits.set(candidate, credit);
        sum += candidate.weight;
        if (credit > most) {
          most = credit;
          best = candidate;
        }
      }
      if (best === undefined) throw new RangeError("Cannot pick: there is no candidate");
      credits.set(best, most - sum);
      return best;
    },
  };
}
