import type { Backend } from "../../lib/backend.ts";
import { Deadlines } from "../../lib/deadlines.ts";
import {
  type IdleConnection,
  IdleConnections,
  type IdleConnectionsOptions,
  keepAliveTimeoutMs,
} from "../../lib/http1/idle_connections.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { backendSettings, makeBackend } from "../support/backends.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { Random } from "../support/random.ts";

/** A connection that does what the test says, and counts how often it is closed. */
class FakeConnection implements IdleConnection {
  quiet = true;
  closed = 0;
  watched = 0;
  readonly #read = Promise.withResolvers<void>();

  /** The backend sends something, or ends its side. */
  hear(): void {
    this.quiet = false;
    this.#read.resolve();
  }

  /** The backend breaks the connection. */
  break(): void {
    this.quiet = false;
    this.#read.reject(new Deno.errors.ConnectionReset());
  }

  watch(): Promise<void> {
    this.watched++;
    return this.#read.promise;
  }

  [Symbol.dispose](): void {
    this.closed++;
    if (this.watched > 0) this.#read.reject(new Deno.errors.Interrupted());
  }
}

/** Idle connections on a clock that the test turns. */
class Bench implements Disposable {
  readonly clock = new FakeClock();
  readonly deadlines = new Deadlines(this.clock);
  readonly idle: IdleConnections<FakeConnection>;

  constructor(options: Partial<IdleConnectionsOptions> = {}) {
    this.idle = new IdleConnections({ deadlines: this.deadlines, ...options });
  }

  /** Keeps so many new ones of a backend. */
  keep(backend: Backend, count = 1, timeoutMs = Infinity): FakeConnection[] {
    return Array.from({ length: count }, () => {
      const connection = new FakeConnection();
      this.idle.keep(backend, connection, { timeoutMs });
      return connection;
    });
  }

  [Symbol.dispose](): void {
    this.idle[Symbol.dispose]();
    assertEquals(this.idle.size, 0);
    assertEquals(this.deadlines.size, 0, "a deadline is left of no connection");
    this.deadlines[Symbol.dispose]();
  }
}

function readyBackend(port = 80): Backend {
  const backend = makeBackend(backendSettings(port));
  backend.observe({ ok: true });
  return backend;
}

function closedOf(connections: readonly FakeConnection[]): number[] {
  return connections.map(({ closed }) => closed);
}

Deno.test("IdleConnections.take: hands out the newest of that backend, open, and then no more", () => {
  using bench = new Bench();
  const [one, other] = [readyBackend(1), readyBackend(2)];
  const [first, second] = bench.keep(one, 2);
  const [third] = bench.keep(other);
  assertEquals([bench.idle.countOf(one), bench.idle.countOf(other), bench.idle.size], [2, 1, 3]);
  assert(bench.idle.take(one) === second && bench.idle.take(one) === first);
  assertEquals(bench.idle.take(one), null);
  assertEquals([bench.idle.countOf(one), bench.idle.size, bench.idle.reused], [0, 1, 2]);
  assert(bench.idle.take(other) === third);
  assertEquals([first?.closed, second?.closed, third?.closed], [0, 0, 0]);
});

Deno.test("IdleConnections: after the idle limit it is closed, one that was taken in time is not", async () => {
  using bench = new Bench();
  const backend = readyBackend();
  const [left, taken] = bench.keep(backend, 2);
  await bench.clock.advance(3900);
  assert(bench.idle.take(backend) === taken);
  assertEquals(left?.closed, 0);
  await bench.clock.advance(200);
  assertEquals([left?.closed, bench.idle.size], [1, 0]);
  await bench.clock.advance(60_000);
  assertEquals(taken?.closed, 0);
});

Deno.test("IdleConnections: a backend's own limit counts where it is shorter, less a second", async () => {
  using bench = new Bench();
  const backend = readyBackend();
  const [own] = bench.keep(backend, 1, 3000);
  const [ours] = bench.keep(backend, 1, 75_000);
  await bench.clock.advance(1900);
  assertEquals([own?.closed, ours?.closed], [0, 0]);
  await bench.clock.advance(200);
  assertEquals([own?.closed, ours?.closed], [1, 0]);
  await bench.clock.advance(2000);
  assertEquals(ours?.closed, 1);
});

Deno.test("IdleConnections: it is kept for its whole time again each time it comes back", async () => {
  using bench = new Bench();
  const backend = readyBackend();
  const [connection] = bench.keep(backend);
  assert(connection !== undefined);
  for (let round = 0; round < 5; round++) {
    await bench.clock.advance(3900);
    assert(bench.idle.take(backend) === connection, `round ${round}`);
    bench.idle.keep(backend, connection);
  }
  await bench.clock.advance(4100);
  assertEquals(connection.closed, 1);
});

Deno.test("IdleConnections: no time left, or a backend that is not to be sent anything: it is closed", () => {
  using bench = new Bench();
  const unknown = makeBackend();
  const draining = readyBackend();
  draining.steer("draining");
  const kept = [
    ...bench.keep(readyBackend(), 1, 1000),
    ...bench.keep(readyBackend(), 1, 0),
    ...bench.keep(unknown),
    ...bench.keep(draining),
  ];
  assertEquals(closedOf(kept), [1, 1, 1, 1]);
  assertEquals(kept.map(({ watched }) => watched), [0, 0, 0, 0]);
  assertEquals(bench.idle.size, 0);
});

Deno.test("IdleConnections: what the backend closes, breaks or speaks on is closed at once, the rest stays", async () => {
  using bench = new Bench();
  const backend = readyBackend();
  const [spoken, quiet, broken] = bench.keep(backend, 3);
  spoken?.hear();
  broken?.break();
  await settle();
  assertEquals([spoken?.closed, quiet?.closed, broken?.closed], [1, 0, 1]);
  assertEquals([bench.idle.lost, bench.idle.countOf(backend)], [2, 1]);
  assert(bench.idle.take(backend) === quiet);
});

Deno.test("IdleConnections.take: what was heard a moment ago is seen before anybody is told", () => {
  using bench = new Bench();
  const backend = readyBackend();
  const [quiet, ...spoken] = bench.keep(backend, 3);
  for (const each of spoken) each.hear();
  assert(bench.idle.take(backend) === quiet);
  assertEquals([closedOf(spoken), bench.idle.lost, bench.idle.reused], [[1, 1], 2, 1]);
});

Deno.test("IdleConnections.keep: one that is not quiet is closed", () => {
  using bench = new Bench();
  const connection = new FakeConnection();
  connection.quiet = false;
  bench.idle.keep(readyBackend(), connection);
  assertEquals([connection.closed, bench.idle.size], [1, 0]);
});

Deno.test("IdleConnections: what a taken one receives is its taker's, who may bring it back", async () => {
  using bench = new Bench();
  const backend = readyBackend();
  const [connection] = bench.keep(backend);
  assert(connection !== undefined && bench.idle.take(backend) === connection);
  connection.hear();
  await settle();
  assertEquals([connection.closed, bench.idle.lost], [0, 0]);
});

// The first watch is told of what it saw only after the connection has come back.
Deno.test("IdleConnections: what an earlier watch is told late does not end a later one", async () => {
  using bench = new Bench();
  const backend = readyBackend();
  const watches: PromiseWithResolvers<void>[] = [];
  const connection = new FakeConnection();
  connection.watch = () => {
    const watch = Promise.withResolvers<void>();
    watches.push(watch);
    return watch.promise;
  };
  bench.idle.keep(backend, connection);
  assert(bench.idle.take(backend) === connection);
  bench.idle.keep(backend, connection);
  watches[0]?.resolve();
  await settle();
  assertEquals([connection.closed, bench.idle.size], [0, 1]);
  watches[1]?.resolve();
  await settle();
  assertEquals([connection.closed, bench.idle.size], [1, 0]);
});

Deno.test("IdleConnections: of one backend too many, its oldest makes room", () => {
  using bench = new Bench({ perBackendMax: 2 });
  const backend = readyBackend(1);
  const others = bench.keep(readyBackend(2), 2);
  const kept = bench.keep(backend, 3);
  assertEquals([closedOf(kept), closedOf(others)], [[1, 0, 0], [0, 0]]);
  assertEquals([bench.idle.countOf(backend), bench.idle.size], [2, 4]);
});

Deno.test("IdleConnections: in all too many, the backend's own oldest makes room, else nobody does", () => {
  using bench = new Bench({ countMax: 3 });
  const [one, other] = [readyBackend(1), readyBackend(2)];
  const kept = bench.keep(one, 4);
  assertEquals(closedOf(kept), [1, 0, 0, 0]);
  assertEquals(closedOf(bench.keep(other)), [1]);
  assertEquals([bench.idle.countOf(one), bench.idle.countOf(other), bench.idle.size], [3, 0, 3]);
});

Deno.test("IdleConnections.drop: closes all of that backend once, and none of another", async () => {
  using bench = new Bench();
  const [one, other] = [readyBackend(1), readyBackend(2)];
  const dropped = bench.keep(one, 3);
  const kept = bench.keep(other, 2);
  bench.idle.drop(one);
  bench.idle.drop(one);
  await settle();
  assertEquals([closedOf(dropped), closedOf(kept)], [[1, 1, 1], [0, 0]]);
  assertEquals([bench.idle.take(one), bench.idle.size, bench.idle.lost], [null, 2, 0]);
});

Deno.test("IdleConnections: disposed of, all are closed, and what comes later is too", () => {
  using bench = new Bench();
  const backend = readyBackend();
  const before = bench.keep(backend, 2);
  bench.idle[Symbol.dispose]();
  const after = bench.keep(backend, 1);
  assertEquals([...closedOf(before), ...closedOf(after)], [1, 1, 1]);
  assertEquals([bench.idle.size, bench.idle.take(backend)], [0, null]);
});

Deno.test("IdleConnections: after any history each is closed once or with one owner, within the bounds", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed);
    using bench = new Bench({ perBackendMax: 3, countMax: 7, timeoutMs: 1000 });
    const backends = [1, 2, 3, 4].map((port) => readyBackend(port));
    const made: FakeConnection[] = [];
    const taken = new Map<FakeConnection, Backend>();
    for (let step = 0; step < 300; step++) {
      const backend = random.pick(backends);
      const dice = random.integer(0, 99);
      if (dice < 40) made.push(...bench.keep(backend, 1, random.pick([1500, 1900, Infinity])));
      else if (dice < 65) {
        const connection = bench.idle.take(backend);
        if (connection !== null) taken.set(connection, backend);
      } else if (dice < 80) {
        for (const [connection, owner] of taken) bench.idle.keep(owner, connection);
        taken.clear();
      } else if (dice < 88 && made.length > 0) {
        const connection = random.pick(made);
        if (connection.closed === 0 && !taken.has(connection)) connection.hear();
      } else if (dice < 90) bench.idle.drop(backend);
      else await bench.clock.advance(random.integer(0, 400));
      const counts = backends.map((each) => bench.idle.countOf(each));
      assert(counts.every((count) => count <= 3) && bench.idle.size <= 7, `seed ${seed}`);
      assertEquals(counts.reduce((sum, count) => sum + count), bench.idle.size);
      const open = made.filter(({ closed }) => closed === 0).length;
      assertEquals(open, bench.idle.size + taken.size, `seed ${seed}, step ${step}`);
      assert(made.every(({ closed }) => closed <= 1), `seed ${seed}: closed twice`);
    }
    assertEquals(bench.deadlines.size, bench.idle.size);
  }
});

Deno.test("IdleConnections: a real connection that its backend closes is closed and forgotten", async () => {
  using bench = new Bench();
  const backend = readyBackend();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept();
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  const closed = Promise.withResolvers<void>();
  const idle = new IdleConnections({ deadlines: bench.deadlines });
  idle.keep(backend, {
    quiet: true,
    watch: () => conn.read(new Uint8Array(1)),
    [Symbol.dispose]: closed.resolve,
  });
  (await accepted).close();
  await closed.promise;
  assertEquals([idle.size, idle.lost], [0, 1]);
});

Deno.test("keepAliveTimeoutMs: reads the timeout in its known forms; else there is none", () => {
  const values: Readonly<Record<string, number>> = {
    "timeout=5": 5000,
    "timeout=5, max=100": 5000,
    "max=100,timeout=15": 15_000,
    "Timeout = 72": 72_000,
    'timeout="20"': 20_000,
    "timeout=0": 0,
    "": Infinity,
    "300": Infinity,
    "timeout": Infinity,
    "timeout=": Infinity,
    "timeout=-5": Infinity,
    "timeout=5s": Infinity,
    "timeout=1e3": Infinity,
    "xtimeout=5": Infinity,
    "timeout=99999999999999999999": Infinity,
  };
  for (const [value, expected] of Object.entries(values)) {
    assertEquals(keepAliveTimeoutMs([{ name: "keep-ALIVE", value }]), expected, value);
  }
});

Deno.test("keepAliveTimeoutMs: the shortest of several counts, and other headers do not", () => {
  const headers = [
    { name: "X-Keep-Alive", value: "timeout=1" },
    { name: "Connection", value: "timeout=2" },
    { name: "Keep-Alive", value: "timeout=9" },
    { name: "Keep-Alive", value: "timeout=7" },
    { name: "Keep-Alive", value: "timeout=8" },
  ];
  assertEquals(keepAliveTimeoutMs(headers), 7000);
  assertEquals(keepAliveTimeoutMs(headers.slice(0, 2)), Infinity);
});
