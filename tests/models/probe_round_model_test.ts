/** One round of probes against the list of those to be probed. */
import fc from "fast-check";
import { ProbeRound, PROBES_MAX } from "../../lib/probe_round.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { checkModel, event, type EventOf, historiesOf } from "../support/model_check.ts";
import { Random } from "../support/random.ts";

const RUNS = 300;

const SETUPS = fc.record({
  count: fc.oneof(fc.nat({ max: 30 }), fc.integer({ min: PROBES_MAX - 5, max: PROBES_MAX + 60 })),
  spreadMs: fc.nat({ max: 300 }),
  seed: fc.nat(),
});
type Setup = typeof SETUPS extends fc.Arbitrary<infer S> ? S : never;

const KINDS = [
  event("advance", 6, { ms: fc.nat({ max: 120 }) }),
  event("finish", 8, { times: fc.integer({ min: 1, max: 40 }) }),
  event("remove", 2, { which: fc.nat({ max: PROBES_MAX + 59 }) }),
];

class Bench {
  readonly #clock = new FakeClock();
  readonly #round: ProbeRound<number>;
  readonly #setup: Setup;
  /** When each is to start, as it was drawn for it. */
  readonly #dueMs: number[] = [];
  readonly #removed = new Set<number>();
  readonly #probed = new Set<number>();
  #ends: readonly (() => void)[] = [];
  #isOver = false;
  #isStopped = false;
  /** What was found wrong within the round's own calls. */
  #broken: unknown = null;

  constructor(setup: Setup) {
    this.#setup = setup;
    const random = new Random(setup.seed);
    this.#round = new ProbeRound({
      backends: Array.from({ length: setup.count }, (_, at) => at),
      probe: (backend) => {
        try {
          return this.#probe(backend);
        } catch (error) {
          this.#broken ??= error; // A probe never rejects.
          return Promise.resolve();
        }
      },
      spreadMs: () => setup.spreadMs,
      isWanted: (backend) => !this.#removed.has(backend),
      random: () => {
        const drawn = random.next();
        this.#dueMs.push(drawn * setup.spreadMs);
        return drawn;
      },
      clock: this.#clock,
    });
  }

  async start(): Promise<void> {
    this.#round.run().then(() => this.#isOver = true);
    await settle();
    this.#check();
  }

  async live(happens: EventOf<typeof KINDS>): Promise<void> {
    if (happens.kind === "remove") this.#removed.add(happens.which);
    else if (happens.kind === "advance") await this.#clock.advance(happens.ms);
    else this.#finish(happens.times);
    await settle();
    this.#check();
  }

  async end(isStopped: boolean): Promise<void> {
    this.#isStopped = isStopped;
    if (isStopped) this.#round.stop();
    while (!this.#isOver) {
      await this.#clock.advance(this.#setup.spreadMs);
      assert(this.#isOver || this.#ends.length > 0, "the round does not go on");
      this.#finish(PROBES_MAX);
      await settle();
    }
    assertEquals(this.#clock.pending, 0, "a timer is left");
    this.#check();
  }

  #finish(times: number): void {
    const ends = this.#ends.slice(0, times);
    this.#ends = this.#ends.slice(times);
    for (const end of ends) end();
  }

  #probe(backend: number): Promise<void> {
    assert(!this.#isStopped, "a probe after the stop");
    assert(!this.#removed.has(backend), "one is probed that was removed");
    assert(!this.#probed.has(backend), "one is probed twice");
    assert(this.#clock.now() >= (this.#dueMs[backend] ?? NaN), "a probe before its turn");
    this.#probed.add(backend);
    return new Promise((resolve) => {
      this.#ends = [...this.#ends, resolve];
      assert(this.#ends.length <= PROBES_MAX, "too many probes at once");
    });
  }

  #check(): void {
    if (this.#broken !== null) throw this.#broken;
    const { count, spreadMs } = this.#setup;
    const all = Array.from({ length: count }, (_, at) => at);
    const left = all.filter((each) => !this.#probed.has(each) && !this.#removed.has(each));
    assert(this.#clock.pending <= 1, "more than one timer");
    const mayStart = this.#ends.length < PROBES_MAX && !this.#isStopped;
    if (mayStart && this.#clock.now() >= spreadMs) assertEquals(left, [], "who is not probed");
    if (this.#isOver) assertEquals(this.#ends.length, 0, "the round is over, its probes are not");
    if (this.#isOver && !this.#isStopped) assertEquals(left, [], "who was forgotten");
    const isDone = this.#ends.length === 0 && left.length === 0 && this.#clock.now() >= spreadMs;
    if (isDone) assert(this.#isOver, "all were probed, and the round is not over");
  }
}

Deno.test("ProbeRound: in any history each is probed once, within the spread and the bound, and it ends", async () => {
  const histories = fc.tuple(SETUPS, historiesOf(KINDS, 30), fc.boolean());
  await checkModel({ runs: RUNS, of: histories }, async ([setup, history, isStopped]) => {
    const bench = new Bench(setup);
    await bench.start();
    for (const happens of history) await bench.live(happens);
    await bench.end(isStopped);
  });
});
