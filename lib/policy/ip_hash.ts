/**
 * `ip-hash`: the same client goes to the same backend, as long as that is ready. Rendezvous hashing,
 * also called highest random weight (D. Thaler and C. Ravishankar, "Using name-based mappings to
 * increase hit rates", IEEE/ACM ToN 6(1), 1998): each backend draws a number h, from 0 to 1, that
 * depends on its name and on the client's address, and the highest score −w/ln(h) wins, which gives
 * each its weight w (J. Resch, "New hashing algorithms for data storage", SNIA SDC 2015). When a
 * backend goes, only its own clients move, spread over all others; when it comes back so do they.
 * Several balancers with the same servers choose alike, whatever the order. O(n). For servers that
 * keep sessions or caches; `maglev` does the same for very many servers.
 */
import { hash32, mix32 } from "./hash.ts";
import type { Candidate, Policy, PolicyClient } from "./mod.ts";

/** Makes the policy. It has no state. */
export function ipHash(): Policy {
  return {
    pick<T extends Candidate>(candidates: readonly T[], client: PolicyClient): T {
      let best = candidates[0];
      if (best === undefined) throw new RangeError("Cannot pick: there is no candidate");
      const clientHash = hash32(client.ip);
      let highest = -1;
      for (const next of candidates) {
        const draw = drawOf(next, clientHash);
        // Of two with the same weight the higher draw has the higher score: no logarithm needed.
        const better = next.weight === best.weight
          ? draw > highest
          : score(draw, next.weight) > score(highest, best.weight);
        if (!better) continue;
        best = next;
        highest = draw;
      }
      return best;
    },
  };
}

/** The number that a backend draws for a client, from 0 to 2³² − 1. */
function drawOf({ hash }: Candidate, clientHash: number): number {
  return mix32(mix32(clientHash ^ hash.high) ^ hash.low) >>> 0;
}

function score(draw: number, weight: number): number {
  return -weight / Math.log((draw + 0.5) / 2 ** 32);
}
