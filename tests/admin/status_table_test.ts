import { History } from "../../lib/admin/history.ts";
import type { Rates } from "../../lib/admin/meter.ts";
import {
  type BackendSource,
  type BackendStatus,
  backendStatus,
  type Status,
  statusOf,
} from "../../lib/admin/status.ts";
import {
  backendLines,
  bytes,
  duration,
  type StatusTableOptions,
  summaryLines,
} from "../../lib/admin/status_table.ts";
import { makeConfig } from "../../lib/config.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { backendSnapshot, FakeSteerable } from "../support/fake_steerable.ts";

const CONFIG = makeConfig({ listen: "8080", backends: ["1234"] });
const PLAIN: StatusTableOptions = { width: null, colour: false, height: null };

const TELLING: BackendSource = {
  iso: (ms) => new Date(ms).toISOString(),
  history: new History(0),
};

function backend(
  change: Parameters<typeof backendSnapshot>[0] = {},
  rates: Partial<Rates> = {},
): BackendStatus {
  return { ...backendStatus(backendSnapshot(change), TELLING), ...rates };
}

function status(change: Partial<Status> = {}): Status {
  const source = { config: CONFIG, version: "1.2.3", startedMs: 0, nowMs: 90_000, ...TELLING };
  return { ...statusOf({ ...source, balancer: new FakeSteerable() }), ...change };
}

Deno.test("summaryLines: say what the balancer is, where clients are, and what became of them", () => {
  const total = { perSecond: 1234.5, failuresPerSecond: 0.25, p50Ms: 1.25, p99Ms: 40.4 };
  assertEquals(summaryLines(status({ total }), PLAIN), [
    "[::]:8080 is serving: 1 of 1 servers ready, up 1m, bridge mode, least-entries, " +
    "loadbalancer 1.2.3",
    "clients: 9 accepted, 2 carried, 1 waiting, 3 lingering, 4 turned away",
    "last 5s: 1235 per second, 0.3 failed, first byte p50 1.3 ms, p99 40 ms",
  ]);
  assertEquals(
    summaryLines(status(), PLAIN)[2],
    "last 5s: 0 per second, 0 failed, first byte p50 -, p99 -",
  );
});

// Regression: LATENCY was what peak-ewma goes by, seconds for servers that failed within one.
Deno.test("backendLines: a line for each server, with its rates, times, and why it is as it is", () => {
  const backends = [
    backend(
      { weight: 3, inFlight: 2, max: 8, leased: 70, bytesUp: 1536 },
      { perSecond: 2.5, p50Ms: 1.25, p99Ms: 40 },
    ),
    backend({ name: "[::1]:80", backup: true, state: "down", reason: "refused", sinceMs: 80_000 }),
  ];
  assertEquals(backendLines(status({ backends }), PLAIN), [
    "SERVER             STATE  FOR  WEIGHT  NOW  PER S     P50    P99  TOTAL  FAILED  ENTRIES  ERRORS       UP  DOWN  WHY",
    "127.0.0.1:1234     ready   1m       3  2/8    2.5  1.3 ms  40 ms     70       0        0       0  1.5 KiB   0 B  its checks succeed",
    "[::1]:80 (backup)  down   10s       1    0      0       -      -      0       0        0       0      0 B   0 B  refused",
  ]);
});

// Regression: of a server whose name did not resolve nothing was shown.
Deno.test("summaryLines, backendLines: a server whose name has no address counts, and is a line", () => {
  const unresolved = [
    { name: "web.test:80", reason: "no such name", since: TELLING.iso(50_000) },
  ];
  assertMatch(summaryLines(status({ unresolved }), PLAIN)[0] ?? "", /: 1 of 2 servers ready,/);
  const lines = backendLines(status({ unresolved }), { ...PLAIN, width: 80 });
  assertEquals(lines, [
    "SERVER          STATE       FOR  NOW  PER S  P99  FAILED  WHY",
    "127.0.0.1:1234  ready        1m    0      0    -       0  its checks succeed",
    "web.test:80     unresolved  40s    -      -    -       -  no such name",
  ]);
  const short = backendLines(status({ unresolved }), { ...PLAIN, height: 2 });
  assertEquals(short[1], "… 2 more, 1 of them not ready");
});

// Regression: at 80 columns the reason went, and with it what to do.
Deno.test("backendLines: 80 columns have room for the reason of a server that is down", () => {
  const reason = "/healthcheck answered 404; for servers without it, use --health tcp";
  const backends = [
    backend({ leased: 123_456, bytesUp: 15e9, inFlight: 100, max: 200 }, { perSecond: 5000 }),
    backend({ name: "10.200.100.100:8080", state: "down", reason }),
  ];
  const lines = backendLines(status({ backends }), { ...PLAIN, width: 80 });
  assertMatch(lines[0] ?? "", /^SERVER +STATE +FOR +NOW +(?:PER S +)?WHY$/);
  assertStringIncludes(lines[2] ?? "", "/healthcheck answered 404");
});

// Regression: those that were down stood below the end of the screen.
Deno.test("backendLines: where not all fit, those not ready come first, and the rest is told of", () => {
  const states = ["ready", "down", "ready", "draining", "ready"] as const;
  const backends = states.map((state, at) => backend({ name: `${at}:80`, state }));
  const lines = (height: number): string[] =>
    backendLines(status({ backends }), { ...PLAIN, height })
      .map((line) => /^(?:\d:80|…).*/.test(line) ? line.replace(/(:80) .*/, "$1") : "head");
  assertEquals(lines(6), ["head", "0:80", "1:80", "2:80", "3:80", "4:80"]);
  assertEquals(lines(5), ["head", "1:80", "3:80", "0:80", "… 2 more, ready"]);
  assertEquals(lines(3), ["head", "1:80", "… 4 more, 1 of them not ready"]);
  assertEquals(lines(1), ["… 5 more, 2 of them not ready"]);
  assertEquals([lines(0), lines(-3)], [[], []]);
});

Deno.test("backendLines: states are coloured only where that is asked for", () => {
  const escape = "\x1b";
  const states = ["ready", "down", "draining", "disabled"] as const;
  const now = status({ backends: states.map((state) => backend({ name: state, state })) });
  assert(!backendLines(now, PLAIN).join("").includes(escape));
  const coloured = backendLines(now, { ...PLAIN, colour: true });
  const codes = coloured.slice(1).map((line) => line.split(escape)[1]);
  assertEquals(new Set(codes.map((code) => code?.split("m")[0])).size, states.length);
});

Deno.test("backendLines, summaryLines: fit any width, and keep what matters most", () => {
  const now = status({ backends: [backend({ state: "down", reason: "r".repeat(300) })] });
  for (let width = 1; width <= 200; width++) {
    const options = { ...PLAIN, width };
    for (const line of [...summaryLines(now, options), ...backendLines(now, options)]) {
      assert([...line].length <= width, `${width}: ${line}`);
    }
  }
  assertEquals(backendLines(now, { ...PLAIN, width: 30 }), [
    "SERVER          STATE  NOW",
    "127.0.0.1:1234  down     0",
  ]);
});

Deno.test("backendLines: what a server says cannot take over the terminal", () => {
  const now = status({ backends: [backend({ reason: "\x1b[2J\x07" })] });
  assert(!/\p{Cc}/u.test(backendLines(now, PLAIN).join("")));
});

Deno.test("duration: a span in its largest unit, with the next where hours are not enough", () => {
  const spans: Readonly<Record<number, string>> = {
    0: "0s",
    59.4: "59s",
    60: "1m",
    3599: "59m",
    3600: "1h0m",
    7500: "2h5m",
    86_399: "23h59m",
    86_400: "1d0h",
    1_000_000: "11d13h",
  };
  for (const [seconds, text] of Object.entries(spans)) {
    assertEquals(duration(Number(seconds)), text);
  }
  assertEquals(duration(-3), "0s");
});

Deno.test("bytes: a size in the unit that leaves the fewest digits", () => {
  const sizes: Readonly<Record<number, string>> = {
    0: "0 B",
    1023: "1023 B",
    1024: "1.0 KiB",
    1536: "1.5 KiB",
    150_000: "146 KiB",
    1_048_576: "1.0 MiB",
    5e15: "4547 TiB",
  };
  for (const [count, text] of Object.entries(sizes)) assertEquals(bytes(Number(count)), text);
});
