import { Backend, Lease } from "../lib/backend.ts";
import { assertEquals } from "./support/assert.ts";

function backend(weight = 1): Backend {
  const address = { hostname: "::1", port: 80 };
  return new Backend({ address, weight, order: 3, fall: 2, rise: 1, now: () => 0 });
}

/** A probe that sets out and is back at once. */
function probe(subject: Backend, entries: number, leastOfOthers: number | null = null): void {
  subject.counted({ entries, errors: 0 }, subject.mark(), leastOfOthers);
}

/** Gives it a connection and takes it back. */
function serve(subject: Backend, times = 1): void {
  for (let time = 0; time < times; time++) {
    using lease = new Lease(subject);
    lease.end = "served";
  }
}

Deno.test("Backend: has its address as it can be typed, its place, and no history", () => {
  const subject = backend(7);
  assertEquals([subject.name, subject.order, subject.weight], ["[::1]:80", 3, 7]);
  assertEquals(subject.health.state, "down");
  const { entries, errors, inFlight, leased, failures } = subject;
  assertEquals([entries, errors, inFlight, leased, failures], [0, 0, 0, 0, 0]);
  assertEquals(subject.mark(), { sent: 0, served: 0, wasDown: true });
});

Deno.test("Backend: its entries are those probed, plus what was sent to it since", () => {
  const subject = backend();
  serve(subject);
  assertEquals(subject.entries, 1);
  probe(subject, 10);
  assertEquals(subject.entries, 10);
  serve(subject, 3);
  assertEquals(subject.entries, 13);
  probe(subject, 13);
  assertEquals(subject.entries, 13);
});

Deno.test("Backend: what is sent while a probe is under way is not in its count", () => {
  const subject = backend();
  serve(subject, 2);
  const mark = subject.mark();
  serve(subject, 3);
  subject.counted({ entries: 10, errors: 0 }, mark, null);
  assertEquals(subject.entries, 13);
  probe(subject, 13);
  assertEquals(subject.entries, 13);
});

Deno.test("Backend: takes over the errors that the probe brought", () => {
  const subject = backend();
  subject.counted({ entries: 10, errors: 4 }, subject.mark(), null);
  assertEquals(subject.errors, 4);
  subject.counted({ entries: 10, errors: 3 }, subject.mark(), null);
  assertEquals(subject.errors, 3);
});

Deno.test("Backend: others count as well, so a count may grow without us", () => {
  const subject = backend();
  probe(subject, 10);
  serve(subject);
  probe(subject, 500);
  assertEquals(subject.entries, 500);
});

Deno.test("Backend: a count that went backwards is a restart: level with the least of the others", () => {
  const subject = backend();
  probe(subject, 1000);
  probe(subject, 0, 800);
  assertEquals(subject.entries, 800);
  serve(subject, 2);
  assertEquals(subject.entries, 802);
  probe(subject, 2, 900);
  assertEquals(subject.entries, 802, "only the restart levels, not each probe after it");
  probe(subject, 1, 900);
  assertEquals(subject.entries, 900, "a second restart levels anew");
});

Deno.test("Backend: one that was down and has forgotten what it served was restarted, too", () => {
  const subject = backend();
  probe(subject, 2);
  serve(subject, 10);
  subject.health.observe({ ok: false, final: true, reason: "refused" }, 1);
  probe(subject, 5, 800);
  assertEquals(subject.entries, 800, "it served 10 on top of 2, and counts 5");
  probe(subject, 5, 900);
  assertEquals(subject.entries, 800, "what was served is held against it once");
});

Deno.test("Backend: one that was down and remembers what it served was only out of reach", () => {
  const subject = backend();
  probe(subject, 2);
  serve(subject, 10);
  subject.health.observe({ ok: false, final: true, reason: "refused" }, 1);
  probe(subject, 12, 800);
  assertEquals(subject.entries, 12);
});

Deno.test("Backend: one that was not down may count later what it served", () => {
  const subject = backend();
  subject.health.observe({ ok: true }, 0);
  probe(subject, 2);
  serve(subject, 10);
  probe(subject, 5, 800);
  assertEquals(subject.entries, 5);
});

// Regression: what had begun before the last count and ended after it was held against the next.
Deno.test("Backend: what the last count has in it already is not asked for again", () => {
  const subject = backend();
  subject.health.observe({ ok: true }, 0);
  const lease = new Lease(subject);
  probe(subject, 10);
  lease[Symbol.dispose]();
  subject.health.observe({ ok: false, final: true, reason: "refused" }, 1);
  probe(subject, 10, 800);
  assertEquals(subject.entries, 10);
});

Deno.test("Backend: a restart does not make it worse off than its own count", () => {
  const subject = backend();
  probe(subject, 1000);
  probe(subject, 50, 20);
  assertEquals(subject.entries, 50);
  const alone = backend();
  probe(alone, 1000);
  probe(alone, 3, null);
  assertEquals(alone.entries, 3, "with no others there is nobody to be level with");
});

Deno.test("Backend: the same count again, and the first count of all, are no restart", () => {
  const subject = backend();
  probe(subject, 0, 800);
  assertEquals(subject.entries, 0);
  probe(subject, 0, 800);
  assertEquals(subject.entries, 0);
});

Deno.test("Backend: a connection that it did not take was not sent to it", () => {
  const subject = backend();
  probe(subject, 10);
  serve(subject);
  {
    using lease = new Lease(subject);
    assertEquals(subject.entries, 12);
    lease.end = "refused";
  }
  assertEquals([subject.entries, subject.leased, subject.failures], [11, 2, 1]);
});

Deno.test("Backend: a failure that ends after the next probe takes nothing off its count", () => {
  const subject = backend();
  const lease = new Lease(subject);
  probe(subject, 10);
  lease.end = "refused";
  lease[Symbol.dispose]();
  assertEquals([subject.entries, subject.mark().sent], [10, 0]);
});

// Regression: it was taken off by its own end, and once more with the mark.
Deno.test("Backend: a connection that fails while a probe is under way is taken off once", () => {
  const subject = backend();
  const leases = [new Lease(subject), new Lease(subject)];
  const mark = subject.mark();
  for (const lease of leases) {
    lease.end = "refused";
    lease[Symbol.dispose]();
  }
  subject.counted({ entries: 0, errors: 0 }, mark, null);
  assertEquals([subject.entries, subject.mark().sent], [0, 0]);
});

Deno.test("Lease: counts as soon as it is made, and until it is given back", () => {
  const subject = backend();
  const first = new Lease(subject);
  {
    using _second = new Lease(subject);
    assertEquals([subject.inFlight, subject.leased, subject.mark().sent], [2, 2, 2]);
  }
  assertEquals([subject.inFlight, subject.leased, subject.mark().sent], [1, 2, 2]);
  first[Symbol.dispose]();
  assertEquals([subject.inFlight, subject.failures], [0, 0]);
});

Deno.test("Lease: giving it back twice counts once, failed or not", () => {
  const subject = backend();
  const served = new Lease(subject);
  const failed = new Lease(subject);
  served.end = "served";
  failed.end = "refused";
  for (const lease of [served, failed, served, failed]) lease[Symbol.dispose]();
  const { inFlight, leased, failures } = subject;
  assertEquals([inFlight, leased, failures], [0, 2, 1]);
  assertEquals(subject.mark(), { sent: 1, served: 1, wasDown: true });
});

/** A backend under a clock that is turned by hand, and its latency now. */
function timed(): { lease: Lease; wait(ms: number): void; latencyMs(): number } {
  let nowMs = 1000;
  const address = { hostname: "::1", port: 80 };
  const options = { address, weight: 1, order: 0, fall: 2, rise: 1, now: () => nowMs };
  const subject = new Backend(options);
  return {
    lease: new Lease(subject),
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
  lease.end = "served";
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
    lease.end = "failed";
    lease.dropped();
    lease[Symbol.dispose]();
    assertEquals(latencyMs(), 1000, stages.join());
  }
});

Deno.test("Lease: a backend that ends without a byte does not look fast", () => {
  const { lease, wait, latencyMs } = timed();
  lease.connected();
  lease.asked();
  wait(1);
  lease.dropped();
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
    lease.end = end;
    lease[Symbol.dispose]();
    assertEquals(latencyMs(), 0, end);
  }
});
