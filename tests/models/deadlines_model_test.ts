/** The deadlines against a list of who is watched, while all move, come and go, and time stalls. */
import fc from "fast-check";
import { Deadlines, type Expiring, SWEEP_MS } from "../../lib/deadlines.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { checkModel, event, type EventOf, historiesOf } from "../support/model_check.ts";

const RUNS = 500;
const ITEMS = 6;

const which = fc.nat({ max: ITEMS - 1 });
const inMs = fc.integer({ min: -50, max: 700 });
const CHANGES = [
  event("watch", 5, { which, inMs }),
  event("unwatch", 3, { which }),
  event("move", 3, { which, inMs }),
];
/** What one does when it expires: it leaves, or moves on, and things happen to others. */
interface Script {
  readonly movesOnMs: number | null;
  readonly changes: readonly EventOf<typeof CHANGES>[];
}
const script: fc.Arbitrary<Script> = fc.record({
  movesOnMs: fc.option(fc.integer({ min: 1, max: 400 })),
  changes: historiesOf(CHANGES, 3),
});
const KINDS = [
  ...CHANGES,
  event("script", 4, { which, script }),
  event("advance", 9, { ms: fc.integer({ min: 1, max: 450 }) }),
  event("stall", 2, { ms: fc.integer({ min: 1, max: 3000 }) }),
];

/** One with a deadline. */
class Item implements Expiring {
  place = -1;
  deadlineMs = 0;
  script: Script | null = null;
  isWatched = false;
  onExpire: () => void = () => {};

  expiresAt(): number {
    return this.deadlineMs;
  }

  expire(): void {
    this.onExpire();
  }
}

class Bench {
  readonly #clock = new FakeClock(1000);
  readonly #deadlines = new Deadlines(this.#clock);
  readonly #items = Array.from({ length: ITEMS }, () => new Item());
  /** When each was last watched or moved, on the clock of the deadlines. */
  readonly #changedMs = new Map<Item, number>();

  #stoodStillMs = 0;

  constructor() {
    for (const item of this.#items) item.onExpire = () => this.#expired(item);
  }

  async live(happens: EventOf<typeof KINDS>): Promise<void> {
    const before = this.#deadlines.now;
    if (happens.kind === "advance") await this.#advance(happens.ms);
    else if (happens.kind === "stall") {
      this.#clock.stall(happens.ms);
      await this.#clock.advance(0);
      this.#stoodStillMs = 0;
      assert(this.#deadlines.now - before <= 2 * SWEEP_MS, "a stall counted in full");
    } else if (happens.kind === "script") this.#item(happens.which).script = happens.script;
    else this.#change(happens);
    const watched = this.#items.filter(({ isWatched }) => isWatched).length;
    assertEquals(this.#deadlines.size, watched, "how many are watched");
    assertEquals(this.#clock.pending, 1, "there is one timer");
  }

  end(): void {
    this.#deadlines[Symbol.dispose]();
    assertEquals(this.#clock.pending, 0, "a timer is left");
  }

  /** Looks at each moment of it, so that nobody can be late in between. */
  async #advance(ms: number): Promise<void> {
    for (let leftMs = ms; leftMs > 0; leftMs -= 50) {
      const before = this.#deadlines.now;
      const stepMs = Math.min(50, leftMs);
      await this.#clock.advance(stepMs);
      this.#stoodStillMs = this.#deadlines.now > before ? 0 : this.#stoodStillMs + stepMs;
      assert(this.#stoodStillMs <= SWEEP_MS + 50, "there are no sweeps any more");
      for (const item of this.#items) this.#checkLate(item);
    }
  }

  #checkLate(item: Item): void {
    if (!item.isWatched) return;
    const sinceMs = Math.max(item.deadlineMs, this.#changedMs.get(item) ?? NaN);
    const lateMs = this.#deadlines.now - sinceMs;
    assert(lateMs <= 2 * SWEEP_MS, `${this.#items.indexOf(item)} is ${lateMs} ms late`);
  }

  #change(change: EventOf<typeof CHANGES>): void {
    const item = this.#item(change.which);
    if (change.kind === "unwatch") {
      item.isWatched = false;
      return this.#deadlines.unwatch(item);
    }
    this.#move(item, change.inMs);
    if (change.kind !== "watch") return;
    item.isWatched = true;
    this.#deadlines.watch(item);
  }

  #move(item: Item, inMs: number): void {
    item.deadlineMs = this.#deadlines.now + inMs;
    this.#changedMs.set(item, this.#deadlines.now);
  }

  #expired(item: Item): void {
    assert(item.isWatched, "one expires that is not watched");
    assert(item.deadlineMs <= this.#deadlines.now, "one expires before its time");
    const { movesOnMs = null, changes = [] } = item.script ?? {};
    item.script = null;
    if (movesOnMs === null) {
      item.isWatched = false;
      this.#deadlines.unwatch(item);
    } else this.#move(item, movesOnMs);
    for (const change of changes) this.#change(change);
  }

  #item(which: number): Item {
    return this.#items[which] ?? new Item();
  }
}

Deno.test("Deadlines: in any history nobody expires before its time, nor two sweeps after it", async () => {
  await checkModel({ runs: RUNS, of: historiesOf(KINDS, 50) }, async (history) => {
    const bench = new Bench();
    for (const happens of history) await bench.live(happens);
    bench.end();
  });
});
