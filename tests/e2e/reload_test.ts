/** A whole new configuration for a running balancer: what changes, and that nobody loses by it. */
import type { Balancer } from "../../lib/balancer.ts";
import { ConfigError } from "../../lib/config_error.ts";
import { type Config, makeConfig } from "../../lib/config.ts";
import { BalancerError, SteeringError } from "../../lib/errors.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "../support/assert.ts";
import { makeBalancer, type Server, type Settings, startBalancer } from "../support/balancer.ts";
import { askOnce, ByteClient, get } from "../support/byte_client.ts";
import { GATE_ANSWER, GateServer } from "../support/gate_server.ts";
import { FILES } from "../support/http_clients.ts";
import { type HttpServer, startHttpServer } from "../support/httpserver.ts";
import { deadPort, RawServer, readSome, writeAll } from "../support/raw_server.ts";
import { has } from "../support/programs.ts";
import { SteadyLoad } from "../support/steady_load.ts";
import { until } from "../support/until.ts";

const TRUSTING = { health: "off", policy: "round-robin" } as const;
const ASK = "GET /a.txt HTTP/1.1\r\nHost: test\r\n\r\n";

function config(
  servers: readonly Server[],
  settings: Settings = {},
  listen = "127.0.0.1:0",
): Config {
  return makeConfig({ listen, backends: servers.map(String), settings });
}

function named(name: string): Promise<HttpServer> {
  return startHttpServer({ files: FILES, name });
}

function names(balancer: Balancer): string[] {
  return balancer.snapshot().backends.map(({ name }) => name);
}

/** What changes under load: from which settings to which, and what must have come of it. */
interface Change {
  readonly servers: (ports: readonly [number, number, number]) => readonly number[];
  readonly settings?: Settings;
  readonly moves?: boolean;
}

const BOTH = ([one, two]: readonly [number, number, number]): readonly number[] => [one, two];
const CHANGES: Readonly<Record<string, Change>> = {
  "nothing": { servers: BOTH },
  "the list of servers": { servers: ([, two, three]) => [two, three] },
  "all servers": { servers: ([, , three]) => [three] },
  "timeouts and the number of bridges": {
    servers: BOTH,
    settings: { idleTimeoutMs: "1h", firstByteTimeoutMs: "1h", parallel: "64" },
  },
  "policy and checks": { servers: BOTH, settings: { policy: "round-robin", health: "tcp" } },
  "the mode": { servers: BOTH, settings: { mode: "other" } },
  "the address": { servers: BOTH, moves: true },
  "everything": {
    servers: ([, , three]) => [three],
    settings: { mode: "other", health: "http", healthPath: "/a.txt", queueTimeoutMs: "1h" },
    moves: true,
  },
};

for (const mode of ["bridge", "http"] as const) {
  for (const [what, change] of Object.entries(CHANGES)) {
    Deno.test(`reload: under a steady load in ${mode} mode, ${what} may change and no request is lost`, async () => {
      await using one = await named("one");
      await using two = await named("two");
      await using three = await named("three");
      const ports = [one.port, two.port, three.port] as const;
      await using balancer = await startBalancer(BOTH(ports), { mode, drainTimeoutMs: "0s" });
      const before = balancer.address.port;
      const load = new SteadyLoad({ port: () => balancer.address.port });
      try {
        await load.more(100);
        const other = mode === "http" ? "bridge" : "http";
        const settings = { mode, ...change.settings };
        if (settings.mode === "other") settings.mode = other;
        const servers = change.servers(ports);
        const listen = `127.0.0.1:${change.moves === true ? deadPort() : 0}`;
        await balancer.reload(config(servers, settings, listen));
        await load.more(200);
        assertEquals(load.lost, []);
        assertEquals(balancer.address.port !== before, change.moves === true);
        for (const server of [one, two, three]) {
          if (servers.includes(server.port)) {
            await until(() => server.served.length > 0, `${server.name} serves`);
          }
        }
      } finally {
        await load[Symbol.asyncDispose]();
      }
      assertEquals(load.lost, []);
      const wanted = change.servers(ports).map((port) => `127.0.0.1:${port}`);
      await until(() => names(balancer).join() === wanted.join(), "the others are gone");
      await until(() => balancer.snapshot().carried === 0, "nobody is left");
    });
  }
}

Deno.test("reload: what runs on a server that was removed finishes; then it is gone", async () => {
  await using old = new GateServer();
  await using other = await named("other");
  await using balancer = await startBalancer([old.port], TRUSTING);
  const download = askOnce(balancer.address.port, get("/"));
  await until(() => old.asked.length === 1, "it is under way");
  await balancer.reload(config([other.port], TRUSTING));
  assertEquals(
    balancer.snapshot().backends.map(({ state, inFlight }) => `${state} ${inFlight}`),
    ["ready 0", "draining 1"],
  );
  assertMatch(await askOnce(balancer.address.port, get("/a.txt")), /alpha\n$/);
  old.open();
  assertEquals(await download, GATE_ANSWER);
  await until(() => names(balancer).join() === `127.0.0.1:${other.port}`, "it is gone");
  assertEquals(old.connections, 1);
});

Deno.test("reload: a server that is new is checked before it is used", async () => {
  const healthy = Promise.withResolvers<void>();
  await using slow = new RawServer(async (conn) => {
    if (!(await readSome(conn)).startsWith("GET /healthcheck")) return;
    await healthy.promise;
    await writeAll(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n0\n0\n");
  });
  await using one = await named("one");
  await using balancer = await startBalancer([one.port]);
  await balancer.reload(config([slow.port], { probeTimeoutMs: "1h" }));
  await until(() => slow.connections > 0, "it is being checked");
  for (let turn = 0; turn < 5; turn++) {
    assertMatch(await askOnce(balancer.address.port, get("/a.txt")), /alpha\n$/);
  }
  assertEquals(names(balancer), [slow.port, one.port].map((port) => `127.0.0.1:${port}`));
  healthy.resolve();
  await until(() => names(balancer).length === 1, "the former one is gone");
  assertEquals(balancer.snapshot().backends[0]?.state, "ready");
});

Deno.test("reload: counts, health and steering of what stays go on", async () => {
  await using one = await named("one");
  const dead = deadPort();
  await using balancer = await startBalancer([one.port, dead], { queueMax: "0", mode: "http" });
  for (let turn = 0; turn < 3; turn++) await askOnce(balancer.address.port, get("/a.txt"));
  balancer.steer(`${one.port}`, "draining");
  const { backends: [before, beforeDead], accepted } = balancer.snapshot();
  assertEquals([before?.leased, accepted, beforeDead?.state], [3, 3, "down"]);
  await balancer.reload(config([`${one.port},weight=5`, dead], { queueMax: "1" }));
  const after = balancer.snapshot();
  assertEquals(after.accepted, 3);
  assertEquals(after.backends.map(({ leased, sinceMs, state }) => ({ leased, sinceMs, state })), [
    { leased: 3, sinceMs: before?.sinceMs ?? NaN, state: "draining" },
    { leased: 0, sinceMs: beforeDead?.sinceMs ?? NaN, state: "down" },
  ]);
  assertEquals(after.backends[0]?.weight, 5);
});

Deno.test("reload: what a check under former settings finds out late is of no account", async () => {
  const late = Promise.withResolvers<void>();
  const asked = { "/old": 0, "/new": 0 };
  let isOver = false;
  await using server = new RawServer(async (conn) => {
    const path = (await readSome(conn)).startsWith("GET /old") ? "/old" : "/new";
    const isLate = ++asked[path] > 1 && path === "/old";
    if (isLate) await late.promise;
    const status = isLate ? "500 Internal Server Error" : "200 OK";
    await writeAll(conn, `HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`);
    while (await readSome(conn) !== "");
    isOver ||= isLate;
  });
  const settings = { health: "http", intervalMs: "100ms", probeTimeoutMs: "1h", fall: "1" };
  await using balancer = await startBalancer([server.port], { ...settings, healthPath: "/old" });
  const { sinceMs } = balancer.snapshot().backends[0] ?? {};
  await until(() => asked["/old"] > 1, "a check is under way");
  await balancer.reload(config([server.port], { ...settings, healthPath: "/new" }));
  late.resolve();
  await until(() => isOver, "it is over");
  const before = asked["/new"];
  await until(() => asked["/new"] > before + 1, "another check is over");
  const [{ state, ...backend } = { state: "", sinceMs: NaN }] = balancer.snapshot().backends;
  assertEquals([state, backend.sinceMs], ["ready", sinceMs]);
});

for (const mode of ["bridge", "http"]) {
  Deno.test({
    name:
      `reload: in ${mode} mode, wrk does not notice that its balancer is loaded again and again`,
    ignore: !has("wrk"),
    fn: async () => {
      await using one = await named("one");
      await using two = await named("two");
      await using balancer = await startBalancer([one.port, two.port], { mode });
      const url = `http://127.0.0.1:${balancer.address.port}/a.txt`;
      const wrk = new Deno.Command("wrk", {
        args: ["--threads=1", "--connections=16", "--duration=2s", url],
        stdin: "null",
        stdout: "piped",
      }).spawn();
      let running = true;
      const ended = wrk.output().finally(() => running = false);
      for (let turn = 0; running; turn++) {
        const servers = turn % 2 === 0 ? [two.port] : [one.port, two.port];
        await balancer.reload(config(servers, { mode, queueTimeoutMs: `${turn % 3 + 1}m` }));
        const { entries } = two;
        await until(() => !running || two.entries > entries, "it serves");
      }
      const report = new TextDecoder().decode((await ended).stdout);
      assertMatch(report, /[1-9]\d* requests in /);
      assertEquals(/Socket errors|Non-2xx/.test(report), false, report);
    },
  });
}

Deno.test("reload: those turned away under former settings are still counted", async () => {
  await using server = new GateServer();
  await using balancer = await startBalancer([`${server.port},max=1`], {
    ...TRUSTING,
    queueMax: "0",
  });
  const first = askOnce(balancer.address.port, get("/1"));
  await until(() => server.asked.length === 1, "the only place is taken");
  assertMatch(await askOnce(balancer.address.port, get("/2")), /^HTTP\/1.1 503 /);
  await balancer.reload(config([`${server.port},max=1`], { ...TRUSTING, queueMax: "5" }));
  assertEquals(balancer.snapshot().turnedAway, 1);
  server.open();
  await first;
  await until(() => balancer.snapshot().carried === 0, "the former carrier is empty");
  assertEquals(balancer.snapshot().turnedAway, 1);
});

// Room that comes with the end of a client is seen by that client's own carrier first.
for (const mode of ["bridge", "http"]) {
  Deno.test(`reload: in ${mode} mode, who waits for room gets it though a former client leaves it`, async () => {
    await using server = new GateServer();
    const servers = [`${server.port},max=1`];
    await using balancer = await startBalancer(servers, { ...TRUSTING, mode });
    const { port } = balancer.address;
    const first = askOnce(port, get("/1"));
    await until(() => server.asked.length === 1, "the only place is taken");
    const second = askOnce(port, get("/2"));
    await until(() => balancer.snapshot().waiting === 1, "the second waits");
    await balancer.reload(config(servers, { ...TRUSTING, mode, queueTimeoutMs: "20s" }));
    const third = askOnce(port, get("/3"));
    await until(() => balancer.snapshot().waiting === 2, "the third waits under new settings");
    server.open();
    for (const answer of [first, second, third]) assertMatch(await answer, /\r\n\r\nok$/);
    assertEquals(server.asked, ["/1", "/2", "/3"], "first come, first served");
  });
}

Deno.test("reload: a kept connection is told with its next answer that it is the last, and only then", async () => {
  await using server = await named("one");
  const settings = { ...TRUSTING, mode: "http" };
  await using balancer = await startBalancer([server.port], settings);
  using client = await ByteClient.connect(balancer.address.port);
  await (await client.send(ASK)).receiveUntil("alpha\n");
  await balancer.reload(config([server.port], { ...settings, drainTimeoutMs: "1s" }));
  await (await client.send(ASK.replace("a.txt", "b.html"))).receiveUntil("beta</p>\n");
  assertEquals(/connection: close/i.test(client.text), false, "no carrier was changed");
  await balancer.reload(config([server.port], { ...settings, queueTimeoutMs: "1s" }));
  await client.send(ASK);
  const text = await client.receiveAll();
  assertMatch(
    text,
    /^[^]*beta<\/p>\nHTTP\/1.1 200 OK\r\n[^]*\r\nConnection: close\r\n[^]*alpha\n$/,
  );
});

Deno.test("reload: requests that came at once are all answered, the last one says so", async () => {
  await using server = new GateServer();
  await using balancer = await startBalancer([server.port], { ...TRUSTING, mode: "http" });
  using client = await ByteClient.connect(balancer.address.port);
  await client.send(ASK.repeat(3));
  await until(() => server.asked.length === 1, "the first is under way");
  await balancer.reload(config([server.port], { ...TRUSTING, mode: "http", queueMax: "7" }));
  server.open();
  const answers = (await client.receiveAll()).split("HTTP/1.1 ").slice(1);
  assertEquals(answers.map((answer) => /Connection: close/.test(answer)), [false, false, true]);
});

Deno.test("reload: a cookie that was given before it still leads to its server", async () => {
  await using one = await named("one");
  await using two = await named("two");
  const servers = [one.port, two.port];
  const settings = { ...TRUSTING, mode: "http", sticky: "at" };
  await using balancer = await startBalancer(servers, settings);
  const { port } = balancer.address;
  const answer = await askOnce(port, get("/a.txt"));
  const cookie = /Set-Cookie: (at=[^;]+)/.exec(answer)?.[1];
  const server = /X-Backend: (\w+)/.exec(answer)?.[1];
  assert(cookie !== undefined && server !== undefined, answer);
  await balancer.reload(config(servers, { ...settings, connectTimeoutMs: "1h" }));
  for (let turn = 0; turn < 4; turn++) {
    const request = get("/a.txt").replace("\r\n\r\n", `\r\nCookie: ${cookie}\r\n\r\n`);
    const text = await askOnce(port, request);
    assertEquals(/X-Backend: (\w+)/.exec(text)?.[1], server);
    assertEquals(/Set-Cookie/.test(text), false, "it is understood");
  }
});

Deno.test("reload: an address that cannot be opened changes nothing, and is named", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using one = await named("one");
  await using balancer = await startBalancer([one.port]);
  const { address } = balancer;
  const listen = `127.0.0.1:${taken.addr.port}`;
  const error = await assertRejects(
    () => balancer.reload(config([deadPort()], { mode: "tcp" }, listen)),
    BalancerError,
  );
  assertEquals(error.message, `Cannot listen on ${listen}: another program listens there already`);
  assertEquals(balancer.address, address);
  assertEquals(names(balancer), [`127.0.0.1:${one.port}`]);
  assertMatch(await askOnce(address.port, get("/a.txt")), /^HTTP\/1.1 200 /);
});

Deno.test("reload: what cannot be while it runs is refused before anything changes", async () => {
  await using one = await named("one");
  await using balancer = await startBalancer([one.port]);
  const { port } = balancer.address;
  const refused: readonly (readonly [Config, string])[] = [
    [config([port]), `SERVER 127.0.0.1:${port}: is this balancer itself; expected another port`],
    [
      config([one.port], {}, `${port}`),
      `PORT [::]:${port}: cannot be opened while this balancer listens on 127.0.0.1:${port}; ` +
      "expected another port, or a restart",
    ],
  ];
  for (const [bad, message] of refused) {
    const error = await assertRejects(() => balancer.reload(bad), ConfigError);
    assertEquals(error.message, message);
    assertEquals(names(balancer), [`127.0.0.1:${one.port}`]);
  }
  assertMatch(await askOnce(balancer.address.port, get("/a.txt")), /^HTTP\/1.1 /);
});

Deno.test("reload: several at once come one after the other, and the last one counts", async () => {
  await using one = await named("one");
  await using two = await named("two");
  await using balancer = await startBalancer([one.port]);
  const lists = [[two.port], [one.port, two.port], [two.port, one.port]];
  await Promise.all(lists.map((list) => balancer.reload(config(list))));
  assertEquals(names(balancer), [two.port, one.port].map((port) => `127.0.0.1:${port}`));
});

Deno.test("reload: during the start it waits for its end, and is then in force", async () => {
  await using one = await named("one");
  await using two = await named("two");
  await using balancer = makeBalancer([one.port]);
  assertEquals(balancer.snapshot().state, "starting");
  await balancer.reload(config([two.port]));
  assertEquals(balancer.snapshot().state, "serving");
  await until(() => names(balancer).join() === `127.0.0.1:${two.port}`, "it is in force");
});

Deno.test("reload: while the balancer is stopped it is refused", async () => {
  await using server = new GateServer();
  await using balancer = await startBalancer([server.port], TRUSTING);
  const running = askOnce(balancer.address.port, get("/"));
  await until(() => server.asked.length === 1, "a client is being served");
  const stopped = balancer.stop();
  const error = await assertRejects(() => balancer.reload(config([server.port])), SteeringError);
  assertEquals(error.message, "Cannot reload: the balancer is being stopped");
  server.open();
  assertEquals(await running, GATE_ANSWER);
  await stopped;
});

Deno.test("reload: one that waits for names when the balancer is stopped gives up what it opened", async () => {
  await using one = await named("one");
  const lookup = (): Promise<readonly string[]> => new Promise(() => {});
  await using balancer = makeBalancer([one.port], {}, { lookup });
  await balancer.ready;
  const port = deadPort();
  const reloading = balancer.reload(config(["web.test:80"], {}, `127.0.0.1:${port}`));
  const refused = assertRejects(() => reloading, SteeringError);
  await until(
    () => askOnce(port, get("/a.txt")).then((text) => text.includes("alpha"), () => false),
    "the new address is open",
  );
  await balancer.stop();
  await refused;
  Deno.listen({ hostname: "127.0.0.1", port }).close();
});

Deno.test("reload: names that are new are looked up first, so that there is always somebody", async () => {
  await using one = await named("one");
  await using two = await named("two");
  const answer = Promise.withResolvers<readonly string[]>();
  let asked = 0;
  const lookup = (): Promise<readonly string[]> => {
    asked++;
    return answer.promise;
  };
  await using balancer = makeBalancer([one.port], TRUSTING, { lookup });
  await balancer.ready;
  const reloaded = balancer.reload(config([`web.test:${two.port}`], TRUSTING));
  await until(() => asked === 1, "the name is being looked up");
  assertEquals(names(balancer), [`127.0.0.1:${one.port}`]);
  assertMatch(await askOnce(balancer.address.port, get("/a.txt")), /alpha/);
  answer.resolve(["127.0.0.1"]);
  await reloaded;
  await until(() => names(balancer).join() === `127.0.0.1:${two.port}`, "the former one is gone");
});

Deno.test("reload: while no name of the new servers resolves, the former ones serve on", async () => {
  await using one = await named("one");
  const lookup = (): Promise<readonly string[]> => Promise.reject(new Error("no such name"));
  await using balancer = makeBalancer([one.port], TRUSTING, { lookup });
  await balancer.ready;
  await balancer.reload(config(["web.test:80"], TRUSTING));
  assertMatch(await askOnce(balancer.address.port, get("/a.txt")), /alpha/);
});

Deno.test("reload: without checks a server that is new is used at once", async () => {
  await using one = await named("one");
  await using two = await named("two");
  await using balancer = await startBalancer([one.port]);
  await balancer.reload(config([two.port], TRUSTING));
  assertMatch(await askOnce(balancer.address.port, get("/a.txt")), /X-Backend: two/);
  await until(() => names(balancer).join() === `127.0.0.1:${two.port}`, "the former one is gone");
});
