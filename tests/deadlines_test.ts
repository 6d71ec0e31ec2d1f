import { Deadlines, type Expiring, SWEEP_MS } from "../lib/deadlines.ts";
import { assert, assertEquals } from "./support/assert.ts";
import { FakeClock } from "./support/fake_clock.ts";
import { Random } from "./support/random.ts";

/** Something with a deadline that a test can move; it notes when it is expired. */
class Item implements Expiring {
  place = -1;
  /** On the clock, when it was expired. */
  readonly expiredMs: number[] = [];
  deadlineMs: number;
  readonly #clock: FakeClock;
  readonly #deadlines: Deadlines;

  constructor(clock: FakeClock, deadlines: Deadlines, deadlineMs: number) {
    this.#clock = clock;
    this.#deadlines = deadlines;
    this.deadlineMs = deadlineMs;
    deadlines.watch(this);
  }

  expiresAt(): number {
    return this.deadlineMs;
  }

  expire(): void {
    this.expiredMs.push(this.#clock.now());
    this.#deadlines.unwatch(this);
  }
}

Deno.test("Deadlines: a deadline is met once, within one sweep after it", async () => {
  for (const deadlineMs of [1, 99, 100, 101, 250, 999, 1000]) {
    const clock = new FakeClock();
    using deadlines = new Deadlines(clock);
    const item = new Item(clock, deadlines, deadlineMs);
    await clock.advance(3000);
    const [expiredMs = NaN, ...more] = item.expiredMs;
    assertEquals(more, []);
    const lateMs = expiredMs - deadlineMs;
    assert(lateMs >= 0 && lateMs < SWEEP_MS, `${deadlineMs} ms was met at ${expiredMs} ms`);
    assertEquals(deadlines.size, 0);
  }
});

Deno.test("Deadlines: nobody is expired before its time, however often the sweep comes by", async () => {
  const clock = new FakeClock();
  using deadlines = new Deadlines(clock);
  const item = new Item(clock, deadlines, 10_001);
  await clock.advance(10_000);
  assertEquals(item.expiredMs, []);
  await clock.advance(SWEEP_MS);
  assertEquals(item.expiredMs, [10_100]);
});

Deno.test("Deadlines: a deadline that moves on is met where it is in the end", async () => {
  const clock = new FakeClock();
  using deadlines = new Deadlines(clock);
  const item = new Item(clock, deadlines, 150);
  for (let step = 0; step < 20; step++) {
    await clock.advance(SWEEP_MS);
    item.deadlineMs = clock.now() + 150;
  }
  assertEquals(item.expiredMs, []);
  await clock.advance(SWEEP_MS * 3);
  assertEquals(item.expiredMs, [2200]);
});

Deno.test("Deadlines: input that is handed out one turn after the sweep saves its owner", async () => {
  const clock = new FakeClock();
  using deadlines = new Deadlines(clock);
  const healthy = new Item(clock, deadlines, 150);
  const silent = new Item(clock, deadlines, 150);
  clock.stall(200);
  // Due as late as the sweep is, but set after it: like input that waits behind the timers.
  clock.after(0, () => healthy.deadlineMs = deadlines.now + 1000);
  await clock.advance(0);
  assertEquals([healthy.expiredMs, silent.expiredMs], [[], [200]]);
});

Deno.test("Deadlines: a stall of a minute counts as a fifth of a second", async () => {
  const clock = new FakeClock();
  using deadlines = new Deadlines(clock);
  const item = new Item(clock, deadlines, 1000);
  clock.stall(60_000);
  await clock.advance(700);
  assertEquals([item.expiredMs, deadlines.now], [[], 900]);
  await clock.advance(100);
  assertEquals(item.expiredMs, [60_800]);
});

Deno.test("Deadlines: what an expired one changes is seen by the others at once", async () => {
  const clock = new FakeClock();
  using deadlines = new Deadlines(clock);
  const items = [1, 2].map(() => new Item(clock, deadlines, 100));
  let expired = 0;
  for (const item of items) {
    item.expire = () => {
      expired++;
      for (const each of items) deadlines.unwatch(each);
    };
  }
  await clock.advance(1000);
  assertEquals([expired, deadlines.size], [1, 0], "whichever came first took the other along");
});

Deno.test("Deadlines: one that is watched while another expires is watched from then on", async () => {
  const clock = new FakeClock();
  using deadlines = new Deadlines(clock);
  const later: Item[] = [];
  const first = new Item(clock, deadlines, 100);
  first.expire = () => {
    deadlines.unwatch(first);
    later.push(new Item(clock, deadlines, clock.now() + 50));
  };
  await clock.advance(1000);
  assertEquals(later.map(({ expiredMs }) => expiredMs), [[200]]);
});

Deno.test("Deadlines: one that is expired and stays watched is asked again at the next sweep", async () => {
  const clock = new FakeClock();
  using deadlines = new Deadlines(clock);
  const item = new Item(clock, deadlines, 100);
  const times: number[] = [];
  item.expire = () => {
    times.push(clock.now());
    item.deadlineMs += 150;
  };
  await clock.advance(500);
  assertEquals(times, [100, 300, 400]);
});

Deno.test("Deadlines.now: is the time of the last sweep, from the beginning", async () => {
  const clock = new FakeClock(5000);
  using deadlines = new Deadlines(clock);
  assertEquals(deadlines.now, 5000);
  await clock.advance(SWEEP_MS - 1);
  assertEquals(deadlines.now, 5000);
  await clock.advance(1);
  assertEquals(deadlines.now, 5000 + SWEEP_MS);
});

Deno.test("Deadlines.now: goes on while nobody is watched, and while somebody is late", async () => {
  const clock = new FakeClock();
  using deadlines = new Deadlines(clock);
  await clock.advance(1000);
  assertEquals(deadlines.now, 1000);
  const late = new Item(clock, deadlines, 0);
  late.expire = () => {};
  await clock.advance(1000);
  assertEquals(deadlines.now, 2000);
});

Deno.test("Deadlines: unwatched, nobody is expired; unwatching twice is harmless", async () => {
  const clock = new FakeClock();
  using deadlines = new Deadlines(clock);
  const item = new Item(clock, deadlines, 100);
  deadlines.watch(item);
  assertEquals(deadlines.size, 1, "watching twice is watching once");
  deadlines.unwatch(item);
  deadlines.unwatch(item);
  await clock.advance(1000);
  assertEquals([item.expiredMs, deadlines.size], [[], 0]);
});

Deno.test("Deadlines: one timer serves all, however many are watched", async () => {
  const clock = new FakeClock();
  using deadlines = new Deadlines(clock);
  const items = Array.from({ length: 1000 }, (_, index) => new Item(clock, deadlines, index));
  for (let step = 0; step < 15; step++) {
    assertEquals(clock.pending, 1);
    await clock.advance(SWEEP_MS);
  }
  assert(items.every(({ expiredMs }) => expiredMs.length === 1));
});

Deno.test("Deadlines: disposed of, it expires nobody and leaves no timer", async () => {
  for (const elapsedMs of [0, 50, 100, 150]) {
    const clock = new FakeClock();
    const deadlines = new Deadlines(clock);
    const item = new Item(clock, deadlines, 160);
    await clock.advance(elapsedMs);
    deadlines[Symbol.dispose]();
    assertEquals(clock.pending, 0);
    await clock.advance(1000);
    assertEquals(item.expiredMs, []);
  }
});

Deno.test("Deadlines: disposed of between suspicion and judgement, it expires nobody", async () => {
  const clock = new FakeClock();
  const deadlines = new Deadlines(clock);
  const item = new Item(clock, deadlines, 50);
  // Due with the sweep, and set after it, so it runs between the sweep and its judgement.
  clock.after(SWEEP_MS, () => deadlines[Symbol.dispose]());
  await clock.advance(1000);
  assertEquals([item.expiredMs, clock.pending], [[], 0]);
});

// Regression: the judgement set the next timer after somebody had disposed of the deadlines.
Deno.test("Deadlines: disposed of by one that expires, it leaves no timer", async () => {
  const clock = new FakeClock();
  const deadlines = new Deadlines(clock);
  const item = new Item(clock, deadlines, 50);
  item.expire = () => deadlines[Symbol.dispose]();
  await clock.advance(1000);
  assertEquals(clock.pending, 0);
});

Deno.test("Deadlines: whatever moves, each is expired at the first sweep that finds it late", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed);
    const clock = new FakeClock();
    using deadlines = new Deadlines(clock);
    const make = (): Item => new Item(clock, deadlines, clock.now() + random.integer(0, 700));
    const items = Array.from({ length: 20 }, make);
    const expected = new Map<Item, number>();
    for (let sweepMs = SWEEP_MS; sweepMs <= 3000; sweepMs += SWEEP_MS) {
      for (const item of items) {
        if (!expected.has(item) && random.chance(0.3)) item.deadlineMs += random.integer(-50, 200);
      }
      await clock.advance(SWEEP_MS);
      for (const item of items) {
        if (item.deadlineMs <= sweepMs && !expected.has(item)) expected.set(item, sweepMs);
      }
    }
    for (const item of items) {
      const expectedMs = expected.get(item);
      assertEquals(item.expiredMs, expectedMs === undefined ? [] : [expectedMs], `seed ${seed}`);
    }
  }
});

Deno.test("Deadlines: tells how late its sweeps came, with and without something to expire", async () => {
  const clock = new FakeClock();
  using deadlines = new Deadlines(clock);
  await clock.advance(10 * SWEEP_MS);
  assertEquals([deadlines.delays.count, deadlines.delays.sumMs], [10, 0]);
  clock.stall(350);
  await clock.advance(0);
  assertEquals([deadlines.delays.count, deadlines.delays.sumMs], [11, 350 - SWEEP_MS]);
  new Item(clock, deadlines, 1);
  await clock.advance(SWEEP_MS);
  assertEquals(deadlines.size, 0);
  await clock.advance(SWEEP_MS);
  assertEquals([deadlines.delays.count, deadlines.delays.sumMs], [13, 350 - SWEEP_MS]);
});
