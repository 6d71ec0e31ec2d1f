import { register } from "prom-client";
import { METRICS } from "../../lib/admin/metric_list.ts";
import { DETAILED_BACKENDS_MAX, Metrics } from "../../lib/admin/metrics.ts";
import type { Backend } from "../../lib/backend.ts";
import { ENDING, ENDINGS } from "../../lib/ending.ts";
import { BOUNDS_MS } from "../../lib/histogram.ts";
import { Passage } from "../../lib/passage.ts";
import { assert, assertEquals, assertLess, assertMatch, assertRejects } from "../support/assert.ts";
import { leaseOf, makeBackend } from "../support/backends.ts";
import { FakeSource } from "../support/metrics_source.ts";
import { has } from "../support/programs.ts";
import { readMetrics, type TextFamily, valueOf } from "../support/prometheus_text.ts";
import { Random } from "../support/random.ts";

const CLIENT: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 5 };
const NO_HTTP = { idle: 0, opened: 0, reused: 0, stale: 0, lost: 0, retries: 0, retriesRefused: 0 };
const HTTP_ONLY = METRICS.filter(({ modes }) => String(modes) === "http").length;
const MODES = ["bridge", "tcp", "http"] as const;

function backendAt(port: number, { clock }: FakeSource, hostname = "127.0.0.1"): Backend {
  return makeBackend({ address: { hostname, port }, now: () => clock.now() });
}

async function scrape(source: FakeSource): Promise<Map<string, TextFamily>> {
  return readMetrics(await new Metrics(source, { accessLog: { dropped: 26 } }).text());
}

/** A passage that took so long in each of its parts, and ended like that. */
function pass(
  { clock, journal }: FakeSource,
  { backend = null as Backend | null, ending = ENDING.served as Passage["ending"], stepMs = 0 } =
    {},
): void {
  const passage = new Passage(CLIENT, clock.now());
  if (backend !== null) {
    clock.stall(stepMs);
    using lease = leaseOf(backend);
    passage.leased(lease);
    clock.stall(stepMs);
    lease.connected();
    lease.answered();
  }
  clock.stall(stepMs);
  if (ending !== null) passage.end(ending);
  journal.ended(passage);
}

/** Many passages, probes and so on, the same for the same seed. */
function live(source: FakeSource, random: Random): void {
  for (let time = 0; time < 50; time++) {
    const backend = random.chance(0.9) ? random.pick(source.backends) : null;
    pass(source, { backend, ending: random.pick(ENDINGS), stepMs: random.integer(0, 9000) / 7 });
    const probed = random.pick(source.backends);
    probed.probes.ended(random.chance(0.8), random.next() * 100);
    probed.observe(
      random.chance(0.8) ? { ok: true } : { ok: false, final: true, reason: "refused" },
    );
    probed.bytesUp += random.integer(0, 1e9);
    source.delays.observe(random.next() * 70_000);
  }
}

for (const mode of MODES) {
  Deno.test(`Metrics: in ${mode} mode each has help, a type and the right unit, and none is missing`, async () => {
    const source = new FakeSource({ mode });
    source.counts = { ...source.counts, http: mode === "http" ? NO_HTTP : null };
    source.backends = [backendAt(1, source), backendAt(2, source)];
    live(source, new Random(1));
    source.journal.idleEndings[ENDING.headTimeout.place] = 1;
    const families = await scrape(source);
    const expected = METRICS.filter(({ modes }) => modes?.includes(mode) ?? true);
    assertEquals([...families.keys()], expected.map(({ name }) => name));
    for (const { name, type, labels } of expected) {
      assertMatch(name, /^loadbalancer_[a-z_]+$/);
      assertEquals(families.get(name)?.type, type);
      assertEquals(type === "counter", name.endsWith("_total"), name);
      const samples = families.get(name)?.samples ?? [];
      if (!name.endsWith("_fds")) assert(samples.length > 0, `${name} has no samples`);
      for (const sample of samples) {
        const { le: _, ...others } = sample.labels;
        assertEquals(Object.keys(others), [...labels], name);
      }
    }
  });
}

Deno.test("Metrics: connections are counted by backend, ending and by whom, without those that never were", async () => {
  const source = new FakeSource();
  const backend = backendAt(80, source, "::1");
  source.backends = [backend];
  pass(source, { backend });
  pass(source, { backend });
  pass(source, { backend, ending: ENDING.servedClient });
  pass(source, { ending: ENDING.queueFull });
  const samples = (await scrape(source)).get("loadbalancer_connections_total")?.samples;
  const name = "loadbalancer_connections_total";
  assertEquals(samples, [
    { name, labels: { backend: "", ending: "queue", by: "balancer" }, value: 1 },
    { name, labels: { backend: "[::1]:80", ending: "served", by: "client" }, value: 1 },
    { name, labels: { backend: "[::1]:80", ending: "served", by: "backend" }, value: 2 },
  ]);
});

Deno.test("Metrics: a histogram has each observation in all buckets from its own up, in seconds", async () => {
  const source = new FakeSource();
  for (const ms of [0, 0.25, 0.375, 30_000, 60_000, 60_001]) source.journal.lasted.observe(ms);
  const families = await scrape(source);
  const bucket = (le: string): number | null =>
    valueOf(families, "loadbalancer_duration_seconds_bucket", { le });
  assertEquals([bucket("0.00025"), bucket("0.0005"), bucket("10")], [2, 3, 3]);
  assertEquals([bucket("30"), bucket("60"), bucket("+Inf")], [4, 5, 6]);
  assertEquals(valueOf(families, "loadbalancer_duration_seconds_sum"), 150.001625);
  assertEquals(valueOf(families, "loadbalancer_duration_seconds_count"), 6);
  const { samples = [] } = families.get("loadbalancer_duration_seconds") ?? {};
  assertEquals(samples.length, BOUNDS_MS.length + 3);
});

Deno.test("Metrics: each number comes from its own place", async () => {
  const source = new FakeSource({ mode: "http", parallel: "30", queueMax: "31" });
  const first = backendAt(1, source);
  source.backends = [first, backendAt(2, source)];
  source.counts = {
    ...source.counts,
    accepted: 1,
    exhaustions: { accept: 2, connect: 3 },
    clients: 4,
    carried: 5,
    waiting: 6,
    lingering: 7,
    turnedAway: 8,
    unresolved: ["a.test:1", "b.test:1"].map((name) => ({ name, reason: "", sinceMs: 0 })),
    http: { idle: 9, opened: 10, reused: 11, stale: 12, lost: 13, retries: 14, retriesRefused: 15 },
  };
  Object.assign(first, { weight: 16, inFlight: 17, leased: 18, failures: 19, stateChanges: 20 });
  Object.assign(first, { bytesUp: 21, bytesDown: 22 });
  first.counted({ entries: 23, errors: 24 }, first.mark(), null);
  first.probes.ended(true, 1000);
  first.probes.ended(true, 2000);
  first.probes.ended(false, 4000);
  source.journal.failovers = 25;
  const families = await scrape(source);
  const value = (name: string, labels: Record<string, string> = {}): number | null =>
    valueOf(families, `loadbalancer_${name}`, labels);
  assertEquals(value("clients_accepted_total"), 1);
  assertEquals(value("exhausted_total", { at: "accept" }), 2);
  assertEquals(value("exhausted_total", { at: "connect" }), 3);
  assertEquals(value("open_connections", { side: "client" }), 4);
  assertEquals(value("open_connections", { side: "backend" }), 17 + 9);
  assertEquals([value("carried"), value("carried_max")], [5, 30]);
  assertEquals([value("waiting"), value("waiting_max")], [6, 31]);
  assertEquals([value("lingering"), value("turned_away_total")], [7, 8]);
  assertEquals(value("servers_unresolved"), 2);
  assertEquals([value("idle_connections"), value("opened_connections_total")], [9, 10]);
  assertEquals(value("reused_connections_total"), 11);
  assertEquals(value("stale_connections_total"), 12);
  assertEquals(value("lost_connections_total"), 13);
  assertEquals([value("retries_total"), value("retries_refused_total")], [14, 15]);
  const ofFirst = (name: string, labels = {}): number | null =>
    value(`backend_${name}`, { backend: "127.0.0.1:1", ...labels });
  assertEquals([ofFirst("weight"), ofFirst("in_flight"), ofFirst("given_total")], [16, 17, 18]);
  assertEquals([ofFirst("failures_total"), ofFirst("state_changes_total")], [19, 20]);
  assertEquals(ofFirst("bytes_total", { direction: "up" }), 21);
  assertEquals(ofFirst("bytes_total", { direction: "down" }), 22);
  assertEquals([ofFirst("entries"), ofFirst("errors")], [23, 24]);
  assertEquals(ofFirst("probes_total", { result: "ok" }), 2);
  assertEquals(ofFirst("probes_total", { result: "failed" }), 1);
  assertEquals(ofFirst("probe_seconds_sum"), 7);
  assertEquals([value("failovers_total"), value("access_log_lines_dropped_total")], [25, 26]);
  assertEquals(value("backend_weight", { backend: "127.0.0.1:2" }), 1);
});

Deno.test("Metrics: times of passages go to the histograms of their parts", async () => {
  const source = new FakeSource();
  const [one, other] = [backendAt(1, source), backendAt(2, source)];
  source.backends = [one, other];
  pass(source, { backend: one, stepMs: 250 });
  pass(source, { ending: ENDING.nobody, stepMs: 500 });
  const families = await scrape(source);
  const sum = (name: string, labels = {}): number | null =>
    valueOf(families, `loadbalancer_${name}_sum`, labels);
  assertEquals(sum("queue_wait_seconds"), 0.25);
  assertEquals(sum("connect_seconds"), 0.25);
  assertEquals(sum("first_byte_seconds"), 0.5);
  assertEquals(sum("duration_seconds"), 1.25);
  assertEquals(sum("backend_first_byte_seconds", { backend: one.name }), 0.5);
  assertEquals(sum("backend_first_byte_seconds", { backend: other.name }), 0);
});

Deno.test("Metrics: exactly one state of a backend is 1, and it is the one that it is in", async () => {
  const source = new FakeSource();
  const backend = backendAt(1, source);
  source.backends = [backend];
  const states = async (): Promise<string[]> => {
    const { samples = [] } = (await scrape(source)).get("loadbalancer_backend_state") ?? {};
    assertEquals(samples.length, 4);
    return samples.filter(({ value }) => value === 1).map(({ labels }) => labels["state"] ?? "");
  };
  assertEquals(await states(), ["down"]);
  backend.observe({ ok: true });
  assertEquals(await states(), ["ready"]);
  backend.steer("draining");
  assertEquals(await states(), ["draining"]);
  backend.steer("disabled");
  assertEquals(await states(), ["disabled"]);
  const changes = valueOf(await scrape(source), "loadbalancer_backend_state_changes_total");
  assertEquals(changes, 3);
});

Deno.test("Metrics: counts of backends are there only with checks that bring them", async () => {
  for (const [health, there] of [["entries", 0], ["http", null], ["off", null]] as const) {
    const source = new FakeSource({ health });
    source.backends = [backendAt(1, source)];
    assertEquals(valueOf(await scrape(source), "loadbalancer_backend_entries"), there, health);
    assertEquals(valueOf(await scrape(source), "loadbalancer_backend_errors"), there, health);
  }
});

Deno.test("Metrics: label values come back as they were, whatever is in them", async () => {
  const names = ["::1", 'quo"ted', "back\\slash", "new\nline", 'a",b="c', "} 1", "größe"];
  const source = new FakeSource();
  source.backends = names.map((name) => backendAt(80, source, name));
  const { samples = [] } = (await scrape(source)).get("loadbalancer_backend_weight") ?? {};
  assertEquals(samples.map(({ labels }) => labels["backend"]), source.backends.map((b) => b.name));
});

Deno.test("Metrics: no counter, bucket or sum goes down from one scrape to the next", async () => {
  const source = new FakeSource();
  source.backends = [backendAt(1, source), backendAt(2, source), backendAt(3, source)];
  const random = new Random(7);
  const metrics = new Metrics(source);
  const seriesOf = async (): Promise<Map<string, number>> => {
    const families = readMetrics(await metrics.text());
    return new Map(
      [...families.values()].filter(({ type }) => type !== "gauge").flatMap(({ samples }) =>
        samples.map(({ name, labels, value }) => [JSON.stringify([name, labels]), value] as const)
      ),
    );
  };
  let before = await seriesOf();
  for (let round = 0; round < 20; round++) {
    live(source, random);
    const after = await seriesOf();
    for (const [series, value] of before) {
      assert((after.get(series) ?? -1) >= value, `${series} was ${value}, is ${after.get(series)}`);
    }
    assert(after.size >= before.size);
    before = after;
  }
});

Deno.test("Metrics: what a backend had counted goes with it, the sums over all passages stay", async () => {
  const source = new FakeSource();
  const [stays, goes] = [backendAt(1, source), backendAt(2, source)];
  source.backends = [stays, goes];
  pass(source, { backend: stays });
  pass(source, { backend: goes });
  const metrics = new Metrics(source);
  await metrics.text();
  source.backends = [stays];
  const text = await metrics.text();
  assert(!text.includes(goes.name), "a series of the removed backend is still there");
  assertEquals(valueOf(readMetrics(text), "loadbalancer_duration_seconds_count"), 2);
});

Deno.test("Metrics: with many backends histograms and zeros of single ones are left out", async () => {
  const source = new FakeSource();
  const backends = Array.from({ length: 500 }, (_, at) => backendAt(at + 1, source));
  for (const backend of backends) backend.observe({ ok: true });
  source.backends = backends;
  live(source, new Random(3));
  const text = await new Metrics(source).text();
  assertLess(text.split("\n").length, 6000);
  const families = readMetrics(text);
  assertEquals(families.get("loadbalancer_backend_probe_seconds")?.samples, []);
  assertEquals(families.get("loadbalancer_backend_state")?.samples.length, 500);
  assertEquals(families.get("loadbalancer_backend_weight")?.samples.length, 500);
  const zero = [...families.values()].flatMap(({ samples }) => samples)
    .filter(({ labels, value }) => value === 0 && "backend" in labels);
  assertEquals(zero, []);
  assert((valueOf(families, "loadbalancer_duration_seconds_count") ?? 0) > 0);

  source.backends = backends.slice(0, DETAILED_BACKENDS_MAX);
  const few = await scrape(source);
  assertEquals(few.get("loadbalancer_backend_state")?.samples.length, 4 * DETAILED_BACKENDS_MAX);
  assert((few.get("loadbalancer_backend_probe_seconds")?.samples.length ?? 0) > 0);
});

Deno.test("Metrics: two balancers in one process do not mix, and nothing is in the global registry", async () => {
  const [one, other] = [new FakeSource(), new FakeSource()];
  one.counts = { ...one.counts, accepted: 3 };
  const [a, b] = [new Metrics(one), new Metrics(other)];
  const texts = await Promise.all([a.text(), b.text(), a.text()]);
  assertEquals(
    texts.map((text) => valueOf(readMetrics(text), "loadbalancer_clients_accepted_total")),
    [3, 0, 3],
  );
  assertEquals(register.getMetricsAsArray(), []);
});

Deno.test("Metrics: who asks while a scrape is under way gets that one, who asks later a new one", async () => {
  const source = new FakeSource();
  const metrics = new Metrics(source);
  const [first, second] = [metrics.text(), metrics.text()];
  assertEquals(await first, await second);
  source.counts = { ...source.counts, accepted: 1 };
  const third = readMetrics(await metrics.text());
  assertEquals(valueOf(third, "loadbalancer_clients_accepted_total"), 1);
});

Deno.test("Metrics: a scrape that fails does not stand in the way of the next", async () => {
  const source = new FakeSource();
  const metrics = new Metrics(source);
  const { snapshot } = source;
  source.snapshot = (): never => {
    throw new TypeError("not now");
  };
  await assertRejects(() => metrics.text(), TypeError, "not now");
  source.snapshot = snapshot;
  assertEquals(readMetrics(await metrics.text()).size, METRICS.length - HTTP_ONLY);
});

Deno.test("Metrics: a mode that is new after a reload has its own metrics, with what was counted before", async () => {
  const source = new FakeSource({ mode: "bridge" });
  const metrics = new Metrics(source);
  pass(source, { ending: ENDING.nobody });
  const before = readMetrics(await metrics.text());
  assertEquals(valueOf(before, "loadbalancer_connections_total"), 1);
  source.reload({ mode: "http" });
  source.counts = { ...source.counts, http: NO_HTTP };
  const after = readMetrics(await metrics.text());
  assertEquals(valueOf(after, "loadbalancer_connections_total"), null);
  assertEquals(valueOf(after, "loadbalancer_requests_total"), 1);
  assertEquals(valueOf(after, "loadbalancer_idle_connections"), 0);
  assertEquals(valueOf(after, "loadbalancer_build_info", { mode: "http" }), 1);
});

Deno.test("Metrics: what is running, since when, and what it takes", async () => {
  const families = await scrape(new FakeSource({ mode: "tcp", policy: "p2c" }));
  const { default: { version } } = await import("../../deno.json", { with: { type: "json" } });
  const labels = { version, deno: Deno.version.deno, mode: "tcp", policy: "p2c" };
  assertEquals(valueOf(families, "loadbalancer_build_info", labels), 1);
  const started = valueOf(families, "loadbalancer_process_start_time_seconds") ?? NaN;
  assert(Math.abs(started - performance.timeOrigin / 1000) < 1, `started at ${started}`);
  for (const name of ["resident_memory", "heap", "heap_used", "external_memory"]) {
    const bytes = valueOf(families, `loadbalancer_process_${name}_bytes`) ?? 0;
    assert(bytes > 10_000, `${name}: ${bytes}`);
  }
  assert((valueOf(families, "loadbalancer_process_cpu_seconds_total") ?? 0) > 0);
});

Deno.test("Metrics: open descriptors are those of the process", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  const metrics = new Metrics(new FakeSource());
  const open = async (): Promise<number> => {
    const families = readMetrics(await metrics.text());
    const count = valueOf(families, "loadbalancer_process_open_fds") ?? NaN;
    assertLess(count, valueOf(families, "loadbalancer_process_max_fds") ?? NaN);
    return count;
  };
  const before = await open();
  const listeners = Array.from({ length: 50 }, () => Deno.listen({ port: 0 }));
  const during = await open();
  for (const listener of listeners) listener.close();
  // Others of this process may come and go meanwhile, but not fifty.
  assert(during - before > 25 && during - before < 75, `${before}, then ${during}`);
});

Deno.test("Metrics: without permission for /proc there are no descriptors, and nobody is asked", {
  permissions: { net: true },
}, async () => {
  const families = await scrape(new FakeSource());
  assertEquals(families.get("loadbalancer_process_open_fds")?.samples, []);
  assertEquals(families.get("loadbalancer_process_max_fds")?.samples, []);
});

Deno.test("Metrics: without an access log none of its lines are counted", async () => {
  const families = readMetrics(await new Metrics(new FakeSource()).text());
  assertEquals(families.get("loadbalancer_access_log_lines_dropped_total")?.samples, []);
});

const noPromtool = has("promtool") ? "" : " (skipped: there is no promtool)";
for (const mode of MODES) {
  Deno.test(`Metrics: promtool finds nothing wrong with those of ${mode} mode${noPromtool}`, {
    ignore: noPromtool !== "",
  }, async () => {
    const source = new FakeSource({ mode });
    source.counts = { ...source.counts, http: mode === "http" ? NO_HTTP : null };
    source.backends = [backendAt(1, source, "::1"), backendAt(2, source, 'quo"ted')];
    live(source, new Random(5));
    const metrics = new Metrics(source);
    assertEquals(metrics.contentType, "text/plain; version=0.0.4; charset=utf-8");
    const promtool = new Deno.Command("promtool", {
      args: ["check", "metrics", "--extended"],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = promtool.stdin.getWriter();
    await writer.write(new TextEncoder().encode(await metrics.text()));
    await writer.close();
    const { code, stderr, stdout } = await promtool.output();
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
    assertMatch(new TextDecoder().decode(stdout), /loadbalancer_duration_seconds/);
  });
}
