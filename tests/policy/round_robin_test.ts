import { type Candidate, type Policy } from "../../lib/policy/mod.ts";
import { roundRobin } from "../../lib/policy/round_robin.ts";
import { assert, assertEquals, assertLess } from "../support/assert.ts";
import {
  ANYBODY,
  candidate,
  randomCandidates,
  randomSubset,
  weighted,
} from "../support/candidates.ts";
import { Random } from "../support/random.ts";

Deno.test("roundRobin: takes equal candidates in turn, beginning with the first", () => {
  const all = [0, 1, 2].map((order) => candidate(order));
  const policy = roundRobin();
  assertEquals(orders(policy, Array(7).fill(all)), [0, 1, 2, 0, 1, 2, 0]);
});

for (const size of [1, 2, 3, 100]) {
  Deno.test(`roundRobin: is fair to within one pick at any moment, with ${size} candidates`, () => {
    const all = Array.from({ length: size }, (_, order) => candidate(order));
    const counts = new Map(all.map((each) => [each, 0]));
    const policy = roundRobin();
    for (let step = 1; step <= 5 * size + 3; step++) {
      count(counts, policy.pick(all, ANYBODY));
      const numbers = [...counts.values()];
      const spread = Math.max(...numbers) - Math.min(...numbers);
      assert(spread <= 1, `after ${step} picks the spread is ${spread}`);
    }
  });
}

Deno.test("roundRobin: mixes weights 5, 1, 1 as nginx documents it: a a b a c a a", () => {
  // The text of nginx's commit "Upstream: smooth weighted round-robin balancing", 2012.
  const all = weighted(5, 1, 1);
  const policy = roundRobin();
  const picked = orders(policy, Array(14).fill(all));
  const period = [0, 0, 1, 0, 2, 0, 0];
  assertEquals(picked, [...period, ...period]);
});

Deno.test("roundRobin: gives each exactly its weight in every period, whatever the weights", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = new Random(seed);
    const all = randomCandidates(random.integer(1, 12), random);
    const period = all.reduce((sum, { weight }) => sum + weight, 0);
    const policy = roundRobin();
    for (let round = 0; round < 3; round++) {
      const counts = new Map(all.map((each) => [each, 0]));
      for (let step = 0; step < period; step++) count(counts, policy.pick(all, ANYBODY));
      for (const [each, picks] of counts) {
        assertEquals(picks, each.weight, `seed ${seed}, round ${round}, order ${each.order}`);
      }
    }
  }
});

Deno.test("roundRobin: who comes back is neither flooded nor left out", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = new Random(seed);
    const all = Array.from({ length: 10 }, (_, order) => candidate(order));
    const policy = roundRobin();
    for (let epoch = 0; epoch < 50; epoch++) {
      const present = randomSubset(all, random);
      const counts = new Map(present.map((each) => [each, 0]));
      for (let step = 1; step <= random.integer(1, 30); step++) {
        count(counts, policy.pick(present, ANYBODY));
        const share = step / present.length;
        for (const picks of counts.values()) {
          assertLess(Math.abs(picks - share), 3, `seed ${seed}, epoch ${epoch}, step ${step}`);
        }
      }
    }
  }
});

function orders(policy: Policy, lists: readonly (readonly Candidate[])[]): number[] {
  return lists.map((list) => policy.pick(list, ANYBODY).order);
}

function count(counts: Map<Candidate, number>, picked: Candidate): void {
  counts.set(picked, (counts.get(picked) ?? 0) + 1);
}
