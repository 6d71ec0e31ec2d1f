/**
 * What every policy of `lib/policy/mod.ts` promises, one suite over all of them; and the two
 * promises that `round-robin` adds. A new name in the list is tested without a word here.
 */
import { type Candidate, POLICIES, type Policy, type PolicyName } from "../../lib/policy/mod.ts";
import { assert, assertEquals, assertLess } from "../support/assert.ts";
import { candidate, randomCandidates, randomSubset } from "../support/candidates.ts";
import { collectGarbage } from "../support/garbage.ts";
import { Random } from "../support/random.ts";

const SIZES = [1, 2, 3, 100];
const NAMES = Object.keys(POLICIES) as PolicyName[];

for (const name of NAMES) {
  const { create, help } = POLICIES[name];

  Deno.test(`${name}: has one line of help`, () => {
    assert(help.length > 0 && !help.includes("\n"));
  });

  for (const size of SIZES) {
    Deno.test(`${name}: picks one of the candidates given, ${size} in all, and changes none`, () => {
      const random = new Random(size);
      const policy = create();
      for (let step = 0; step < 300; step++) {
        // Frozen, so a policy that writes to them, or sorts the list, throws.
        const candidates = randomSubset(randomCandidates(size, random), random);
        const picked = policy.pick(candidates);
        assert(candidates.includes(picked), `step ${step}: picked outside the list`);
      }
    });

    Deno.test(`${name}: stays within the list while ${size} candidates come and go`, () => {
      const random = new Random(100 + size);
      const policy = create();
      const all = randomCandidates(size, random);
      for (let step = 0; step < 300; step++) {
        const present = randomSubset(all, random);
        assert(present.includes(policy.pick(present)), `step ${step}: picked who is away`);
      }
    });

    Deno.test(`${name}: two made alike pick alike, and share nothing, with ${size} candidates`, () => {
      const random = new Random(200 + size);
      const all = randomCandidates(size, random);
      const lists = Array.from({ length: 50 }, () => randomSubset(all, random));
      const first = orders(create(), lists);
      assertEquals(orders(create(), lists), first);
    });
  }

  Deno.test(`${name}: picks a lone candidate every time, whatever happened before`, () => {
    const random = new Random(3);
    const policy = create();
    const all = randomCandidates(5, random);
    for (let step = 0; step < 100; step++) {
      policy.pick(randomSubset(all, random));
      const lone = random.pick(all);
      assertEquals(policy.pick([lone]), lone);
    }
  });

  Deno.test(`${name}: treats new candidates alike, whoever was there before them`, () => {
    const random = new Random(4);
    const policy = create();
    const before = randomCandidates(5, random);
    for (let step = 0; step < 33; step++) policy.pick(randomSubset(before, random));
    const after = randomCandidates(5, random);
    const lists = Array.from({ length: 50 }, () => randomSubset(after, random));
    assertEquals(orders(policy, lists), orders(create(), lists));
  });

  Deno.test(`${name}: keeps nothing of candidates that are gone`, async () => {
    const policy = create();
    const gone = pickAmongPassing(policy, 1000);
    await collectGarbage();
    const kept = gone.filter((reference) => reference.deref() !== undefined).length;
    assertLess(kept, 10, `${kept} of ${gone.length} are still in memory`);
    policy.pick([candidate(0)]);
  });
}

Deno.test("round-robin: takes equal candidates in turn, beginning with the first", () => {
  const all = [0, 1, 2].map((order) => candidate(order));
  const policy = POLICIES["round-robin"].create();
  assertEquals(orders(policy, Array(7).fill(all)), [0, 1, 2, 0, 1, 2, 0]);
});

for (const size of SIZES) {
  Deno.test(`round-robin: is fair to within one pick at any moment, with ${size} candidates`, () => {
    const all = Array.from({ length: size }, (_, order) => candidate(order));
    const counts = new Map(all.map((each) => [each, 0]));
    const policy = POLICIES["round-robin"].create();
    for (let step = 1; step <= 5 * size + 3; step++) {
      count(counts, policy.pick(all));
      const numbers = [...counts.values()];
      const spread = Math.max(...numbers) - Math.min(...numbers);
      assert(spread <= 1, `after ${step} picks the spread is ${spread}`);
    }
  });
}

Deno.test("round-robin: mixes weights 5, 1, 1 as nginx documents it: a a b a c a a", () => {
  // The text of nginx's commit "Upstream: smooth weighted round-robin balancing", 2012.
  const all = [5, 1, 1].map((weight, order) => candidate(order, { weight }));
  const policy = POLICIES["round-robin"].create();
  const picked = orders(policy, Array(14).fill(all));
  const period = [0, 0, 1, 0, 2, 0, 0];
  assertEquals(picked, [...period, ...period]);
});

Deno.test("round-robin: gives each exactly its weight in every period, whatever the weights", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = new Random(seed);
    const all = randomCandidates(random.integer(1, 12), random);
    const period = all.reduce((sum, { weight }) => sum + weight, 0);
    const policy = POLICIES["round-robin"].create();
    for (let round = 0; round < 3; round++) {
      const counts = new Map(all.map((each) => [each, 0]));
      for (let step = 0; step < period; step++) count(counts, policy.pick(all));
      for (const [each, picks] of counts) {
        assertEquals(picks, each.weight, `seed ${seed}, round ${round}, order ${each.order}`);
      }
    }
  }
});

Deno.test("round-robin: who comes back is neither flooded nor left out", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = new Random(seed);
    const all = Array.from({ length: 10 }, (_, order) => candidate(order));
    const policy = POLICIES["round-robin"].create();
    for (let epoch = 0; epoch < 50; epoch++) {
      const present = randomSubset(all, random);
      const counts = new Map(present.map((each) => [each, 0]));
      for (let step = 1; step <= random.integer(1, 30); step++) {
        count(counts, policy.pick(present));
        const share = step / present.length;
        for (const picks of counts.values()) {
          assertLess(Math.abs(picks - share), 3, `seed ${seed}, epoch ${epoch}, step ${step}`);
        }
      }
    }
  }
});

function orders(policy: Policy, lists: readonly (readonly Candidate[])[]): number[] {
  return lists.map((list) => policy.pick(list).order);
}

function count(counts: Map<Candidate, number>, picked: Candidate): void {
  counts.set(picked, (counts.get(picked) ?? 0) + 1);
}

/** Picks among candidates that nobody else holds, three at a time. */
function pickAmongPassing(policy: Policy, times: number): WeakRef<Candidate>[] {
  return Array.from({ length: times }, () => {
    const passing = [0, 1, 2].map((order) => candidate(order));
    return new WeakRef(policy.pick(passing));
  });
}
