import { Ejection } from "../lib/ejection.ts";
import type { Lease } from "../lib/lease.ts";
import { assert, assertEquals, assertMatch } from "./support/assert.ts";
import { leaseOf, makeBackend } from "./support/backends.ts";

Deno.test("Lease: knows how it ended, and why it failed", () => {
  const told: [(lease: Lease) => void, string, string][] = [
    [() => {}, "asked", ""],
    [(lease) => lease.unasked(), "unasked", ""],
    [(lease) => lease.refused("connection refused"), "refused", "connection refused"],
    [(lease) => lease.dropped("connection reset"), "failed", "connection reset"],
    [(lease) => lease.answered(), "served", ""],
  ];
  for (const [tell, end, reason] of told) {
    const lease = leaseOf(makeBackend());
    tell(lease);
    assertEquals([lease.end, lease.reason], [end, reason]);
  }
});

Deno.test("Lease: counts as soon as it is made, and until it is given back", () => {
  const subject = makeBackend();
  const first = leaseOf(subject);
  {
    using _second = leaseOf(subject);
    assertEquals([subject.inFlight, subject.leased, subject.entries], [2, 2, 2]);
  }
  assertEquals([subject.inFlight, subject.leased, subject.entries], [1, 2, 2]);
  first[Symbol.dispose]();
  assertEquals([subject.inFlight, subject.failures], [0, 0]);
});

Deno.test("Lease: giving it back twice counts once, failed or not", () => {
  const subject = makeBackend();
  const served = leaseOf(subject);
  const failed = leaseOf(subject);
  served.answered();
  failed.refused("refused");
  for (const lease of [served, failed, served, failed]) lease[Symbol.dispose]();
  const { inFlight, leased, failures } = subject;
  assertEquals([inFlight, leased, failures], [0, 2, 1]);
  assertEquals(subject.mark(), { sent: 1, served: 1, wasDown: true });
});

/** A backend under a clock that is turned by hand, and its latency now. */
function timed(): { lease: Lease; wait(ms: number): void; latencyMs(): number } {
  let nowMs = 1000;
  const subject = makeBackend({ now: () => nowMs });
  return {
    lease: leaseOf(subject),
    wait: (ms) => void (nowMs += ms),
    latencyMs: () => subject.latencyMs,
  };
}

Deno.test("Lease: the time of connecting and that from request to first byte make the latency", () => {
  const { lease, wait, latencyMs } = timed();
  wait(3);
  lease.connected();
  wait(500); // A client that is slow to speak.
  lease.asked();
  wait(20);
  assertEquals(latencyMs(), 0);
  lease.answered();
  assertEquals(latencyMs(), 23);
  lease[Symbol.dispose]();
  assertEquals(latencyMs(), 23);
});

Deno.test("Lease: where the backend speaks first, its latency begins at the connection", () => {
  const { lease, wait, latencyMs } = timed();
  wait(3);
  lease.connected();
  wait(40);
  lease.answered();
  assertEquals(latencyMs(), 43);
});

Deno.test("Lease: a failure at any stage counts against the latency, once", () => {
  for (const stages of [[], ["connected"], ["connected", "asked"]] as const) {
    const { lease, wait, latencyMs } = timed();
    for (const stage of stages) lease[stage]();
    wait(1);
    if (stages.length === 0) lease.refused("connection refused");
    else lease.dropped("connection reset");
    lease[Symbol.dispose]();
    assertEquals(latencyMs(), 1000, stages.join());
  }
});

Deno.test("Lease: a backend that ends without a byte does not look fast", () => {
  const { lease, wait, latencyMs } = timed();
  lease.connected();
  lease.asked();
  wait(1);
  lease.dropped("connection reset");
  lease[Symbol.dispose]();
  assertEquals(latencyMs(), 1000);
});

Deno.test("Lease: a client that leaves without an answer tells how long it waited", () => {
  const { lease, wait, latencyMs } = timed();
  lease.connected();
  lease.asked();
  wait(700);
  lease[Symbol.dispose]();
  assertEquals(latencyMs(), 700);
});

Deno.test("Lease: a client that said nothing, or was never sent there, tells nothing", () => {
  for (const end of ["asked", "unasked"] as const) {
    const { lease, wait, latencyMs } = timed();
    if (end === "asked") lease.connected();
    wait(700);
    if (end === "unasked") lease.unasked();
    lease[Symbol.dispose]();
    assertEquals(latencyMs(), 0, end);
  }
});

Deno.test("Lease: what comes after the first byte, however long it takes, is no waiting", () => {
  const { lease, wait, latencyMs } = timed();
  lease.connected();
  lease.asked();
  wait(5);
  lease.answered();
  wait(60_000);
  lease[Symbol.dispose]();
  assert(latencyMs() < 5, `${latencyMs()} ms`);
});

Deno.test("Lease: one sent before an ejection says nothing about the time after it", () => {
  let nowMs = 1000;
  const ejection = new Ejection({ failuresMax: 1, random: () => 0.5 });
  const subject = makeBackend({ now: () => nowMs, ejection });
  const before = leaseOf(subject);
  assert(ejection.failed("refused", nowMs));
  subject.eject();
  nowMs += 10_000;
  subject.endEjection();
  before.answered();
  subject.eject();
  assertEquals(ejection.reason(nowMs), "failed a client (refused); back in 20s");
  subject.endEjection();
  ejection.failed("refused", nowMs);
  subject.eject();
  assertMatch(ejection.reason(nowMs), /^failed 2 clients in a row/);
});
