import { random } from "../../lib/policy/random.ts";
import { assertEquals } from "../support/assert.ts";
import { ANYBODY, candidate, weighted } from "../support/candidates.ts";

/** The place picked where the random source says that number. */
function picked(weights: readonly number[], number: number): number {
  const backends = weighted(...weights);
  const policy = random({ random: () => number });
  policy.prepare?.(backends);
  return policy.pick(backends, ANYBODY).order;
}

Deno.test("random: the random number is shared out by the weights, to the last bit", () => {
  const almostOne = 1 - Number.EPSILON / 2;
  assertEquals([0, 0.24, 0.25, 0.5, 0.75, almostOne].map((at) => picked([1, 1, 1, 1], at)), [
    0,
    0,
    1,
    2,
    3,
    3,
  ]);
  assertEquals([0, 0.09, 0.1, 0.39, 0.4, almostOne].map((at) => picked([1, 3, 6], at)), [
    0,
    0,
    1,
    1,
    2,
    2,
  ]);
});

Deno.test("random: numbers and history of the backends do not matter", () => {
  const policy = random({ random: () => 0 });
  const backends = [candidate(0, { inFlight: 99, entries: 99, errors: 99 }), candidate(1)];
  policy.prepare?.(backends);
  assertEquals(policy.pick(backends, ANYBODY).order, 0);
});
