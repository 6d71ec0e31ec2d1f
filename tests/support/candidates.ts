/** Candidates for policies, without a pool. */
import type { Candidate } from "../../lib/policy/mod.ts";
import type { Random } from "./random.ts";

/** A candidate with all numbers at rest, but for those given; a write to it throws. */
export function candidate(order: number, numbers: Partial<Candidate> = {}): Candidate {
  return Object.freeze({ order, weight: 1, entries: 0, errors: 0, inFlight: 0, ...numbers });
}

/** Candidates in the order given, with small random numbers, so that ties are frequent. */
export function randomCandidates(count: number, random: Random): readonly Candidate[] {
  const make = (_: unknown, order: number): Candidate =>
    candidate(order, {
      weight: random.integer(1, 5),
      entries: random.integer(0, 5),
      errors: random.integer(0, 3),
      inFlight: random.integer(0, 5),
    });
  return Object.freeze(Array.from({ length: count }, make));
}

/** Some of a list, at least one, in the same order. */
export function randomSubset<T>(list: readonly T[], random: Random): readonly T[] {
  const kept = list.filter(() => random.chance(0.6));
  return Object.freeze(kept.length > 0 ? kept : [random.pick(list)]);
}
