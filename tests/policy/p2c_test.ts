import { p2c } from "../../lib/policy/p2c.ts";
import type { Candidate } from "../../lib/policy/mod.ts";
import { assert, assertEquals, assertLess } from "../support/assert.ts";
import { ANYBODY, candidate, clients, seeded, shares, weighted } from "../support/candidates.ts";

function picker(backends: readonly Candidate[], seed = 1): () => Candidate {
  const policy = p2c(seeded(seed));
  policy.prepare?.(backends);
  return () => policy.pick(backends, ANYBODY);
}

Deno.test("p2c: of two, always the one with fewer in flight for its weight", () => {
  const lists = [
    [candidate(0, { inFlight: 2 }), candidate(1, { inFlight: 1 })],
    [candidate(0, { inFlight: 3 }), candidate(1, { inFlight: 8, weight: 3 })],
  ];
  for (const list of lists) {
    const pick = picker(list);
    for (let step = 0; step < 100; step++) assertEquals(pick().order, 1);
  }
});

Deno.test("p2c: draws two different ones, so the busiest is never picked", () => {
  for (const weight of [1, 1000]) {
    const list = [0, 1, 2, 3].map((order) => candidate(order));
    const pick = picker([...list, candidate(4, { inFlight: 10_000, weight })]);
    for (let step = 0; step < 1000; step++) assertLess(pick().order, 4, `weight ${weight}`);
  }
});

Deno.test("p2c: of n with different loads the k-th best gets 2 (n − k) of n (n − 1) clients", () => {
  const list = [0, 1, 2, 3, 4].map((order) => candidate(order, { inFlight: order }));
  const policy = p2c(seeded(3));
  policy.prepare?.(list);
  const counts = shares(policy, list, clients(20_000));
  for (const [order, share] of [0.4, 0.3, 0.2, 0.1, 0].entries()) {
    assert(Math.abs((counts[order] ?? 0) - 20_000 * share) < 350, counts.join());
  }
});

Deno.test("p2c: a balancer that is never busy serves with all, by their weights", () => {
  for (const weights of [[1, 1, 1, 1], [2, 2, 2, 2], [1, 2, 1, 4]]) {
    const list = weighted(...weights);
    const policy = p2c(seeded(4));
    policy.prepare?.(list);
    const counts = shares(policy, list, clients(20_000));
    const total = weights.reduce((sum, each) => sum + each, 0);
    for (const [order, weight] of weights.entries()) {
      const expected = 20_000 * weight / total;
      assert(Math.abs((counts[order] ?? 0) - expected) < 350, counts.join());
    }
  }
});

Deno.test("p2c: asks for two random numbers a pick, however many there are", () => {
  for (const weights of [[1, 1, 1], [1, 2, 3], Array<number>(1000).fill(7)]) {
    let asked = 0;
    const list = weighted(...weights);
    const policy = p2c({ random: () => (asked++, 0.5) });
    policy.prepare?.(list);
    policy.pick(list, ANYBODY);
    assertEquals(asked, 2);
  }
});
