import { systemClock } from "../lib/clock.ts";
import { probe } from "../lib/probe.ts";
import { assertEquals } from "./support/assert.ts";
import { BlackHole } from "./support/black_hole.ts";
import { FakeClock } from "./support/fake_clock.ts";
import { RawServer, readSome } from "./support/raw_server.ts";
import { until } from "./support/until.ts";

// Regression: the deadline of a probe that was long over set a timer, which nobody waited for.
Deno.test("probe: when it is over, its deadline is of no account", async () => {
  await using server = new RawServer(() => {});
  const clock = new FakeClock();
  const address = { hostname: "127.0.0.1", port: server.port };
  const timeoutMs = 200;
  const { signal } = new AbortController();
  const result = await probe(address, { kind: "tcp", path: "/", timeoutMs, clock, signal });
  assertEquals(result, { ok: true });
  // Set later and for as long, it fires later.
  await new Promise((resolve) => AbortSignal.timeout(timeoutMs).addEventListener("abort", resolve));
  assertEquals(clock.pending, 0);
});

for (const kind of ["entries", "http"] as const) {
  Deno.test(`probe: of ${kind}, says nothing and lets go as soon as nobody wants to know`, async () => {
    await using server = new RawServer(async (conn) => {
      while (await readSome(conn) !== "");
    });
    const address = { hostname: "127.0.0.1", port: server.port };
    const abort = new AbortController();
    const { signal } = abort;
    const options = { kind, path: "/", timeoutMs: 3_600_000, clock: systemClock, signal };
    const result = probe(address, options);
    await until(() => server.open === 1, "it is connected");
    abort.abort();
    assertEquals(await result, null);
    await until(() => server.open === 0, "its connection is closed");
    assertEquals(await probe(address, options), null);
    assertEquals(server.connections, 1);
  });
}

Deno.test("probe: a connect that hangs is dropped as soon as nobody wants to know", async () => {
  await using hole = await BlackHole.dig();
  const abort = new AbortController();
  const result = probe({ hostname: "127.0.0.1", port: hole.port }, {
    kind: "tcp",
    path: "/",
    timeoutMs: 3_600_000,
    clock: systemClock,
    signal: abort.signal,
  });
  abort.abort();
  assertEquals(await result, null);
});
