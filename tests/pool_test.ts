import type { Backend, BackendSettings } from "../lib/backend.ts";
import { leastEntries } from "../lib/policy/least_entries.ts";
import type { Candidate, Policy, PolicyClient } from "../lib/policy/mod.ts";
import { Pool, type PoolOptions } from "../lib/pool.ts";
import { assert, assertEquals, assertStrictEquals } from "./support/assert.ts";
import { ANYBODY } from "./support/candidates.ts";
import { FakeClock } from "./support/fake_clock.ts";
import { Random } from "./support/random.ts";

/** A pool on ports 1, 2 and so on, a clock for it, and the flips that it told of. */
class Bench {
  readonly clock = new FakeClock(1000);
  readonly flips: string[] = [];
  readonly pool: Pool;

  constructor(size: number, options: Partial<PoolOptions> = {}) {
    this.pool = new Pool({
      backends: Array.from({ length: size }, (_, index) => settings(index + 1)),
      policy: leastEntries(),
      now: () => this.clock.now(),
      onFlip: ({ name, health }) => this.flips.push(`${name} ${health.state}`),
      fall: 2,
      rise: 1,
      ...options,
    });
  }

  /** The backend on that port. */
  backend(port: number): Backend {
    const found = this.pool.backends[port - 1];
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

  /** Picks and serves so many, each given back at once; how many each got. */
  shares(times: number): number[] {
    const shares = this.pool.backends.map(() => 0);
    for (let time = 0; time < times; time++) {
      using lease = this.pool.acquire(ANYBODY, []);
      assert(lease !== null, "nobody is ready");
      const { order } = lease.backend;
      shares[order] = (shares[order] ?? 0) + 1;
    }
    return shares;
  }
}

function settings(port: number, weight = 1): BackendSettings {
  return { address: { hostname: "127.0.0.1", port }, weight };
}

const SLOW = { ok: false, final: false, reason: "slow" } as const;

Deno.test("Pool: while nothing is known of a backend, nobody is sent there", () => {
  const { pool, flips } = new Bench(3);
  assertStrictEquals(pool.acquire(ANYBODY, []), null);
  assertEquals([pool.readyCount, flips], [0, []]);
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
  bench.pool.acquire(ANYBODY, []);
  bench.pool.acquire(ANYBODY, [bench.backend(3)]);
  bench.pool.connectFailed(bench.backend(1), "refused");
  bench.pool.acquire(ANYBODY, []);
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
  bench.pool.acquire({ ip: "a" }, []);
  bench.pool.connectFailed(bench.backend(1), "refused");
  bench.pool.acquire({ ip: "b" }, [bench.backend(2)]);
  assertEquals(told, ["all 0,1,2", "a", "b"]);
});

Deno.test("Pool: the policy is not asked when there is nobody to choose from", () => {
  const policy: Policy = {
    pick(): never {
      throw new RangeError("asked about nobody");
    },
  };
  const bench = new Bench(1, { policy });
  assertStrictEquals(bench.pool.acquire(ANYBODY, []), null);
  bench.countedOne(1, 0);
  assertStrictEquals(bench.pool.acquire(ANYBODY, [bench.backend(1)]), null);
});

Deno.test("Pool.acquire: tries each backend once, then there is none", () => {
  const bench = new Bench(3);
  bench.counted(5, 4, 6);
  const tried: Backend[] = [];
  for (
    let lease = bench.pool.acquire(ANYBODY, tried);
    lease !== null;
    lease = bench.pool.acquire(ANYBODY, tried)
  ) {
    tried.push(lease.backend);
    lease[Symbol.dispose]();
  }
  assertEquals(tried.map(({ order }) => order), [1, 0, 2]);
});

Deno.test("Pool.acquire: the choice is counted in the same step, so a burst sees it", () => {
  const bench = new Bench(3);
  bench.counted(0, 0, 0);
  const burst = Array.from({ length: 7 }, () => bench.pool.acquire(ANYBODY, []));
  assertEquals(burst.map((lease) => lease?.backend.order), [0, 1, 2, 0, 1, 2, 0]);
  assertEquals(bench.pool.snapshot().map(({ inFlight }) => inFlight), [3, 2, 2]);
  for (const lease of burst) lease?.[Symbol.dispose]();
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
  const bench = new Bench(3, { backends: [settings(1, 2), settings(2, 1), settings(3, 3)] });
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
  assertEquals(bench.pool.acquire(ANYBODY, [])?.backend.order, 1);
  const { state, reason } = bench.backend(1).health;
  assertEquals([state, reason, bench.backend(1).health.sinceMs], [
    "down",
    "connection refused",
    1007,
  ]);
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
    onFlip: ({ entries }) => told.push([bench.pool.readyCount, entries]),
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
  assertEquals(bench.flips, ["127.0.0.1:1 ready", "127.0.0.1:2 down"]);
});

Deno.test("Pool: a probe that read no counts leaves them as they are", () => {
  const bench = new Bench(1);
  bench.countedOne(1, 7, 2);
  bench.pool.probed(bench.backend(1), { ok: true }, bench.backend(1).mark());
  bench.late(1);
  const [snapshot] = bench.pool.snapshot();
  assertEquals([snapshot?.entries, snapshot?.errors], [7, 2]);
});

Deno.test("Pool.trustAll: all are ready without a look", () => {
  const bench = new Bench(2);
  bench.pool.trustAll();
  assertEquals(bench.pool.readyCount, 2);
  assertEquals(bench.flips, ["127.0.0.1:1 ready", "127.0.0.1:2 ready"]);
  bench.pool.connectFailed(bench.backend(1), "refused");
  assertEquals(bench.pool.readyCount, 1);
});

Deno.test("Pool.snapshot: tells all of each backend, in the order given", () => {
  const bench = new Bench(2);
  bench.countedOne(1, 10, 1);
  bench.pool.connectFailed(bench.backend(2), "connection refused");
  const held = bench.pool.acquire(ANYBODY, []);
  const failed = bench.pool.acquire(ANYBODY, []);
  if (failed !== null) failed.end = "refused";
  failed?.[Symbol.dispose]();
  const nothing = {
    entries: 0,
    errors: 0,
    inFlight: 0,
    leased: 0,
    failures: 0,
    bytesUp: 0,
    bytesDown: 0,
  };
  assertEquals(bench.pool.snapshot(), [
    {
      name: "127.0.0.1:1",
      weight: 1,
      state: "ready",
      reason: "",
      entries: 11,
      errors: 1,
      inFlight: 1,
      leased: 2,
      failures: 1,
      bytesUp: 0,
      bytesDown: 0,
    },
    { name: "127.0.0.1:2", weight: 1, state: "down", reason: "connection refused", ...nothing },
  ]);
  held?.[Symbol.dispose]();
});

Deno.test("Pool: no order of events makes it offer who is down or tried, or lose a count", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = new Random(seed);
    const bench = new Bench(random.integer(1, 5), { fall: random.integer(1, 3) });
    const held: Disposable[] = [];
    for (let step = 0; step < 200; step++) {
      const backend = random.pick(bench.pool.backends);
      const event = random.integer(0, 5);
      if (event === 0) bench.countedOne(backend.order + 1, random.integer(0, 50));
      if (event === 1) bench.late(backend.order + 1);
      if (event === 2 && random.chance(0.3)) bench.pool.connectFailed(backend, "refused");
      if (event === 3) held.pop()?.[Symbol.dispose]();
      if (event >= 4) acquireChecked(bench, { random, held, where: `seed ${seed}, step ${step}` });
      const inFlight = bench.pool.snapshot().reduce((sum, each) => sum + each.inFlight, 0);
      assertEquals(inFlight, held.length, `seed ${seed}, step ${step}`);
    }
  }
});

interface Step {
  readonly random: Random;
  readonly held: Disposable[];
  readonly where: string;
}

function acquireChecked({ pool }: Bench, { random, held, where }: Step): void {
  const tried = pool.backends.filter(() => random.chance(0.3));
  const allowed = pool.backends.filter((each) =>
    each.health.state === "ready" && !tried.includes(each)
  );
  const lease = pool.acquire(ANYBODY, tried);
  assertEquals(lease === null, allowed.length === 0, where);
  if (lease === null) return;
  assert(allowed.includes(lease.backend), `${where}: ${lease.backend.name} is not allowed`);
  held.push(lease);
}
