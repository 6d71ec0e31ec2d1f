/** Candidates for policies, without a pool, and clients without a connection. */
import { hash64 } from "../../lib/policy/hash.ts";
import type { Candidate, Policy, PolicyClient, PolicySources } from "../../lib/policy/mod.ts";
import { Random } from "./random.ts";

/** A client for whom nothing depends on who it is. */
export const ANYBODY: PolicyClient = { ip: "192.0.2.1" };

/** The sources of a policy, with a random source of that seed. */
export function seeded(seed: number): PolicySources {
  const random = new Random(seed);
  return { random: () => random.next() };
}

/** A candidate with all numbers at rest, but for those given; a write to it throws. */
export function candidate(order: number, numbers: Partial<Candidate> = {}): Candidate {
  const hash = hash64(`10.0.0.1:${1 + order}`);
  const atRest = { weight: 1, entries: 0, errors: 0, inFlight: 0, latencyMs: 0 };
  return Object.freeze({ order, hash, ...atRest, ...numbers });
}

/** Candidates in the order given, with small random numbers, so that ties are frequent. */
export function randomCandidates(count: number, random: Random): readonly Candidate[] {
  const make = (_: unknown, order: number): Candidate =>
    candidate(order, {
      weight: random.integer(1, 5),
      entries: random.integer(0, 5),
      errors: random.integer(0, 3),
      inFlight: random.integer(0, 5),
      latencyMs: random.integer(0, 5),
    });
  return Object.freeze(Array.from({ length: count }, make));
}

/** Candidates of those weights at rest. */
export function weighted(...weights: readonly number[]): readonly Candidate[] {
  return Object.freeze(weights.map((weight, order) => candidate(order, { weight })));
}

/** Some of a list, at least one, in the same order. */
export function randomSubset<T>(list: readonly T[], random: Random): readonly T[] {
  const kept = list.filter(() => random.chance(0.6));
  return Object.freeze(kept.length > 0 ? kept : [random.pick(list)]);
}

/** Clients, each of another address: so many that shares come out to within a few percent. */
export function clients(count: number): readonly PolicyClient[] {
  return Array.from({ length: count }, (_, at) => ({
    ip: `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`,
  }));
}

/** How often a policy picks each, one client after the other, every pick ended at once. */
export function shares(
  policy: Policy,
  candidates: readonly Candidate[],
  served: readonly PolicyClient[],
): number[] {
  const counts = candidates.map(() => 0);
  for (const client of served) {
    const { order } = policy.pick(candidates, client);
    counts[order] = (counts[order] ?? 0) + 1;
  }
  return counts;
}
