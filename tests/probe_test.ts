import { probe } from "../lib/probe.ts";
import { assertEquals } from "./support/assert.ts";
import { FakeClock } from "./support/fake_clock.ts";
import { RawServer } from "./support/raw_server.ts";

// Regression: the deadline of a probe that was long over set a timer, which nobody waited for.
Deno.test("probe: when it is over, its deadline is of no account", async () => {
  await using server = new RawServer(() => {});
  const clock = new FakeClock();
  const address = { hostname: "127.0.0.1", port: server.port };
  const timeoutMs = 200;
  const result = await probe(address, { kind: "tcp", path: "/", timeoutMs, clock });
  assertEquals(result, { ok: true });
  // Set later and for as long, it fires later.
  await new Promise((resolve) => AbortSignal.timeout(timeoutMs).addEventListener("abort", resolve));
  assertEquals(clock.pending, 0);
});
