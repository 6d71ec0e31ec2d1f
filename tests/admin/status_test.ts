import { backendStatus, type Status, statusOf, whyNotReady } from "../../lib/admin/status.ts";
import { makeConfig } from "../../lib/config.ts";
import { assertEquals } from "../support/assert.ts";
import { backendSnapshot, FakeSteerable } from "../support/fake_steerable.ts";

const CONFIG = makeConfig({ listen: "7000", backends: ["1234"], settings: { mode: "http" } });

function iso(ms: number): string {
  return `at ${ms}`;
}

function status(balancer: FakeSteerable | null): Status {
  return statusOf({
    config: CONFIG,
    version: "1.2.3",
    balancer,
    startedMs: 1000,
    nowMs: 4900,
    iso,
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
    backends: [],
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

Deno.test("backendStatus: tells since when as a date, and of no bound as null", () => {
  const { sinceMs: _, ...same } = backendSnapshot({ inFlight: 3, latencyMs: 1.5 });
  const unbounded = backendStatus(
    backendSnapshot({ sinceMs: 70, inFlight: 3, latencyMs: 1.5 }),
    iso,
  );
  assertEquals(unbounded, { ...same, max: null, since: "at 70" });
  assertEquals(JSON.parse(JSON.stringify(unbounded)), unbounded, "JSON loses something");
  assertEquals(backendStatus(backendSnapshot({ max: 8 }), iso).max, 8);
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
    assertEquals(whyNotReady(balancer), "none of 2 servers is ready", state);
  }
  balancer.backends = [backendSnapshot({ state: "down" }), backendSnapshot()];
  assertEquals(whyNotReady(balancer), null);
});
