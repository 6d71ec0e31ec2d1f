import { leastEntries } from "../../lib/policy/least_entries.ts";
import type { Candidate } from "../../lib/policy/mod.ts";
import { assertEquals } from "../support/assert.ts";
import { ANYBODY, candidate, randomCandidates, randomSubset } from "../support/candidates.ts";
import { Random } from "../support/random.ts";

/** The place of the one that is picked. */
function picked(...candidates: readonly Candidate[]): number {
  return leastEntries().pick(candidates, ANYBODY).order;
}

Deno.test("leastEntries: picks the fewest entries, wherever they stand in the list", () => {
  const counts = [[1, 2, 3], [2, 1, 3], [2, 3, 1], [3, 2, 1], [1, 3, 2], [3, 1, 2]];
  for (const entries of counts) {
    const list = entries.map((each, order) => candidate(order, { entries: each }));
    assertEquals(picked(...list), entries.indexOf(1), entries.join());
  }
});

Deno.test("leastEntries: fewer entries win over fewer errors", () => {
  assertEquals(
    picked(candidate(0, { entries: 6, errors: 0 }), candidate(1, { entries: 5, errors: 99 })),
    1,
  );
});

Deno.test("leastEntries: a tie goes to fewer errors", () => {
  assertEquals(
    picked(
      candidate(0, { entries: 5, errors: 2 }),
      candidate(1, { entries: 5, errors: 1 }),
      candidate(2, { entries: 5, errors: 1 }),
      candidate(3, { entries: 6, errors: 0 }),
    ),
    1,
  );
});

Deno.test("leastEntries: a tie in both goes to the order given, even if the list is mixed up", () => {
  assertEquals(picked(candidate(0), candidate(1), candidate(2)), 0);
  assertEquals(picked(candidate(2), candidate(0), candidate(1)), 0);
  assertEquals(picked(candidate(2), candidate(1)), 1);
});

Deno.test("leastEntries: entries are compared for the weight", () => {
  const list = (light: number, heavy: number): Candidate[] => [
    candidate(0, { entries: light, weight: 1 }),
    candidate(1, { entries: heavy, weight: 3 }),
  ];
  assertEquals(picked(...list(5, 14)), 1);
  assertEquals(picked(...list(5, 15)), 0);
  assertEquals(picked(...list(5, 16)), 0);
});

Deno.test("leastEntries: equal shares are a tie, also where a division would round", () => {
  for (const [light, heavy] of [[1, 49], [3, 7], [7, 11], [13, 1000]] as const) {
    const list = [
      candidate(0, { entries: 5 * light, weight: light, errors: 1 }),
      candidate(1, { entries: 5 * heavy, weight: heavy }),
    ];
    assertEquals(picked(...list), 1, `${light} and ${heavy}`);
  }
});

Deno.test("leastEntries: connections in flight do not matter", () => {
  assertEquals(picked(candidate(0, { inFlight: 1000 }), candidate(1)), 0);
});

Deno.test("leastEntries: tells counts apart up to the largest whole number", () => {
  assertEquals(
    picked(
      candidate(0, { entries: Number.MAX_SAFE_INTEGER }),
      candidate(1, { entries: Number.MAX_SAFE_INTEGER - 1 }),
    ),
    1,
  );
});

Deno.test("leastEntries: agrees with sorting by entries for the weight, errors and order", () => {
  const random = new Random(1);
  for (let step = 0; step < 2000; step++) {
    const list = randomSubset(randomCandidates(random.integer(1, 12), random), random);
    const [first] = list.toSorted((a, b) =>
      a.entries / a.weight - b.entries / b.weight || a.errors - b.errors || a.order - b.order
    );
    assertEquals(leastEntries().pick(list, ANYBODY), first, `step ${step}`);
  }
});
