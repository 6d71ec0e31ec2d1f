/** Servers of a running balancer that people add, remove and steer. */
import { parseBackend } from "../../lib/backend_argument.ts";
import type { Balancer } from "../../lib/balancer.ts";
import { makeConfig } from "../../lib/config.ts";
import { SteeringError } from "../../lib/errors.ts";
import { assert, assertEquals, assertMatch, assertThrows } from "../support/assert.ts";
import { makeBalancer, startBalancer } from "../support/balancer.ts";
import { askOnce, ByteClient, get } from "../support/byte_client.ts";
import { GATE_ANSWER, GateServer } from "../support/gate_server.ts";
import { FILES } from "../support/http_clients.ts";
import { startHttpServer } from "../support/httpserver.ts";
import { deadPort, RawServer, readSome, writeAll } from "../support/raw_server.ts";
import { until } from "../support/until.ts";

const TRUSTING = { health: "off", policy: "round-robin" } as const;

function states(balancer: Balancer): string[] {
  return balancer.snapshot().backends.map(({ state, inFlight }) => `${state} ${inFlight}`);
}

Deno.test("addServer: it is checked first, and then serves", async () => {
  await using one = await startHttpServer({ files: FILES });
  await using two = await startHttpServer({ files: FILES });
  await using balancer = await startBalancer([one.port], { policy: "round-robin" });
  balancer.addServer(parseBackend(`${two.port}`));
  assertEquals(states(balancer), ["ready 0", "down 0"]);
  await until(() => balancer.snapshot().readyCount === 2, "it was checked");
  await askOnce(balancer.address.port, get("/a.txt"));
  await askOnce(balancer.address.port, get("/a.txt"));
  assertEquals([one.served.length, two.served.length], [1, 1]);
});

Deno.test("addServer: a name is looked up, and refused where it is the balancer's own address", async () => {
  await using two = new GateServer();
  two.open();
  const lookup = (): Promise<readonly string[]> => Promise.resolve(["127.0.0.1"]);
  await using balancer = makeBalancer([deadPort()], TRUSTING, { lookup });
  await balancer.ready;
  balancer.addServer(parseBackend(`web.test:${two.port}`));
  await until(() => balancer.snapshot().backends.length === 2, "it resolves");
  assertEquals(balancer.snapshot().backends[1]?.name, `127.0.0.1:${two.port}`);
  assertEquals(await askOnce(balancer.address.port, get("/")), GATE_ANSWER);
  const own = parseBackend(`${balancer.address.port}`);
  assertEquals(assertThrows(() => balancer.addServer(own), SteeringError).kind, "invalid");
});

Deno.test("removeServer: its running download finishes, nobody else gets there", async () => {
  await using old = new GateServer();
  await using other = new GateServer();
  other.open();
  await using balancer = await startBalancer([old.port, other.port], TRUSTING);
  const { port } = balancer.address;
  const download = askOnce(port, get("/"));
  await until(() => old.asked.length === 1, "it is under way");
  balancer.removeServer(`127.0.0.1:${old.port}`);
  for (let turn = 0; turn < 4; turn++) assertEquals(await askOnce(port, get("/")), GATE_ANSWER);
  assertEquals(states(balancer)[1], "draining 1", "it tells how many are left");
  assertEquals(old.connections, 1);
  old.open();
  assertEquals(await download, GATE_ANSWER);
  await until(() => balancer.snapshot().backends.length === 1, "it is gone");
});

Deno.test("steer: a server that drains finishes what it has and keeps no idle connection", async () => {
  const ends: Promise<void>[] = [];
  await using server = new RawServer(async (conn) => {
    const end = Promise.withResolvers<void>();
    ends.push(end.promise);
    while (await readSome(conn) !== "") {
      await writeAll(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
    end.resolve();
  });
  await using balancer = await startBalancer([server.port], {
    ...TRUSTING,
    mode: "http",
    backendKeepAliveMs: "1h",
  });
  using client = await ByteClient.connect(balancer.address.port);
  await (await client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n")).receiveUntil("ok");
  await until(() => states(balancer)[0] === "ready 0", "its connection is kept");
  balancer.steer(`${server.port}`, "draining");
  assertEquals(ends.length, 1);
  await Promise.all(ends);
  await client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
  assertMatch(await client.receiveUntil("503"), /HTTP\/1.1 503 /);
  const [backend] = balancer.snapshot().backends;
  assertEquals([backend?.state, backend?.reason], ["draining", "drained by hand"]);
  assertEquals(balancer.snapshot().readyCount, 0);
  balancer.steer(`${server.port}`, "enabled");
  assertMatch(await askOnce(balancer.address.port, get("/")), /ok$/);
});

Deno.test("setWeight: it counts from the next client on, until the configuration is loaded again", async () => {
  await using one = await startHttpServer({ files: FILES });
  await using two = await startHttpServer({ files: FILES });
  const servers = [one.port, two.port].map(String);
  await using balancer = await startBalancer(servers, TRUSTING);
  balancer.setWeight(`${two.port}`, 3);
  for (let turn = 0; turn < 8; turn++) await askOnce(balancer.address.port, get("/a.txt"));
  assertEquals([one.served.length, two.served.length], [2, 6]);
  const config = { listen: "127.0.0.1:0", backends: servers, settings: TRUSTING };
  await balancer.reload(makeConfig(config));
  assertEquals(balancer.snapshot().backends.map(({ weight }) => weight), [1, 1]);
});

Deno.test("steering: while a reload is under way the list of servers cannot be changed", async () => {
  await using one = await startHttpServer({ files: FILES });
  const answer = Promise.withResolvers<readonly string[]>();
  await using balancer = makeBalancer([one.port, deadPort()], TRUSTING, {
    lookup: () => answer.promise,
  });
  await balancer.ready;
  const backends = [`${one.port}`, "web.test:80"];
  const reloaded = balancer.reload(
    makeConfig({ listen: "127.0.0.1:0", backends, settings: TRUSTING }),
  );
  for (
    const call of [
      () => balancer.addServer(parseBackend("web.test:81")),
      () => balancer.removeServer(`${one.port}`),
    ]
  ) {
    const error = assertThrows(call, SteeringError);
    assertEquals(error.kind, "conflict");
    assert(error.message.endsWith(": a reload is under way"), error.message);
  }
  answer.resolve(["127.0.0.2"]);
  await reloaded;
  balancer.removeServer("web.test:80");
});
