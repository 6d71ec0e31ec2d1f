/** The prober with many backends, with backends that come and go, and beside other balancers. */
import { PROBES_MAX } from "../lib/probe_round.ts";
import { Prober, type ProberOptions, ROUND_GAP_MS } from "../lib/prober.ts";
import { assert, assertEquals, assertGreater, assertLessOrEqual } from "./support/assert.ts";
import { FakeClock, settle } from "./support/fake_clock.ts";
import { Random } from "./support/random.ts";

/** A probe as it was started. */
interface Start {
  readonly name: string;
  /** Milliseconds since the beginning. */
  readonly atMs: number;
}

/** Backends that come and go, their prober, and the probes that it started. */
class Fleet {
  readonly clock = new FakeClock(10_000);
  readonly prober: Prober<string>;
  readonly starts: Start[] = [];
  /** Those that the caller holds to be in doubt. */
  readonly doubted = new Set<string>();
  /** Since when each probe under way runs. */
  readonly running = new Map<string, number>();
  /** Those that there are. */
  names: readonly string[];
  /** What a fault is told with. */
  label = "fleet";
  /** How long a probe takes; Infinity: until {@linkcode finish}. */
  probeMs: (name: string) => number = () => 0;
  /** Called at the start and at the end of each probe. */
  onStart: (name: string) => void = () => {};
  onProbed: (name: string) => void = () => {};
  readonly #endedMs = new Map<string, number>();
  readonly #finish: (() => void)[] = [];

  constructor(names: readonly string[], options: Partial<ProberOptions<string>> = {}) {
    this.names = names;
    this.prober = new Prober({
      backends: () => this.names,
      probe: (name) => this.#probe(name),
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

  add(name: string): void {
    this.names = [...this.names, name];
    this.doubted.add(name);
  }

  remove(name: string): void {
    this.names = this.names.filter((each) => each !== name);
  }

  request(times: number): void {
    for (let time = 0; time < times; time++) this.prober.request();
  }

  /** The starts since the last call. */
  take(): Start[] {
    return this.starts.splice(0);
  }

  /** Ends all probes that wait for it. */
  async finish(): Promise<void> {
    for (const finish of this.#finish.splice(0)) finish();
    await settle();
  }

  async #probe(name: string): Promise<void> {
    this.#check(name);
    this.starts.push({ name, atMs: this.elapsedMs });
    this.running.set(name, this.elapsedMs);
    this.onStart(name);
    await this.#wait(this.probeMs(name));
    this.running.delete(name);
    this.#endedMs.set(name, this.elapsedMs);
    this.onProbed(name);
  }

  #wait(durationMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (durationMs === 0) resolve();
    else if (durationMs === Infinity) this.#finish.push(resolve);
    else this.clock.after(durationMs, resolve);
    return promise;
  }

  /** What must hold whenever a probe starts. */
  #check(name: string): void {
    const where = `${this.label}, ${name} at ${this.elapsedMs} ms`;
    assert(this.names.includes(name), `${where}: it is not there any more`);
    assert(!this.running.has(name), `${where}: its last probe still runs`);
    assert(this.running.size < PROBES_MAX, `${where}: too many at once`);
    const endedMs = this.#endedMs.get(name) ?? -Infinity;
    for (const [other, startedMs] of this.running) {
      assert(startedMs >= endedMs, `${where}: rounds overlap, ${other} is of an earlier one`);
    }
  }
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `b${index}`);
}

function seeded(seed: number): () => number {
  const random = new Random(seed);
  return () => random.next();
}

/** From the beginning to the last of these starts, in milliseconds. */
function lastMs(starts: readonly Start[], fromMs = 0): number {
  return Math.max(...starts.map(({ atMs }) => atMs)) - fromMs;
}

// Regression: with a thousand servers, a round after every 100 requests was ten probes a request.
Deno.test("Prober: with many backends rounds are further apart, a millisecond for each", async () => {
  const names = Array.from({ length: 500 }, (_, at) => String(at));
  const fleet = new Fleet(names, { requests: 1, intervalMs: 60_000 });
  await Promise.all([fleet.prober.start(), fleet.clock.advance(1000)]);
  fleet.take();
  for (let tick = 0; tick < 100; tick++) {
    fleet.request(1);
    await fleet.clock.advance(100);
  }
  assertLessOrEqual(fleet.take().length, 21 * names.length);
  await fleet.prober.stop();
});

Deno.test("Prober: the probes of a few backends start in the same instant", async () => {
  const fleet = new Fleet(names(10), { random: seeded(1) });
  await fleet.prober.start();
  assertEquals(fleet.take().map(({ atMs }) => atMs), Array(10).fill(0));
  await fleet.prober.stop();
});

Deno.test("Prober: a round by time is spread over a tenth of X, and over a second at most", async () => {
  for (
    const [count, intervalMs, expectedMs] of [
      [60, 3000, 50],
      [900, 3000, 300],
      [900, 60_000, 890],
      [5000, 60_000, 1000],
      [60, 100, 10],
    ] as const
  ) {
    const fleet = new Fleet(names(count), { random: seeded(1), intervalMs });
    fleet.prober.start();
    await fleet.clock.advance(ROUND_GAP_MS);
    assertEquals(fleet.take().length, count);
    // The round by time begins between 0.9 and 1.1 of X after the first.
    await fleet.clock.advance(Math.max(0, 0.9 * intervalMs - ROUND_GAP_MS));
    assertEquals(fleet.take(), []);
    await fleet.clock.advance(Math.max(0.2 * intervalMs, ROUND_GAP_MS) + expectedMs);
    const starts = fleet.take().slice(0, count);
    const [first] = starts;
    assertEquals(new Set(starts.map(({ name }) => name)).size, count, "everybody once");
    const tookMs = lastMs(starts, first?.atMs);
    const what = `${count} backends, X = ${intervalMs}: ${tookMs} ms`;
    assert(tookMs > 0.8 * expectedMs && tookMs <= expectedMs, what);
    await fleet.prober.stop();
  }
});

Deno.test("Prober: the first round, and one of R requests, are spread over 100 ms at most", async () => {
  const fleet = new Fleet(names(900), { random: seeded(1), requests: 5 });
  let started = false;
  fleet.prober.start().then(() => started = true);
  await fleet.clock.advance(ROUND_GAP_MS);
  assertEquals([fleet.starts.length, started], [900, true]);
  assertGreater(lastMs(fleet.take()), 80);
  await fleet.clock.advance(1000);
  fleet.request(5);
  await fleet.clock.advance(ROUND_GAP_MS);
  const starts = fleet.take();
  assertEquals(starts.length, 900);
  assertGreater(lastMs(starts, 1100), 80);
  await fleet.prober.stop();
});

Deno.test("Prober: in a round by time, those in doubt do not wait for the others' spread", async () => {
  const fleet = new Fleet(names(900), { random: () => 0.5 });
  fleet.prober.start();
  await fleet.clock.advance(2000);
  fleet.take();
  fleet.doubted.add("b700");
  await fleet.clock.advance(1000);
  assertEquals(fleet.take(), [{ name: "b700", atMs: 3000 }]);
  await fleet.clock.advance(150);
  assertEquals(fleet.take().length, 899);
  await fleet.prober.stop();
});

Deno.test("Prober: many that fall in doubt together are spread over 100 ms at most", async () => {
  const fleet = new Fleet(names(900), { random: seeded(1), intervalMs: 60_000 });
  fleet.prober.start();
  await fleet.clock.advance(1000);
  fleet.take();
  for (const name of names(500)) fleet.doubted.add(name);
  fleet.prober.doubt();
  await fleet.clock.advance(ROUND_GAP_MS);
  const starts = fleet.take();
  assertEquals(new Set(starts.map(({ name }) => name)), new Set(names(500)));
  assertGreater(lastMs(starts, 1000), 80);
  await fleet.prober.stop();
});

Deno.test("Prober: of the thousands that are allowed, no more than PROBES_MAX are probed at once", async () => {
  const fleet = new Fleet(names(2000), { random: seeded(1) });
  fleet.probeMs = () => 50;
  let most = 0;
  fleet.onStart = () => most = Math.max(most, fleet.running.size);
  fleet.prober.start();
  await fleet.clock.advance(2000 / PROBES_MAX * 50 + 50);
  assertEquals([most, fleet.starts.length], [PROBES_MAX, 2000]);
  await fleet.prober.stop();
});

Deno.test("Prober: from one round by time to the next it takes X, give or take a tenth, drawn anew", async () => {
  const shares = [0, 0.999999, 0.5];
  let rounds = 0;
  const random = (): number => shares[rounds % shares.length] ?? NaN;
  const fleet = new Fleet(["a"], { random, intervalMs: 1000 });
  fleet.onStart = () => rounds++;
  fleet.prober.start();
  await fleet.clock.advance(6500);
  const times = fleet.take().map(({ atMs }) => Math.round(atMs));
  assertEquals(times, [0, 900, 2000, 3000, 3900, 5000, 6000]);
  await fleet.prober.stop();
});

Deno.test("Prober: two balancers that started together do not stay in step", async () => {
  const [one, other] = [1, 2].map((seed) => new Fleet(["a"], { random: seeded(seed) }));
  assert(one !== undefined && other !== undefined);
  for (const fleet of [one, other]) {
    fleet.prober.start();
    await fleet.clock.advance(300_000);
    await fleet.prober.stop();
    const count = fleet.starts.length;
    assert(count > 91 && count < 112, `on average X is X: ${count} rounds in 100 X`);
  }
  const together = one.starts.filter(({ atMs }) =>
    other.starts.some((start) => Math.abs(start.atMs - atMs) < 10)
  );
  assertLessOrEqual(together.length, 5, "the first round, and hardly another");
});

Deno.test("Prober: whoever is added is probed soon after the doubt, alone", async () => {
  const fleet = new Fleet(["a", "b"], { intervalMs: 60_000 });
  await fleet.prober.start();
  fleet.take();
  fleet.add("c");
  fleet.prober.doubt();
  await fleet.clock.advance(ROUND_GAP_MS);
  assertEquals(fleet.take(), [{ name: "c", atMs: ROUND_GAP_MS }], "the gap after the first round");
  fleet.doubted.clear();
  await fleet.clock.advance(5000);
  fleet.add("d");
  fleet.prober.doubt();
  assertEquals(fleet.take(), [{ name: "d", atMs: 5000 + ROUND_GAP_MS }], "at once");
  await fleet.prober.stop();
});

Deno.test("Prober: the doubt about one that is new does not wait for the others' turn", async () => {
  const fleet = new Fleet(["a"], { intervalMs: 60_000 });
  fleet.doubted.add("a");
  await fleet.prober.start();
  await fleet.clock.advance(20_000);
  const last = fleet.take().at(-1);
  assertEquals(last?.atMs, 12_700, "the next look at a is at 25,500");
  fleet.add("b");
  fleet.prober.doubt();
  await fleet.clock.advance(0);
  assertEquals(fleet.take().map(({ name }) => name), ["a", "b"]);
  await fleet.prober.stop();
});

Deno.test("Prober: whoever is added during a round is probed soon after its end", async () => {
  const fleet = new Fleet(["a", "b"], { intervalMs: 60_000 });
  fleet.probeMs = () => Infinity;
  fleet.prober.start();
  await fleet.clock.advance(500);
  fleet.add("c");
  fleet.prober.doubt();
  await fleet.clock.advance(500);
  assertEquals(fleet.take().map(({ name }) => name), ["a", "b"]);
  await fleet.finish();
  await fleet.clock.advance(ROUND_GAP_MS);
  assertEquals(fleet.take(), [{ name: "c", atMs: 1000 + ROUND_GAP_MS }]);
  await fleet.finish();
  await fleet.prober.stop();
});

Deno.test("Prober: rounds by X and by R take in who was added, and leave out who was removed", async () => {
  const fleet = new Fleet(["a", "b"], { requests: 5 });
  await fleet.prober.start();
  fleet.remove("a");
  fleet.names = [...fleet.names, "c"];
  await fleet.clock.advance(3000);
  fleet.remove("b");
  fleet.names = [...fleet.names, "d"];
  await fleet.clock.advance(1000);
  fleet.request(5);
  const probed = fleet.take().map(({ name, atMs }) => `${atMs} ${name}`);
  assertEquals(probed, ["0 a", "0 b", "3000 b", "3000 c", "4000 c", "4000 d"]);
  await fleet.prober.stop();
});

Deno.test("Prober: whoever is removed before its turn is not probed, the others are", async () => {
  const fleet = new Fleet(names(60), { random: seeded(1) });
  fleet.prober.start();
  await fleet.clock.advance(20);
  const probed = new Set(fleet.take().map(({ name }) => name));
  assert(probed.size > 0 && probed.size < 60, `${probed.size} were probed`);
  const left = names(60).filter((name) => !probed.has(name));
  const removed = left.filter((_, index) => index % 2 === 0);
  for (const name of removed) fleet.remove(name);
  await fleet.clock.advance(1000);
  const later = new Set(fleet.take().map(({ name }) => name));
  assertEquals(later, new Set(left.filter((name) => !removed.includes(name))));
  await fleet.prober.stop();
});

Deno.test("Prober: a removal while the probe runs ends neither the probe nor the rounds", async () => {
  const fleet = new Fleet(["a", "b"]);
  fleet.probeMs = (name) => name === "a" ? 500 : 0;
  const ended: string[] = [];
  fleet.onProbed = (name) => ended.push(name);
  fleet.prober.start();
  fleet.remove("a");
  await fleet.clock.advance(3000);
  assertEquals(ended, ["b", "a", "b"]);
  await fleet.prober.stop();
});

Deno.test("Prober: without backends it starts at once, and probes whoever comes", async () => {
  const fleet = new Fleet([], { requests: 5 });
  await fleet.prober.start();
  assertEquals(fleet.elapsedMs, 0);
  fleet.request(100);
  await fleet.clock.advance(10_000);
  assertEquals([fleet.starts, fleet.clock.pending], [[], 1]);
  fleet.add("a");
  fleet.prober.doubt();
  assertEquals(fleet.take(), [{ name: "a", atMs: 10_000 }]);
  await fleet.prober.stop();
  assertEquals(fleet.clock.pending, 0);
});

Deno.test("Prober: with no backend left the rounds go on", async () => {
  const fleet = new Fleet(["a"]);
  await fleet.prober.start();
  fleet.remove("a");
  await fleet.clock.advance(10_000);
  fleet.names = ["b"];
  await fleet.clock.advance(3000);
  const probed = fleet.take();
  assertEquals(probed, [{ name: "a", atMs: 0 }, { name: "b", atMs: 12_000 }]);
  await fleet.prober.stop();
});

Deno.test("Prober.stop: during a spread, those that have not started never do", async () => {
  const fleet = new Fleet(names(60), { random: seeded(1) });
  fleet.probeMs = () => Infinity;
  let [started, stopped] = [false, false];
  fleet.prober.start().then(() => started = true);
  await fleet.clock.advance(20);
  const { size } = fleet.running;
  assert(size > 0 && size < 60, `${size} run`);
  fleet.prober.stop().then(() => stopped = true);
  assertEquals(fleet.clock.pending, 0);
  await fleet.clock.advance(60_000);
  assertEquals([fleet.starts.length, started, stopped], [size, false, false]);
  await fleet.finish();
  assertEquals([started, stopped, fleet.clock.pending], [true, true, 0]);
});

Deno.test("Prober: in any order of events, with backends that come and go, every bound is kept", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed);
    const voyage = new Voyage(random, {
      size: random.pick([0, 3, 8, 40, 100]),
      label: `seed ${seed}`,
    });
    await voyage.run();
  }
});

/** How long the probes of a voyage take, in milliseconds. */
const PROBE_MS = [0, 0, 1, 50, 99, 100, 101, 350] as const;
const PROBE_MS_MAX = Math.max(...PROBE_MS);

/** What may befall a fleet, at random; and what must hold all the while. */
class Voyage {
  readonly #random: Random;
  readonly #fleet: Fleet;
  readonly #sizeMax: number;
  readonly #intervalMs: number;
  readonly #requests: number;
  /** When each is to be probed at the latest. */
  readonly #dueMs = new Map<string, number>();
  /** When each was probed, the last of them last. */
  readonly #probedMs = new Map<string, number[]>();
  #startedMs = -Infinity;
  #made = 0;

  constructor(random: Random, { size, label }: { readonly size: number; readonly label: string }) {
    this.#random = random;
    this.#sizeMax = size <= 10 ? 10 : 2 * size;
    this.#intervalMs = random.integer(100, 1500);
    this.#requests = random.integer(0, 20);
    this.#fleet = new Fleet([], {
      random: () => random.next(),
      intervalMs: this.#intervalMs,
      requests: this.#requests,
    });
    this.#fleet.label = label;
    this.#fleet.probeMs = () => random.pick(PROBE_MS);
    this.#fleet.onStart = (name) => this.#started(name);
    this.#fleet.onProbed = (name) => this.#probed(name);
    for (let count = 0; count < size; count++) this.#add();
  }

  async run(): Promise<void> {
    const { prober, clock, starts, label } = this.#fleet;
    prober.start();
    for (let step = 0; step < 150; step++) {
      this.#event();
      await clock.advance(this.#random.integer(0, 60));
      this.#look();
    }
    const { length } = starts;
    let stopped = false;
    prober.stop().then(() => stopped = true);
    assertEquals(clock.pending, this.#fleet.running.size, `${label}: a timer besides the probes'`);
    this.#event();
    await clock.advance(PROBE_MS_MAX);
    assertEquals([starts.length, stopped, clock.pending], [length, true, 0], label);
  }

  /** The most that a backend waits for its turn. */
  get #spreadMs(): number {
    return 0.1 * this.#intervalMs;
  }

  /** The longest that a round may take. */
  get #roundMs(): number {
    return this.#spreadMs + PROBE_MS_MAX;
  }

  #event(): void {
    const random = this.#random;
    const { prober, doubted } = this.#fleet;
    if (random.chance(0.5)) this.#request(random.integer(1, 12));
    if (random.chance(0.1) && this.#fleet.names.length < this.#sizeMax) {
      this.#add();
      prober.doubt();
    }
    if (random.chance(0.1)) this.#remove(this.#any());
    if (random.chance(0.003)) this.#fleet.names.forEach((name) => this.#remove(name));
    if (random.chance(0.1)) {
      doubted.add(this.#any());
      prober.doubt();
    }
  }

  /** One of the fleet, if there is one. */
  #any(): string {
    const { names } = this.#fleet;
    return names.length === 0 ? "nobody" : this.#random.pick(names);
  }

  #request(times: number): void {
    this.#fleet.request(times);
    if (this.#requests === 0 || times < this.#requests) return;
    for (const name of this.#fleet.names) this.#dueSoon(name);
  }

  /** Adds one. */
  #add(): void {
    const name = `b${this.#made++}`;
    this.#fleet.add(name);
    this.#dueSoon(name);
  }

  /** It is to be probed within the gap and its spread, or so after the round under way. */
  #dueSoon(name: string): void {
    const dueMs = this.#fleet.elapsedMs + this.#roundMs + ROUND_GAP_MS + this.#spreadMs;
    this.#dueMs.set(name, Math.min(dueMs, this.#dueMs.get(name) ?? Infinity));
  }

  #remove(name: string): void {
    this.#fleet.remove(name);
    this.#dueMs.delete(name);
  }

  #started(name: string): void {
    const { elapsedMs, label } = this.#fleet;
    // So few are probed in the same instant: each other instant is another round.
    const sinceMs = elapsedMs - this.#startedMs;
    const isRound = sinceMs === 0 || sinceMs >= ROUND_GAP_MS;
    assert(isRound || this.#sizeMax > 10, `${label}: two rounds within ${sinceMs} ms`);
    this.#startedMs = elapsedMs;
    const before = this.#probedMs.get(name) ?? [];
    this.#probedMs.set(name, [...before, elapsedMs]);
    const tenthMs = before.at(-10) ?? -Infinity;
    const leastMs = 10 * ROUND_GAP_MS - this.#spreadMs;
    const tookMs = elapsedMs - tenthMs;
    assert(tookMs >= leastMs, `${label}, ${name}: ten rounds within ${tookMs} ms`);
    const periodMs = Math.max(1.1 * this.#intervalMs, this.#roundMs) + this.#roundMs;
    this.#dueMs.set(name, elapsedMs + periodMs + ROUND_GAP_MS + this.#spreadMs);
  }

  #probed(name: string): void {
    if (this.#random.chance(0.7)) this.#fleet.doubted.delete(name);
    else if (this.#random.chance(0.1)) this.#fleet.doubted.add(name);
  }

  /** Checks what must hold at any moment. */
  #look(): void {
    const { elapsedMs, names, clock, running, label } = this.#fleet;
    const where = `${label}, at ${elapsedMs} ms`;
    for (const name of names) {
      const dueMs = this.#dueMs.get(name) ?? NaN;
      assert(dueMs >= elapsedMs, `${where}: ${name} should have been probed by ${dueMs}`);
    }
    assertLessOrEqual(clock.pending, running.size + 1, `${where}: more than one timer`);
  }
}
