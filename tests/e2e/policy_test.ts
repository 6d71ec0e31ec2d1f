/** The policies on real sockets: what they are told arrives, and what they choose is done. */
import { Balancer } from "../../lib/balancer.ts";
import { systemClock } from "../../lib/clock.ts";
import { makeConfig } from "../../lib/config.ts";
import { hash64 } from "../../lib/policy/hash.ts";
import { POLICIES, type PolicyName } from "../../lib/policy/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { type Settings, startBalancer } from "../support/balancer.ts";
import { askOnce, get } from "../support/byte_client.ts";
import { candidate, seeded } from "../support/candidates.ts";
import { type HttpServer, startHttpServer } from "../support/httpserver.ts";
import { RawServer, readSome, writeAll } from "../support/raw_server.ts";

const FILES = { "/a.txt": new TextEncoder().encode("a") };
const CLIENTS = 12;

/** Serves clients, one after the other, on all addresses; how many each server got. */
async function shares(
  policy: PolicyName,
  servers: readonly HttpServer[],
  weights: readonly number[] = [],
): Promise<number[]> {
  const backends = servers.map(({ port }, at) => `${port},weight=${weights[at] ?? 1}`);
  const settings = { policy, requests: "0", intervalMs: "1h" };
  await using balancer = new Balancer(makeConfig({ listen: "0", backends, settings }));
  for (let client = 0; client < CLIENTS; client++) {
    const answer = await fetch(`http://127.0.0.1:${balancer.address.port}/a.txt`, {
      headers: { connection: "close" },
    });
    assertEquals([answer.status, await answer.text()], [200, "a"]);
  }
  return balancer.snapshot().backends.map(({ leased }) => leased);
}

async function withServers(test: (servers: readonly HttpServer[]) => Promise<void>): Promise<void> {
  await using one = await startHttpServer({ files: FILES });
  await using two = await startHttpServer({ files: FILES });
  await using three = await startHttpServer({ files: FILES });
  await test([one, two, three]);
}

for (const name of Object.keys(POLICIES) as PolicyName[]) {
  Deno.test(`--policy ${name}: every client is served`, async () => {
    await withServers(async (servers) => {
      const counts = await shares(name, servers);
      assertEquals(counts.reduce((sum, each) => sum + each, 0), CLIENTS, counts.join());
    });
  });
}

for (const name of ["least-entries", "round-robin"] as const) {
  Deno.test(`--policy ${name}: weights of the command line are respected`, async () => {
    await withServers(async (servers) => {
      assertEquals(await shares(name, servers, [1, 2, 3]), [2, 4, 6]);
    });
  });
}

for (const name of ["ip-hash", "maglev"] as const) {
  Deno.test(`--policy ${name}: clients of one address share the server that is theirs`, async () => {
    await withServers(async (servers) => {
      const backends = servers.map(({ port }, order) =>
        candidate(order, { hash: hash64(`127.0.0.1:${port}`) })
      );
      const policy = POLICIES[name].create(seeded(1));
      policy.prepare?.(backends);
      // Listening on "::", the system tells the address as ::ffff:127.0.0.1.
      const home = policy.pick(backends, { ip: "127.0.0.1" });
      const counts = await shares(name, servers);
      assert(counts[home.order] === CLIENTS, `${counts.join()}; expected all at ${home.order}`);
    });
  });
}

/** Asks one after the other, and lets whatever becomes of it be; how many each server got. */
async function leasedByPeakEwma(
  servers: readonly RawServer[],
  settings: Settings,
  request: string,
): Promise<number[]> {
  await using balancer = await startBalancer(servers.map(({ port }) => port), {
    policy: "peak-ewma",
    health: "tcp",
    ...settings,
  });
  for (let client = 0; client < 30; client++) await askOnce(balancer.address.port, request);
  return balancer.snapshot().backends.map(({ leased }) => leased);
}

const POST = "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi";

function answering(delayMs: number): RawServer {
  return new RawServer(async (conn) => {
    await readSome(conn);
    await new Promise<void>((resolve) => systemClock.after(delayMs, resolve));
    await writeAll(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
}

Deno.test("--policy peak-ewma: a slow server is seen to be slow, and left alone", async () => {
  await using slow = answering(300);
  await using fast = answering(0);
  const [atSlow = 0, atFast = 0] = await leasedByPeakEwma([slow, fast], {}, get("/"));
  assert(atSlow <= 2 && atFast >= 28, `${atSlow} at the slow one, ${atFast} at the fast one`);
});

for (const mode of ["bridge", "tcp"] as const) {
  Deno.test(`--policy peak-ewma: in ${mode} mode a server that ends at once is left alone`, async () => {
    await using failing = new RawServer(async (conn) => void await readSome(conn));
    await using good = answering(0);
    const [atFailing = 0] = await leasedByPeakEwma([failing, good], { mode }, POST);
    assert(atFailing <= 2, `${atFailing} of 30 clients were sent to it`);
  });
}
