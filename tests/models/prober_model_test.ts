/** The prober with its rounds: what is seen of it from outside against what it promises. */
import fc from "fast-check";
import { Prober, ROUND_GAP_MS } from "../../lib/prober.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { checkModel, event, type EventOf, historiesOf } from "../support/model_check.ts";
import { Random } from "../support/random.ts";

const RUNS = 400;
/** So few are probed at once, without a spread: all that start in one instant are a round. */
const BACKENDS = 5;
/** How far X varies. */
const JITTER = 0.1;
const STEP_MS = 10;
/** Times of the fake clock are sums of fractions. */
const ROUNDING_MS = 1e-6;

const SETUPS = fc.record({
  intervalMs: fc.integer({ min: 100, max: 2000 }),
  requests: fc.nat({ max: 12 }),
  rounds: fc.oneof(fc.constant(true), fc.boolean()),
  seed: fc.nat(),
});
type Setup = typeof SETUPS extends fc.Arbitrary<infer S> ? S : never;

const which = fc.nat({ max: BACKENDS - 1 });
const KINDS = [
  event("request", 8, { times: fc.integer({ min: 1, max: 15 }) }),
  event("doubt", 4, { which }),
  event("reconcile", 2, { which }),
  event("probesTake", 3, { ms: fc.constantFrom(0, 0, 1, 50, 100, 130, 400) }),
  event("probesFind", 3, { chance: fc.constantFrom(0, 0, 0.3, 1) }),
  event("advance", 10, { ms: fc.integer({ min: 0, max: 900 }) }),
];

class Bench {
  readonly #setup: Setup;
  readonly #random: Random;
  readonly #clock = new FakeClock(5000);
  readonly #prober: Prober<number>;
  /** How many there have been. */
  #made = BACKENDS;
  readonly #there = new Set<number>(Array.from({ length: BACKENDS }, (_, at) => at));
  readonly #doubted = new Set<number>();
  /** By when each that has come into doubt must be looked at, if no round is under way until then. */
  readonly #soonMs = new Map<number, number>();
  /** Since when each has been in doubt, or was looked at last. */
  readonly #unseenMs = new Map<number, number>();
  readonly #running = new Set<number>();
  #probeMs = 0;
  #doubtChance = 0;
  #startedMs = -Infinity;
  #endedMs = -Infinity;
  #fullMs = -Infinity;
  /** Since the last round over all. */
  #requests = 0;
  #probed: readonly number[] = [];
  #isStopped = false;
  /** What was found wrong within the prober's own calls. */
  #broken: unknown = null;
  /** Has a round begun since the last look? Who is in it is known once its instant is over. */
  #roundBegun = false;

  constructor(setup: Setup) {
    this.#setup = setup;
    this.#random = new Random(setup.seed);
    this.#prober = new Prober({
      ...setup,
      backends: () => [...this.#there],
      probe: (backend) => {
        try {
          return this.#probe(backend);
        } catch (error) {
          this.#broken ??= error; // A probe never rejects.
          return Promise.resolve();
        }
      },
      inDoubt: (backend) => this.#doubted.has(backend),
      random: () => this.#random.next(),
      clock: this.#clock,
    });
  }

  async start(): Promise<void> {
    this.#prober.start();
    assertEquals(this.#running.size, this.#setup.rounds ? BACKENDS : 0, "the first round");
    if (!this.#setup.rounds) this.#fullMs = this.#clock.now();
    await this.#settle();
  }

  async live(happens: EventOf<typeof KINDS>): Promise<void> {
    if (happens.kind === "probesTake") this.#probeMs = happens.ms;
    if (happens.kind === "probesFind") this.#doubtChance = happens.chance;
    if (happens.kind === "reconcile") this.#reconcile(happens.which);
    if (happens.kind === "doubt") this.#doubt([...this.#there][happens.which]);
    if (happens.kind === "request") this.#request(happens.times);
    await this.#settle();
    if (happens.kind !== "advance") return;
    for (let leftMs = happens.ms; leftMs > 0; leftMs -= STEP_MS) {
      await this.#clock.advance(Math.min(STEP_MS, leftMs));
      this.#check();
    }
  }

  async end(): Promise<void> {
    let left = NaN;
    const stopped = this.#prober.stop().then(() => left = this.#clock.pending);
    this.#isStopped = true;
    await this.#clock.advance(1000);
    await stopped;
    assertEquals(left, 0, "a timer is left");
    this.#prober.request();
    this.#prober.doubt();
    await this.#clock.advance(10_000);
    assertEquals([this.#running.size, this.#clock.pending], [0, 0], "what is left after the stop");
  }

  /** The list changes: one leaves, or one comes of which nothing is known. */
  #reconcile(which: number): void {
    const backend = [...this.#there][which];
    // A round over nobody is not seen from outside, so somebody always stays.
    if (backend === undefined || this.#there.size === 1) {
      this.#there.add(this.#made);
      return this.#doubt(this.#made++);
    }
    this.#there.delete(backend);
    for (const known of [this.#doubted, this.#soonMs, this.#unseenMs]) known.delete(backend);
    this.#prober.doubt();
  }

  /** A live connection has failed. */
  #doubt(backend: number | undefined): void {
    if (backend === undefined) return;
    const nowMs = this.#clock.now();
    // One that was cleared in the round under way is the same doubt to the prober.
    if (!this.#doubted.has(backend) && !this.#probed.includes(backend)) {
      this.#soonMs.set(backend, nowMs + ROUND_GAP_MS);
    }
    if (!this.#doubted.has(backend)) this.#unseenMs.set(backend, nowMs);
    this.#doubted.add(backend);
    this.#prober.doubt();
  }

  #request(times: number): void {
    for (let time = 0; time < times; time++) {
      this.#requests++;
      this.#prober.request();
    }
  }

  #probe(backend: number): Promise<void> {
    const nowMs = this.#clock.now();
    assert(!this.#isStopped, "a probe after the stop");
    assert(this.#there.has(backend), "one is probed that is not there");
    assert(!this.#running.has(backend), "one is probed by two rounds");
    if (this.#startedMs !== nowMs || this.#running.size === 0) this.#roundStarts(nowMs);
    this.#running.add(backend);
    this.#probed = [...this.#probed, backend];
    this.#soonMs.delete(backend);
    this.#unseenMs.set(backend, nowMs);
    return new Promise((resolve) => {
      const end = (): void => {
        this.#look();
        this.#running.delete(backend);
        this.#endedMs = this.#clock.now();
        if (this.#running.size === 0) this.#probed = [];
        if (!this.#there.has(backend)) this.#doubted.delete(backend);
        else if (this.#random.chance(this.#doubtChance)) this.#doubted.add(backend);
        else this.#doubted.delete(backend);
        resolve();
      };
      this.#clock.after(this.#probeMs, end);
    });
  }

  #roundStarts(nowMs: number): void {
    assertEquals(this.#running.size, 0, "two rounds overlap");
    const gapMs = nowMs - this.#startedMs;
    assert(gapMs >= ROUND_GAP_MS - ROUNDING_MS, `two rounds start within ${gapMs} ms`);
    this.#startedMs = nowMs;
    this.#roundBegun = true;
  }
  async #settle(): Promise<void> {
    this.#look();
    await settle();
    this.#check();
  }

  /** Takes in who is in a round that has begun. */
  #look(): void {
    if (!this.#roundBegun) return;
    this.#roundBegun = false;
    const { rounds, requests, intervalMs } = this.#setup;
    const isFull = this.#probed.length >= this.#there.size;
    if (!isFull) return;
    const sinceMs = this.#startedMs - this.#fullMs;
    const isDue = rounds && (requests > 0 && this.#requests >= requests ||
      sinceMs >= intervalMs * (1 - JITTER) - ROUNDING_MS);
    const allDoubted = this.#probed.length > 0;
    assert(isDue || allDoubted, "a round over all before its time");
    this.#fullMs = this.#startedMs;
    this.#requests = 0;
  }

  #check(): void {
    if (this.#broken !== null) throw this.#broken;
    this.#look();
    const { rounds, requests, intervalMs } = this.#setup;
    if (this.#running.size > 0) return;
    const nowMs = this.#clock.now();
    const gapIsOver = nowMs - this.#startedMs > ROUND_GAP_MS;
    const longestMs = Math.max(intervalMs * (1 + JITTER), ROUND_GAP_MS) + 2 * STEP_MS;
    if (rounds && gapIsOver && this.#there.size > 0) {
      assert(requests === 0 || this.#requests < requests, "R requests have called in vain");
      const dueMs = Math.max(this.#fullMs + intervalMs * (1 + JITTER), this.#endedMs);
      const gapMs = this.#startedMs + ROUND_GAP_MS;
      const lateMs = nowMs - Math.max(dueMs, gapMs);
      assert(lateMs <= ROUNDING_MS, `the round over all is ${lateMs} ms late`);
    }
    for (const backend of this.#doubted) {
      const soonMs = Math.max(
        this.#soonMs.get(backend) ?? Infinity,
        this.#endedMs + ROUND_GAP_MS,
        this.#startedMs + ROUND_GAP_MS,
      );
      assert(nowMs <= soonMs + ROUNDING_MS, `${backend} is new in doubt, and not looked at`);
      const unseenMs = Math.max(this.#unseenMs.get(backend) ?? -Infinity, this.#endedMs);
      assert(nowMs - unseenMs <= longestMs, `${backend} is in doubt, and forgotten`);
    }
  }
}

Deno.test("Prober: in any history no round overlaps another or is too soon, and no call for one is lost", async () => {
  const histories = fc.tuple(SETUPS, historiesOf(KINDS, 50));
  await checkModel({ runs: RUNS, of: histories }, async ([setup, history]) => {
    const bench = new Bench(setup);
    await bench.start();
    for (const happens of history) await bench.live(happens);
    await bench.end();
  });
});
