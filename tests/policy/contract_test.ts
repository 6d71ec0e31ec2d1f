/**
 * What every policy of `lib/policy/mod.ts` promises, one suite over all of them. A new name in the
 * list is tested without a word here.
 */
import { type Candidate, POLICIES, type Policy, type PolicyName } from "../../lib/policy/mod.ts";
import { assert, assertEquals, assertLess } from "../support/assert.ts";
import {
  ANYBODY,
  candidate,
  clients,
  randomCandidates,
  randomSubset,
  seeded,
} from "../support/candidates.ts";
import { collectGarbage } from "../support/garbage.ts";
import { Random } from "../support/random.ts";

const SIZES = [1, 2, 3, 100];
const NAMES = Object.keys(POLICIES) as PolicyName[];
const CLIENTS = clients(20_000);
const SEED = 1;

for (const name of NAMES) {
  const { help, cost } = POLICIES[name];

  Deno.test(`${name}: has one line of help and a cost, fit for a table`, () => {
    for (const text of [help, cost]) assert(text.length > 0 && !/[\n|]/.test(text), text);
  });

  for (const size of SIZES) {
    Deno.test(`${name}: picks one of the candidates given, ${size} in all, and changes none`, () => {
      const random = new Random(size);
      for (let round = 0; round < 10; round++) {
        // Frozen, so a policy that writes to them, or sorts the list, throws.
        const all = randomCandidates(size, random);
        const policy = makePolicy(name, all);
        for (let step = 0; step < 50; step++) {
          const present = randomSubset(all, random);
          const picked = policy.pick(present, random.pick(CLIENTS));
          assert(present.includes(picked), `round ${round}, step ${step}: picked who is away`);
        }
      }
    });

    Deno.test(`${name}: two made alike pick alike, and share nothing, with ${size} candidates`, () => {
      const random = new Random(200 + size);
      const all = randomCandidates(size, random);
      const lists = Array.from({ length: 50 }, () => randomSubset(all, random));
      const first = orders(makePolicy(name, all), lists);
      assertEquals(orders(makePolicy(name, all), lists), first);
    });

    for (const kind of ["alike", "different"] as const) {
      Deno.test(`${name}: serves as the weights say, ${size} candidates with ${kind} weights`, () => {
        const random = new Random(300 + size);
        const backends = Array.from({ length: size }, (_, order) => {
          return new Busy(order, kind === "alike" ? 3 : random.integer(1, 5));
        });
        serve(makePolicy(name, backends), { backends, random });
        assertShares(backends);
      });
    }
  }

  Deno.test(`${name}: who is seldom busy is no reason for the first to get all clients`, () => {
    const backends = [0, 1, 2].map((order) => new Busy(order, 1));
    const policy = makePolicy(name, backends);
    for (const client of CLIENTS) policy.pick(backends, client).entries++;
    assertShares(backends);
  });

  Deno.test(`${name}: picks a lone candidate every time, whatever happened before`, () => {
    const random = new Random(3);
    const all = randomCandidates(5, random);
    const policy = makePolicy(name, all);
    for (let step = 0; step < 100; step++) {
      policy.pick(randomSubset(all, random), random.pick(CLIENTS));
      const lone = random.pick(all);
      assertEquals(policy.pick([lone], random.pick(CLIENTS)), lone);
    }
  });

  Deno.test(`${name}: treats new candidates alike, whoever was there before them`, () => {
    const random = new Random(4);
    let source = new Random(5);
    const policy = POLICIES[name].create({ random: () => source.next() });
    const before = randomCandidates(5, random);
    policy.prepare?.(before);
    for (let step = 0; step < 33; step++) policy.pick(randomSubset(before, random), ANYBODY);
    const after = randomCandidates(5, random);
    policy.prepare?.(after);
    const lists = Array.from({ length: 50 }, () => randomSubset(after, random));
    source = new Random(SEED);
    assertEquals(orders(policy, lists), orders(makePolicy(name, after), lists));
  });

  Deno.test(`${name}: keeps nothing of candidates that are gone`, async () => {
    const policy = POLICIES[name].create(seeded(SEED));
    const gone = pickAmongPassing(policy, 100);
    await collectGarbage();
    const kept = gone.filter((reference) => reference.deref() !== undefined).length;
    assertLess(kept, 10, `${kept} of ${gone.length} are still in memory`);
    const next = [candidate(0)];
    policy.prepare?.(next);
    assertEquals(policy.pick(next, ANYBODY), next[0]);
  });
}

/** A backend that counts what is given to it. */
class Busy implements Candidate {
  readonly order: number;
  readonly hash: Candidate["hash"];
  readonly weight: number;
  readonly errors = 0;
  readonly latencyMs = 10;
  entries = 0;
  inFlight = 0;

  constructor(order: number, weight: number) {
    this.order = order;
    this.hash = candidate(order).hash;
    this.weight = weight;
  }
}

function makePolicy(name: PolicyName, backends: readonly Candidate[]): Policy {
  const policy = POLICIES[name].create(seeded(SEED));
  policy.prepare?.(backends);
  return policy;
}

function orders(policy: Policy, lists: readonly (readonly Candidate[])[]): number[] {
  return lists.map((list, at) => policy.pick(list, CLIENTS[at] ?? ANYBODY).order);
}

/**
 * Serves all clients, twenty for each unit of weight at once, each for a time that has nothing to do
 * with where it is served.
 */
function serve(policy: Policy, { backends, random }: { backends: Busy[]; random: Random }): void {
  const atOnce = 20 * sum(backends.map(({ weight }) => weight));
  const running: Busy[] = [];
  for (const client of CLIENTS) {
    if (running.length >= atOnce) {
      const at = random.integer(0, running.length - 1);
      const [done] = running.splice(at, 1);
      if (done !== undefined) done.inFlight--;
    }
    const picked = policy.pick(backends, client);
    picked.entries++;
    picked.inFlight++;
    running.push(picked);
  }
}

/**
 * Each has its share of the clients, give or take what chance allows: five standard deviations of a
 * draw for each client by itself, and 10 % for those that choose by what is in flight. The seeds are
 * fixed, so that the outcome is too.
 */
function assertShares(backends: readonly Busy[]): void {
  const served = sum(backends.map(({ entries }) => entries));
  const weights = sum(backends.map(({ weight }) => weight));
  for (const { order, weight, entries } of backends) {
    const share = weight / weights;
    const expected = served * share;
    const chance = 5 * Math.sqrt(expected * (1 - share));
    const off = Math.abs(entries - expected);
    const text = `${order} of weight ${weight} got ${entries}, expected about ${expected}`;
    assert(off <= chance + 0.1 * expected, text);
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

/** Picks among candidates that nobody else holds, three at a time. */
function pickAmongPassing(policy: Policy, times: number): WeakRef<Candidate>[] {
  return Array.from({ length: times }, () => {
    const passing = [0, 1, 2].map((order) => candidate(order));
    policy.prepare?.(passing);
    return new WeakRef(policy.pick(passing, ANYBODY));
  });
}
