/** What metrics say of real traffic. */
import { Metrics } from "../../lib/admin/metrics.ts";
import type { Balancer } from "../../lib/balancer.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { startBalancer } from "../support/balancer.ts";
import { askOnce, ByteClient, get } from "../support/byte_client.ts";
import { startHttpServer } from "../support/httpserver.ts";
import { readMetrics, type TextFamily, valueOf } from "../support/prometheus_text.ts";
import { deadPort, RawServer, readSome, writeAll } from "../support/raw_server.ts";
import { until } from "../support/until.ts";

const FILES = { "/a": new TextEncoder().encode("hello") };

/** The numbers of a balancer, each scrape new. */
class Scraper {
  families: ReadonlyMap<string, TextFamily> = new Map();
  readonly #metrics: Metrics;

  constructor(balancer: Balancer) {
    this.#metrics = new Metrics(balancer);
  }

  async scrape(): Promise<void> {
    this.families = readMetrics(await this.#metrics.text());
  }

  /** Of the last scrape. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number | null {
    return valueOf(this.families, `loadbalancer_${name}`, labels);
  }

  /** The sum over all series of the last scrape. */
  sum(name: string): number {
    const { samples = [] } = this.families.get(`loadbalancer_${name}`) ?? {};
    return samples.reduce((sum, { value }) => sum + value, 0);
  }

  /** Scrapes until a number is that. */
  async reach(name: string, value: number, labels: Record<string, string> = {}): Promise<void> {
    await until(async () => {
      await this.scrape();
      return this.value(name, labels) === value;
    }, () => `${name} is ${value}, not ${this.value(name, labels)}`);
  }
}

/** A request that keeps its connection; resolves when the answer's body is there. */
async function ask(client: ByteClient, times: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    const before = client.text.length;
    await client.send("GET /a HTTP/1.1\r\nHost: test\r\n\r\n");
    while (!client.text.slice(before).endsWith("hello")) await client.receive();
  }
}

Deno.test("Metrics: in http mode requests are counted, and how the connections to servers came about", async () => {
  await using server = await startHttpServer({ files: FILES });
  await using balancer = await startBalancer([server.port], { mode: "http" });
  const scraper = new Scraper(balancer);
  const backend = `127.0.0.1:${server.port}`;
  {
    using client = await ByteClient.connect(balancer.address.port);
    await ask(client, 5);
    await scraper.reach("requests_total", 5, { backend, ending: "served", by: "backend" });
    assertEquals(scraper.value("open_connections", { side: "client" }), 1);
  }
  await scraper.reach("open_connections", 0, { side: "client" });
  assertEquals(scraper.value("opened_connections_total"), 1);
  assertEquals(scraper.value("reused_connections_total"), 4);
  assertEquals(scraper.value("connect_seconds_count"), 1);
  for (const name of ["queue_wait", "first_byte", "duration"]) {
    assertEquals(scraper.value(`${name}_seconds_count`), 5, name);
  }
  assertEquals(scraper.value("backend_first_byte_seconds_count", { backend }), 5);
  assertEquals(scraper.value("backend_given_total", { backend }), 5);
  assertEquals(scraper.value("backend_bytes_total", { backend, direction: "down" }), 25);
  assertEquals(scraper.value("idle_connections"), 1);
  assertEquals(scraper.value("open_connections", { side: "backend" }), 1);
  assertEquals(scraper.value("backend_state_changes_total", { backend }), 1);
  const probes = scraper.value("backend_probes_total", { backend, result: "ok" }) ?? 0;
  assert(probes > 0, "no probe was counted");
  assertEquals(scraper.value("backend_probe_seconds_count", { backend }), probes);
  assertEquals(scraper.value("backend_probes_total", { backend, result: "failed" }), 0);
  assertEquals(scraper.value("clients_accepted_total"), 1);
  // The server ends the connection that is kept, unasked.
  await server[Symbol.asyncDispose]();
  await scraper.reach("lost_connections_total", 1);
  assertEquals(scraper.value("idle_connections"), 0);
});

Deno.test("Metrics: in http mode a client that does not ask, or not again, is no request", async () => {
  await using server = await startHttpServer({ files: FILES });
  const settings = { mode: "http", headTimeoutMs: "100ms", keepAliveTimeoutMs: "100ms" } as const;
  await using balancer = await startBalancer([server.port], settings);
  const scraper = new Scraper(balancer);
  using client = await ByteClient.connect(balancer.address.port);
  await ask(client, 1);
  using _mute = await ByteClient.connect(balancer.address.port);
  for (const ending of ["keep-alive-timeout", "head-timeout"]) {
    await scraper.reach("idle_clients_total", 1, { ending, by: "balancer" });
  }
  assertEquals(scraper.sum("requests_total"), 1);
});

Deno.test("Metrics: in http mode retries and failovers are counted", async () => {
  await using mute = new RawServer(async (conn) => void await readSome(conn));
  await using server = await startHttpServer({ files: FILES });
  await using balancer = await startBalancer([mute.port, server.port], {
    mode: "http",
    health: "off",
    policy: "round-robin",
  });
  const scraper = new Scraper(balancer);
  using client = await ByteClient.connect(balancer.address.port);
  await ask(client, 2);
  await scraper.reach("requests_total", 2, { backend: `127.0.0.1:${server.port}` });
  const failed = scraper.value("backend_failures_total", { backend: `127.0.0.1:${mute.port}` }) ??
    0;
  assert(failed >= 1, "the mute server was never asked");
  assertEquals(scraper.value("retries_total"), failed);
  assertEquals(scraper.value("failovers_total"), failed);
  assertEquals(scraper.value("retries_refused_total"), 0);
});

Deno.test("Metrics: in http mode a kept connection that the server gives up as it is used is stale", async () => {
  // Each connection answers once; the second request on it is read, and the connection closed.
  await using server = new RawServer(async (conn) => {
    if (await readSome(conn) === "") return;
    await writeAll(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    await readSome(conn);
  });
  await using balancer = await startBalancer([server.port], { mode: "http", health: "off" });
  const scraper = new Scraper(balancer);
  using client = await ByteClient.connect(balancer.address.port);
  await ask(client, 2);
  await scraper.reach("requests_total", 2, { ending: "served" });
  assertEquals(scraper.value("stale_connections_total"), 1);
  assertEquals(scraper.value("reused_connections_total"), 1);
  assertEquals(scraper.value("opened_connections_total"), 2);
  assertEquals(scraper.value("retries_total"), 0);
});

for (const mode of ["bridge", "tcp"]) {
  Deno.test(`Metrics: in ${mode} mode connections are counted, with failed servers and without any`, async () => {
    const dead = deadPort();
    const server = await startHttpServer({ files: FILES });
    await using balancer = await startBalancer([dead, server.port], {
      mode,
      health: "off",
      policy: "round-robin",
    });
    const scraper = new Scraper(balancer);
    const backend = `127.0.0.1:${server.port}`;
    const answer = await askOnce(balancer.address.port, get("/a"));
    assert(answer.endsWith("hello"), answer);
    await scraper.reach("connections_total", 1, { backend, ending: "served" });
    assertEquals(scraper.value("failovers_total"), 1);
    assertEquals(scraper.value("backend_failures_total", { backend: `127.0.0.1:${dead}` }), 1);
    const down = { backend: `127.0.0.1:${dead}`, state: "down" };
    assertEquals(scraper.value("backend_state", down), 1);
    assertEquals(
      scraper.value("backend_bytes_total", { backend, direction: "down" }),
      answer.length,
    );
    assertEquals(scraper.value("requests_total"), null);
    assertEquals(scraper.value("idle_connections"), null);
    await server[Symbol.asyncDispose]();
    await askOnce(balancer.address.port, get("/a"));
    await scraper.reach("clients_accepted_total", 2);
    await until(async () => {
      await scraper.scrape();
      return scraper.sum("connections_total") === 2;
    }, "both connections are counted");
    assertEquals(scraper.value("connections_total", { ending: "nobody", by: "balancer" }), 1);
  });
}

Deno.test("Metrics: while traffic flows no counter goes down, and in the end all are accounted for", async () => {
  const CLIENTS = 8;
  const REQUESTS = 30;
  await using one = await startHttpServer({ files: FILES });
  await using other = await startHttpServer({ files: FILES });
  await using balancer = await startBalancer([one.port, other.port], { requests: "10" });
  const scraper = new Scraper(balancer);
  const traffic = Array.from({ length: CLIENTS }, async () => {
    for (let time = 0; time < REQUESTS; time++) {
      const answer = await askOnce(balancer.address.port, get("/a"));
      assert(answer.endsWith("hello"), answer);
    }
  });
  let flows = true;
  const ended = Promise.allSettled(traffic).then(() => flows = false);
  let before = new Map<string, number>();
  const totals = (): Map<string, number> =>
    new Map(
      [...scraper.families.values()].filter(({ type }) => type !== "gauge").flatMap(({ samples }) =>
        samples.map(({ name, labels, value }) => [JSON.stringify([name, labels]), value] as const)
      ),
    );
  do {
    await scraper.scrape();
    const after = totals();
    for (const [series, value] of before) {
      assert((after.get(series) ?? -1) >= value, `${series} was ${value}, is ${after.get(series)}`);
    }
    before = after;
  } while (flows);
  await ended;
  await Promise.all(traffic);
  await until(async () => {
    await scraper.scrape();
    return scraper.sum("connections_total") === CLIENTS * REQUESTS;
  }, () => `${scraper.sum("connections_total")} of ${CLIENTS * REQUESTS} are accounted for`);
  assertEquals(scraper.value("clients_accepted_total"), CLIENTS * REQUESTS);
  assertEquals(scraper.value("duration_seconds_count"), CLIENTS * REQUESTS);
  assertEquals(scraper.sum("backend_given_total"), CLIENTS * REQUESTS);
  await scraper.reach("open_connections", 0, { side: "client" });
  assertEquals([scraper.sum("backend_in_flight"), scraper.value("carried")], [0, 0]);
});

Deno.test("Metrics: probes of a server that is not well count as failed", async () => {
  await using sick = new RawServer(async (conn) => {
    await readSome(conn);
    await writeAll(conn, "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n");
  });
  await using balancer = await startBalancer([sick.port], { health: "http" });
  const scraper = new Scraper(balancer);
  const backend = `127.0.0.1:${sick.port}`;
  await until(async () => {
    await scraper.scrape();
    return (scraper.value("backend_probes_total", { backend, result: "failed" }) ?? 0) >= 2;
  }, "two probes have failed");
  assertEquals(scraper.value("backend_probes_total", { backend, result: "ok" }), 0);
});
