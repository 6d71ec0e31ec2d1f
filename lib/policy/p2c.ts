/**
 * `p2c`, the power of two choices: draws two at random and takes the one that serves fewer
 * connections for its weight. O(1); O(n) where weights differ. For many backends, or for many
 * balancers, which by `least-connections` would all run to the same backend.
 */
import type { Candidate, Policy, PolicySources } from "./mod.ts";
import { twoChoices } from "./two_choices.ts";

/** Makes the policy. */
export function p2c(sources: PolicySources): Policy {
  return twoChoices(sources, servesLess);
}

function servesLess(one: Candidate, other: Candidate): boolean {
  return one.inFlight * other.weight < other.inFlight * one.weight;
}
