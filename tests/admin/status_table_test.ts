import {
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
  type Timed,
} from "../../lib/admin/status_table.ts";
import { makeConfig } from "../../lib/config.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { backendSnapshot, FakeSteerable } from "../support/fake_steerable.ts";

const CONFIG = makeConfig({ listen: "8080", backends: ["1234"] });
const PLAIN: StatusTableOptions = { width: null, colour: false, before: null };

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function backend(change: Parameters<typeof backendSnapshot>[0] = {}): BackendStatus {
  return backendStatus(backendSnapshot(change), iso);
}

function timed(atMs: number, change: Partial<Status> = {}): Timed {
  const source = { config: CONFIG, version: "1.2.3", startedMs: 0, nowMs: 90_000, iso };
  return { atMs, status: { ...statusOf({ ...source, balancer: new FakeSteerable() }), ...change } };
}

Deno.test("summaryLines: say what the balancer is, and how many clients are where", () => {
  assertEquals(summaryLines(timed(0), PLAIN), [
    "[::]:8080 is serving: 1 of 1 servers ready, up 1m, bridge mode, least-entries, " +
    "loadbalancer 1.2.3",
    "clients: 9 accepted, 2 carried, 1 waiting, 3 lingering, 4 turned away",
  ]);
});

Deno.test("backendLines: a line for each server, with why it is as it is", () => {
  const backends = [
    backend({ weight: 3, inFlight: 2, max: 8, leased: 70, latencyMs: 1.25, bytesUp: 1536 }),
    backend({ name: "[::1]:80", backup: true, state: "down", reason: "refused", sinceMs: 80_000 }),
  ];
  assertEquals(backendLines(timed(0, { backends }), PLAIN), [
    "SERVER             STATE  FOR  WEIGHT  NOW  TOTAL  FAILED  LATENCY  ENTRIES  ERRORS       UP  DOWN  WHY",
    "127.0.0.1:1234     ready   1m       3  2/8     70       0   1.3 ms        0       0  1.5 KiB   0 B  its checks succeed",
    "[::1]:80 (backup)  down   10s       1    0      0       0        -        0       0      0 B   0 B  refused",
  ]);
});

Deno.test("backendLines: rates are those between two statuses", () => {
  const before = timed(1000, { backends: [backend({ leased: 10 }), backend({ name: "b:2" })] });
  const now = timed(3000, {
    backends: [
      backend({ leased: 15 }),
      backend({ name: "b:2", leased: 3000 }),
      backend({ name: "c:3" }),
    ],
  });
  const rates = backendLines(now, { ...PLAIN, before }).map((line) => line.split(/ {2,}/)[5]);
  assertEquals(rates, ["PER S", "2.5", "1500", "-"]);
});

Deno.test("backendLines: a count that went backwards, or no time between, is no rate", () => {
  const before = timed(1000, { backends: [backend({ leased: 10 })] });
  const rate = (now: Timed): string =>
    backendLines(now, { ...PLAIN, before })[1]?.split(/ {2,}/)[5] ?? "";
  assertEquals(rate(timed(2000, { backends: [backend({ leased: 9 })] })), "-");
  assertEquals(rate(timed(1000, { backends: [backend({ leased: 11 })] })), "-");
});

Deno.test("summaryLines: tell how many clients came a second, where that is known", () => {
  const { status } = timed(0);
  const clients = { ...status.clients, accepted: 109 };
  const lines = summaryLines(timed(2000, { clients }), { ...PLAIN, before: timed(0) });
  assertStringIncludes(lines[1] ?? "", "109 accepted (50/s), ");
});

Deno.test("backendLines: states are coloured only where that is asked for", () => {
  const escape = "\x1b";
  const states = ["ready", "down", "draining", "disabled"] as const;
  const now = timed(0, { backends: states.map((state) => backend({ name: state, state })) });
  assert(!backendLines(now, PLAIN).join("").includes(escape));
  const coloured = backendLines(now, { ...PLAIN, colour: true });
  const codes = coloured.slice(1).map((line) => line.split(escape)[1]);
  assertEquals(new Set(codes.map((code) => code?.split("m")[0])).size, states.length);
});

Deno.test("backendLines, summaryLines: fit any width, and keep what matters most", () => {
  const now = timed(0, { backends: [backend({ state: "down", reason: "r".repeat(300) })] });
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
  const now = timed(0, { backends: [backend({ reason: "\x1b[2J\x07" })] });
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
