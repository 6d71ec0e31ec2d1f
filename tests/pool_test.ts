import type { Backend } from "../lib/backend.ts";
import type { Lease } from "../lib/lease.ts";
import { leastEntries } from "../lib/policy/least_entries.ts";
import type { Candidate, Policy, PolicyClient } from "../lib/policy/mod.ts";
import { Pool, type PoolClient, type PoolOptions } from "../lib/pool.ts";
import { assert, assertEquals, assertStrictEquals } from "./support/assert.ts";
import { backendSettings } from "./support/backends.ts";
import { ANYBODY } from "./support/candidates.ts";
import { FakeClock } from "./support/fake_clock.ts";
import { Random } from "./support/random.ts";

/** A pool on ports 1, 2 and so on, a clock for it, and what it told of. */
class Bench implements Disposable {
  readonly clock = new FakeClock(1000);
  /** Changes of state, and who is gone. */
  readonly news: string[] = [];
  readonly pool: Pool;

  constructor(size: number, options: Partial<PoolOptions> = {}) {
    this.pool = new Pool({
      backends: Array.from({ length: size }, (_, index) => backendSettings(index + 1)),
      policy: leastEntries(),
      clock: this.clock,
      random: () => 0.5,
      onState: ({ address, state }) => this.news.push(`${address.port} ${state}`),
      onGone: ({ address }) => this.news.push(`${address.port} gone`),
      fall: 2,
      rise: 1,
      ejectAfter: 0,
      slowStartMs: 0,
      ...options,
    });
  }

  /** The backend on that port. */
  backend(port: number): Backend {
    const found = this.pool.backends.find(({ address }) => address.port === port);
    if (found === undefined) throw new RangeError(`there is no backend ${port}`);
    return found;
  }

  /** A probe of each backend in the order given, with so many entries. */
  counted(...entries: number[]): void {
    for (const [index, each] of entries.entries()) this.countedOne(index + 1, each);
  }

  /** A probe of that backend that is late. */
  late(port: number): void {
    const backend = this.backend(port);
    this.pool.probed(backend, SLOW, backend.mark());
  }

  countedOne(port: number, entries: number, errors = 0): void {
    const backend = this.backend(port);
    this.pool.probed(backend, { ok: true, counts: { entries, errors } }, backend.mark());
  }

  /** The right to use some backend, which must be had. */
  acquire(...tried: readonly Backend[]): Lease {
    const lease = this.pool.acquire(anybody(tried));
    assert(lease !== null && lease !== "wait", "nobody can be had");
    return lease;
  }

  /** Picks and serves so many, each given back at once; how many each got. */
  shares(times: number): number[] {
    const shares = this.pool.backends.map(() => 0);
    for (let time = 0; time < times; time++) {
      using lease = this.acquire();
      const { order } = lease.backend;
      shares[order] = (shares[order] ?? 0) + 1;
    }
    return shares;
  }

  [Symbol.dispose](): void {
    this.pool[Symbol.dispose]();
  }
}

function anybody(tried: readonly Backend[] = []): PoolClient {
  return { ...ANYBODY, tried };
}

const SLOW = { ok: false, final: false, reason: "slow" } as const;

Deno.test("Pool: while nothing is known of a backend, nobody is sent there", () => {
  const { pool, news } = new Bench(3);
  assertStrictEquals(pool.acquire(anybody()), null);
  assertEquals([pool.readyCount, news], [0, []]);
  assert(pool.snapshot().every(({ state }) => state === "down"));
});

Deno.test("Pool: only backends that are ready are offered to the policy, in the order given", () => {
  const offered: number[][] = [];
  const policy: Policy = {
    pick<T extends Candidate>(candidates: readonly T[], client: PolicyClient): T {
      offered.push(candidates.map(({ order }) => order));
      return leastEntries().pick(candidates, client);
    },
  };
  const bench = new Bench(4, { policy });
  bench.countedOne(4, 1);
  bench.countedOne(1, 1);
  bench.countedOne(3, 1);
  bench.pool.acquire(anybody());
  bench.pool.acquire(anybody([bench.backend(3)]));
  bench.pool.connectFailed(bench.backend(1), "refused");
  bench.pool.acquire(anybody());
  assertEquals(offered, [[0, 2, 3], [0, 3], [2, 3]]);
});

Deno.test("Pool: the policy is told of all backends once, and of the client at each pick", () => {
  const told: string[] = [];
  const policy: Policy = {
    prepare: (backends) => void told.push(`all ${backends.map(({ order }) => order).join()}`),
    pick<T extends Candidate>(candidates: readonly T[], client: PolicyClient): T {
      told.push(client.ip);
      return leastEntries().pick(candidates, client);
    },
  };
  const bench = new Bench(3, { policy });
  bench.counted(1, 2, 3);
  bench.pool.acquire({ ip: "a", tried: [] });
  bench.pool.connectFailed(bench.backend(1), "refused");
  bench.pool.acquire({ ip: "b", tried: [bench.backend(2)] });
  assertEquals(told, ["all 0,1,2", "a", "b"]);
});

Deno.test("Pool: the policy is not asked when there is nobody to choose from", () => {
  const policy: Policy = {
    pick(): never {
      throw new RangeError("asked about nobody");
    },
  };
  const bench = new Bench(1, { policy });
  assertStrictEquals(bench.pool.acquire(anybody()), null);
  bench.countedOne(1, 0);
  assertStrictEquals(bench.pool.acquire(anybody([bench.backend(1)])), null);
});

Deno.test("Pool.acquire: tries each backend once, then there is none", () => {
  const bench = new Bench(3);
  bench.counted(5, 4, 6);
  const tried: Backend[] = [];
  while (tried.length < 3) {
    using lease = bench.acquire(...tried);
    tried.push(lease.backend);
  }
  assertStrictEquals(bench.pool.acquire(anybody(tried)), null);
  assertEquals(tried.map(({ order }) => order), [1, 0, 2]);
});

Deno.test("Pool.acquire: the choice is counted in the same step, so a burst sees it", () => {
  const bench = new Bench(3);
  bench.counted(0, 0, 0);
  const burst = Array.from({ length: 7 }, () => bench.acquire());
  assertEquals(burst.map((lease) => lease.backend.order), [0, 1, 2, 0, 1, 2, 0]);
  assertEquals(bench.pool.snapshot().map(({ inFlight }) => inFlight), [3, 2, 2]);
  for (const lease of burst) lease[Symbol.dispose]();
  assertEquals(bench.pool.snapshot().map(({ inFlight }) => inFlight), [0, 0, 0]);
  assertEquals(bench.pool.snapshot().map(({ leased }) => leased), [3, 2, 2]);
});

Deno.test("Pool: between two probes the load fills up the lower counts, then spreads evenly", () => {
  const bench = new Bench(3);
  bench.counted(10, 0, 4);
  assertEquals(bench.shares(4), [0, 4, 0]);
  assertEquals(bench.shares(12), [0, 6, 6]);
  assertEquals(bench.shares(30), [10, 10, 10]);
});

Deno.test("Pool: a restarted backend rejoins level with the least, and draws no more than its share", () => {
  const bench = new Bench(3);
  bench.counted(1000, 900, 1200);
  bench.pool.connectFailed(bench.backend(3), "refused");
  bench.countedOne(3, 0);
  assertEquals(bench.pool.snapshot().map(({ entries }) => entries), [1000, 900, 900]);
  assertEquals(bench.shares(50), [0, 25, 25]);
});

Deno.test("Pool: the least of the others is that of those that are ready", () => {
  const bench = new Bench(3);
  bench.counted(1000, 900, 1200);
  bench.pool.connectFailed(bench.backend(2), "refused");
  bench.countedOne(3, 0);
  assertEquals(bench.pool.snapshot().map(({ entries }) => entries), [1000, 900, 1000]);
});

Deno.test("Pool: one that restarts unseen is level with the others, not with its own past", () => {
  const bench = new Bench(3);
  bench.counted(1000, 900, 100);
  bench.countedOne(3, 0);
  assertEquals(bench.pool.snapshot().map(({ entries }) => entries), [1000, 900, 900]);
});

Deno.test("Pool: one that restarts is level with the others by its weight", () => {
  const bench = new Bench(3, {
    backends: [2, 1, 3].map((weight, index) => backendSettings(index + 1, { weight })),
  });
  bench.counted(1000, 600, 1800);
  bench.countedOne(3, 0);
  assertEquals(bench.pool.snapshot().map(({ entries }) => entries), [1000, 600, 1500]);
  assertEquals(bench.shares(60), [24, 0, 36]);
});

Deno.test("Pool: a backend is down as soon as a client's connection to it failed", () => {
  const bench = new Bench(2);
  bench.counted(0, 5);
  bench.clock.stall(7);
  bench.pool.connectFailed(bench.backend(1), "connection refused");
  assertEquals(bench.acquire().backend.order, 1);
  assertEquals(bench.backend(1).standing, {
    state: "down",
    reason: "connection refused",
    sinceMs: 1007,
  });
});

Deno.test("Pool: fall probes in a row take a backend down, rise bring it back", () => {
  const bench = new Bench(1, { fall: 3, rise: 2 });
  const [backend] = bench.pool.backends;
  assert(backend !== undefined);
  const readyCounts = [true, false, false, true, false, false, false, true, true].map((ok) => {
    bench.pool.probed(backend, ok ? { ok } : SLOW, backend.mark());
    return bench.pool.readyCount;
  });
  assertEquals(readyCounts, [1, 1, 1, 1, 1, 1, 0, 0, 1]);
});

Deno.test("Pool: each flip is told once, when the pool has already taken it in", () => {
  const told: [readyCount: number, entries: number][] = [];
  const bench: Bench = new Bench(2, {
    onState: ({ entries }) => told.push([bench.pool.readyCount, entries]),
  });
  bench.counted(10, 20);
  bench.counted(11, 21);
  bench.pool.connectFailed(bench.backend(1), "refused");
  bench.pool.connectFailed(bench.backend(1), "refused");
  bench.countedOne(1, 30);
  assertEquals(told, [[1, 10], [2, 20], [1, 11], [2, 30]]);
});

Deno.test("Pool: a state that is learnt for the first time is told, down as well", () => {
  const bench = new Bench(2);
  bench.countedOne(1, 0);
  bench.late(2);
  bench.late(2);
  assertEquals(bench.news, ["1 ready", "2 down"]);
});

Deno.test("Pool: a probe that read no counts leaves them as they are", () => {
  const bench = new Bench(1);
  bench.countedOne(1, 7, 2);
  bench.pool.probed(bench.backend(1), { ok: true }, bench.backend(1).mark());
  bench.late(1);
  const [snapshot] = bench.pool.snapshot();
  assertEquals([snapshot?.entries, snapshot?.errors], [7, 2]);
});

Deno.test("Pool.trustUnknown: all are ready without a look, but those of which something is known", () => {
  const bench = new Bench(2);
  bench.pool.trustUnknown();
  assertEquals(bench.pool.readyCount, 2);
  assertEquals(bench.news, ["1 ready", "2 ready"]);
  bench.pool.connectFailed(bench.backend(1), "refused");
  bench.pool.reconcile([1, 2, 3].map((port) => backendSettings(port)));
  bench.pool.trustUnknown();
  assertEquals(bench.pool.snapshot().map(({ state }) => state), ["down", "ready", "ready"]);
});

Deno.test("Pool.snapshot: tells all of each backend, in the order given", () => {
  const bench = new Bench(2);
  bench.countedOne(1, 10, 1);
  bench.pool.connectFailed(bench.backend(2), "connection refused");
  using _held = bench.acquire();
  const failed = bench.acquire();
  failed.connected();
  bench.clock.stall(5);
  failed.dropped("connection reset");
  failed[Symbol.dispose]();
  const settings = { weight: 1, max: Infinity, backup: false, sinceMs: 1000 };
  const nothing = { inFlight: 0, leased: 0, failures: 0, bytesUp: 0, bytesDown: 0 };
  assertEquals(bench.pool.snapshot(), [
    {
      name: "127.0.0.1:1",
      ...settings,
      state: "ready",
      reason: "it passes its checks",
      entries: 12,
      errors: 1,
      inFlight: 1,
      leased: 2,
      failures: 1,
      bytesUp: 0,
      bytesDown: 0,
    },
    {
      name: "127.0.0.1:2",
      ...settings,
      state: "down",
      reason: "connection refused",
      entries: 0,
      errors: 0,
      ...nothing,
    },
  ]);
});
Deno.test("Pool.acquire: a backend has no more than its bound, the others have the rest", () => {
  const backends = [backendSettings(1, { max: 2 }), backendSettings(2)];
  using bench = new Bench(2, { backends });
  bench.counted(0, 100);
  const held = Array.from({ length: 5 }, () => bench.acquire());
  assertEquals(held.map(({ backend }) => backend.address.port), [1, 1, 2, 2, 2]);
  held[0]?.[Symbol.dispose]();
  assertEquals(bench.acquire().backend.address.port, 1);
});

Deno.test("Pool.acquire: when all have as many as they may, the client is to wait", () => {
  const backends = [backendSettings(1, { max: 1 }), backendSettings(2, { max: 1 })];
  using bench = new Bench(2, { backends });
  bench.counted(0, 0);
  const first = bench.acquire();
  bench.acquire();
  assertEquals(bench.pool.acquire(anybody()), "wait");
  assertEquals(bench.pool.acquire(anybody([bench.backend(1)])), "wait");
  assertEquals(
    bench.pool.acquire(anybody(bench.pool.backends)),
    null,
    "nobody is left to wait for",
  );
  first[Symbol.dispose]();
  assertEquals(bench.pool.acquire(anybody([bench.backend(1)])), "wait");
  assertEquals(bench.acquire().backend.address.port, 1);
});

Deno.test("Pool.acquire: a backup is used only when no other is ready", () => {
  const backends = [backendSettings(1, { backup: true }), backendSettings(2), backendSettings(3)];
  using bench = new Bench(3, { backends });
  bench.counted(0, 50, 50);
  assertEquals(bench.shares(10), [0, 5, 5]);
  bench.pool.connectFailed(bench.backend(2), "refused");
  assertEquals(bench.shares(10), [0, 0, 10]);
  bench.pool.connectFailed(bench.backend(3), "refused");
  assertEquals(bench.shares(10), [10, 0, 0]);
  bench.countedOne(3, 1000);
  assertEquals(bench.shares(10), [0, 0, 10]);
});

Deno.test("Pool.acquire: a client whom all others have failed gets the backup", () => {
  const backends = [backendSettings(1), backendSettings(2, { backup: true })];
  using bench = new Bench(2, { backends });
  bench.counted(0, 0);
  assertEquals(bench.acquire(bench.backend(1)).backend.address.port, 2);
});

Deno.test("Pool.acquire: a backup does not stand in for one that is only full", () => {
  const backends = [backendSettings(1, { max: 1 }), backendSettings(2, { backup: true })];
  using bench = new Bench(2, { backends });
  bench.counted(0, 0);
  bench.acquire();
  assertEquals(bench.pool.acquire(anybody()), "wait");
});

Deno.test("Pool.steer: draining and disabled backends get nobody, whatever is seen of them", () => {
  for (const to of ["draining", "disabled"] as const) {
    using bench = new Bench(2);
    bench.counted(0, 100);
    bench.clock.stall(10);
    bench.pool.steer(bench.backend(1), to, "maintenance");
    assertEquals(bench.shares(4), [0, 4]);
    assertEquals(bench.backend(1).standing, { state: to, reason: "maintenance", sinceMs: 1010 });
    bench.pool.connectFailed(bench.backend(1), "refused");
    bench.countedOne(1, 0);
    assertEquals([bench.backend(1).state, bench.pool.readyCount], [to, 1]);
    bench.pool.steer(bench.backend(1), "enabled");
    assertEquals(bench.shares(4), [4, 0]);
    assertEquals(bench.news, ["1 ready", "2 ready", `1 ${to}`, "1 ready"]);
  }
});

Deno.test("Pool.checked: all but those that are disabled", () => {
  using bench = new Bench(4);
  bench.counted(0, 0, 0, 0);
  bench.pool.steer(bench.backend(1), "disabled");
  bench.pool.steer(bench.backend(2), "draining");
  using _held = bench.acquire();
  bench.pool.reconcile([1, 2, 4].map((port) => backendSettings(port)));
  assertEquals(bench.pool.checked.map(({ address }) => address.port), [2, 4, 3]);
});

Deno.test("Pool.reconcile: those that stay keep what is known of them, and get new settings", () => {
  using bench = new Bench(3);
  bench.counted(10, 20, 30);
  const kept = bench.backend(3);
  bench.pool.reconcile([backendSettings(3, { weight: 5, max: 7 }), backendSettings(4)]);
  assertEquals(bench.backend(4).state, "down");
  bench.countedOne(4, 0);
  assertStrictEquals(bench.backend(3), kept);
  assertEquals([kept.entries, kept.weight, kept.max, kept.order, kept.state], [
    30,
    5,
    7,
    0,
    "ready",
  ]);
  const news = ["4 ready", "1 draining", "2 draining", "1 gone", "2 gone"];
  assertEquals(bench.news.slice(3), news);
});

Deno.test("Pool.reconcile: one that is missing serves whom it has, and is gone after that", () => {
  using bench = new Bench(2);
  bench.counted(0, 100);
  const [first, second] = [bench.acquire(), bench.acquire()];
  bench.pool.reconcile([backendSettings(2)]);
  assertEquals(bench.pool.snapshot().map(({ state, inFlight }) => [state, inFlight]), [
    ["ready", 0],
    ["draining", 2],
  ]);
  assertEquals(bench.acquire().backend.address.port, 2);
  first[Symbol.dispose]();
  assertEquals(bench.news.at(-1), "1 draining");
  second[Symbol.dispose]();
  assertEquals(bench.news.at(-1), "1 gone");
  assertEquals(bench.pool.backends.map(({ address }) => address.port), [2]);
});

Deno.test("Pool.reconcile: one that comes back before it is gone goes on as if nothing had been", () => {
  using bench = new Bench(2);
  bench.counted(0, 100);
  const held = bench.acquire();
  bench.pool.reconcile([backendSettings(2)]);
  bench.pool.reconcile([backendSettings(1), backendSettings(2)]);
  held[Symbol.dispose]();
  assertEquals(bench.shares(3), [3, 0]);
  assertEquals(bench.news, ["1 ready", "2 ready", "1 draining", "1 ready"]);
});

Deno.test("Pool.reconcile: of two with one address the first counts", () => {
  using bench = new Bench(1);
  bench.pool.reconcile([backendSettings(1, { weight: 2 }), backendSettings(1, { weight: 3 })]);
  assertEquals(bench.pool.backends.map(({ weight }) => weight), [2]);
});

Deno.test("Pool.reconcile: the policy is told of all that are wanted", () => {
  const told: string[] = [];
  const policy: Policy = {
    prepare: (backends) => void told.push(backends.map(({ order }) => order).join()),
    pick: (candidates, client) => leastEntries().pick(candidates, client),
  };
  using bench = new Bench(2, { policy });
  bench.counted(0, 100);
  using _held = bench.acquire();
  bench.pool.reconcile([2, 3, 4].map((port) => backendSettings(port)));
  bench.countedOne(3, 0);
  bench.countedOne(4, 0);
  assertEquals(told, ["0,1", "0,1,2,0", "0,1,2"]);
});

Deno.test("Pool.reconcile: those that are missing serve until the new ones were looked at", () => {
  using bench = new Bench(2);
  bench.counted(0, 100);
  bench.pool.reconcile([backendSettings(3), backendSettings(4)]);
  assertEquals(bench.acquire().backend.address.port, 1);
  bench.countedOne(3, 0);
  assertEquals(bench.news.length, 3, "not all new ones were looked at");
  bench.late(4);
  assertEquals(bench.news.slice(3), ["4 down", "1 draining", "2 draining", "2 gone"]);
  assertEquals(bench.acquire().backend.address.port, 3);
});

// Regression: while some of those that were missing drained, others were still offered.
Deno.test("Pool: whoever is told of a change may acquire, and the policy knows all that it is offered", () => {
  let known: readonly Candidate[] = [];
  const offered: boolean[] = [];
  const policy: Policy = {
    prepare: (backends) => void (known = backends),
    pick<T extends Candidate>(candidates: readonly T[], client: PolicyClient): T {
      offered.push(candidates.every((each) => known.includes(each)));
      return leastEntries().pick(candidates, client);
    },
  };
  const bench: Bench = new Bench(4, { policy, onState: () => void acquireSome(bench) });
  bench.counted(0, 0, 0, 0);
  bench.pool.reconcile([backendSettings(4), backendSettings(5)]);
  bench.countedOne(5, 0);
  bench.pool.reconcile([backendSettings(6)]);
  bench.countedOne(6, 0);
  bench.pool.reconcile([backendSettings(1), backendSettings(6)]);
  assert(offered.length > 8 && offered.every((each) => each), `${offered}`);
});

/** A client, if there is anybody for it, that comes and goes at once. */
function acquireSome({ pool }: Bench): void {
  const lease = pool.acquire(anybody());
  if (lease !== null && lease !== "wait") lease[Symbol.dispose]();
}

Deno.test("Pool: a late probe of a backend that is gone is of no account", () => {
  using bench = new Bench(2);
  bench.counted(0, 0);
  const gone = bench.backend(1);
  bench.pool.reconcile([backendSettings(2)]);
  const told = bench.news.length;
  bench.pool.probed(gone, { ok: false, final: true, reason: "refused" }, gone.mark());
  bench.pool.probed(gone, { ok: true, counts: { entries: 5, errors: 0 } }, gone.mark());
  assertEquals([bench.news.length, bench.pool.readyCount], [told, 1]);
});

/** A client that this backend fails after it took the connection. */
function failAt(bench: Bench, port: number): void {
  const others = bench.pool.backends.filter(({ address }) => address.port !== port);
  using lease = bench.acquire(...others);
  lease.connected();
  lease.dropped("connection reset before the first byte");
}

/** A client that this backend serves. */
function serveAt(bench: Bench, port: number): void {
  const others = bench.pool.backends.filter(({ address }) => address.port !== port);
  using lease = bench.acquire(...others);
  lease.connected();
  lease.answered();
}

Deno.test("Pool: a backend that fails one client after the other is ejected, and comes back", async () => {
  using bench = new Bench(2, { ejectAfter: 3 });
  bench.counted(0, 0);
  for (let client = 0; client < 2; client++) failAt(bench, 1);
  serveAt(bench, 1);
  for (let client = 0; client < 2; client++) failAt(bench, 1);
  assertEquals(bench.backend(1).state, "ready", "not in a row");
  failAt(bench, 1);
  const { state, reason } = bench.backend(1).standing;
  assertEquals(state, "down");
  assertEquals(
    reason,
    "failed 3 clients in a row (connection reset before the first byte); back in 10s",
  );
  bench.countedOne(1, 0);
  assertEquals(bench.backend(1).state, "down", "good checks do not bring it back");
  await bench.clock.advance(9999);
  assertEquals(bench.backend(1).state, "down");
  await bench.clock.advance(1);
  assertEquals(bench.backend(1).state, "ready");
  assertEquals(bench.news, ["1 ready", "2 ready", "1 down", "1 ready"]);
});

Deno.test("Pool: the last backend that is ready is not ejected", () => {
  using bench = new Bench(2, { ejectAfter: 2 });
  bench.counted(0, 0);
  bench.pool.connectFailed(bench.backend(2), "refused");
  const told = bench.news.length;
  for (let client = 0; client < 10; client++) failAt(bench, 1);
  assertEquals([bench.backend(1).state, bench.news.length], ["ready", told]);
  bench.countedOne(2, 0);
  failAt(bench, 1);
  assertEquals(bench.backend(1).state, "down", "now there is another");
});

Deno.test("Pool: when nobody else is ready, one that was ejected is better than none", () => {
  using bench = new Bench(2, { ejectAfter: 2 });
  bench.counted(0, 0);
  for (let client = 0; client < 2; client++) failAt(bench, 1);
  assertEquals(bench.backend(1).state, "down");
  bench.pool.connectFailed(bench.backend(2), "refused");
  assertEquals([bench.backend(1).state, bench.backend(2).state], ["ready", "down"]);
});

Deno.test("Pool: refused connections count for an ejection like other failures", () => {
  using bench = new Bench(2, { ejectAfter: 2 });
  bench.counted(0, 0);
  for (let client = 0; client < 2; client++) {
    bench.countedOne(1, 0);
    using lease = bench.acquire(bench.backend(2));
    lease.refused("connection refused");
    bench.pool.connectFailed(bench.backend(1), "connection refused");
  }
  bench.countedOne(1, 0);
  assertEquals(bench.backend(1).state, "down", "its checks succeed, its clients are refused");
});

Deno.test("Pool: one that was ejected and then restarts is back with its checks", () => {
  using bench = new Bench(2, { ejectAfter: 2 });
  bench.counted(0, 0);
  for (let client = 0; client < 2; client++) failAt(bench, 1);
  bench.late(1);
  bench.countedOne(1, 0);
  assertEquals(bench.backend(1).state, "down", "late once is not down");
  for (let probe = 0; probe < 2; probe++) bench.late(1);
  bench.countedOne(1, 0);
  assertEquals(bench.backend(1).state, "ready");
  assertEquals(bench.news, ["1 ready", "2 ready", "1 down", "1 ready"]);
});

Deno.test("Pool: what comes back ramps up instead of being flooded", async () => {
  using bench = new Bench(2, { slowStartMs: 10_000 });
  bench.counted(1000, 1000);
  bench.pool.open();
  bench.pool.connectFailed(bench.backend(1), "refused");
  bench.shares(500);
  bench.countedOne(1, 1000);
  const share = (): number => bench.shares(100)[0] ?? 0;
  const shares: number[] = [];
  for (let second = 0; second < 10; second++) {
    shares.push(share());
    await bench.clock.advance(1000);
  }
  assert((shares[0] ?? 0) <= 10, `flooded: ${shares}`);
  assert(shares.every((each) => each <= 52), `more than its half: ${shares}`);
  assert((shares[9] ?? 0) >= 40, `did not ramp up: ${shares}`);
  await bench.clock.advance(1);
  assertEquals(share(), 50, "what it missed does not come all at once after the ramp");
});

/** Takes whom the list names last: the one that comes back, as soon as it may have a client. */
const LAST: Policy = {
  pick<T extends Candidate>(candidates: readonly T[]): T {
    const last = candidates.at(-1);
    if (last === undefined) throw new RangeError("there is no candidate");
    return last;
  },
};

/** How many picks it takes until the backend on that port, which has just come back, is picked. */
function picksUntil(bench: Bench, port: number): number {
  bench.pool.open();
  bench.pool.connectFailed(bench.backend(port), "refused");
  bench.countedOne(port, 0);
  for (let picks = 1;; picks++) {
    using lease = bench.acquire();
    if (lease.backend.address.port === port) return picks;
    assert(picks < 1000, "it is never picked");
  }
}

Deno.test("Pool: what comes back begins with a tenth of its share by weight", () => {
  for (const [weight, picks] of [[1, 20], [4, 13], [9, 12]] as const) {
    const backends = [backendSettings(1), backendSettings(2, { weight })];
    using bench = new Bench(0, { backends, policy: LAST, slowStartMs: 10_000 });
    bench.counted(0, 0);
    assertEquals(picksUntil(bench, 2), picks, `weight ${weight}`);
  }
});

Deno.test("Pool: what comes back does not take over the share of those that are full", () => {
  const backends = [backendSettings(1, { max: 1 }), backendSettings(2), backendSettings(3)];
  using bench = new Bench(0, { backends, policy: LAST, slowStartMs: 10_000 });
  bench.counted(0, 0, 0);
  using _full = bench.acquire(bench.backend(2), bench.backend(3));
  const picks = picksUntil(bench, 3);
  assert(picks >= 30 && picks <= 31, `after ${picks} picks; expected a tenth of a third`);
});

Deno.test("Pool: of a backend that is gone no timer is left", () => {
  using bench = new Bench(2, { ejectAfter: 1 });
  bench.counted(0, 0);
  failAt(bench, 1);
  assertEquals(bench.clock.pending, 1);
  bench.pool.reconcile([backendSettings(2)]);
  assertEquals(bench.clock.pending, 0);
});

Deno.test("Pool: those of the first round start at once, and so does the only one", () => {
  using bench = new Bench(2, { slowStartMs: 10_000 });
  bench.counted(0, 0);
  bench.pool.open();
  assertEquals(bench.shares(10), [5, 5]);
  bench.pool.connectFailed(bench.backend(1), "refused");
  bench.pool.connectFailed(bench.backend(2), "refused");
  bench.countedOne(1, 5);
  assertEquals(bench.shares(10), [10, 0]);
});

Deno.test("Pool: no timer is left when it is disposed of", () => {
  const bench = new Bench(3, { slowStartMs: 10_000, ejectAfter: 1 });
  bench.counted(0, 0, 0);
  bench.pool.open();
  failAt(bench, 1);
  bench.pool.connectFailed(bench.backend(2), "refused");
  bench.countedOne(2, 0);
  assertEquals(bench.clock.pending, 2);
  bench[Symbol.dispose]();
  assertEquals(bench.clock.pending, 0);
});

Deno.test("Pool: no order of events makes it offer who may not be used, or lose a count", async () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = new Random(seed);
    const fall = random.integer(1, 3);
    using bench = new Bench(random.integer(1, 5), { fall, ejectAfter: 3, slowStartMs: 5000 });
    const held: Lease[] = [];
    for (let step = 0; step < 200; step++) {
      const where = `seed ${seed}, step ${step}`;
      await happen({ bench, random, held, where });
      const inFlight = bench.pool.snapshot().reduce((sum, each) => sum + each.inFlight, 0);
      assertEquals(inFlight, held.length, where);
      const ready = bench.pool.backends.filter(({ state }) => state === "ready");
      assertEquals(bench.pool.readyCount, ready.length, where);
    }
    while (held.length > 0) held.pop()?.[Symbol.dispose]();
    assert(bench.pool.snapshot().every(({ inFlight }) => inFlight === 0), `seed ${seed}`);
  }
});

interface Step {
  readonly bench: Bench;
  readonly random: Random;
  readonly held: Lease[];
  readonly where: string;
}

/** One thing that may happen to a pool. */
async function happen({ bench, random, held, where }: Step): Promise<void> {
  const { pool } = bench;
  const event = random.integer(0, 11);
  if (event === 0 || pool.backends.length === 0) return reconcile(bench, random);
  const backend = random.pick(pool.backends);
  const { port } = backend.address;
  if (event === 1) bench.countedOne(port, random.integer(0, 50));
  if (event === 2) bench.late(port);
  if (event === 3 && random.chance(0.3)) pool.connectFailed(backend, "refused");
  if (event === 4) pool.steer(backend, random.pick(["draining", "disabled", "enabled"] as const));
  if (event === 5) await bench.clock.advance(random.integer(0, 3000));
  if (event === 6 && random.chance(0.2)) pool.open();
  if (event >= 7 && event <= 8) endOne(held, random);
  if (event >= 9) acquireChecked({ bench, random, held, where });
}

function reconcile({ pool }: Bench, random: Random): void {
  const ports = [1, 2, 3, 4, 5, 6].filter(() => random.chance(0.7));
  pool.reconcile(ports.map((port) => {
    const weight = random.integer(1, 3);
    const max = random.chance(0.5) ? random.integer(1, 4) : Infinity;
    return backendSettings(port, { weight, max, backup: random.chance(0.3) });
  }));
}

function endOne(held: Lease[], random: Random): void {
  const [lease] = held.splice(random.integer(0, Math.max(0, held.length - 1)), 1);
  if (lease === undefined) return;
  if (random.chance(0.4)) lease.answered();
  else if (random.chance(0.5)) lease.dropped("connection reset");
  lease[Symbol.dispose]();
}

function acquireChecked({ bench: { pool }, random, held, where }: Step): void {
  const tried = pool.backends.filter(() => random.chance(0.3));
  const ready = pool.backends.filter((each) => each.state === "ready" && !tried.includes(each));
  const primaries = ready.filter(({ backup }) => !backup);
  const allowed = primaries.length > 0 ? primaries : ready;
  const roomy = allowed.filter(({ inFlight, max }) => inFlight < max);
  const lease = pool.acquire(anybody(tried));
  if (lease === null) return assertEquals(allowed, [], where);
  if (lease === "wait") return assertEquals([allowed.length > 0, roomy], [true, []], where);
  assert(roomy.includes(lease.backend), `${where}: ${lease.backend.name} is not allowed`);
  held.push(lease);
}

Deno.test("Pool.reconcile: while nobody at all is wanted, those that are missing serve on", () => {
  using bench = new Bench(2);
  bench.counted(0, 100);
  bench.pool.reconcile([]);
  assertEquals(bench.acquire().backend.address.port, 1);
  bench.pool.reconcile([backendSettings(3)]);
  bench.countedOne(3, 0);
  assertEquals(bench.acquire().backend.address.port, 3);
});

Deno.test("Pool.reconcile: who is not to be checked holds nobody up that is to go", () => {
  using bench = new Bench(1);
  bench.countedOne(1, 0);
  bench.pool.reconcile([backendSettings(2), backendSettings(3)]);
  bench.countedOne(2, 0);
  assertEquals(bench.backend(1).state, "ready");
  bench.pool.steer(bench.backend(3), "disabled", "by hand");
  assertEquals(bench.news.slice(2), ["3 disabled", "1 draining", "1 gone"]);
});

Deno.test("Pool.reconcile: one that comes in or comes back is steered as wanted; one that stays is not", () => {
  using bench = new Bench(1);
  bench.countedOne(1, 0);
  const steered = { to: "draining", reason: "drained by hand" } as const;
  bench.pool.reconcile([1, 2].map((port) => ({ ...backendSettings(port), steered })));
  bench.countedOne(2, 0);
  assertEquals([bench.backend(1).state, bench.backend(2).state], ["ready", "draining"]);
  const held = bench.acquire();
  bench.pool.reconcile([backendSettings(2)]);
  bench.pool.reconcile([{ ...backendSettings(1), steered }, backendSettings(2)]);
  assertEquals(bench.backend(1).standing.reason, "drained by hand");
  assertEquals(bench.backend(2).state, "draining", "it stayed, as it was steered");
  held[Symbol.dispose]();
  assertEquals(bench.pool.backends.length, 2);
});

Deno.test("Pool.tune: those that are there and those that come go by the new rules", () => {
  using bench = new Bench(2, { fall: 1, ejectAfter: 9 });
  bench.counted(0, 0);
  bench.pool.tune({ fall: 3, rise: 2, ejectAfter: 2, slowStartMs: 0 });
  bench.pool.reconcile([1, 2, 3].map((port) => backendSettings(port)));
  bench.countedOne(3, 0);
  for (const port of [2, 3]) {
    for (let probe = 0; probe < 2; probe++) bench.late(port);
    assertEquals(bench.backend(port).state, "ready", "not 3 in a row");
    bench.late(port);
    bench.countedOne(port, 0);
    assertEquals(bench.backend(port).state, "down", "not 2 in a row");
    bench.countedOne(port, 0);
    assertEquals(bench.backend(port).state, "ready");
  }
  for (let client = 0; client < 2; client++) failAt(bench, 1);
  assertEquals(bench.backend(1).state, "down", "ejected");
});

Deno.test("Pool.tune: without ejections nobody stays ejected", () => {
  using bench = new Bench(2, { ejectAfter: 1 });
  bench.counted(0, 0);
  failAt(bench, 1);
  assertEquals(bench.backend(1).state, "down");
  bench.pool.tune({ fall: 2, rise: 1, ejectAfter: 0, slowStartMs: 0 });
  assertEquals(bench.backend(1).state, "ready");
});

Deno.test("Pool.tune: another policy is told of all backends before it picks", () => {
  const told: string[] = [];
  const policy: Policy = {
    prepare: (backends) => void told.push(`all ${backends.length}`),
    pick<T extends Candidate>(candidates: readonly T[], client: PolicyClient): T {
      told.push("pick");
      return LAST.pick(candidates, client);
    },
  };
  using bench = new Bench(2);
  bench.counted(0, 100);
  bench.pool.tune({ fall: 2, rise: 1, ejectAfter: 0, slowStartMs: 0 }, policy);
  assertEquals(bench.acquire().backend.address.port, 2);
  assertEquals(told, ["all 2", "pick"]);
});

Deno.test("Pool: tells of room where there was none, and of no other", () => {
  let rooms = 0;
  using bench = new Bench(1, {
    backends: [backendSettings(1, { max: 2 }), backendSettings(2)],
    onRoom: () => void rooms++,
  });
  bench.counted(0, 1000);
  const [first, second, other] = [bench.acquire(), bench.acquire(), bench.acquire()];
  other[Symbol.dispose]();
  assertEquals([other.backend.address.port, rooms], [2, 0]);
  first[Symbol.dispose]();
  second[Symbol.dispose]();
  assertEquals(rooms, 1);
});

Deno.test("Pool.reconcile: one whose last connection ends while others are told of it is gone once", () => {
  let held: Lease | null = null;
  const gone: string[] = [];
  using bench = new Bench(1, {
    onState: ({ state }) => {
      if (state === "draining") held?.[Symbol.dispose]();
    },
    onGone: ({ name }) => void gone.push(name),
  });
  bench.countedOne(1, 0);
  held = bench.acquire();
  bench.pool.reconcile([backendSettings(2)]);
  bench.countedOne(2, 0);
  assertEquals(gone, ["127.0.0.1:1"]);
});

Deno.test("Pool: those of which nothing was known are taken on trust in one step, and each told of once", () => {
  const ready: number[] = [];
  const bench: Bench = new Bench(3, {
    onState: () => void ready.push(bench.pool.readyCount),
  });
  bench.pool.trustUnknown();
  bench.pool.trustUnknown();
  assertEquals(ready, [3, 3, 3]);
});
