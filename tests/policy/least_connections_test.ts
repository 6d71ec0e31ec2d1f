import { leastConnections } from "../../lib/policy/least_connections.ts";
import type { Candidate } from "../../lib/policy/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import {
  ANYBODY,
  candidate,
  clients,
  randomCandidates,
  seeded,
  shares,
  weighted,
} from "../support/candidates.ts";
import { Random } from "../support/random.ts";

function busy(order: number, inFlight: number, weight = 1): Candidate {
  return candidate(order, { inFlight, weight });
}

/** The place of the one picked; the random source says always the same. */
function picked(candidates: readonly Candidate[], number = 0): number {
  return leastConnections({ random: () => number }).pick(candidates, ANYBODY).order;
}

Deno.test("leastConnections: picks the fewest in flight, wherever they stand in the list", () => {
  for (const counts of [[1, 2, 3], [2, 1, 3], [3, 2, 1], [3, 1, 2]]) {
    for (const number of [0, 0.5, 0.999]) {
      const list = counts.map((inFlight, order) => busy(order, inFlight));
      assertEquals(picked(list, number), counts.indexOf(1), counts.join());
    }
  }
});

Deno.test("leastConnections: counts are compared for the weight", () => {
  assertEquals(picked([busy(0, 3, 1), busy(1, 8, 3)]), 1);
  assertEquals(picked([busy(0, 2, 1), busy(1, 7, 3)]), 0);
});

Deno.test("leastConnections: among ties the draw is by weight, and nobody else is drawn", () => {
  const list = [busy(0, 9), busy(1, 2, 1), busy(2, 6, 3), busy(3, 7, 3), busy(4, 4, 2)];
  const numbers = [0, 0.16, 0.17, 0.66, 0.67, 0.999];
  assertEquals(numbers.map((number) => picked(list, number)), [1, 1, 2, 2, 4, 4]);
});

Deno.test("leastConnections: a balancer that is never busy serves with all, by their weights", () => {
  const policy = leastConnections(seeded(1));
  const counts = shares(policy, weighted(1, 2, 1), clients(4000));
  for (const [order, expected] of [1000, 2000, 1000].entries()) {
    assert(Math.abs((counts[order] ?? 0) - expected) < 150, counts.join());
  }
});

Deno.test("leastConnections: no other candidate has less for its weight", () => {
  const random = new Random(1);
  const policy = leastConnections(seeded(2));
  for (let step = 0; step < 1000; step++) {
    const list = randomCandidates(random.integer(1, 12), random);
    const best = policy.pick(list, ANYBODY);
    const least = Math.min(...list.map(({ inFlight, weight }) => inFlight / weight));
    assertEquals(best.inFlight / best.weight, least, `step ${step}`);
  }
});
