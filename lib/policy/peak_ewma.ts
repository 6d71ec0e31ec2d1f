/**
 * `peak-ewma`: draws two at random and takes the one where a client would wait less, for its weight:
 * latency times the connections there would be with it. The latency is an average that jumps up at
 * once and comes down slowly, see `latency.ts`; the idea is that of Finagle's `PeakEwma`, which
 * linkerd and tower took over. A backend that is not known yet gets one client to begin with. O(1);
 * O(n) where weights differ. For servers of which some are slow, or become so at times.
 */
import type { Candidate, Policy, PolicySources } from "./mod.ts";
import { twoChoices } from "./two_choices.ts";

/** What is assumed of a backend that has a client but has not answered yet, in milliseconds. */
const UNKNOWN_MS = 60_000;

/** Makes the policy. */
export function peakEwma(sources: PolicySources): Policy {
  return twoChoices(sources, answersSooner);
}

function answersSooner(one: Candidate, other: Candidate): boolean {
  return wait(one) * other.weight < wait(other) * one.weight;
}

function wait({ latencyMs, inFlight }: Candidate): number {
  if (latencyMs > 0) return latencyMs * (inFlight + 1);
  return UNKNOWN_MS * inFlight;
}
