/**
 * `least-connections`: the backend that serves the fewest connections for its weight. Among those
 * that tie, one is drawn at random, each as often as its weight says: were it always the first, it
 * would get every client of a balancer that is seldom busy. Its source is the weighted
 * least-connection scheduling of the Linux Virtual Server (W. Zhang, Ottawa Linux Symposium 2000).
 * O(n). For connections of very different lengths.
 */
import type { Candidate, Policy, PolicySources } from "./mod.ts";

/** Makes the policy. It has no state: all it needs stands in the candidates. */
export function leastConnections({ random }: PolicySources): Policy {
  return {
    pick<T extends Candidate>(candidates: readonly T[]): T {
      let best = candidates[0];
      if (best === undefined) throw new RangeError("Cannot pick: there is no candidate");
      let tiedWeight = 0;
      for (const candidate of candidates) {
        const difference = compareLoads(candidate, best);
        if (difference < 0) best = candidate;
        if (difference <= 0) tiedWeight = (difference < 0 ? 0 : tiedWeight) + candidate.weight;
      }
      return tiedWeight === best.weight ? best : drawTied(candidates, best, random() * tiedWeight);
    },
  };
}

/** Below 0 if the first serves fewer connections for its weight, 0 if as many. */
function compareLoads(one: Candidate, other: Candidate): number {
  return one.inFlight * other.weight - other.inFlight * one.weight;
}

/** Of those that tie with the best, the one on which so much of their weight comes down. */
function drawTied<T extends Candidate>(candidates: readonly T[], best: T, weight: number): T {
  let left = weight;
  for (const candidate of candidates) {
    if (compareLoads(candidate, best) !== 0) continue;
    left -= candidate.weight;
    if (left < 0) return candidate;
  }
  return best;
}
