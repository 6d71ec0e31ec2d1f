import { Deadlines, SWEEP_MS } from "../lib/deadlines.ts";
import { WaitingQueue } from "../lib/waiting_queue.ts";
import { assert, assertEquals } from "./support/assert.ts";
import { FakeClock, settle } from "./support/fake_clock.ts";
import { Random } from "./support/random.ts";

/** A queue of numbers, its clock, and who ran out of time. */
class Bench implements Disposable {
  readonly clock = new FakeClock();
  readonly deadlines = new Deadlines(this.clock);
  readonly timedOut: number[] = [];
  readonly queue: WaitingQueue<number, string>;
  /** For how many there is room; for those of 1000 and more there never is. */
  room = Infinity;
  /** What each bridge that asked was given, once it was, in the order in which they were. */
  readonly served: [bridge: number, item: number | null][] = [];
  #bridges = 0;

  constructor({ lengthMax = 10, timeoutMs = 1000 } = {}) {
    this.queue = new WaitingQueue<number, string>({
      lengthMax,
      timeoutMs,
      deadlines: this.deadlines,
      admit: (item) => this.#admit(item),
      onTimeout: (item) => this.timedOut.push(item),
    });
  }

  /** Offers them one after the other; what came of each. */
  offer(...items: number[]): string[] {
    return items.map((item) => this.queue.offer(item));
  }

  #admit(item: number): string {
    if (this.room === 0 || item >= 1000) return "wait";
    this.room--;
    return `for ${item}`;
  }

  /** One more bridge asks; its number. */
  ask(): number {
    const bridge = this.#bridges++;
    this.queue.take().then((next) => this.served.push([bridge, next?.item ?? null]));
    return bridge;
  }

  /** Takes all that can be had, until there is nothing. */
  async takeAll(): Promise<(number | null)[]> {
    const items: (number | null)[] = [];
    while (this.queue.length > 0) items.push((await this.queue.take())?.item ?? null);
    return items;
  }

  [Symbol.dispose](): void {
    this.deadlines[Symbol.dispose]();
  }
}

Deno.test("WaitingQueue: first come, first served", async () => {
  using bench = new Bench();
  assertEquals(bench.offer(3, 1, 2), ["waits", "waits", "waits"]);
  assertEquals(await bench.takeAll(), [3, 1, 2]);
  assertEquals(bench.queue.length, 0);
});

Deno.test("WaitingQueue: an idle bridge gets the next client at once, and no client waits beside it", async () => {
  using bench = new Bench({ lengthMax: 0 });
  bench.ask();
  assertEquals([bench.queue.idle, bench.queue.length], [1, 0]);
  assertEquals(bench.offer(7), ["taken"]);
  assertEquals([bench.queue.idle, bench.queue.length], [0, 0]);
  await settle();
  assertEquals(bench.served, [[0, 7]]);
});

Deno.test("WaitingQueue: several idle bridges get one client each, in the order of the clients", async () => {
  using bench = new Bench();
  for (let bridge = 0; bridge < 3; bridge++) bench.ask();
  assertEquals(bench.offer(1, 2, 3, 4), ["taken", "taken", "taken", "waits"]);
  await settle();
  assertEquals(bench.served.map(([, item]) => item), [1, 2, 3]);
  assertEquals(new Set(bench.served.map(([bridge]) => bridge)).size, 3);
});

Deno.test("WaitingQueue: of idle bridges the last to come is the first to go", async () => {
  using bench = new Bench();
  const [, last] = [bench.ask(), bench.ask()];
  bench.offer(1);
  await settle();
  assertEquals(bench.served, [[last, 1]]);
});

Deno.test("WaitingQueue: holds as many as it may, turns the next away, and has room again after a take", async () => {
  using bench = new Bench({ lengthMax: 2 });
  assertEquals(bench.offer(1, 2, 3), ["waits", "waits", "full"]);
  assertEquals(bench.queue.has(3), false);
  assertEquals(await bench.queue.take(), { item: 1, grant: "for 1" });
  assertEquals(bench.offer(4, 5), ["waits", "full"]);
  assertEquals(await bench.takeAll(), [2, 4]);
});

Deno.test("WaitingQueue: with no room at all, only an idle bridge helps", () => {
  using bench = new Bench({ lengthMax: 0 });
  assertEquals(bench.offer(1), ["full"]);
  bench.ask();
  assertEquals(bench.offer(2, 3), ["taken", "full"]);
});

Deno.test("WaitingQueue: while there is no room, clients wait though bridges are idle, in their order", async () => {
  using bench = new Bench();
  bench.room = 1;
  for (let bridge = 0; bridge < 3; bridge++) bench.ask();
  assertEquals(bench.offer(1, 2, 3), ["taken", "waits", "waits"]);
  assertEquals([bench.queue.idle, bench.queue.length], [2, 2]);
  bench.room = 1;
  assertEquals(bench.offer(4), ["waits"], "who comes later does not overtake");
  bench.queue.admit();
  assertEquals([bench.queue.idle, bench.queue.length], [1, 2]);
  bench.room = 5;
  bench.ask();
  bench.queue.admit();
  await settle();
  assertEquals(bench.served.map(([, item]) => item), [1, 2, 3, 4]);
});

Deno.test("WaitingQueue: a bridge that asks while there is no room waits until there is", async () => {
  using bench = new Bench();
  bench.room = 0;
  bench.offer(1);
  bench.ask();
  await settle();
  assertEquals([bench.served, bench.queue.idle], [[], 1]);
  bench.room = 1;
  bench.queue.admit();
  await settle();
  assertEquals(bench.served, [[0, 1]]);
});

Deno.test("WaitingQueue.giveBack: who is returned goes first, and holds nobody up", async () => {
  using bench = new Bench();
  bench.offer(1, 2);
  bench.queue.giveBack(1000);
  bench.queue.giveBack(9);
  assertEquals(bench.queue.length, 4);
  assertEquals((await bench.queue.take())?.item, 9);
  assertEquals((await bench.queue.take())?.item, 1);
  assertEquals((await bench.queue.take())?.item, 2);
  assertEquals([bench.queue.length, bench.queue.has(1000)], [1, true]);
  assertEquals(bench.queue.drop(), [1000]);
});

Deno.test("WaitingQueue.giveBack: who is returned does not hold up one that comes later", async () => {
  using bench = new Bench();
  bench.queue.giveBack(1000);
  const bridge = bench.ask();
  assertEquals(bench.offer(1), ["taken"]);
  await settle();
  assertEquals(bench.served, [[bridge, 1]]);
});

Deno.test("WaitingQueue.giveBack: who is returned has a deadline, and can leave", async () => {
  using bench = new Bench({ timeoutMs: 1000 });
  bench.queue.giveBack(1000);
  bench.queue.giveBack(1001);
  await bench.clock.advance(500);
  bench.offer(1);
  assertEquals(bench.queue.leave(1001), true);
  await bench.clock.advance(500);
  assertEquals([bench.timedOut, bench.queue.length], [[1000], 1]);
});

Deno.test("WaitingQueue.close: with no room, bridges stay until the last client has gone", async () => {
  using bench = new Bench();
  bench.room = 0;
  bench.offer(1, 2);
  bench.ask();
  bench.ask();
  bench.queue.close();
  await settle();
  assertEquals(bench.served, []);
  bench.queue.leave(1);
  bench.room = 1;
  bench.queue.admit();
  await settle();
  assertEquals(bench.served, [[0, null], [1, 2]]);
});

Deno.test("WaitingQueue: who hangs up gives its place up", async () => {
  using bench = new Bench({ lengthMax: 3 });
  bench.offer(1, 2, 3);
  assertEquals(bench.queue.leave(2), true);
  assertEquals([bench.queue.has(2), bench.queue.length], [false, 2]);
  assertEquals(bench.offer(4), ["waits"]);
  assertEquals(await bench.takeAll(), [1, 3, 4]);
});

Deno.test("WaitingQueue: one can leave only while it waits, and only once", async () => {
  using bench = new Bench();
  bench.offer(1, 2);
  assertEquals(await bench.queue.take(), { item: 1, grant: "for 1" });
  const left = [bench.queue.leave(1), bench.queue.leave(2), bench.queue.leave(2)];
  assertEquals(left, [false, true, false]);
  assertEquals(bench.queue.leave(99), false);
});

Deno.test("WaitingQueue: who waits too long is let go of, first come first, and only they", async () => {
  using bench = new Bench({ timeoutMs: 1000 });
  bench.offer(1, 2);
  await bench.clock.advance(500);
  bench.offer(3);
  await bench.clock.advance(499);
  assertEquals(bench.timedOut, []);
  await bench.clock.advance(1);
  assertEquals([bench.timedOut, bench.queue.has(1), bench.queue.length], [[1, 2], false, 1]);
  await bench.clock.advance(500);
  assertEquals([bench.timedOut, bench.queue.length], [[1, 2, 3], 0]);
});

Deno.test("WaitingQueue: a deadline is met within one sweep, early or late", async () => {
  for (const [offeredMs, timeoutMs] of [[0, 250], [50, 250], [99, 300], [100, 1], [199, 1000]]) {
    using bench = new Bench({ timeoutMs: timeoutMs ?? 0 });
    await bench.clock.advance(offeredMs ?? 0);
    bench.offer(1);
    const offeredAtMs = bench.clock.now();
    while (bench.timedOut.length === 0 && bench.clock.now() < 5000) await bench.clock.advance(1);
    const errorMs = bench.clock.now() - offeredAtMs - (timeoutMs ?? 0);
    assert(Math.abs(errorMs) <= SWEEP_MS, `${errorMs} ms off`);
  }
});

Deno.test("WaitingQueue: when it tells that one ran out of time, that one is no longer in it", async () => {
  const clock = new FakeClock();
  using deadlines = new Deadlines(clock);
  const seen: [boolean, number][] = [];
  const queue: WaitingQueue<number, true> = new WaitingQueue({
    lengthMax: 2,
    timeoutMs: 100,
    deadlines,
    admit: () => true,
    onTimeout: (item) => seen.push([queue.has(item), queue.length]),
  });
  queue.offer(1);
  queue.offer(2);
  await clock.advance(200);
  assertEquals(seen, [[false, 1], [false, 0]]);
});

Deno.test("WaitingQueue: one that is offered while another runs out of time has all its time", async () => {
  const clock = new FakeClock();
  using deadlines = new Deadlines(clock);
  const timedOutMs: [number, number][] = [];
  const queue: WaitingQueue<number, true> = new WaitingQueue({
    lengthMax: 1,
    timeoutMs: 1000,
    deadlines,
    admit: () => true,
    onTimeout: (item) => {
      timedOutMs.push([item, clock.now()]);
      if (item === 1) assertEquals(queue.offer(2), "waits");
    },
  });
  queue.offer(1);
  await clock.advance(3000);
  assertEquals(timedOutMs, [[1, 1000], [2, 2000]]);
});

Deno.test("WaitingQueue: who was taken or has left does not run out of time", async () => {
  using bench = new Bench({ timeoutMs: 1000 });
  bench.offer(1, 2, 3);
  bench.ask();
  bench.queue.leave(2);
  await bench.clock.advance(2000);
  assertEquals([bench.served, bench.timedOut], [[[0, 1]], [3]]);
});

Deno.test("WaitingQueue: it is watched only while somebody waits in it", async () => {
  using bench = new Bench({ timeoutMs: 100 });
  const watched = (): number => bench.deadlines.size;
  assertEquals([watched(), bench.queue.expiresAt()], [0, Infinity]);
  bench.offer(1, 2);
  assertEquals([watched(), bench.queue.expiresAt()], [1, 100]);
  bench.queue.leave(1);
  assertEquals(watched(), 1);
  await bench.queue.take();
  assertEquals(watched(), 0);
  bench.offer(3);
  bench.queue.drop();
  assertEquals(watched(), 0);
  bench.offer(4);
  await bench.clock.advance(200);
  assertEquals([watched(), bench.timedOut], [0, [4]]);
});

Deno.test("WaitingQueue.close: idle bridges are sent home, nobody else comes in, the rest is served", async () => {
  using bench = new Bench();
  bench.ask();
  bench.ask();
  bench.queue.close();
  await settle();
  assertEquals(bench.served.map(([, item]) => item), [null, null]);
  assertEquals(bench.queue.idle, 0);
  assertEquals(bench.offer(1), ["full"]);

  using busy = new Bench();
  busy.offer(1, 2);
  busy.queue.close();
  busy.queue.close();
  assertEquals(busy.offer(3), ["full"]);
  for (let bridge = 0; bridge < 3; bridge++) busy.ask();
  await settle();
  assertEquals(busy.served, [[0, 1], [1, 2], [2, null]]);
});

Deno.test("WaitingQueue.close: who waits still runs out of time", async () => {
  using bench = new Bench({ timeoutMs: 1000 });
  bench.offer(1);
  bench.queue.close();
  await bench.clock.advance(1000);
  assertEquals(bench.timedOut, [1]);
});

Deno.test("WaitingQueue.drop: hands over all that wait, in order, and forgets them", async () => {
  using bench = new Bench({ timeoutMs: 1000 });
  bench.offer(1, 2, 3);
  bench.queue.leave(2);
  assertEquals(bench.queue.drop(), [1, 3]);
  assertEquals([bench.queue.length, bench.queue.has(1)], [0, false]);
  assertEquals(bench.queue.drop(), []);
  await bench.clock.advance(2000);
  assertEquals(bench.timedOut, []);
  assertEquals(bench.offer(4), ["waits"]);
});

/** What the queue should do, in the plainest way; times are those of the sweeps. */
class Model {
  readonly lengthMax: number;
  readonly timeoutMs: number;
  waiting: { readonly item: number; readonly sinceMs: number }[] = [];
  readonly idle: number[] = [];
  readonly served: [bridge: number, item: number | null][] = [];
  readonly timedOut: number[] = [];
  closed = false;
  nowMs = 0;
  room = Infinity;

  constructor(lengthMax: number, timeoutMs: number) {
    this.lengthMax = lengthMax;
    this.timeoutMs = timeoutMs;
  }

  offer(item: number): string {
    if (this.waiting.length === 0 && this.idle.length > 0 && this.room > 0) {
      this.#serve(item);
      return "taken";
    }
    if (this.closed || this.waiting.length >= this.lengthMax) return "full";
    this.waiting.push({ item, sinceMs: Math.floor(this.nowMs / SWEEP_MS) * SWEEP_MS });
    return "waits";
  }

  ask(bridge: number): void {
    this.idle.push(bridge);
    // Only the one that asks looks: the others did, or are told that there is room.
    if (this.room > 0) this.#serveNext();
    this.#sendHome();
  }

  admit(): void {
    while (this.idle.length > 0 && this.waiting.length > 0 && this.room > 0) this.#serveNext();
    this.#sendHome();
  }

  leave(item: number): boolean {
    const before = this.waiting.length;
    this.waiting = this.waiting.filter((each) => each.item !== item);
    const left = this.waiting.length < before;
    this.#sendHome();
    return left;
  }

  close(): void {
    this.closed = true;
    this.#sendHome();
  }

  drop(): number[] {
    const dropped = this.waiting.splice(0).map(({ item }) => item);
    this.#sendHome();
    return dropped;
  }

  #serveNext(): void {
    const first = this.waiting.shift();
    if (first !== undefined) this.#serve(first.item);
  }

  #serve(item: number): void {
    const bridge = this.idle.pop();
    if (bridge === undefined) return;
    this.room--;
    this.#sendHome(); // The others, if this was the last.
    this.served.push([bridge, item]);
  }

  #sendHome(): void {
    if (!this.closed || this.waiting.length > 0) return;
    for (const bridge of this.idle.splice(0)) this.served.push([bridge, null]);
  }

  advance(durationMs: number): void {
    this.nowMs += durationMs;
    const sweptMs = Math.floor(this.nowMs / SWEEP_MS) * SWEEP_MS;
    const late = this.waiting.filter(({ sinceMs }) => sinceMs + this.timeoutMs <= sweptMs);
    for (const { item } of late) this.timedOut.push(item);
    this.waiting = this.waiting.filter((each) => !late.includes(each));
    this.#sendHome();
  }
}

Deno.test("WaitingQueue: in any order of events, nobody is served twice, forgotten or overtaken", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed);
    const lengthMax = random.integer(0, 6);
    const timeoutMs = random.integer(1, 8) * 75;
    using bench = new Bench({ lengthMax, timeoutMs });
    const model = new Model(lengthMax, timeoutMs);
    for (let step = 0; step < 150; step++) {
      const where = `seed ${seed}, step ${step}`;
      assertEquals(...await both({ bench, model, random, item: step, last: step > 120 }), where);
      await settle();
      assertEquals(bench.served, model.served, where);
      assertEquals(bench.timedOut, model.timedOut, where);
      assertEquals(bench.queue.length, model.waiting.length, where);
      assertEquals(bench.queue.idle, model.idle.length, where);
      const idle = bench.queue.idle > 0 && bench.queue.length > 0 && bench.room > 0;
      assert(!idle, `${where}: a wake-up was lost`);
    }
    const items = [...bench.served.map(([, item]) => item), ...bench.timedOut];
    const clients = items.filter((item) => item !== null);
    assertEquals(new Set(clients).size, clients.length, `seed ${seed}: somebody was served twice`);
  }
});

interface Round {
  readonly bench: Bench;
  readonly model: Model;
  readonly random: Random;
  readonly item: number;
  /** May the queue be closed by now? */
  readonly last: boolean;
}

/** Lets the same happen to both; what each answered. */
async function both(round: Round): Promise<[unknown, unknown]> {
  const { bench: { queue, clock }, bench, model, random, item, last } = round;
  const event = random.integer(0, 11);
  if (event >= 10) {
    bench.room = model.room = random.chance(0.3) ? Infinity : random.integer(0, 3);
    return [queue.admit() ?? null, model.admit() ?? null];
  }
  if (event <= 3) return [queue.offer(item), model.offer(item)];
  if (event <= 6) return [null, model.ask(bench.ask()) ?? null];
  if (event === 7) {
    const leaving = random.integer(Math.max(0, item - 10), item);
    return [queue.leave(leaving), model.leave(leaving)];
  }
  if (event === 8) {
    const durationMs = random.integer(0, 250);
    await clock.advance(durationMs);
    return [null, model.advance(durationMs) ?? null];
  }
  if (last && random.chance(0.2)) return [queue.close() ?? null, model.close() ?? null];
  if (random.chance(0.2)) return [queue.drop(), model.drop()];
  return [queue.has(item - 1), model.waiting.some((each) => each.item === item - 1)];
}

// Regression: beside one that a bridge had returned, a closed queue still took a client.
Deno.test("WaitingQueue.close: nobody comes in any more, though a bridge is idle", async () => {
  using bench = new Bench();
  bench.queue.giveBack(1000);
  bench.ask();
  bench.queue.close();
  assertEquals(bench.offer(1), ["full"]);
  bench.queue.leave(1000);
  await settle();
  assertEquals(bench.served, [[0, null]]);
});
