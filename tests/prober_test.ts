import { Prober, type ProberOptions, ROUND_GAP_MS } from "../lib/prober.ts";
import { assert, assertEquals, assertLessOrEqual } from "./support/assert.ts";
import { FakeClock, settle } from "./support/fake_clock.ts";
import { Random } from "./support/random.ts";

type Options = Partial<ProberOptions<string>> & { readonly names?: string };

/** A prober of backends named by letters, a clock for it, and the rounds that it ran. */
class Bench {
  readonly clock = new FakeClock(10_000);
  readonly prober: Prober<string>;
  /** "milliseconds since the beginning: who was probed". */
  readonly rounds: string[] = [];
  /** Those that the caller holds to be in doubt. */
  readonly doubted = new Set<string>();
  /** How long a probe takes; Infinity: until {@linkcode finish}. */
  probeMs = 0;
  /** Called at the end of each probe: the moment at which doubts come and go. */
  onProbed: (name: string) => void = () => {};
  /** How many probes are under way. */
  running = 0;
  /** Whose probes were dropped. */
  readonly dropped: string[] = [];
  #startedMs = NaN;
  readonly #finish: (() => void)[] = [];

  constructor({ names = "abc", ...options }: Options = {}) {
    this.prober = new Prober({
      backends: () => [...names],
      probe: (name, signal) => this.#probe(name, signal),
      inDoubt: (name) => this.doubted.has(name),
      rounds: true,
      intervalMs: 3000,
      requests: 0,
      random: () => 0.5,
      clock: this.clock,
      ...options,
    });
  }

  /** Milliseconds since the beginning. */
  get elapsedMs(): number {
    return this.clock.now() - 10_000;
  }

  request(times: number): void {
    for (let time = 0; time < times; time++) this.prober.request();
  }

  /** Ends all probes that wait for it. */
  async finish(): Promise<void> {
    for (const finish of this.#finish.splice(0)) finish();
    await settle();
  }

  #probe(name: string, signal: AbortSignal): Promise<void> {
    this.#note(name);
    signal.addEventListener("abort", () => this.dropped.push(name));
    this.running++;
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.probeMs === 0) resolve();
    else if (this.probeMs === Infinity) this.#finish.push(resolve);
    else this.clock.after(this.probeMs, resolve);
    return promise.then(() => {
      this.running--;
      this.onProbed(name);
    });
  }

  #note(name: string): void {
    const sameRound = this.running > 0 && this.#startedMs === this.clock.now();
    if (sameRound) this.rounds.push(`${this.rounds.pop()} ${name}`);
    else this.rounds.push(`${this.elapsedMs}: ${name}`);
    assert(sameRound || this.running === 0, `rounds overlap: ${this.rounds.join("; ")}`);
    this.#startedMs = this.clock.now();
  }
}

Deno.test("Prober: does nothing until it is started", async () => {
  const bench = new Bench({ requests: 5 });
  await bench.clock.advance(60_000);
  assertEquals([bench.rounds, bench.clock.pending], [[], 0]);
});

Deno.test("Prober.start: probes all side by side, and resolves when the last is done", async () => {
  const bench = new Bench();
  bench.probeMs = Infinity;
  let started = false;
  const start = bench.prober.start().then(() => started = true);
  await bench.clock.advance(1000);
  assertEquals([bench.rounds, bench.running, started], [["0: a b c"], 3, false]);
  await bench.finish();
  await start;
  assertEquals([bench.running, started], [0, true]);
  await bench.prober.stop();
});

Deno.test("Prober: probes every X, from the start of one round to that of the next", async () => {
  for (const probeMs of [0, 500]) {
    const bench = new Bench({ intervalMs: 3000 });
    bench.probeMs = probeMs;
    bench.prober.start();
    await bench.clock.advance(2999);
    assertEquals(bench.rounds, ["0: a b c"]);
    await bench.clock.advance(1);
    assertEquals(bench.rounds, ["0: a b c", "3000: a b c"]);
    await bench.clock.advance(6500);
    assertEquals(bench.rounds.slice(2), ["6000: a b c", "9000: a b c"]);
    await bench.prober.stop();
  }
});

Deno.test("Prober: probes at once after every R requests, not one sooner", async () => {
  const bench = new Bench({ requests: 5, intervalMs: 600_000 });
  await bench.prober.start();
  await bench.clock.advance(1000);
  bench.request(4);
  await bench.clock.advance(1000);
  assertEquals(bench.rounds, ["0: a b c"]);
  bench.request(1);
  assertEquals(bench.rounds, ["0: a b c", "2000: a b c"]);
  await bench.clock.advance(1000);
  bench.request(5);
  await bench.clock.advance(1000);
  bench.request(5);
  assertEquals(bench.rounds.slice(2), ["3000: a b c", "4000: a b c"]);
  await bench.prober.stop();
});

Deno.test("Prober: X or R, whichever comes first, and each begins anew with every round", async () => {
  const bench = new Bench({ requests: 5, intervalMs: 3000 });
  await bench.prober.start();
  await bench.clock.advance(2000);
  bench.request(5);
  await bench.clock.advance(2999);
  assertEquals(bench.rounds, ["0: a b c", "2000: a b c"], "X counts from the round of R");
  bench.request(4);
  await bench.clock.advance(1);
  assertEquals(bench.rounds.slice(2), ["5000: a b c"]);
  await bench.clock.advance(1000);
  bench.request(4);
  assertEquals(bench.rounds.length, 3, "R counts from the round of X");
  bench.request(1);
  assertEquals(bench.rounds.slice(3), ["6000: a b c"]);
  await bench.prober.stop();
});

Deno.test("Prober: with R = 0 rounds come by time alone", async () => {
  const bench = new Bench({ requests: 0, intervalMs: 3000 });
  await bench.prober.start();
  bench.request(100_000);
  await bench.clock.advance(3000);
  assertEquals(bench.rounds, ["0: a b c", "3000: a b c"]);
  await bench.prober.stop();
});

Deno.test("Prober: with R = 1, at most one round starts in 100 ms, however high the rate", async () => {
  const bench = new Bench({ requests: 1 });
  await bench.prober.start();
  for (let elapsedMs = 0; elapsedMs < 1000; elapsedMs++) {
    bench.request(10);
    await bench.clock.advance(1);
  }
  const expected = Array.from({ length: 11 }, (_, index) => `${index * ROUND_GAP_MS}: a b c`);
  assertEquals(bench.rounds, expected);
  await bench.prober.stop();
});

Deno.test("Prober: R requests within the gap bring one round, at its end", async () => {
  const bench = new Bench({ requests: 5 });
  await bench.prober.start();
  await bench.clock.advance(30);
  bench.request(12);
  await bench.clock.advance(69);
  assertEquals(bench.rounds, ["0: a b c"]);
  await bench.clock.advance(500);
  assertEquals(bench.rounds, ["0: a b c", "100: a b c"], "what is left over of 12 is not a round");
  await bench.prober.stop();
});

Deno.test("Prober: a round that takes longer than X puts the next one off, and none is made up for", async () => {
  const bench = new Bench({ intervalMs: 1000 });
  bench.probeMs = Infinity;
  bench.prober.start();
  await bench.clock.advance(5500);
  assertEquals(bench.rounds, ["0: a b c"]);
  bench.probeMs = 0;
  await bench.finish();
  assertEquals(bench.rounds.slice(1), ["5500: a b c"]);
  await bench.clock.advance(2000);
  assertEquals(bench.rounds.slice(2), ["6500: a b c", "7500: a b c"]);
  await bench.prober.stop();
});

Deno.test("Prober: requests during a round count toward the next", async () => {
  const bench = new Bench({ requests: 5, intervalMs: 600_000 });
  bench.probeMs = Infinity;
  bench.prober.start();
  bench.request(3);
  await bench.clock.advance(1000);
  await bench.finish();
  bench.request(1);
  await bench.clock.advance(1000);
  assertEquals(bench.rounds, ["0: a b c"]);
  bench.request(1);
  assertEquals(bench.rounds, ["0: a b c", "2000: a b c"]);
  bench.request(5);
  await bench.clock.advance(1000);
  assertEquals(bench.rounds.length, 2, "rounds do not overlap");
  await bench.finish();
  assertEquals(bench.rounds.slice(2), ["3000: a b c"], "the next begins when that one is over");
  await bench.finish();
  await bench.prober.stop();
});

Deno.test("Prober: those in doubt, and only they, are looked at again after 100, 200, 400 ms and so on", async () => {
  const bench = new Bench({ intervalMs: 3000 });
  bench.doubted.add("b");
  await bench.prober.start();
  await bench.clock.advance(2999);
  assertEquals(bench.rounds, ["0: a b c", "100: b", "300: b", "700: b", "1500: b"]);
  await bench.clock.advance(1);
  assertEquals(bench.rounds.slice(5), ["3000: a b c"], "the rounds over all go on");
  await bench.prober.stop();
});

Deno.test("Prober: looks at those in doubt count from the end of the last round", async () => {
  const bench = new Bench({ intervalMs: 3000 });
  bench.probeMs = 50;
  bench.doubted.add("b");
  bench.prober.start();
  await bench.clock.advance(1500);
  assertEquals(bench.rounds, ["0: a b c", "150: b", "400: b", "850: b"]);
  await bench.clock.advance(50);
  await bench.prober.stop();
});

Deno.test("Prober: no longer than X lies between two looks at those in doubt", async () => {
  const bench = new Bench({ intervalMs: 500, rounds: false });
  await bench.prober.start();
  bench.doubted.add("b");
  await bench.clock.advance(1000);
  bench.prober.doubt();
  await bench.clock.advance(3000);
  const times = bench.rounds.map((round) => parseInt(round));
  const gaps = times.slice(1).map((time, index) => time - (times[index] ?? NaN));
  assertEquals(gaps.slice(-4), [500, 500, 500, 500]);
  await bench.prober.stop();
});

Deno.test("Prober: once nobody is in doubt, only the rounds go on; the next doubt begins at 100 ms", async () => {
  const bench = new Bench({ intervalMs: 3000 });
  bench.doubted.add("b");
  bench.onProbed = () => {
    if (bench.elapsedMs === 700) bench.doubted.delete("b");
    if (bench.elapsedMs === 3000) bench.doubted.add("b");
  };
  await bench.prober.start();
  await bench.clock.advance(2999);
  assertEquals(bench.rounds, ["0: a b c", "100: b", "300: b", "700: b"]);
  await bench.clock.advance(1 + 750);
  assertEquals(bench.rounds.slice(4), ["3000: a b c", "3100: b", "3300: b", "3700: b"]);
  await bench.prober.stop();
});

Deno.test("Prober: one more in doubt is looked at soon, and the others with it", async () => {
  const bench = new Bench({ intervalMs: 60_000 });
  bench.doubted.add("b");
  await bench.prober.start();
  await bench.clock.advance(1550);
  assertEquals(bench.rounds.slice(1), ["100: b", "300: b", "700: b", "1500: b"]);
  bench.doubted.add("c");
  bench.prober.doubt();
  await bench.clock.advance(650);
  assertEquals(bench.rounds.slice(5), ["1600: b c", "1800: b c", "2200: b c"]);
  await bench.prober.stop();
});

Deno.test("Prober: one less in doubt does not bring the others' next look forward", async () => {
  const bench = new Bench({ intervalMs: 60_000 });
  bench.doubted.add("b").add("c");
  await bench.prober.start();
  await bench.clock.advance(650);
  bench.doubted.delete("c");
  await bench.clock.advance(900);
  assertEquals(bench.rounds.slice(1), ["100: b c", "300: b c", "700: b", "1500: b"]);
  await bench.prober.stop();
});

Deno.test("Prober.doubt: a live failure is looked at within 100 ms, alone", async () => {
  for (const sinceMs of [10, 50, 99, 100, 2000]) {
    const bench = new Bench({ intervalMs: 60_000 });
    await bench.prober.start();
    await bench.clock.advance(sinceMs);
    bench.doubted.add("c");
    bench.prober.doubt();
    await bench.clock.advance(Math.max(0, ROUND_GAP_MS - sinceMs));
    assertEquals(bench.rounds, ["0: a b c", `${Math.max(ROUND_GAP_MS, sinceMs)}: c`]);
    await bench.prober.stop();
  }
});

Deno.test("Prober.doubt: told a thousand times, it looks once", async () => {
  const bench = new Bench({ intervalMs: 60_000 });
  await bench.prober.start();
  await bench.clock.advance(1000);
  bench.doubted.add("c");
  for (let time = 0; time < 1000; time++) bench.prober.doubt();
  await bench.clock.advance(150);
  assertEquals(bench.rounds, ["0: a b c", "1000: c"]);
  assertEquals(bench.clock.pending, 1);
  await bench.prober.stop();
});

Deno.test("Prober: without rounds, neither X nor R bring any, only a doubt does", async () => {
  const bench = new Bench({ rounds: false, requests: 5, intervalMs: 3000 });
  await bench.prober.start();
  bench.request(50);
  await bench.clock.advance(60_000);
  assertEquals([bench.rounds, bench.clock.pending], [[], 0]);
  bench.doubted.add("b");
  bench.prober.doubt();
  await bench.clock.advance(10);
  assertEquals(bench.rounds, ["60000: b"]);
  bench.doubted.clear();
  await bench.clock.advance(60_000);
  assertEquals([bench.rounds, bench.clock.pending], [["60000: b"], 0]);
  await bench.prober.stop();
});

Deno.test("Prober.stop: between two rounds, it ends at once and leaves no timer", async () => {
  const bench = new Bench({ requests: 5 });
  bench.doubted.add("b");
  await bench.prober.start();
  await bench.prober.stop();
  assertEquals(bench.clock.pending, 0);
  bench.request(100);
  bench.prober.doubt();
  await bench.clock.advance(60_000);
  assertEquals([bench.rounds, bench.clock.pending], [["0: a b c"], 0]);
});

Deno.test("Prober.stop: during a round, it drops the probes, waits for their end, and no other follows", async () => {
  const bench = new Bench({ requests: 5 });
  bench.probeMs = Infinity;
  bench.prober.start();
  bench.doubted.add("b");
  bench.request(100);
  let stopped = false;
  const stop = bench.prober.stop().then(() => stopped = true);
  await bench.clock.advance(60_000);
  assertEquals([stopped, bench.running, bench.dropped.join("")], [false, 3, "abc"]);
  await bench.finish();
  await stop;
  await bench.prober.stop();
  bench.request(100);
  bench.prober.doubt();
  await bench.clock.advance(60_000);
  assertEquals([bench.rounds, bench.clock.pending], [["0: a b c"], 0]);
});

// Regression: a server that was new waited for the probe of another that had been removed.
Deno.test("Prober.changed: drops the probes of those that are gone, so that new ones come soon", async () => {
  let names = "ab";
  const bench = new Bench({ backends: () => [...names] });
  await bench.prober.start();
  bench.probeMs = Infinity;
  bench.doubted.add("a");
  bench.prober.doubt();
  await bench.clock.advance(ROUND_GAP_MS);
  names = "bc";
  bench.doubted.clear();
  bench.doubted.add("c");
  bench.prober.changed([...names]);
  assertEquals([bench.rounds.at(-1), bench.dropped], ["100: a", ["a"]]);
  await bench.finish();
  await bench.clock.advance(ROUND_GAP_MS);
  assertEquals(bench.rounds.at(-1), "200: c");
  await bench.finish();
  await bench.prober.stop();
});

// Regression: a doubt before the start ran a round over all, and a stop did not keep one away.
Deno.test("Prober: a doubt or a stop before the start brings no round of its own", async () => {
  const early = new Bench();
  early.doubted.add("b");
  early.prober.doubt();
  assertEquals(early.rounds, []);
  await early.prober.stop();
  const stopped = new Bench();
  await stopped.prober.stop();
  await stopped.prober.start();
  assertEquals(stopped.rounds, []);
});

Deno.test("Prober: after a stall of the clock, what is overdue is done once", async () => {
  const bench = new Bench({ intervalMs: 1000 });
  await bench.prober.start();
  bench.clock.stall(10_500);
  await bench.clock.advance(0);
  assertEquals(bench.rounds, ["0: a b c", "10500: a b c"]);
  await bench.clock.advance(1000);
  assertEquals(bench.rounds.slice(2), ["11500: a b c"]);
  await bench.prober.stop();
});

Deno.test("Prober: a single backend is probed like many", async () => {
  const bench = new Bench({ names: "a", requests: 2, intervalMs: 3000 });
  await bench.prober.start();
  await bench.clock.advance(1000);
  bench.request(2);
  await bench.clock.advance(3000);
  assertEquals(bench.rounds, ["0: a", "1000: a", "4000: a"]);
  await bench.prober.stop();
});

Deno.test("Prober: in any order of events, every bound is kept", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = new Random(seed);
    const intervalMs = random.integer(100, 1500);
    const requests = random.integer(0, 20);
    const bench = new Bench({ intervalMs, requests });
    const watch = new Watch(bench, { intervalMs, requests, seed });
    bench.prober.start();
    for (let step = 0; step < 300; step++) {
      bench.probeMs = random.pick([0, 0, 1, 50, 99, 100, 101, 350]);
      if (random.chance(0.5)) watch.request(random.integer(1, 12));
      if (random.chance(0.1)) watch.doubt(random.pick(["a", "b", "c"]));
      await bench.clock.advance(random.integer(0, 60));
      watch.look();
    }
    bench.probeMs = 0;
    const stop = bench.prober.stop();
    await bench.clock.advance(400);
    await stop;
    assertEquals(bench.clock.pending, 0, `seed ${seed}`);
  }
});

/** Watches a bench from outside, and fails when a promise of the prober is broken. */
class Watch {
  readonly #bench: Bench;
  readonly #limits: {
    readonly intervalMs: number;
    readonly requests: number;
    readonly seed: number;
  };
  #seen = 0;
  /** Requests since the last round over all began. */
  #requests = 0;
  #startedMs = -Infinity;
  #fullStartedMs = 0;

  constructor(
    bench: Bench,
    limits: { readonly intervalMs: number; readonly requests: number; readonly seed: number },
  ) {
    this.#bench = bench;
    this.#limits = limits;
  }

  request(times: number): void {
    for (let time = 0; time < times; time++) {
      this.#requests++;
      this.#bench.prober.request();
      this.look();
    }
  }

  doubt(name: string): void {
    const { doubted, prober } = this.#bench;
    // What is taken away goes unnoticed until the next round, as a success of a probe would.
    if (doubted.has(name)) doubted.delete(name);
    else doubted.add(name);
    prober.doubt();
    this.look();
  }

  /** Takes in new rounds, and checks what must hold at any moment. */
  look(): void {
    const { rounds, running, elapsedMs, doubted } = this.#bench;
    for (const round of rounds.slice(this.#seen)) this.#take(round);
    this.#seen = rounds.length;
    if (running > 0) return;
    const { intervalMs, requests, seed } = this.#limits;
    const where = `seed ${seed}, at ${elapsedMs} ms: ${rounds.slice(-3).join("; ")}`;
    const gapIsOver = elapsedMs - this.#startedMs >= ROUND_GAP_MS;
    if (gapIsOver && requests > 0) assert(this.#requests < requests, `R is overdue, ${where}`);
    if (gapIsOver) assertLessOrEqual(elapsedMs - this.#fullStartedMs, intervalMs, `X, ${where}`);
    const idleMs = elapsedMs - this.#startedMs - 350;
    if (doubted.size > 0) assertLessOrEqual(idleMs, intervalMs, `a doubt is overdue, ${where}`);
  }

  #take(round: string): void {
    const { doubted } = this.#bench;
    const startedMs = parseInt(round);
    const names = round.split(" ").slice(1);
    assert(startedMs - this.#startedMs >= ROUND_GAP_MS, `seed ${this.#limits.seed}: no gap`);
    this.#startedMs = startedMs;
    if (names.length < 3) return assertEquals(names, [...doubted].sort(), "who is in doubt");
    this.#fullStartedMs = startedMs;
    this.#requests = 0;
  }
}
