import { ProbeRound, type ProbeRoundOptions, PROBES_MAX, spreadMs } from "../lib/probe_round.ts";
import { assert, assertEquals, assertLessOrEqual } from "./support/assert.ts";
import { FakeClock, settle } from "./support/fake_clock.ts";
import { Random } from "./support/random.ts";

/** A round of numbered backends, a clock for it, and the probes that it started. */
class Bench {
  readonly clock = new FakeClock(10_000);
  readonly round: ProbeRound<number>;
  /** Who was probed when, in milliseconds since the beginning. */
  readonly starts: { readonly backend: number; readonly atMs: number }[] = [];
  /** Is the round over? */
  ended = false;
  /** Whose probes were dropped. */
  readonly dropped: number[] = [];
  readonly #underWay: (() => void)[] = [];

  constructor(count: number, options: Partial<ProbeRoundOptions<number>> = {}) {
    this.round = new ProbeRound({
      backends: Array.from({ length: count }, (_, index) => index),
      probe: (backend, signal) => this.#probe(backend, signal),
      spreadMs: () => 0,
      isWanted: () => true,
      random: () => 0.5,
      clock: this.clock,
      ...options,
    });
  }

  get probed(): number[] {
    return this.starts.map(({ backend }) => backend);
  }

  get running(): number {
    return this.#underWay.length;
  }

  run(): void {
    this.round.run().then(() => this.ended = true);
  }

  /** Ends so many of the probes under way, those first that started first. */
  async finish(count = Infinity): Promise<void> {
    for (const finish of this.#underWay.splice(0, count)) finish();
    await settle();
  }

  #probe(backend: number, signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.dropped.push(backend));
    this.starts.push({ backend, atMs: this.clock.now() - 10_000 });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#underWay.push(resolve);
    return promise;
  }
}

/** Answers with these, one after the other. */
function given(...numbers: number[]): () => number {
  return () => numbers.shift() ?? NaN;
}

function seeded(seed: number): () => number {
  const random = new Random(seed);
  return () => random.next();
}

Deno.test("spreadMs: a handful is not spread, each more adds a millisecond, up to the limit", () => {
  assertEquals([0, 1, 3, 10].map((count) => spreadMs(count, 1000)), [0, 0, 0, 0]);
  assertEquals([11, 12, 110, 310].map((count) => spreadMs(count, 1000)), [1, 2, 100, 300]);
  assertEquals([0, 10, 60, 10_000].map((count) => spreadMs(count, 50)), [0, 0, 50, 50]);
});

Deno.test("ProbeRound.run: without a spread all start at once, in the order given, and no timer is set", () => {
  const bench = new Bench(4, { random: given(0.9, 0.1, 0.7, 0.3) });
  bench.run();
  assertEquals([bench.probed, bench.clock.pending], [[0, 1, 2, 3], 0]);
});

Deno.test("ProbeRound.run: resolves when the last probe is over, not sooner", async () => {
  const bench = new Bench(3);
  bench.run();
  await bench.finish(2);
  assertEquals([bench.running, bench.ended], [1, false]);
  await bench.finish();
  assertEquals(bench.ended, true);
});

Deno.test("ProbeRound.run: resolves at once if there is nobody to probe", async () => {
  const bench = new Bench(0);
  bench.run();
  await settle();
  assertEquals([bench.ended, bench.clock.pending], [true, 0]);
});

Deno.test("ProbeRound: each starts after its random share of its spread", async () => {
  const bench = new Bench(4, {
    spreadMs: (backend) => backend === 3 ? 20 : 100,
    random: given(0.75, 0, 0.25, 0.5),
  });
  bench.run();
  assertEquals(bench.probed, [1], "a share of nothing is now");
  await bench.clock.advance(100);
  assertEquals(bench.starts, [
    { backend: 1, atMs: 0 },
    { backend: 3, atMs: 10 },
    { backend: 2, atMs: 25 },
    { backend: 0, atMs: 75 },
  ]);
});

Deno.test("ProbeRound: however slow the others, a probe starts in its turn, by one timer", async () => {
  const bench = new Bench(50, { spreadMs: () => 100, random: seeded(1) });
  bench.run();
  for (let elapsedMs = 0; elapsedMs < 100; elapsedMs++) {
    assertLessOrEqual(bench.clock.pending, 1);
    await bench.clock.advance(1);
  }
  assertEquals([bench.running, bench.clock.pending, bench.ended], [50, 0, false]);
  await bench.finish();
  assertEquals(bench.ended, true);
});

Deno.test("ProbeRound: the probes of hundreds fill their spread, without a crowd", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const bench = new Bench(240, { spreadMs: () => 240, random: seeded(seed) });
    bench.run();
    const perTenth: number[] = [];
    for (let tenth = 0; tenth < 10; tenth++) {
      const before = bench.starts.length;
      await bench.clock.advance(24);
      perTenth.push(bench.starts.length - before);
    }
    assertEquals(new Set(bench.probed).size, 240, `seed ${seed}: everybody once`);
    // 24 are to be expected; so far off comes once in a million times.
    assert(perTenth.every((count) => count > 3 && count < 50), `seed ${seed}: ${perTenth}`);
  }
});

Deno.test("ProbeRound: no more than PROBES_MAX run at once, and whoever waits follows at once", async () => {
  const bench = new Bench(3 * PROBES_MAX);
  bench.run();
  await bench.clock.advance(10_000);
  assertEquals([bench.running, bench.clock.pending], [PROBES_MAX, 0]);
  await bench.finish(1);
  assertEquals([bench.running, bench.starts.length], [PROBES_MAX, PROBES_MAX + 1]);
  await bench.finish(PROBES_MAX);
  assertEquals([bench.running, bench.starts.length], [PROBES_MAX, 2 * PROBES_MAX + 1]);
  await bench.finish(PROBES_MAX);
  assertEquals([bench.running, bench.ended], [PROBES_MAX - 1, false]);
  await bench.finish();
  assertEquals(bench.ended, true);
  assertEquals(bench.probed, Array.from({ length: 3 * PROBES_MAX }, (_, index) => index));
});

Deno.test("ProbeRound: after a stall, those that are overdue start at once, but not too many", async () => {
  const bench = new Bench(2 * PROBES_MAX, { spreadMs: () => 100, random: seeded(1) });
  bench.run();
  bench.clock.stall(5000);
  await bench.clock.advance(0);
  assertEquals([bench.running, bench.clock.pending], [PROBES_MAX, 0]);
  await bench.finish();
  assertEquals(bench.running, PROBES_MAX);
  await bench.finish();
  assertEquals(bench.ended, true);
});

Deno.test("ProbeRound: whoever is not wanted any more when its turn comes is not probed", async () => {
  const wanted = new Set([0, 1, 2, 3]);
  const bench = new Bench(4, {
    spreadMs: () => 100,
    random: given(0.2, 0.4, 0.6, 0.8),
    isWanted: (backend) => wanted.has(backend),
  });
  bench.run();
  await bench.clock.advance(20);
  wanted.delete(0);
  wanted.delete(1);
  wanted.delete(3);
  await bench.clock.advance(80);
  assertEquals(bench.probed, [0, 2]);
  await bench.finish();
  assertEquals(bench.ended, true);
});

Deno.test("ProbeRound: a round of which nobody is wanted any more ends", async () => {
  const bench = new Bench(2 * PROBES_MAX, { spreadMs: () => 100, isWanted: () => false });
  bench.run();
  await bench.clock.advance(100);
  assertEquals([bench.starts, bench.ended, bench.clock.pending], [[], true, 0]);
});

Deno.test("ProbeRound.stop: cancels those to come, waits for those under way, leaves no timer", async () => {
  const bench = new Bench(4, { spreadMs: () => 100, random: given(0.2, 0.4, 0.6, 0.8) });
  bench.run();
  await bench.clock.advance(50);
  let stopped = false;
  bench.round.stop().then(() => stopped = true);
  assertEquals(bench.clock.pending, 0);
  await bench.clock.advance(1000);
  assertEquals([bench.probed, stopped], [[0, 1], false]);
  await bench.finish(1);
  assertEquals([bench.ended, stopped], [false, false]);
  await bench.finish();
  assertEquals([bench.ended, stopped], [true, true]);
});

Deno.test("ProbeRound.stop: before the first has started, it ends at once", async () => {
  const bench = new Bench(3, { spreadMs: () => 100 });
  bench.run();
  bench.round.stop();
  await settle();
  assertEquals([bench.starts, bench.ended, bench.clock.pending], [[], true, 0]);
});

Deno.test("ProbeRound.stop: those that wait because too many run do not start", async () => {
  const bench = new Bench(PROBES_MAX + 1);
  bench.run();
  bench.round.stop();
  await bench.finish();
  assertEquals([bench.starts.length, bench.ended], [PROBES_MAX, true]);
});

Deno.test("ProbeRound.stop: drops the probes under way, and resolves when they are over", async () => {
  const bench = new Bench(3);
  bench.run();
  await bench.finish(1);
  let stopped = false;
  const stop = bench.round.stop().then(() => stopped = true);
  await settle();
  assertEquals([bench.dropped, stopped], [[1, 2], false]);
  await bench.finish();
  await stop;
});

Deno.test("ProbeRound.dropAllBut: drops the probes of those that are gone, and of no others", async () => {
  const bench = new Bench(4);
  bench.run();
  await bench.finish(1);
  bench.round.dropAllBut(new Set([0, 2]));
  assertEquals(bench.dropped, [1, 3]);
  await bench.finish();
  assertEquals(bench.ended, true);
});
