import type { Backend } from "../lib/backend.ts";
import { assertEquals } from "./support/assert.ts";
import { leaseOf, makeBackend } from "./support/backends.ts";

function backend(weight = 1): Backend {
  return makeBackend({ address: { hostname: "::1", port: 80 }, weight, order: 3 });
}

/** A probe that sets out and is back at once. */
function probe(subject: Backend, entries: number, leastOfOthers: number | null = null): void {
  subject.counted({ entries, errors: 0 }, subject.mark(), leastOfOthers);
}

/** Gives it a connection and takes it back. */
function serve(subject: Backend, times = 1): void {
  for (let time = 0; time < times; time++) {
    using lease = leaseOf(subject);
    lease.answered();
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
  subject.observe({ ok: false, final: true, reason: "refused" });
  probe(subject, 5, 800);
  assertEquals(subject.entries, 800, "it served 10 on top of 2, and counts 5");
  probe(subject, 5, 900);
  assertEquals(subject.entries, 800, "what was served is held against it once");
});

Deno.test("Backend: one that was down and remembers what it served was only out of reach", () => {
  const subject = backend();
  probe(subject, 2);
  serve(subject, 10);
  subject.observe({ ok: false, final: true, reason: "refused" });
  probe(subject, 12, 800);
  assertEquals(subject.entries, 12);
});

Deno.test("Backend: one that was not down may count later what it served", () => {
  const subject = backend();
  subject.observe({ ok: true });
  probe(subject, 2);
  serve(subject, 10);
  probe(subject, 5, 800);
  assertEquals(subject.entries, 5);
});

// Regression: what had begun before the last count and ended after it was held against the next.
Deno.test("Backend: what the last count has in it already is not asked for again", () => {
  const subject = backend();
  subject.observe({ ok: true });
  const lease = leaseOf(subject);
  probe(subject, 10);
  lease[Symbol.dispose]();
  subject.observe({ ok: false, final: true, reason: "refused" });
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
    using lease = leaseOf(subject);
    assertEquals(subject.entries, 12);
    lease.refused("refused");
  }
  assertEquals([subject.entries, subject.leased, subject.failures], [11, 2, 1]);
});

Deno.test("Backend: a failure that ends after the next probe takes nothing off its count", () => {
  const subject = backend();
  const lease = leaseOf(subject);
  probe(subject, 10);
  lease.refused("refused");
  lease[Symbol.dispose]();
  assertEquals([subject.entries, subject.mark().sent], [10, 0]);
});

// Regression: it was taken off by its own end, and once more with the mark.
Deno.test("Backend: a connection that fails while a probe is under way is taken off once", () => {
  const subject = backend();
  const leases = [leaseOf(subject), leaseOf(subject)];
  const mark = subject.mark();
  for (const lease of leases) {
    lease.refused("refused");
    lease[Symbol.dispose]();
  }
  subject.counted({ entries: 0, errors: 0 }, mark, null);
  assertEquals([subject.entries, subject.mark().sent], [0, 0]);
});
