/**
 * `least-entries`: the backend with the fewest entries for its weight, ties to fewer errors, then
 * to the order given. Its source is the probing balancer, which has no weights; that what
 * was sent since the last probe counts as well is ours, so that between two probes the load spreads
 * as the counts would, instead of all of it landing on one backend. O(n). For servers that count
 * their entries, above all where they have other clients than this balancer's.
 */
import type { Candidate, Policy } from "./mod.ts";

/** Makes the policy. It has no state: all it needs stands in the candidates. */
export function leastEntries(): Policy {
  return {
    pick<T extends Candidate>(candidates: readonly T[]): T {
      return candidates.reduce((best, next) => isBetter(next, best) ? next : best);
    },
  };
}

function isBetter(next: Candidate, best: Candidate): boolean {
  // Entries over weight, without the rounding of a division: equal shares are to be ties.
  const nextShare = next.entries * best.weight;
  const bestShare = best.entries * next.weight;
  if (nextShare !== bestShare) return nextShare < bestShare;
  if (next.errors !== best.errors) return next.errors < best.errors;
  return next.order < best.order;
}
