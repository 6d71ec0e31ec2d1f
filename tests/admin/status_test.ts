import { History } from "../../lib/admin/history.ts";
import { NO_RATES } from "../../lib/admin/meter.ts";
import {
  type BackendSource,
  backendStatus,
  type Status,
  statusOf,
  whyNotReady,
} from "../../lib/admin/status.ts";
import { makeConfig } from "../../lib/config.ts";
import { Histogram } from "../../lib/histogram.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { backendSnapshot, FakeSteerable } from "../support/fake_steerable.ts";

const CONFIG = makeConfig({ listen: "7000", backends: ["1234"], settings: { mode: "http" } });

const TELLING: BackendSource = { iso: (ms) => `at ${ms}`, history: new History(0) };

function status(balancer: FakeSteerable | null, history = TELLING.history): Status {
  return statusOf({
    config: CONFIG,
    version: "1.2.3",
    balancer,
    startedMs: 1000,
    nowMs: 4900,
    ...TELLING,
    history,
  });
}

Deno.test("statusOf: without a balancer all is starting, with what it was started with", () => {
  assertEquals(status(null), {
    schema: 1,
    version: "1.2.3",
    state: "starting",
    mode: "http",
    policy: "least-entries",
    listen: "[::]:7000",
    startedAt: "at 1000",
    uptimeSeconds: 3,
    clients: { accepted: 0, carried: 0, waiting: 0, lingering: 0, turnedAway: 0 },
    total: NO_RATES,
    backends: [],
    unresolved: [],
  });
});

Deno.test("statusOf: tells of the balancer as it is now", () => {
  const balancer = new FakeSteerable();
  balancer.state = "draining";
  const { state, mode, listen, clients, backends } = status(balancer);
  assertEquals([state, mode, listen], ["draining", "bridge", "[::]:8080"]);
  assertEquals(clients, { accepted: 9, carried: 2, waiting: 1, lingering: 3, turnedAway: 4 });
  assertEquals(backends.map(({ name }) => name), ["127.0.0.1:1234"]);
});

Deno.test("statusOf: tells of servers whose names have no address, why, and since when", () => {
  const balancer = new FakeSteerable();
  balancer.unresolved = [{ name: "web.test:80", reason: "no such name", sinceMs: 70 }];
  assertEquals(status(balancer).unresolved, [
    { name: "web.test:80", reason: "no such name", since: "at 70" },
  ]);
});

Deno.test("backendStatus: tells since when as a date, and of no bound as null", () => {
  const { sinceMs: _, ...same } = backendSnapshot({ inFlight: 3 });
  const unbounded = backendStatus(backendSnapshot({ sinceMs: 70, inFlight: 3 }), TELLING);
  assertEquals(unbounded, { ...same, ...NO_RATES, max: null, since: "at 70" });
  assertEquals(JSON.parse(JSON.stringify(unbounded)), unbounded, "JSON loses something");
  assertEquals(backendStatus(backendSnapshot({ max: 8 }), TELLING).max, 8);
});

// Regression: what was told as a time was what peak-ewma goes by, in which a failure is a second.
Deno.test("statusOf: tells times to the first byte as they were, in all and of each backend", () => {
  const history = new History(0);
  const [none, some] = [new Histogram(), new Histogram()];
  for (let count = 0; count < 100; count++) some.observe(count === 99 ? 40 : 2);
  for (const [atMs, answered, ended] of [[0, none, 0], [1000, some, 150]] as const) {
    const sums = { ended, failed: 0, answered: answered.counts };
    const backends = [{ name: "127.0.0.1:1234", ...sums, failed: ended / 3, inFlight: 0 }];
    history.take({ atMs, ...sums, carried: 0, waiting: 0, backends });
  }
  const { total, backends } = status(new FakeSteerable(), history);
  const [only] = backends;
  assert(only !== undefined);
  for (const { perSecond, failuresPerSecond, p50Ms, p99Ms } of [total, only]) {
    assertEquals([perSecond, failuresPerSecond], [150, 50]);
    assert(p50Ms !== null && p50Ms <= 4, `half of them took ${p50Ms} ms`);
    assert(p99Ms !== null && p99Ms <= 40, `99 of 100 took ${p99Ms} ms`);
  }
});

Deno.test("whyNotReady: null while it serves and a server is ready; else the reason", () => {
  const balancer = new FakeSteerable();
  assertEquals(whyNotReady(balancer), null);
  balancer.state = "starting";
  assertEquals(whyNotReady(balancer), "starting: the first round of checks is not over");
  assertEquals(whyNotReady(null), "starting: the first round of checks is not over");
  balancer.state = "draining";
  assertEquals(whyNotReady(balancer), "draining: it was told to stop");
  balancer.state = "serving";
  for (const state of ["down", "draining", "disabled"] as const) {
    balancer.backends = [backendSnapshot({ state }), backendSnapshot({ state: "down" })];
    const words = state === "down" ? "2 down" : `1 down, 1 ${state}`;
    assertEquals(whyNotReady(balancer), `no server is ready: ${words}`, state);
  }
  // Regression: "none of 0 servers is ready" is all that it said of names without an address.
  balancer.backends = [];
  balancer.unresolved = [{ name: "web.test:80", reason: "no such name", sinceMs: 70 }];
  assertEquals(whyNotReady(balancer), "no server is ready: 1 unresolved");
  balancer.backends = [backendSnapshot({ state: "disabled" })];
  assertEquals(whyNotReady(balancer), "no server is ready: 1 disabled, 1 unresolved");
  balancer.backends = [backendSnapshot({ state: "down" }), backendSnapshot()];
  assertEquals(whyNotReady(balancer), null);
});
