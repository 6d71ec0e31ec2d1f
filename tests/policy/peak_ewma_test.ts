import { peakEwma } from "../../lib/policy/peak_ewma.ts";
import type { Candidate } from "../../lib/policy/mod.ts";
import { assert, assertEquals, assertLess } from "../support/assert.ts";
import { leaseOf, makeBackend } from "../support/backends.ts";
import { ANYBODY, candidate, seeded } from "../support/candidates.ts";
import { FakeClock } from "../support/fake_clock.ts";

/** The one picked of two, whichever is drawn first. */
function picked(one: Partial<Candidate>, other: Partial<Candidate>): number {
  const list = [candidate(0, one), candidate(1, other)];
  const policy = peakEwma(seeded(1));
  policy.prepare?.(list);
  const { order } = policy.pick(list, ANYBODY);
  for (let step = 0; step < 20; step++) assertEquals(policy.pick(list, ANYBODY).order, order);
  return order;
}

Deno.test("peakEwma: takes the lower latency where both are as busy", () => {
  assertEquals(picked({ latencyMs: 20 }, { latencyMs: 19 }), 1);
  assertEquals(picked({ latencyMs: 19, inFlight: 7 }, { latencyMs: 20, inFlight: 7 }), 0);
});

Deno.test("peakEwma: latency counts times the connections there would be", () => {
  assertEquals(picked({ latencyMs: 10, inFlight: 3 }, { latencyMs: 39, inFlight: 0 }), 1);
  assertEquals(picked({ latencyMs: 10, inFlight: 3 }, { latencyMs: 41, inFlight: 0 }), 0);
});

Deno.test("peakEwma: waits are compared for the weight", () => {
  assertEquals(picked({ latencyMs: 10, weight: 1 }, { latencyMs: 29, weight: 3 }), 1);
  assertEquals(picked({ latencyMs: 10, weight: 1 }, { latencyMs: 31, weight: 3 }), 0);
});

Deno.test("peakEwma: one that is not known gets one client, then waits for its answer", () => {
  assertEquals(picked({ latencyMs: 1 }, { latencyMs: 0 }), 1);
  assertEquals(picked({ latencyMs: 1000, inFlight: 50 }, { latencyMs: 0, inFlight: 1 }), 0);
  assertEquals(picked({ latencyMs: 0, inFlight: 2 }, { latencyMs: 0, inFlight: 1 }), 1);
});

/** How a server behaves: how long its first byte takes, and how it ends. */
interface Manner {
  readonly tookMs: number;
  readonly end: "served" | "failed";
}

/**
 * A client every 10 ms for a minute, against real backends under a clock turned by hand; how many
 * each got.
 */
async function serve(manners: readonly Manner[]): Promise<number[]> {
  const clock = new FakeClock();
  const now = (): number => clock.now();
  const backends = manners.map((_, order) => makeBackend({ order, now }));
  const policy = peakEwma(seeded(1));
  policy.prepare?.(backends);
  for (let client = 0; client < 6000; client++) {
    const lease = leaseOf(policy.pick(backends, ANYBODY));
    const { tookMs, end } = manners[lease.backend.order] ?? { tookMs: 0, end: "served" };
    lease.connected();
    lease.asked();
    clock.after(tookMs, () => {
      if (end === "served") lease.answered();
      else lease.dropped("connection reset");
      lease[Symbol.dispose]();
    });
    await clock.advance(10);
  }
  return backends.map(({ leased }) => leased);
}

const FAST: Manner = { tookMs: 20, end: "served" };

Deno.test("peakEwma: equal servers are served alike", async () => {
  const counts = await serve([FAST, FAST, FAST, FAST]);
  for (const each of counts) assert(Math.abs(each - 1500) < 150, counts.join());
});

Deno.test("peakEwma: a slow one among fast ones gets a trickle, by which it is watched", async () => {
  const [slow = 0, ...fast] = await serve([{ tookMs: 2000, end: "served" }, FAST, FAST, FAST]);
  assertLess(slow, 30);
  assert(slow >= 1, "it is not forgotten");
  for (const each of fast) assertLess(1700, each);
});

Deno.test("peakEwma: one that fails fast does not look fast", async () => {
  const [failing = 0, ...fast] = await serve([{ tookMs: 1, end: "failed" }, FAST, FAST, FAST]);
  assertLess(failing, 10, `${failing} clients went to the one that fails`);
  for (const each of fast) assertLess(1700, each);
});

Deno.test("peakEwma: among slow ones, too, one that fails fast does not look fast", async () => {
  const slow: Manner = { tookMs: 3000, end: "served" };
  const [failing = 0, ...others] = await serve([{ tookMs: 1, end: "failed" }, slow, slow, slow]);
  for (const each of others) assertLess(failing, each / 2, [failing, ...others].join());
});
