/** How a balancer stops: in two phases, and how to cut each of them short. */
import type { Balancer } from "../../lib/balancer.ts";
import { makeConfig } from "../../lib/config.ts";
import { SWEEP_MS } from "../../lib/deadlines.ts";
import { SteeringError } from "../../lib/errors.ts";
import { assertEquals, assertMatch, assertRejects } from "../support/assert.ts";
import { makeBalancer, startBalancer } from "../support/balancer.ts";
import { BalancerProcess } from "../support/balancer_process.ts";
import { askOnce, ByteClient, get } from "../support/byte_client.ts";
import { CapturedLog } from "../support/captured_log.ts";
import { GATE_ANSWER, GateServer } from "../support/gate_server.ts";
import { FILES } from "../support/http_clients.ts";
import { startHttpServer } from "../support/httpserver.ts";
import { RawServer, readSome, writeAll } from "../support/raw_server.ts";
import { connectTcp } from "../support/tcp_connection.ts";
import { until } from "../support/until.ts";

const ASK = "GET /a.txt HTTP/1.1\r\nHost: test\r\n\r\n";
const TRUSTING = { health: "off", policy: "round-robin" } as const;

/** Does that answer say that it is the last of its connection? */
function isLast(answer: string): boolean {
  assertMatch(answer, /^HTTP\/1.1 200 [^]*alpha/);
  return answer.includes("\r\nConnection: close\r\n");
}

/** Waits until so much time has passed. */
function passes(durationMs: number): Promise<void> {
  const endMs = performance.now() + durationMs;
  return until(() => performance.now() > endMs, "time passes");
}

/** Can nobody connect there any more? */
function refuses(port: number): Promise<boolean> {
  return ByteClient.connect(port).then((client) => (client[Symbol.dispose](), false), () => true);
}

Deno.test("stop: for the drain delay it says that it drains, and serves whoever comes", async () => {
  await using server = new GateServer();
  server.open();
  await using balancer = await startBalancer([server.port], { ...TRUSTING, drainDelayMs: "24h" });
  assertEquals(balancer.snapshot().state, "serving");
  const stopped = balancer.stop();
  assertEquals(balancer.snapshot().state, "draining");
  for (let turn = 0; turn < 5; turn++) {
    assertEquals(await askOnce(balancer.address.port, get("/")), GATE_ANSWER);
  }
  await balancer[Symbol.asyncDispose](); // It cuts the delay short.
  await stopped;
});

Deno.test("stop: after the drain delay it accepts no more, and what runs finishes", async () => {
  await using server = new GateServer();
  await using balancer = await startBalancer([server.port], { ...TRUSTING, drainDelayMs: "50ms" });
  const { port } = balancer.address;
  const running = askOnce(port, get("/"));
  await until(() => server.asked.length === 1, "a client is being served");
  const stopped = balancer.stop();
  await until(() => refuses(port), "it accepts no more");
  await until(() => balancer.snapshot().carried === 1, "those who only looked have gone");
  server.open();
  assertEquals(await running, GATE_ANSWER);
  await stopped;
});

Deno.test("stop: without a drain delay it says that it drains, and accepts no more", async () => {
  await using server = new GateServer();
  await using balancer = await startBalancer([server.port], TRUSTING);
  const { port } = balancer.address;
  const running = askOnce(port, get("/"));
  await until(() => server.asked.length === 1, "a client is being served");
  const stopped = balancer.stop();
  assertEquals(balancer.snapshot().state, "draining");
  await until(() => refuses(port), "it accepts no more");
  server.open();
  await running;
  await stopped;
});

// Regression: those that the kernel had taken in and nobody had accepted were reset; and in http mode
// who had not asked yet was sent away.
for (const mode of ["bridge", "http"] as const) {
  Deno.test(`stop: in ${mode} mode, who has connected by then is served`, async () => {
    await using server = new GateServer();
    server.open();
    await using balancer = await startBalancer([server.port], { ...TRUSTING, mode });
    const { port } = balancer.address;
    const clients = await Promise.all(Array.from({ length: 50 }, () => ByteClient.connect(port)));
    const stopped = balancer.stop();
    await until(() => refuses(port), "it accepts no more");
    await Promise.all(clients.map((client) => client.send(get("/"))));
    for (const client of clients) {
      assertMatch(await client.receiveAll(), /^HTTP\/1.1 200 [^]*ok$/);
      client[Symbol.dispose]();
    }
    await stopped;
  });
}

// Regression: in bridge mode the last second was counted from when they had connected.
for (const mode of ["bridge", "http"] as const) {
  Deno.test(`stop: in ${mode} mode, who connected long before and asks only now is served`, async () => {
    await using server = new GateServer();
    server.open();
    await using balancer = await startBalancer([server.port], { ...TRUSTING, mode });
    const { port } = balancer.address;
    using client = await ByteClient.connect(port);
    await until(() => balancer.snapshot().clients === 1, "it is accepted");
    await passes(1200);
    const stopped = balancer.stop();
    await passes(3 * SWEEP_MS); // Deadlines that are over have been met.
    await client.send(get("/"));
    assertMatch(await client.receiveAll(), /^HTTP\/1.1 200 [^]*ok$/);
    client[Symbol.dispose]();
    await stopped;
  });
}

// Regression: kept connections were closed under requests that were on their way.
Deno.test("stop: in http mode, a kept client that asks once more is answered, and told to go", async () => {
  await using server = await startHttpServer({ files: FILES });
  await using balancer = await startBalancer([server.port], { ...TRUSTING, mode: "http" });
  using client = await ByteClient.connect(balancer.address.port);
  await client.send(ASK);
  assertEquals(isLast(await client.receiveUntil("alpha")), false);
  const stopped = balancer.stop();
  await until(() => refuses(balancer.address.port), "it accepts no more");
  await client.send(ASK);
  assertEquals(isLast(await client.receiveAll()), true);
  await stopped;
});

// Regression: nobody was told, so kept connections broke when the delay was over.
Deno.test("stop: in http mode, during the drain delay each answer says that it is the last", async () => {
  await using server = await startHttpServer({ files: FILES });
  const settings = { ...TRUSTING, mode: "http", drainDelayMs: "24h" };
  await using balancer = await startBalancer([server.port], settings);
  const { port } = balancer.address;
  using before = await ByteClient.connect(port);
  await before.send(ASK);
  await before.receiveUntil("alpha");
  const stopped = balancer.stop();
  await before.send(ASK);
  assertEquals(isLast(await before.receiveAll()), true);
  using during = await ByteClient.connect(port);
  await during.send(ASK);
  assertEquals(isLast(await during.receiveAll()), true);
  await balancer[Symbol.asyncDispose]();
  await stopped;
});

/** A server that takes connections and says nothing. */
function silentServer(): RawServer {
  return new RawServer(async (conn) => {
    while (await readSome(conn) !== "");
  });
}

/** Waits for the end of a stop, and not for ever. */
async function hasStopped(balancer: Balancer): Promise<void> {
  let isStopped = false;
  balancer.stop().then(() => isStopped = true);
  await until(() => isStopped, "it has stopped");
}

/** Longer than a test may wait. */
const HANGING = { probeTimeoutMs: "1m", drainTimeoutMs: "1m" } as const;

// Regression: a stop waited for the probes under way, up to --probe-timeout.
Deno.test("stop: probes under way are dropped, those under former settings too", async () => {
  await using silent = silentServer();
  await using server = await startHttpServer({ files: FILES });
  const settings = { ...HANGING, intervalMs: "100ms" };
  await using balancer = await startBalancer([server.port], settings);
  const reload = (healthPath: string): Promise<string> => {
    const backends = [`${server.port}`, `${silent.port}`];
    const given = { listen: "127.0.0.1:0", backends, settings: { ...settings, healthPath } };
    return balancer.reload(makeConfig(given));
  };
  await reload("/healthcheck");
  await until(() => silent.open === 1, "a check is under way");
  await reload("/healthcheck?");
  await until(() => silent.connections === 2, "another check is under way");
  await hasStopped(balancer);
});

// Regression: it waited for the first round of checks.
Deno.test("stop: during the start it ends the start", async () => {
  await using silent = silentServer();
  await using balancer = makeBalancer([silent.port], HANGING);
  await until(() => silent.open === 1, "the first check is under way");
  await hasStopped(balancer);
});

Deno.test("stop: during the start it does not wait for names", async () => {
  await using log = await CapturedLog.start();
  const lookup = (): Promise<readonly string[]> => new Promise(() => {});
  const settings = { ...HANGING, health: "off", policy: "random" };
  await using balancer = makeBalancer(["web.test:80"], settings, { lookup });
  await balancer.stop();
  assertEquals(log.lines.filter((line) => line.includes("gave no answer")), []);
});

for (const mode of ["bridge", "http"] as const) {
  Deno.test(`stop: during the start, in ${mode} mode, who has connected is served`, async () => {
    const healthy = Promise.withResolvers<void>();
    await using server = new RawServer(async (conn) => {
      const isCheck = (await readSome(conn)).startsWith("GET /healthcheck");
      if (isCheck) await healthy.promise;
      await writeAll(conn, isCheck ? "HTTP/1.1 200 OK\r\n\r\n0\n0\n" : GATE_ANSWER);
    });
    await using balancer = makeBalancer([server.port], { ...HANGING, mode });
    const { port } = balancer.address;
    const waiting = askOnce(port, get("/"));
    await until(() => balancer.snapshot().waiting === 1, "a client waits");
    const stopped = balancer.stop();
    await until(() => refuses(port), "it accepts no more");
    healthy.resolve();
    assertMatch(await waiting, /^HTTP\/1.1 200 [^]*ok$/);
    await stopped;
  });

  Deno.test(`stop: during the start, in ${mode} mode, it ends when who waits has left`, async () => {
    await using silent = silentServer();
    await using balancer = makeBalancer([silent.port], { ...HANGING, mode });
    using waiting = await connectTcp(balancer.address);
    await waiting.write(new TextEncoder().encode(get("/")));
    await until(() => balancer.snapshot().waiting === 1, "a client waits");
    const stopped = hasStopped(balancer);
    await until(() => refuses(balancer.address.port), "it accepts no more");
    waiting.reset();
    await stopped;
  });

  Deno.test(`stop: during the start, in ${mode} mode, the drain deadline ends who waits`, async () => {
    await using silent = silentServer();
    const settings = { ...HANGING, drainTimeoutMs: "200ms", mode };
    await using balancer = makeBalancer([silent.port], settings);
    const waiting = askOnce(balancer.address.port, get("/"));
    await until(() => balancer.snapshot().waiting === 1, "a client waits");
    await hasStopped(balancer);
    assertEquals(await waiting, "");
  });
}

// Regression: a reload that waited for the start, and the start for its checks, held the stop up.
Deno.test("stop: a reload that waits for the start is refused at once", async () => {
  await using silent = silentServer();
  await using balancer = makeBalancer([silent.port], HANGING);
  await until(() => silent.open === 1, "the first check is under way");
  const backends = [`${silent.port}`];
  const reloading = balancer.reload(makeConfig({ listen: "127.0.0.1:0", backends, settings: {} }));
  const refused = assertRejects(() => reloading, SteeringError);
  await hasStopped(balancer);
  await refused;
});

Deno.test("stop: a reload that looks names up is refused at once, also with a drain delay", async () => {
  await using log = await CapturedLog.start();
  await using server = new GateServer();
  const lookup = (): Promise<readonly string[]> => new Promise(() => {});
  const settings = { ...TRUSTING, drainDelayMs: "24h" };
  await using balancer = await startBalancer([server.port], settings, { lookup });
  const backends = ["web.test:80"];
  const reloading = balancer.reload(makeConfig({ listen: "127.0.0.1:0", backends, settings }));
  balancer.stop();
  await assertRejects(() => reloading, SteeringError);
  assertEquals(log.lines.filter((line) => line.includes("gave no answer")), []);
});

Deno.test("stop: clients under former settings are seen out like all others", async () => {
  await using server = new GateServer();
  const settings = { ...TRUSTING, mode: "http", drainTimeoutMs: "24h" };
  await using balancer = await startBalancer([server.port], settings);
  const { port } = balancer.address;
  using idle = await ByteClient.connect(port);
  const running = askOnce(port, get("/"));
  await until(() => server.asked.length === 1, "a client is being served");
  await until(() => balancer.snapshot().clients === 2, "another says nothing");
  const backends = [`${server.port}`];
  const listen = "127.0.0.1:0";
  await balancer.reload(makeConfig({ listen, backends, settings: { ...settings, queueMax: "1" } }));
  const stopped = balancer.stop();
  assertEquals(await idle.receiveAll(), "", "who says nothing goes soon");
  server.open();
  assertMatch(await running, /^HTTP\/1.1 200 [^]*ok$/);
  await stopped;
  assertEquals(balancer.snapshot().clients, 0);
});

Deno.test("snapshot: says how long it has run, and how many servers are ready", async () => {
  await using server = new GateServer();
  await using balancer = await startBalancer([server.port], TRUSTING);
  const { uptimeMs, readyCount } = balancer.snapshot();
  assertEquals(readyCount, 1);
  await until(() => balancer.snapshot().uptimeMs > uptimeMs, "time passes");
});

Deno.test("program: SIGTERM with --drain-delay says so and serves on; a second one ends it at once", async () => {
  await using server = new GateServer();
  server.open();
  await using process = new BalancerProcess(
    ["0", `${server.port}`, "--health", "off", "--drain-delay", "24h"],
  );
  const port = await process.port();
  await process.says(/Serving/);
  process.kill("SIGTERM");
  await process.says(/Draining: accepting clients for another 86400s, 0 here now/);
  assertEquals(await askOnce(port, get("/")), GATE_ANSWER);
  process.kill("SIGTERM");
  assertEquals((await process.end()).code, 0);
});

Deno.test("program: SIGHUP loads the configuration again, over and over, and it serves on", async () => {
  await using server = new GateServer();
  server.open();
  await using process = new BalancerProcess(["0", `${server.port}`, "--health", "off"]);
  const port = await process.port();
  process.kill("SIGHUP"); // Maybe during the start.
  await process.says(/Reloaded: nothing has changed/);
  const reloads = (): number => process.stderr.split("Reloaded: ").length - 1;
  for (let time = 0; time < 3; time++) {
    const before = reloads();
    process.kill("SIGHUP");
    await until(() => reloads() > before, "it was loaded again");
    assertEquals(await askOnce(port, get("/")), GATE_ANSWER);
  }
  process.kill("SIGTERM");
  const { code, stderr } = await process.end();
  assertEquals(code, 0);
  assertMatch(stderr, /Stopped/);
});

Deno.test("program: SIGHUP while it stops changes nothing, and says so", async () => {
  await using server = new GateServer();
  await using process = new BalancerProcess(
    ["0", `${server.port}`, "--health", "off", "--drain-timeout", "24h"],
  );
  const running = askOnce(await process.port(), get("/"));
  await until(() => server.asked.length === 1, "a client is being served");
  process.kill("SIGTERM");
  await process.says(/Draining: 1 client left, 86400s until they are closed/);
  process.kill("SIGHUP");
  await process.says(
    /ERROR {3}Not reloaded, nothing has changed: Cannot reload: the balancer is being stopped/,
  );
  server.open();
  assertEquals(await running, GATE_ANSWER);
  assertEquals((await process.end()).code, 0);
});
