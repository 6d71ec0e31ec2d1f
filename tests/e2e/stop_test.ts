/** How a balancer stops: in two phases, and how to cut each of them short. */
import { makeConfig } from "../../lib/config.ts";
import { assertEquals, assertMatch } from "../support/assert.ts";
import { startBalancer } from "../support/balancer.ts";
import { BalancerProcess } from "../support/balancer_process.ts";
import { askOnce, ByteClient, get } from "../support/byte_client.ts";
import { GATE_ANSWER, GateServer } from "../support/gate_server.ts";
import { until } from "../support/until.ts";

const TRUSTING = { health: "off", policy: "round-robin" } as const;

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
  assertEquals(balancer.snapshot().carried, 1);
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

// Regression: those that the kernel had taken in and nobody had accepted were reset.
Deno.test("stop: who has connected by then is served", async () => {
  await using server = new GateServer();
  server.open();
  await using balancer = await startBalancer([server.port], TRUSTING);
  const { port } = balancer.address;
  const clients = await Promise.all(Array.from({ length: 50 }, () => ByteClient.connect(port)));
  const stopped = balancer.stop();
  for (const client of clients) {
    await client.send(get("/"));
    assertEquals(await client.receiveAll(), GATE_ANSWER);
    client[Symbol.dispose]();
  }
  await stopped;
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
  assertEquals(await idle.receiveAll(), "", "who says nothing goes at once");
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
  await process.says(/Draining: accepting clients for another 86400s/);
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
