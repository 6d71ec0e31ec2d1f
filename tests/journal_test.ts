import { ENDING, ENDINGS } from "../lib/ending.ts";
import { Journal } from "../lib/journal.ts";
import { Passage } from "../lib/passage.ts";
import { assertEquals } from "./support/assert.ts";
import { leaseOf, makeBackend } from "./support/backends.ts";
import { FakeClock } from "./support/fake_clock.ts";

const CLIENT: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 5 };

Deno.test("Journal: takes the times of a passage from its arrival, its leases and its end", async () => {
  const clock = new FakeClock(1000);
  const told: [Passage, number][] = [];
  const journal = new Journal(clock, (passage, endedMs) => told.push([passage, endedMs]));
  const backend = makeBackend({ now: () => clock.now() });
  const passage = new Passage(CLIENT, clock.now());
  await clock.advance(3);
  using lease = leaseOf(backend);
  passage.leased(lease);
  await clock.advance(20);
  lease.connected();
  lease.asked();
  await clock.advance(70);
  lease.answered();
  await clock.advance(400);
  passage.end(ENDING.served);
  passage.end(ENDING.drainTimeout);
  journal.ended(passage);
  const { waited, connected, answered, lasted } = journal;
  assertEquals([waited, connected, answered, lasted].map(({ sumMs }) => sumMs), [3, 20, 93, 493]);
  assertEquals([backend.answered.count, backend.answered.sumMs], [1, 93]);
  assertEquals(backend.endings[ENDING.served.place], 1, "the first word counts");
  assertEquals(told, [[passage, 1493]]);
});

Deno.test("Journal: what never had a backend counts by itself, and has waited for none", () => {
  const journal = new Journal(new FakeClock());
  const passage = new Passage(CLIENT, 0);
  passage.end(ENDING.queueFull);
  journal.ended(passage);
  assertEquals(journal.endings[ENDING.queueFull.place], 1);
  const { waited, connected, answered, lasted } = journal;
  assertEquals([waited, connected, answered, lasted].map(({ count }) => count), [0, 0, 0, 1]);
});

Deno.test("Journal: counts each further backend that was tried", () => {
  const journal = new Journal(new FakeClock());
  const passage = new Passage(CLIENT, 0);
  const [first, second, third] = [makeBackend(), makeBackend(), makeBackend()];
  for (const backend of [first, second, third]) {
    using lease = leaseOf(backend);
    passage.leased(lease);
  }
  passage.end(ENDING.nobody);
  journal.ended(passage);
  assertEquals([journal.failovers, passage.attempts, passage.backend], [2, 3, third]);
  assertEquals(third.endings[ENDING.nobody.place], 1);
});

Deno.test("Journal: a client that asked for nothing counts by itself, as no request, and not its time", () => {
  const journal = new Journal(new FakeClock());
  const passage = new Passage(CLIENT, 0);
  passage.end(ENDING.keepAliveTimeout);
  journal.unasked(passage);
  assertEquals(journal.idleEndings[ENDING.keepAliveTimeout.place], 1);
  assertEquals(journal.endings[ENDING.keepAliveTimeout.place], 0);
  assertEquals(journal.lasted.count, 0);
});

Deno.test("Journal: a passage that ended nobody knows how is a defect", () => {
  const journal = new Journal(new FakeClock());
  journal.ended(new Passage(CLIENT, 0));
  const expected = ENDINGS.map((ending) => ending === ENDING.defect ? 1 : 0);
  assertEquals([...journal.endings], expected);
});
