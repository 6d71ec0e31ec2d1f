/** The idle connections against a list of them, oldest first. */
import fc from "fast-check";
import type { Backend } from "../../lib/backend.ts";
import { Deadlines, SWEEP_MS } from "../../lib/deadlines.ts";
import { type IdleConnection, IdleConnections } from "../../lib/http1/idle_connections.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { backendSettings, makeBackend } from "../support/backends.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { checkModel, event, type EventOf, historiesOf } from "../support/model_check.ts";

const RUNS = 500;
const BACKENDS = 3;

const SETUPS = fc.record({
  timeoutMs: fc.integer({ min: 1, max: 3000 }),
  perBackendMax: fc.integer({ min: 1, max: 3 }),
  countMax: fc.integer({ min: 1, max: 6 }),
});
type Setup = typeof SETUPS extends fc.Arbitrary<infer S> ? S : never;

const at = fc.nat({ max: BACKENDS - 1 });
const which = fc.nat({ max: 11 });
const KINDS = [
  event("open", 12, { at, limitMs: fc.oneof(fc.constant(Infinity), fc.nat({ max: 4000 })) }),
  event("take", 8, { at }),
  event("return", 5, { which, isQuiet: fc.boolean() }),
  event("hear", 3, { which, takeAfterwards: fc.boolean() }),
  event("break", 2, { which }),
  event("drop", 1, { at }),
  event("steer", 2, { at, to: fc.constantFrom("draining" as const, "enabled" as const) }),
  event("advance", 5, { ms: fc.integer({ min: 1, max: 1500 }) }),
];
type Event = EventOf<typeof KINDS>;

/** A connection that tells of its end. */
class FakeConnection implements IdleConnection {
  readonly backend: Backend;
  quiet = true;
  closed = 0;
  #read: PromiseWithResolvers<void> | null = null;

  constructor(backend: Backend) {
    this.backend = backend;
  }

  /** A read cannot be called back: whoever comes next joins it. */
  watch(): Promise<void> {
    this.#read ??= Promise.withResolvers();
    return this.#read.promise;
  }

  hear(error?: Error): void {
    this.quiet = false;
    const read = this.#read;
    this.#read = null;
    if (error === undefined) read?.resolve();
    else read?.reject(error);
  }

  [Symbol.dispose](): void {
    this.closed++;
    if (this.#read !== null) this.hear(new Deno.errors.Interrupted());
  }
}

/** One that should be kept. */
interface Kept {
  readonly connection: FakeConnection;
  readonly sinceMs: number;
  readonly keptMs: number;
}

class Bench {
  readonly #setup: Setup;
  readonly #clock = new FakeClock();
  readonly #deadlines = new Deadlines(this.#clock);
  readonly #idle: IdleConnections<FakeConnection>;
  readonly #backends: readonly Backend[];
  readonly #all: FakeConnection[] = [];
  /** Oldest first. */
  #kept: readonly Kept[] = [];
  /** Those that somebody uses. */
  #used: readonly FakeConnection[] = [];
  #reused = 0;
  #lost = 0;

  constructor(setup: Setup) {
    this.#setup = setup;
    this.#idle = new IdleConnections({ ...setup, deadlines: this.#deadlines });
    this.#backends = Array.from({ length: BACKENDS }, (_, at) => {
      const backend = makeBackend(backendSettings(1 + at));
      backend.observe({ ok: true });
      return backend;
    });
  }

  async live(happens: Event): Promise<void> {
    await this.#happen(happens);
    await settle();
    this.#compare();
  }

  async end(): Promise<void> {
    this.#idle[Symbol.dispose]();
    this.#kept = [];
    await settle();
    this.#compare();
    this.#keep(new FakeConnection(this.#backend(0)), { limitMs: Infinity, isWanted: false });
    this.#compare();
    this.#deadlines[Symbol.dispose]();
    assertEquals(this.#clock.pending, 0, "a timer is left");
  }

  async #happen(happens: Event): Promise<void> {
    switch (happens.kind) {
      case "open": {
        const connection = new FakeConnection(this.#backend(happens.at));
        this.#all.push(connection);
        return this.#keep(connection, { limitMs: happens.limitMs });
      }
      case "take":
        return this.#take(this.#backend(happens.at));
      case "return":
        return this.#return(happens);
      case "hear":
      case "break":
        return this.#hear(happens);
      case "drop":
        this.#idle.drop(this.#backend(happens.at));
        return this.#forget(({ connection }) => connection.backend === this.#backend(happens.at));
      case "steer":
        this.#backend(happens.at).steer(happens.to);
        return;
      case "advance":
        await this.#clock.advance(happens.ms);
        this.#expire();
    }
  }

  #keep(connection: FakeConnection, { limitMs, isWanted = true }: {
    readonly limitMs: number;
    readonly isWanted?: boolean;
  }): void {
    const { backend } = connection;
    const { perBackendMax, countMax, timeoutMs } = this.#setup;
    const keptMs = Math.min(timeoutMs, limitMs - 1000);
    this.#idle.keep(backend, connection, { timeoutMs: limitMs });
    if (!isWanted || keptMs <= 0 || backend.state !== "ready" || !connection.quiet) return;
    const own = this.#kept.filter((each) => each.connection.backend === backend);
    if (own.length >= perBackendMax || this.#kept.length >= countMax) {
      if (own.length === 0) return;
      this.#forget((each) => each === own[0]);
    }
    this.#kept = [...this.#kept, { connection, sinceMs: this.#clock.now(), keptMs }];
  }

  #take(backend: Backend): void {
    const own = this.#kept.filter(({ connection }) => connection.backend === backend);
    const expected = own.at(-1)?.connection ?? null;
    assert(this.#idle.take(backend) === expected, "not the newest was taken");
    if (expected === null) return;
    this.#reused++;
    this.#used = [...this.#used, expected];
    this.#forget(({ connection }) => connection === expected);
  }

  /** An answer has come, for which a read was under way, and the connection is kept again. */
  #return({ which, isQuiet }: { readonly which: number; readonly isQuiet: boolean }): void {
    const connection = this.#used[which % this.#used.length];
    if (connection === undefined) return;
    this.#used = this.#used.filter((each) => each !== connection);
    connection.hear();
    connection.quiet = isQuiet;
    this.#keep(connection, { limitMs: Infinity });
  }

  #hear(happens: Extract<Event, { kind: "hear" | "break" }>): void {
    const connection = this.#kept[happens.which % this.#kept.length]?.connection;
    if (connection === undefined) return;
    connection.hear(happens.kind === "hear" ? undefined : new Deno.errors.ConnectionReset());
    this.#lost++;
    this.#forget((each) => each.connection === connection);
    // What came a moment ago has not been told yet.
    if (happens.kind === "hear" && happens.takeAfterwards) this.#take(connection.backend);
  }

  /** Follows what ran out of time, if that was at its time. */
  #expire(): void {
    for (const { connection, sinceMs, keptMs } of this.#kept) {
      const lateMs = this.#clock.now() - sinceMs - keptMs;
      if (connection.closed === 0) assert(lateMs <= SWEEP_MS, `one is kept ${lateMs} ms too long`);
      else assert(lateMs >= -SWEEP_MS, `one was closed ${-lateMs} ms too soon`);
    }
    this.#forget(({ connection }) => connection.closed > 0);
  }

  #forget(isGone: (kept: Kept) => boolean): void {
    this.#kept = this.#kept.filter((each) => !isGone(each));
  }

  #compare(): void {
    const kept = this.#kept.map(({ connection }) => connection);
    for (const connection of this.#all) {
      const isOpen = kept.includes(connection) || this.#used.includes(connection);
      assertEquals(connection.closed, isOpen ? 0 : 1, "how often one was closed");
    }
    const { size, reused, lost } = this.#idle;
    const expected = { size: kept.length, reused: this.#reused, lost: this.#lost };
    assertEquals({ size, reused, lost }, expected);
    for (const backend of this.#backends) {
      const own = kept.filter((each) => each.backend === backend).length;
      assertEquals(this.#idle.countOf(backend), own);
      assert(own <= this.#setup.perBackendMax, "too many of one backend");
    }
    assert(size <= this.#setup.countMax, "too many");
    assertEquals(this.#deadlines.size, size, "how many have a deadline");
  }

  #backend(at: number): Backend {
    return this.#backends[at] ?? makeBackend();
  }
}

Deno.test("IdleConnections: in any history each is kept once, taken once or closed once, within the bounds", async () => {
  const histories = fc.tuple(SETUPS, historiesOf(KINDS, 60));
  await checkModel({ runs: RUNS, of: histories }, async ([setup, history]) => {
    const bench = new Bench(setup);
    for (const happens of history) await bench.live(happens);
    await bench.end();
  });
});
