import { type Numbers, Sampler } from "../../lib/admin/sampler.ts";
import { ENDING, ENDINGS } from "../../lib/ending.ts";
import { Journal } from "../../lib/journal.ts";
import { Passage } from "../../lib/passage.ts";
import { assertEquals } from "../support/assert.ts";
import { leaseOf, makeBackend } from "../support/backends.ts";
import { startBalancer } from "../support/balancer.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { until } from "../support/until.ts";

const CLIENT: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 50_000 };

interface Subject {
  readonly clock: FakeClock;
  readonly journal: Journal;
  readonly sampler: Sampler;
  readonly sampled: number[];
}

function make(numbers?: (journal: Journal) => Numbers | null): Subject {
  const clock = new FakeClock(5000);
  const journal = new Journal(clock);
  const sampled: number[] = [];
  const sampler = new Sampler({
    numbers: () =>
      numbers === undefined
        ? { journal, backends: [], snapshot: () => ({ carried: 1, waiting: 2 }) }
        : numbers(journal),
    onSample: () => sampled.push(clock.now()),
    clock,
    epochNow: () => 1_000_000 + clock.now(),
  });
  return { clock, journal, sampler, sampled };
}

/** A passage without a backend ends like that. */
function end(journal: Journal, place: number): void {
  const passage = new Passage(CLIENT, 0);
  const ending = ENDINGS[place];
  if (ending !== undefined) passage.end(ending);
  journal.ended(passage);
}

Deno.test("Sampler: takes one sample at once, and one each second until it is disposed of", async () => {
  const { clock, sampler, sampled } = make();
  assertEquals([sampler.history.newest?.at, sampled], [1005, []]);
  await clock.advance(3500);
  assertEquals(sampled, [6000, 7000, 8000]);
  assertEquals(sampler.history.picture().total.at, [1005, 1006, 1007, 1008]);
  sampler[Symbol.dispose]();
  assertEquals(clock.pending, 0);
});

Deno.test("Sampler: may be disposed of by whoever is told of a sample", async () => {
  const clock = new FakeClock();
  const sampler: Sampler = new Sampler({
    numbers: () => null,
    onSample: () => sampler[Symbol.dispose](),
    clock,
    epochNow: () => 0,
  });
  await clock.advance(1000);
  assertEquals([clock.pending, sampler.history.newest], [0, null]);
});

Deno.test("Sampler: reads the journal and the counts of clients", async () => {
  const { clock, journal, sampler } = make();
  for (let count = 0; count < 4; count++) end(journal, ENDING.leftEarly.place);
  await clock.advance(1000);
  const { perSecond, failuresPerSecond, carried, waiting } = sampler.history.newest ?? {};
  assertEquals([perSecond, failuresPerSecond, carried, waiting], [4, 0, 1, 2]);
  sampler[Symbol.dispose]();
});

Deno.test("Sampler: reads each backend", async () => {
  const backend = makeBackend();
  const { clock, journal, sampler } = make((journal) => ({
    journal,
    backends: [backend],
    snapshot: () => ({ carried: 0, waiting: 0 }),
  }));
  for (const ending of [ENDING.served, ENDING.backendBroke]) {
    const passage = new Passage(CLIENT, clock.now());
    using lease = leaseOf(backend);
    passage.leased(lease);
    passage.end(ending);
    journal.ended(passage);
  }
  backend.begin();
  await clock.advance(1000);
  const { perSecond, failuresPerSecond } = sampler.history.ratesOf(backend.name);
  assertEquals([perSecond, failuresPerSecond], [2, 1]);
  assertEquals(sampler.history.newest?.failuresPerSecond, 1);
  assertEquals(sampler.history.picture().backends[0]?.inFlight, [0, 1]);
  sampler[Symbol.dispose]();
});

Deno.test("Sampler: no failure is what the client did, or asked for", async () => {
  const faultless = ENDINGS.filter(({ by }) => by === "client").map(({ place }) => place);
  faultless.push(ENDING.served.place, ENDING.headTimeout.place, ENDING.keepAliveTimeout.place);
  const { clock, journal, sampler } = make();
  for (const place of faultless) end(journal, place);
  await clock.advance(1000);
  assertEquals(sampler.history.newest?.failuresPerSecond, 0);
  const failures = [ENDING.nobody, ENDING.queueFull, ENDING.unanswered, ENDING.defect];
  for (const { place } of failures) end(journal, place);
  await clock.advance(1000);
  assertEquals(sampler.history.newest?.failuresPerSecond, failures.length);
  sampler[Symbol.dispose]();
});

Deno.test("Sampler: waits for the balancer to be there, and tells each second all the same", async () => {
  let isThere = false;
  const { clock, sampler, sampled } = make((journal) =>
    isThere ? { journal, backends: [], snapshot: () => ({ carried: 0, waiting: 0 }) } : null
  );
  await clock.advance(2000);
  assertEquals([sampler.history.newest, sampled.length], [null, 2]);
  isThere = true;
  await clock.advance(1000);
  assertEquals(sampler.history.picture().total.at, [1008]);
  sampler[Symbol.dispose]();
});

Deno.test("Sampler: reads a real balancer", async () => {
  await using balancer = await startBalancer([1], { "health": "off" });
  const clock = new FakeClock();
  using sampler = new Sampler({
    numbers: () => balancer,
    onSample: () => {},
    clock,
    epochNow: () => 0,
  });
  const response = await fetch(`http://127.0.0.1:${balancer.address.port}/`);
  assertEquals([response.status, await response.text()], [500, ""]);
  await until(() => balancer.journal.lasted.count === 1, "its passage is over");
  await clock.advance(1000);
  const { perSecond, failuresPerSecond } = sampler.history.newest ?? {};
  assertEquals([perSecond, failuresPerSecond], [1, 1]);
});
