/**
 * The waiting queue together with the bridges, driven as the carriers drive them, against lists and a
 * loop. What there is room for is decided by a few servers of the test.
 */
import fc from "fast-check";
import { Bridges } from "../../lib/bridge.ts";
import { Deadlines, SWEEP_MS } from "../../lib/deadlines.ts";
import { WaitingQueue } from "../../lib/waiting_queue.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { checkModel, event, type EventOf, historiesOf } from "../support/model_check.ts";

const RUNS = 1000;
const HISTORY_MAX = 60;
/** The last one is a backup: it is used by those who cannot have another. */
const SERVERS = [0, 1, 2] as const;
const BACKUP = 2;

interface Setup {
  /** N. */
  readonly countMax: number;
  readonly lengthMax: number;
  readonly timeoutMs: number;
  /** How many clients each server takes at once. */
  readonly rooms: readonly number[];
  /** Clients are carried from that event on. */
  readonly opensAt: number;
}

const room = fc.integer({ min: 0, max: 2 });
const SETUPS: fc.Arbitrary<Setup> = fc.record({
  countMax: fc.integer({ min: 1, max: 6 }),
  lengthMax: fc.integer({ min: 0, max: 6 }),
  timeoutMs: fc.integer({ min: 1, max: 5000 }),
  rooms: fc.array(room, { minLength: SERVERS.length, maxLength: SERVERS.length }),
  opensAt: fc.nat({ max: 6 }),
});

const which = fc.nat({ max: 11 });
const server = fc.constantFrom(...SERVERS);
const KINDS = [
  event("offer", 36, { times: fc.integer({ min: 1, max: 4 }) }),
  event("finish", 18, { which }),
  event("fail", 18, { which }),
  event("rest", 6, { which }),
  event("resume", 6, { which }),
  event("break", 3, { which }),
  event("leave", 6, { which }),
  event("steer", 12, { server, to: fc.oneof(room, fc.constantFrom("down", "up")) }),
  event("advance", 9, { ms: fc.integer({ min: 1, max: 700 }) }),
  event("close", 1),
  event("drop", 1),
];
type Event = EventOf<typeof KINDS>;

/** A server; null: nobody can serve this client; "rest": it has none for the moment. */
type Grant = number | null | "rest";

/** What there is room for: the rules of a pool in their simplest form. */
class Servers {
  readonly #rooms: number[];
  readonly #down = new Set<number>();
  readonly #failed: (readonly [client: number, server: number])[] = [];
  #used: readonly number[] = [];

  constructor(rooms: readonly number[]) {
    this.#rooms = [...rooms];
  }

  acquire(client: number): number | "wait" | null {
    const usable = SERVERS.filter((each) =>
      !this.#down.has(each) && !this.#failed.some(([one, by]) => one === client && by === each)
    );
    const primaries = usable.filter((each) => each !== BACKUP);
    const group = primaries.length > 0 ? primaries : usable;
    if (group.length === 0) return null;
    const roomy = group.find((each) => this.#usedOf(each) < (this.#rooms[each] ?? 0));
    if (roomy === undefined) return "wait";
    this.#used = [...this.#used, roomy];
    return roomy;
  }

  release(grant: Grant): void {
    if (typeof grant !== "number") return;
    this.#used = this.#used.toSpliced(this.#used.indexOf(grant), 1);
  }

  fail(client: number, grant: Grant): void {
    this.#failed.push([client, Number(grant)]);
  }

  steer(each: number, to: number | string): void {
    if (to === "down") this.#down.add(each);
    else if (to === "up") this.#down.delete(each);
    else this.#rooms[each] = Number(to);
  }

  #usedOf(each: number): number {
    return this.#used.filter((one) => one === each).length;
  }
}

/** What should happen: lists, and a loop over them whenever something has changed. */
class Model {
  readonly servers: Servers;
  readonly #setup: Setup;
  waiting: readonly number[] = [];
  /** Those that bridges gave back. */
  returned: readonly number[] = [];
  readonly sinceMs = new Map<number, number>();
  readonly carried = new Map<number, Grant>();
  /** What became of those who are through. */
  readonly fates = new Map<number, string>();
  opened = false;
  closed = false;

  constructor(setup: Setup) {
    this.#setup = setup;
    this.servers = new Servers(setup.rooms);
  }

  /** All who wait, in the order in which they are dropped. */
  get line(): readonly number[] {
    return [...this.returned, ...this.waiting];
  }

  offer(client: number, nowMs: number): "taken" | "waits" | "full" {
    if (!this.closed && this.waiting.length === 0 && this.#carry(client)) return "taken";
    if (this.closed || this.line.length >= this.#setup.lengthMax) {
      this.fates.set(client, "full");
      return "full";
    }
    this.waiting = [...this.waiting, client];
    this.sinceMs.set(client, nowMs);
    return "waits";
  }

  /** Whoever can go on does: those given back first, then those who wait, none of whom overtakes. */
  serve(): void {
    const next = [...this.returned, ...this.waiting.slice(0, 1)].find((each) => this.#carry(each));
    if (next === undefined) return;
    this.#remove(next);
    this.serve();
  }

  /** Those whom nobody can serve are through as soon as they were taken. */
  settle(): void {
    this.serve();
    const hopeless = [...this.carried].filter(([, grant]) => grant === null);
    for (const [client] of hopeless) this.end(client, "nobody");
    if (hopeless.length > 0) this.settle();
  }

  /** It is carried no more. */
  end(client: number, fate: string): void {
    this.release(client);
    this.carried.delete(client);
    this.fates.set(client, fate);
  }

  /** It leaves its server, and is still with its bridge. */
  release(client: number): void {
    const grant = this.carried.get(client);
    if (grant !== undefined && grant !== null) this.servers.release(grant);
    this.carried.set(client, "rest");
  }

  /** It looks for another server, and waits again if none has room. */
  retry(client: number, nowMs: number): void {
    const grant = this.servers.acquire(client);
    if (grant !== "wait") return void this.carried.set(client, grant);
    this.carried.delete(client);
    this.returned = [...this.returned, client];
    this.sinceMs.set(client, nowMs);
  }

  /** It waits no more. */
  leave(client: number, fate: string): void {
    this.#remove(client);
    this.fates.set(client, fate);
  }

  #carry(client: number): boolean {
    if (!this.opened || this.carried.size >= this.#setup.countMax) return false;
    const grant = this.servers.acquire(client);
    if (grant !== "wait") this.carried.set(client, grant);
    return grant !== "wait";
  }

  #remove(client: number): void {
    this.waiting = this.waiting.filter((each) => each !== client);
    this.returned = this.returned.filter((each) => each !== client);
  }
}

/** The real ones, driven as a carrier does it, and the model beside them. */
class Bench {
  readonly #setup: Setup;
  readonly #clock = new FakeClock();
  readonly #deadlines = new Deadlines(this.#clock);
  readonly #model: Model;
  readonly #servers: Servers;
  readonly #queue: WaitingQueue<number, number | null>;
  readonly #bridges: Bridges<number, number | null>;
  readonly #carried = new Map<number, Grant>();
  readonly #ends = new Map<number, PromiseWithResolvers<void>>();
  readonly #fates = new Map<number, string>();
  #offered = 0;
  #drained = false;

  constructor(setup: Setup) {
    this.#setup = setup;
    this.#model = new Model(setup);
    this.#servers = new Servers(setup.rooms);
    this.#queue = new WaitingQueue({
      lengthMax: setup.lengthMax,
      timeoutMs: setup.timeoutMs,
      deadlines: this.#deadlines,
      admit: (client) => this.#servers.acquire(client),
      onTimeout: (client) => this.#timedOut(client),
    });
    this.#bridges = new Bridges({
      countMax: setup.countMax,
      queue: this.#queue,
      carry: (client, grant) => this.#carry(client, grant),
      onTake: (client) => assert(!this.#fates.has(client), `${client} is taken, and was through`),
      onDefect: (client) => this.#end(client, "defect"),
    });
  }

  /** From now on clients are carried. */
  async open(): Promise<void> {
    if (this.#model.opened) return;
    this.#model.opened = true;
    this.#bridges.open();
    this.#watchDrain();
    await this.#settle();
  }

  /** One event on both sides, all that follows from it, and a look at both. */
  async live(happens: Event): Promise<void> {
    await this.#happen(happens);
    await this.#settle();
  }

  /** From now on nobody can be served, and nobody comes in: all that are left must come to an end. */
  async end(): Promise<void> {
    await this.open();
    for (const each of SERVERS) await this.live({ kind: "steer", server: each, to: "down" });
    for (const _ of [...this.#carried]) await this.live({ kind: "finish", which: 0 });
    await this.live({ kind: "close" });
    assertEquals([this.#queue.length, this.#queue.idle, this.#drained], [0, 0, true]);
    assertEquals(this.#fates.size, this.#offered, "somebody was forgotten");
    this.#deadlines[Symbol.dispose]();
    assertEquals(this.#clock.pending, 0, "a timer is left");
  }

  async #happen(happens: Event): Promise<void> {
    switch (happens.kind) {
      case "offer":
        for (let time = 0; time < happens.times; time++) this.#offer(this.#offered++);
        break;
      case "leave":
        this.#leave(happens.which);
        break;
      case "steer":
        for (const side of [this.#servers, this.#model.servers]) {
          side.steer(happens.server, happens.to);
        }
        this.#bridges.admit();
        break;
      case "advance":
        await this.#clock.advance(happens.ms);
        break;
      case "close":
        this.#model.closed = true;
        this.#queue.close();
        this.#watchDrain();
        break;
      case "drop":
        assertEquals(this.#queue.drop(), this.#model.line, "who was dropped");
        for (const client of this.#model.line) this.#left(client, "dropped");
        break;
      default:
        this.#happenTo(happens.which, happens.kind);
    }
  }

  #offer(client: number): void {
    const place = this.#model.offer(client, this.#clock.now());
    this.#bridges.prepare();
    assertEquals(this.#queue.offer(client), place, `what ${client} is told`);
    if (place === "full") this.#fates.set(client, "full");
  }

  #leave(place: number): void {
    const { line } = this.#model;
    const client = line[place % line.length];
    if (client === undefined) return assertEquals(this.#queue.leave(this.#offered), false);
    assertEquals(this.#queue.leave(client), true, `${client} waits`);
    this.#left(client, "left");
  }

  #left(client: number, fate: string): void {
    this.#fates.set(client, fate);
    this.#model.leave(client, fate);
  }

  /** Something happens to a client that is carried. */
  #happenTo(place: number, kind: "finish" | "fail" | "rest" | "resume" | "break"): void {
    const clients = [...this.#carried.keys()];
    const client = clients[place % clients.length];
    const grant = client === undefined ? undefined : this.#carried.get(client);
    if (client === undefined || grant === undefined || grant === null) return;
    const rests = grant === "rest";
    if (kind === "finish") this.#finish(client);
    if (kind === "break") this.#break(client);
    if (kind === "rest" && !rests) this.#release(client);
    if (kind === "resume" && rests) this.#retry(client);
    if (kind === "fail" && !rests) this.#fail(client, grant);
  }

  #finish(client: number): void {
    this.#servers.release(this.#carried.get(client) ?? null);
    this.#end(client, "served");
    this.#ends.get(client)?.resolve();
    this.#model.end(client, "served");
  }

  #break(client: number): void {
    this.#servers.release(this.#carried.get(client) ?? null);
    this.#ends.get(client)?.reject(new Error("A defect, for the test"));
    this.#model.end(client, "defect");
  }

  #fail(client: number, grant: Grant): void {
    for (const side of [this.#servers, this.#model.servers]) side.fail(client, grant);
    this.#release(client);
    this.#retry(client);
  }

  /** It leaves its server, where there is room now. */
  #release(client: number): void {
    this.#servers.release(this.#carried.get(client) ?? null);
    this.#carried.set(client, "rest");
    this.#bridges.admit();
    this.#model.release(client);
    this.#model.serve();
  }

  #retry(client: number): void {
    this.#model.retry(client, this.#clock.now());
    const grant = this.#servers.acquire(client);
    if (grant === "wait") {
      this.#carried.delete(client);
      this.#queue.giveBack(client);
      this.#ends.get(client)?.resolve();
    } else if (grant === null) {
      this.#end(client, "nobody");
      this.#ends.get(client)?.resolve();
    } else this.#carried.set(client, grant);
  }

  #carry(client: number, grant: number | null): Promise<void> {
    assert(!this.#carried.has(client), `${client} is carried by two bridges`);
    this.#carried.set(client, grant);
    assert(this.#carried.size <= this.#setup.countMax, "more are carried than there are bridges");
    const end = Promise.withResolvers<void>();
    this.#ends.set(client, end);
    if (grant === null) {
      this.#end(client, "nobody");
      end.resolve();
    }
    return end.promise;
  }

  #end(client: number, fate: string): void {
    assert(!this.#fates.has(client), `${client} is through twice`);
    this.#carried.delete(client);
    this.#fates.set(client, fate);
  }

  #timedOut(client: number): void {
    const { waiting, returned, sinceMs } = this.#model;
    assert(client === waiting[0] || client === returned[0], `${client} is not the first in line`);
    const lateMs = this.#clock.now() - (sinceMs.get(client) ?? NaN) - this.#setup.timeoutMs;
    assert(Math.abs(lateMs) <= SWEEP_MS, `${client} ran out of time ${lateMs} ms late`);
    this.#left(client, "timed out");
  }

  async #watchDrain(): Promise<void> {
    if (!this.#model.opened || !this.#model.closed) return;
    await this.#bridges.settled();
    this.#drained = true;
  }

  async #settle(): Promise<void> {
    await settle();
    this.#model.settle();
    this.#compare();
  }

  #compare(): void {
    const model = this.#model;
    assertEquals(sorted(this.#carried), sorted(model.carried), "who is carried, and where");
    assertEquals(sorted(this.#fates), sorted(model.fates), "what became of whom");
    const { line, opened, closed } = model;
    assertEquals(this.#queue.length, line.length, "how many wait");
    for (const client of line) {
      assert(this.#queue.has(client), `${client} is not in the queue`);
      const overdueMs = this.#clock.now() - (model.sinceMs.get(client) ?? NaN) -
        this.#setup.timeoutMs;
      assert(overdueMs <= SWEEP_MS, `${client} is overdue by ${overdueMs} ms`);
    }
    assertEquals(this.#deadlines.size, line.length > 0 ? 1 : 0, "is the queue watched?");
    const isDrained = opened && closed && line.length === 0 && this.#carried.size === 0;
    assertEquals(this.#drained, isDrained, "have all bridges settled?");
  }
}

function sorted<T>(map: ReadonlyMap<number, T>): [number, T][] {
  return [...map].sort(([one], [other]) => one - other);
}

Deno.test("WaitingQueue, Bridges: in any history N is kept, nobody is overtaken, carried twice or forgotten", async () => {
  const histories = fc.tuple(SETUPS, historiesOf(KINDS, HISTORY_MAX));
  await checkModel({ runs: RUNS, of: histories }, async ([setup, history]) => {
    const bench = new Bench(setup);
    for (const [at, happens] of history.entries()) {
      if (at === setup.opensAt) await bench.open();
      await bench.live(happens);
    }
    await bench.end();
  });
});
