import { BalancerError } from "../lib/errors.ts";
import { LOOKUPS_MAX, Resolver, type ResolverOptions, START_MS_MAX } from "../lib/resolver.ts";
import { assert, assertEquals, assertLessOrEqual } from "./support/assert.ts";
import { FakeClock, settle } from "./support/fake_clock.ts";
import { Random } from "./support/random.ts";

/** What a lookup comes to: addresses with blanks between them, a failure, or no answer. */
type Answer = string | Error | "hangs";

/** A resolver of names that are letters, a clock for it, and what became of it. */
class Bench {
  readonly clock = new FakeClock(10_000);
  readonly resolver: Resolver;
  /** "milliseconds since the beginning: who was looked up". */
  readonly lookups: string[] = [];
  /** "milliseconds since the beginning: what was told". */
  readonly news: string[] = [];
  /** The names that were looked up while they were being looked up. */
  readonly overlaps: string[] = [];
  /** What lookups of a name come to. */
  readonly answers: Record<string, Answer> = {};
  /** Called before each piece of news. */
  onNews: () => void = () => {};
  /** Called with each lookup that is answered, before the resolver sees it. */
  onAnswer: (name: string, answer: Answer) => void = () => {};
  /** The names that are being looked up. */
  readonly underWay = new Map<string, (answer: Answer) => void>();

  constructor({ names = ["a"], ...options }: Partial<ResolverOptions> = {}) {
    this.resolver = new Resolver({
      names,
      lookup: (name) => this.#lookup(name),
      intervalMs: 30_000,
      clock: this.clock,
      random: () => 0,
      onAddresses: (name, addresses) => this.#tell(`${name} = ${addresses.join(" ")}`),
      onFailure: (name, reason) => this.#tell(`${name} fails: ${reason}`),
      onRecovery: (name) => this.#tell(`${name} recovers`),
      ...options,
    });
  }

  /** Milliseconds since the beginning. */
  get elapsedMs(): number {
    return this.clock.now() - 10_000;
  }

  /** Answers a lookup that hangs. */
  async answer(name: string, answer: Answer): Promise<void> {
    const finish = this.underWay.get(name);
    assert(finish !== undefined, `${name} is not being looked up`);
    finish(answer);
    await settle();
  }

  async #lookup(name: string): Promise<readonly string[]> {
    this.lookups.push(`${this.elapsedMs}: ${name}`);
    if (this.underWay.has(name)) this.overlaps.push(name);
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.underWay.set(name, resolve);
    const planned = this.answers[name] ?? "10.0.0.1";
    if (planned !== "hangs") resolve(planned);
    const answer = await promise;
    this.underWay.delete(name);
    this.onAnswer(name, answer);
    if (answer instanceof Error) throw answer;
    return answer.split(" ").filter((address) => address !== "");
  }

  #tell(news: string): void {
    this.onNews();
    this.news.push(`${this.elapsedMs}: ${news}`);
  }
}

const UNKNOWN = new BalancerError({
  action: "Cannot resolve a",
  state: "no such name",
  code: "unreachable",
  side: "backend",
});

Deno.test("Resolver: does nothing until it is started", async () => {
  const bench = new Bench();
  await bench.clock.advance(60_000);
  assertEquals([bench.lookups, bench.news, bench.clock.pending], [[], [], 0]);
});

Deno.test("Resolver.start: looks all up side by side, and resolves when each has answered or failed", async () => {
  const bench = new Bench({ names: ["a", "b", "c"] });
  Object.assign(bench.answers, { a: "hangs", b: "hangs", c: "hangs" });
  let started = false;
  bench.resolver.start().then(() => started = true);
  await bench.clock.advance(100);
  assertEquals(bench.lookups, ["0: a", "0: b", "0: c"]);
  await bench.answer("b", "10.0.0.2");
  await bench.answer("c", UNKNOWN);
  assertEquals([bench.news, started], [["100: b = 10.0.0.2", "100: c fails: no such name"], false]);
  await bench.answer("a", "10.0.0.1");
  assertEquals([bench.news.slice(2), started], [["100: a = 10.0.0.1"], true]);
  bench.resolver[Symbol.dispose]();
});

Deno.test("Resolver.unresolved: why a name has no address, and since when it is looked up", async () => {
  const bench = new Bench({ names: ["a", "b"] });
  Object.assign(bench.answers, { a: "hangs", b: "hangs" });
  bench.resolver.start();
  await bench.clock.advance(100);
  const pending = { reason: "it is being looked up", sinceMs: 10_000 };
  assertEquals([bench.resolver.unresolved("a"), bench.resolver.unresolved("b")], [
    pending,
    pending,
  ]);
  await bench.answer("a", UNKNOWN);
  await bench.answer("b", "10.0.0.2");
  assertEquals(bench.resolver.unresolved("a"), { reason: "no such name", sinceMs: 10_000 });
  assertEquals([bench.resolver.unresolved("b"), bench.resolver.unresolved("c")], [null, null]);
  bench.resolver[Symbol.dispose]();
});

Deno.test("Resolver.start: a system without an answer holds it up for a bounded time, and is told of", async () => {
  const bench = new Bench({ names: ["a", "b", "c"] });
  Object.assign(bench.answers, { a: "hangs", b: UNKNOWN });
  let started = false;
  bench.resolver.start().then(() => started = true);
  await bench.clock.advance(START_MS_MAX - 1);
  assertEquals([started, bench.news.length], [false, 2]);
  await bench.clock.advance(1);
  assertEquals(started, true);
  assertEquals(bench.news.slice(2), ["6000: a fails: the system gave no answer within 6s"]);
  bench.resolver[Symbol.dispose]();
});

Deno.test("Resolver: an answer that comes after the start was given up is taken in", async () => {
  const bench = new Bench();
  bench.answers["a"] = "hangs";
  bench.resolver.start();
  await bench.clock.advance(100_000);
  assertEquals(bench.lookups, ["0: a"], "it waits for the lookup that is under way");
  await bench.answer("a", "10.0.0.1");
  assertEquals(bench.news.slice(1), ["100000: a = 10.0.0.1"]);
  bench.answers["a"] = "10.0.0.2";
  await bench.clock.advance(30_000);
  assertEquals(bench.news.slice(2), ["130000: a = 10.0.0.2"], "and it goes on from there");
  bench.resolver[Symbol.dispose]();
});

Deno.test("Resolver.start: without names it is over at once", async () => {
  const bench = new Bench({ names: [] });
  await bench.resolver.start();
  assertEquals([bench.lookups, bench.clock.pending], [[], 0]);
});

Deno.test("Resolver.start: a second one changes nothing", async () => {
  const bench = new Bench();
  await bench.resolver.start();
  await bench.resolver.start();
  await bench.clock.advance(30_000);
  assertEquals(bench.lookups, ["0: a", "30000: a"]);
  bench.resolver[Symbol.dispose]();
});

Deno.test("Resolver: a name that is given twice is looked up once", async () => {
  const bench = new Bench({ names: ["a", "b", "a"] });
  await bench.resolver.start();
  assertEquals(bench.lookups, ["0: a", "0: b"]);
  assertEquals(bench.news, ["0: a = 10.0.0.1", "0: b = 10.0.0.1"]);
  bench.resolver[Symbol.dispose]();
});

Deno.test("Resolver: looks each name up again every interval, counted from its last answer", async () => {
  const bench = new Bench({ names: ["a", "b"], intervalMs: 10_000 });
  bench.answers["b"] = "hangs";
  bench.resolver.start();
  await bench.clock.advance(2000);
  bench.answers["b"] = "10.0.0.1";
  await bench.answer("b", "10.0.0.1");
  await bench.clock.advance(20_000);
  assertEquals(bench.lookups.slice(2), ["10000: a", "12000: b", "20000: a", "22000: b"]);
  bench.resolver[Symbol.dispose]();
});

Deno.test("Resolver: chance takes up to a tenth off each interval and off each retry", async () => {
  const bench = new Bench({ intervalMs: 10_000, random: () => 0.999_999 });
  await bench.resolver.start();
  bench.answers["a"] = UNKNOWN;
  await bench.clock.advance(12_000);
  const times = bench.lookups.map((lookup) => Math.round(parseFloat(lookup)));
  assertEquals(times, [0, 9000, 9900, 11_700]);
  bench.resolver[Symbol.dispose]();
});

Deno.test("Resolver: tells of addresses when they change, sorted and each once, in whatever order they come", async () => {
  const bench = new Bench({ intervalMs: 1000 });
  const answers = [
    "10.0.0.2 10.0.0.1",
    "10.0.0.1 10.0.0.2",
    "10.0.0.2 10.0.0.1 10.0.0.2 ::1",
    "::1 10.0.0.1 10.0.0.2",
    "10.0.0.3",
    "10.0.0.3 10.0.0.3",
  ];
  for (const answer of answers) {
    bench.answers["a"] = answer;
    if (bench.lookups.length === 0) await bench.resolver.start();
    else await bench.clock.advance(1000);
  }
  assertEquals(bench.lookups.length, answers.length);
  assertEquals(bench.news, [
    "0: a = 10.0.0.1 10.0.0.2",
    "2000: a = 10.0.0.1 10.0.0.2 ::1",
    "4000: a = 10.0.0.3",
  ]);
  bench.resolver[Symbol.dispose]();
});

Deno.test("Resolver: a name that fails is looked up again after 1, 2, 4 s and so on, up to the interval", async () => {
  const bench = new Bench({ intervalMs: 10_000 });
  bench.answers["a"] = UNKNOWN;
  await bench.resolver.start();
  await bench.clock.advance(36_000);
  const times = bench.lookups.map((lookup) => parseInt(lookup));
  assertEquals(times, [0, 1000, 3000, 7000, 15_000, 25_000, 35_000]);
  bench.resolver[Symbol.dispose]();
});

Deno.test("Resolver: an interval shorter than the first retry bounds that too", async () => {
  const bench = new Bench({ intervalMs: 400 });
  bench.answers["a"] = UNKNOWN;
  await bench.resolver.start();
  await bench.clock.advance(1200);
  assertEquals(bench.lookups, ["0: a", "400: a", "800: a", "1200: a"]);
  bench.resolver[Symbol.dispose]();
});

Deno.test("Resolver: after a success, the retries begin at 1 s again", async () => {
  const bench = new Bench({ intervalMs: 10_000 });
  bench.answers["a"] = UNKNOWN;
  await bench.resolver.start();
  await bench.clock.advance(6999);
  bench.answers["a"] = "10.0.0.1";
  await bench.clock.advance(1);
  bench.answers["a"] = UNKNOWN;
  await bench.clock.advance(14_000);
  const times = bench.lookups.map((lookup) => parseInt(lookup));
  assertEquals(times, [0, 1000, 3000, 7000, 17_000, 18_000, 20_000]);
  bench.resolver[Symbol.dispose]();
});

Deno.test("Resolver: a failure is told when it begins and when its reason changes, not at each retry", async () => {
  const bench = new Bench({ intervalMs: 4000 });
  bench.answers["a"] = UNKNOWN;
  await bench.resolver.start();
  await bench.clock.advance(5000);
  assertEquals(bench.lookups.length, 3);
  assertEquals(bench.news, ["0: a fails: no such name"]);
  bench.answers["a"] = new TypeError("odd");
  await bench.clock.advance(10_000);
  assertEquals(bench.news.slice(1), ["7000: a fails: TypeError: odd"]);
  bench.resolver[Symbol.dispose]();
});

Deno.test("Resolver: a failure or an empty answer takes no address away, and the end of it is told", async () => {
  for (const [failure, reason] of [[UNKNOWN, "no such name"], ["", "it has no address"]] as const) {
    const bench = new Bench({ intervalMs: 10_000 });
    await bench.resolver.start();
    bench.answers["a"] = failure;
    await bench.clock.advance(12_000);
    bench.answers["a"] = "10.0.0.1";
    await bench.clock.advance(20_000);
    assertEquals(bench.news, [
      "0: a = 10.0.0.1",
      `10000: a fails: ${reason}`,
      "13000: a recovers",
    ]);
    bench.resolver[Symbol.dispose]();
  }
});

Deno.test("Resolver: a name that fails and then has other addresses is told of by these alone", async () => {
  const bench = new Bench({ intervalMs: 10_000 });
  bench.answers["a"] = UNKNOWN;
  await bench.resolver.start();
  bench.answers["a"] = "10.0.0.1";
  await bench.clock.advance(12_000);
  assertEquals(bench.news, ["0: a fails: no such name", "1000: a = 10.0.0.1"]);
  bench.resolver[Symbol.dispose]();
});

Deno.test("Resolver: a lookup that throws at once is one that failed", async () => {
  const bench = new Bench({
    lookup: () => {
      throw new TypeError("odd");
    },
  });
  await bench.resolver.start();
  assertEquals(bench.news, ["0: a fails: TypeError: odd"]);
  bench.resolver[Symbol.dispose]();
});

Deno.test("Resolver: no more lookups are under way than LOOKUPS_MAX; the others wait in their order", async () => {
  const names = Array.from({ length: LOOKUPS_MAX + 2 }, (_, index) => `n${index}`);
  const bench = new Bench({ names });
  for (const name of names) bench.answers[name] = "hangs";
  bench.resolver.start();
  await settle();
  assertEquals([...bench.underWay.keys()], names.slice(0, LOOKUPS_MAX));
  await bench.answer("n3", UNKNOWN);
  assertEquals(bench.underWay.size, LOOKUPS_MAX);
  await bench.answer("n5", "10.0.0.1");
  assertEquals([...bench.underWay.keys()].slice(-2), names.slice(LOOKUPS_MAX));
  await bench.answer("n0", "10.0.0.1");
  bench.answers["n3"] = "10.0.0.3";
  await bench.clock.advance(1000);
  assertEquals(bench.news.slice(-1), ["1000: n3 = 10.0.0.3"], "a place that is free is taken");
  bench.resolver[Symbol.dispose]();
});

Deno.test("Resolver.dispose: no lookup, no timer and no news after it", async () => {
  const bench = new Bench({ names: ["a", "b", "c"] });
  Object.assign(bench.answers, { b: UNKNOWN, c: "hangs" });
  bench.resolver.start();
  await bench.clock.advance(START_MS_MAX);
  const before = [bench.lookups.length, bench.news.length];
  bench.resolver[Symbol.dispose]();
  assertEquals(bench.clock.pending, 0);
  await bench.answer("c", "10.0.0.3");
  await bench.clock.advance(120_000);
  await bench.resolver.start();
  assertEquals([bench.lookups.length, bench.news.length], before);
  assertEquals(bench.clock.pending, 0);
});

Deno.test("Resolver.dispose: a start that still waits is over, and those in line are not looked up", async () => {
  const names = Array.from({ length: LOOKUPS_MAX + 1 }, (_, index) => `n${index}`);
  const bench = new Bench({ names });
  for (const name of names) bench.answers[name] = "hangs";
  const start = bench.resolver.start();
  bench.resolver[Symbol.dispose]();
  await start;
  assertEquals(bench.clock.pending, 0);
  await bench.answer("n0", UNKNOWN);
  assertEquals([bench.lookups.length, bench.news], [LOOKUPS_MAX, []]);
});

Deno.test("Resolver.dispose: from within any callback, it is the last one", async () => {
  const names = Array.from({ length: LOOKUPS_MAX + 9 }, (_, index) => `n${index}`);
  for (const answer of ["10.0.0.1", UNKNOWN, "hangs"]) {
    const bench = new Bench({ names });
    for (const name of names) bench.answers[name] = answer;
    let lookups = 0;
    bench.onNews = () => {
      bench.resolver[Symbol.dispose]();
      lookups = bench.lookups.length;
    };
    bench.resolver.start();
    await bench.clock.advance(60_000);
    assertEquals([bench.news.length, bench.lookups.length], [1, lookups], String(answer));
    assertEquals(bench.clock.pending, 0);
  }
});

Deno.test("Resolver.dispose: before the start, nothing is ever looked up", async () => {
  const bench = new Bench();
  bench.resolver[Symbol.dispose]();
  await bench.resolver.start();
  await bench.clock.advance(60_000);
  assertEquals([bench.lookups, bench.clock.pending], [[], 0]);
});

Deno.test("Resolver: in any order of answers, failures and silence, what was told is what was last known", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed);
    const intervalMs = random.integer(1000, 20_000);
    const names = Array.from({ length: random.integer(1, 20) }, (_, index) => `n${index}`);
    const bench = new Bench({ names, intervalMs, random: () => random.next() });
    const watch = new Watch(bench, { intervalMs, seed });
    bench.resolver.start();
    for (let step = 0; step < 200; step++) {
      bench.answers[random.pick(names)] = randomAnswer(random);
      const silent = [...bench.underWay.keys()];
      if (silent.length > 0 && random.chance(0.3)) {
        const answer = randomAnswer(random);
        if (answer !== "hangs") await bench.answer(random.pick(silent), answer);
      }
      await bench.clock.advance(random.integer(0, 1500));
      watch.look();
    }
    bench.resolver[Symbol.dispose]();
    const told = [bench.lookups.length, bench.news.length];
    for (const name of bench.underWay.keys()) await bench.answer(name, "10.9.9.9");
    await bench.clock.advance(3 * intervalMs);
    assertEquals([bench.lookups.length, bench.news.length], told, `seed ${seed}: after the end`);
    assertEquals(bench.clock.pending, 0, `seed ${seed}`);
  }
});

function randomAnswer(random: Random): Answer {
  const failure = random.pick(["", new Error("one"), new Error("another"), UNKNOWN]);
  if (random.chance(0.1)) return "hangs";
  if (random.chance(0.3)) return failure;
  const addresses = ["10.0.0.1", "10.0.0.2", "::1"].filter(() => random.chance(0.5));
  return [...addresses, random.pick(["10.0.0.1", "::2"])].join(" ");
}

/** What a name's answers come to so far. */
interface Known {
  /** As they would be told; empty: none yet. */
  readonly addresses: string;
  /** Why the last one failed; empty when it did not. */
  readonly failure: string;
  readonly answeredMs: number;
}

/** Watches a bench from outside, and fails when a promise of the resolver is broken. */
class Watch {
  readonly #bench: Bench;
  readonly #limits: { readonly intervalMs: number; readonly seed: number };
  readonly #known = new Map<string, Known>();
  /** The addresses that were told last of each name. */
  readonly #addresses = new Map<string, string>();
  /** The names that are failing by what was told, and why. */
  readonly #failures = new Map<string, string>();
  #seen = 0;

  constructor(bench: Bench, limits: { readonly intervalMs: number; readonly seed: number }) {
    this.#bench = bench;
    this.#limits = limits;
    bench.onAnswer = (name, answer) => this.#answered(name, answer);
  }

  /** Takes in the news, and checks what must hold at any moment. */
  look(): void {
    const { news, underWay, overlaps, elapsedMs } = this.#bench;
    for (const each of news.slice(this.#seen)) this.#take(each);
    this.#seen = news.length;
    const { intervalMs, seed } = this.#limits;
    assertEquals(overlaps, [], `seed ${seed}: two lookups of one name`);
    assertLessOrEqual(underWay.size, LOOKUPS_MAX, `seed ${seed}`);
    for (const [name, { addresses, failure, answeredMs }] of this.#known) {
      const where = `seed ${seed}, ${name} at ${elapsedMs} ms`;
      assertEquals(this.#addresses.get(name) ?? "", addresses, where);
      assertEquals(this.#failures.get(name) ?? "", failure, where);
      const waits = underWay.size === LOOKUPS_MAX || underWay.has(name);
      if (!waits) assertLessOrEqual(elapsedMs - answeredMs, intervalMs, `overdue, ${where}`);
    }
  }

  #answered(name: string, answer: Answer): void {
    const failure = failureIn(answer);
    const addresses = failure === ""
      ? [...new Set(String(answer).split(" "))].sort().join(" ")
      : this.#known.get(name)?.addresses ?? "";
    this.#known.set(name, { addresses, failure, answeredMs: this.#bench.elapsedMs });
  }

  #take(news: string): void {
    const where = `seed ${this.#limits.seed}: ${news}`;
    const [, name = "", verb, rest = ""] = /^\S+: (\S+) (\S+) ?(.*)$/.exec(news) ?? [];
    if (verb === "fails:") {
      assert(this.#failures.get(name) !== rest, `no news, ${where}`);
      this.#failures.set(name, rest);
      return;
    }
    const recovered = this.#failures.delete(name);
    if (verb === "recovers") return assert(recovered, `it did not fail, ${where}`);
    assert(this.#addresses.get(name) !== rest, `no news, ${where}`);
    this.#addresses.set(name, rest);
  }
}

function failureIn(answer: Answer): string {
  if (answer === "") return "it has no address";
  if (answer instanceof BalancerError) return answer.state;
  return answer instanceof Error ? String(answer) : "";
}

Deno.test("Resolver.add: waits for those that are new, and leaves the others alone", async () => {
  const bench = new Bench({ names: ["a"] });
  await bench.resolver.start();
  bench.answers["b"] = "hangs";
  let added = false;
  bench.resolver.add(["a", "b", "b"]).then(() => added = true);
  await bench.clock.advance(1000);
  assertEquals([bench.lookups, added], [["0: a", "0: b"], false]);
  await bench.answer("b", "10.0.0.2");
  assertEquals([bench.news.at(-1), added], ["1000: b = 10.0.0.2", true]);
  bench.answers["b"] = "10.0.0.3";
  await bench.clock.advance(30_000);
  assertEquals(bench.news.at(-1), "31000: b = 10.0.0.3", "it is looked up again like all");
  bench.resolver[Symbol.dispose]();
});

Deno.test("Resolver.add: a system without an answer holds it up for a bounded time", async () => {
  const bench = new Bench({ names: [] });
  await bench.resolver.start();
  bench.answers["b"] = "hangs";
  let added = false;
  bench.resolver.add(["b"]).then(() => added = true);
  await bench.clock.advance(START_MS_MAX - 1);
  assertEquals(added, false);
  await bench.clock.advance(1);
  assertEquals([added, bench.news.length], [true, 1]);
  bench.resolver[Symbol.dispose]();
});

Deno.test("Resolver.add: before the start it looks nothing up, after the end neither", async () => {
  const bench = new Bench({ names: [] });
  await bench.resolver.add(["b"]);
  assertEquals(bench.lookups, []);
  await bench.resolver.start();
  assertEquals(bench.lookups, ["0: b"]);
  bench.resolver[Symbol.dispose]();
  await bench.resolver.add(["c"]);
  assertEquals([bench.lookups, bench.clock.pending], [["0: b"], 0]);
});

Deno.test("Resolver.dispose: ends the waiting for names that were added", async () => {
  const bench = new Bench({ names: [] });
  await bench.resolver.start();
  bench.answers["b"] = "hangs";
  const added = bench.resolver.add(["b"]);
  bench.resolver[Symbol.dispose]();
  await added;
  assertEquals(bench.clock.pending, 0);
  await bench.answer("b", "10.0.0.2");
  assertEquals(bench.news, []);
});

Deno.test("Resolver.keep: the others are looked up no more, and nothing is told of them", async () => {
  const bench = new Bench({ names: ["a", "b", "c"] });
  bench.answers["c"] = "hangs";
  bench.resolver.start();
  await bench.clock.advance(1);
  bench.resolver.keep(["a"], { intervalMs: 30_000 });
  await bench.answer("c", "10.0.0.9");
  await bench.clock.advance(30_000);
  assertEquals(bench.lookups, ["0: a", "0: b", "0: c", "30000: a"]);
  assertEquals(bench.news, ["0: a = 10.0.0.1", "0: b = 10.0.0.1"]);
  bench.resolver[Symbol.dispose]();
});

Deno.test("Resolver.keep: a shorter interval does not wait for the end of a longer one", async () => {
  const bench = new Bench();
  await bench.resolver.start();
  await bench.clock.advance(1000);
  bench.resolver.keep(["a"], { intervalMs: 5000 });
  await bench.clock.advance(10_000);
  assertEquals(bench.lookups, ["0: a", "6000: a", "11000: a"]);
  bench.resolver[Symbol.dispose]();
});

Deno.test("Resolver.keep: another interval overtakes no lookup under way", async () => {
  const bench = new Bench();
  bench.answers["a"] = "hangs";
  bench.resolver.start();
  await bench.clock.advance(100);
  bench.resolver.keep(["a"], { intervalMs: 1000 });
  await bench.clock.advance(3000);
  assertEquals([bench.lookups, bench.overlaps], [["0: a"], []]);
  bench.resolver[Symbol.dispose]();
});
