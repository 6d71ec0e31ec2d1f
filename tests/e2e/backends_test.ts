/** What is set for single backends, and what they go through: bounds, backups, ejection, names. */
import { parseBackend } from "../../lib/backend_argument.ts";
import { Balancer } from "../../lib/balancer.ts";
import { makeConfig } from "../../lib/config.ts";
import { BalancerError } from "../../lib/errors.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { makeBalancer, startBalancer } from "../support/balancer.ts";
import { BlackHole } from "../support/black_hole.ts";
import { askOnce, ByteClient, connectAndReset, get } from "../support/byte_client.ts";
import { GateServer } from "../support/gate_server.ts";
import { deadPort, RawServer, readSome, type Script, writeAll } from "../support/raw_server.ts";
import { until } from "../support/until.ts";

const TRUSTING = { health: "off" } as const;
const ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const BUSY = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";

function answering(hostname = "127.0.0.1", port = 0): RawServer {
  return new RawServer(async (conn) => {
    if (await readSome(conn) !== "") await writeAll(conn, ANSWER);
  }, { hostname, port });
}

Deno.test("max: no more than that at once; the others wait in the queue, and all are served", async () => {
  await using server = new GateServer();
  await using balancer = await startBalancer([`${server.port},max=2`], TRUSTING);
  const answers = Array.from({ length: 6 }, () => askOnce(balancer.address.port, get("/")));
  await until(() => balancer.snapshot().waiting === 4, "four wait");
  assertEquals(balancer.snapshot().carried, 2, "who waits holds no bridge");
  server.open();
  assertEquals(await Promise.all(answers), Array(6).fill(ANSWER));
  assertEquals(server.most, 2);
});

Deno.test("max: who waits too long for a backend with room is turned away with 503", async () => {
  await using server = new GateServer();
  await using balancer = await startBalancer([`${server.port},max=1`], {
    ...TRUSTING,
    queueTimeoutMs: "200ms",
  });
  const first = askOnce(balancer.address.port, get("/1"));
  await until(() => balancer.snapshot().carried === 1, "the first is carried");
  assertEquals(await askOnce(balancer.address.port, get("/2")), BUSY);
  server.open();
  assertEquals(await first, ANSWER);
});

Deno.test("max: who hangs up while it waits for room gives its place up", async () => {
  await using server = new GateServer();
  await using balancer = await startBalancer([`${server.port},max=1`], TRUSTING);
  const first = askOnce(balancer.address.port, get("/"));
  await until(() => balancer.snapshot().carried === 1, "the first is carried");
  await connectAndReset(balancer.address.port, get("/"));
  await until(() => balancer.snapshot().accepted === 2, "the second was accepted");
  await until(() => balancer.snapshot().waiting === 0, "it has left");
  server.open();
  assertEquals(await first, ANSWER);
  assertEquals(server.connections, 1);
});

Deno.test("max: a client that one backend has failed waits for the other, and holds no bridge", async () => {
  await using server = new GateServer();
  const dead = deadPort();
  await using balancer = await startBalancer([`${server.port},max=1`, dead], {
    ...TRUSTING,
    policy: "round-robin",
    intervalMs: "1h",
  });
  const first = askOnce(balancer.address.port, get("/1"));
  await until(() => balancer.snapshot().carried === 1, "the first is carried");
  const second = askOnce(balancer.address.port, get("/2"));
  await until(() => balancer.snapshot().waiting === 1, "the second waits");
  assertEquals(balancer.snapshot().backends[1]?.failures, 1);
  assertEquals(balancer.snapshot().carried, 1);
  server.open();
  assertEquals(await Promise.all([first, second]), [ANSWER, ANSWER]);
});

Deno.test("max: room that comes with another backend is used at once", async () => {
  await using server = new GateServer();
  const port = deadPort();
  await using balancer = await startBalancer([`${server.port},max=1`, port], {
    health: "tcp",
    intervalMs: "100ms",
  });
  const first = askOnce(balancer.address.port, get("/1"));
  await until(() => balancer.snapshot().carried === 1, "the first is carried");
  const second = askOnce(balancer.address.port, get("/2"));
  await until(() => balancer.snapshot().waiting === 1, "the second waits");
  await using _other = answering("127.0.0.1", port);
  assertEquals(await second, ANSWER, "the other one came up");
  server.open();
  assertEquals(await first, ANSWER);
});

// Regression: such room was offered to idle bridges only, and there are fewer of those than clients.
Deno.test("max: room that failed clients leave is used by all who wait, as far as N allows", async () => {
  const failing = Promise.withResolvers<void>();
  await using flaky = new RawServer(async (conn, index) => {
    if (await readSome(conn) === "") return;
    if (index < 2) await failing.promise;
    else await writeAll(conn, ANSWER);
  });
  await using backup = new GateServer();
  const servers = [`${flaky.port},max=1`, `${backup.port},backup`];
  await using balancer = await startBalancer(servers, TRUSTING);
  const first = askOnce(balancer.address.port, get("/1"));
  await until(() => balancer.snapshot().carried === 1, "the first is carried");
  const second = askOnce(balancer.address.port, get("/2"));
  await until(() => balancer.snapshot().waiting === 1, "the second waits");
  const third = askOnce(balancer.address.port, get("/3"));
  await until(() => balancer.snapshot().waiting === 2, "the third waits");
  failing.resolve();
  assertEquals(await third, ANSWER, "there is room again where the others were");
  assertEquals(balancer.snapshot().backends[1]?.inFlight, 2, "they are still carried");
  backup.open();
  assertEquals(await Promise.all([first, second]), [ANSWER, ANSWER]);
});

Deno.test("max: room that a failed client leaves is used while that client is carried elsewhere", async () => {
  const failing = Promise.withResolvers<void>();
  await using flaky = new RawServer(async (conn, index) => {
    if (await readSome(conn) === "") return;
    if (index === 0) await failing.promise;
    else await writeAll(conn, ANSWER);
  });
  await using backup = new GateServer();
  const servers = [`${flaky.port},max=1`, `${backup.port},backup`];
  await using balancer = await startBalancer(servers, TRUSTING);
  const first = askOnce(balancer.address.port, get("/1"));
  await until(() => balancer.snapshot().carried === 1, "the first is carried");
  const second = askOnce(balancer.address.port, get("/2"));
  await until(() => balancer.snapshot().waiting === 1, "the second waits");
  failing.resolve();
  assertEquals(await second, ANSWER, "there is room again where the first was");
  assertEquals(balancer.snapshot().backends[1]?.inFlight, 1, "the first is still carried");
  backup.open();
  assertEquals(await first, ANSWER);
});

Deno.test("max: who waits for room is told at once when no backend is left", async () => {
  await using server = new GateServer();
  const names = new Names();
  names.addresses.set("web.test", ["127.0.0.1"]);
  const settings = { ...TRUSTING, resolveMs: "1s" };
  await using balancer = makeBalancer([`web.test:${server.port},max=1`], settings, {
    lookup: names.lookup,
  });
  const first = askOnce(balancer.address.port, get("/1"));
  await until(() => balancer.snapshot().carried === 1, "the first is carried");
  const second = askOnce(balancer.address.port, get("/2"));
  await until(() => balancer.snapshot().waiting === 1, "the second waits");
  names.addresses.set("web.test", ["127.0.0.3"]);
  assertMatch(await second, /^HTTP\/1.1 500 /, "the new address refuses, the old one drains");
  server.open();
  assertEquals(await first, ANSWER);
});

// Regression: bridges were started with new clients only, so those that waited had one between them.
Deno.test("max: when room comes, as many go on as there is room for", async () => {
  await using full = new GateServer();
  await using roomy = new GateServer();
  const names = new Names();
  names.addresses.set("web.test", ["127.0.0.1"]);
  const settings = { ...TRUSTING, resolveMs: "1s" };
  const servers = [`${full.port},max=1`, `more.test:${roomy.port}`];
  await using balancer = makeBalancer(servers, settings, { lookup: names.lookup });
  await balancer.ready;
  const { port } = balancer.address;
  const answers = Array.from({ length: 8 }, () => askOnce(port, get("/")));
  await until(() => balancer.snapshot().waiting === 7, "seven wait");
  names.addresses.set("more.test", ["127.0.0.1"]);
  await until(() => roomy.asked.length === 7, "all that waited go on");
  for (const server of [full, roomy]) server.open();
  await Promise.all(answers);
});

Deno.test("backup: it serves while no other is ready, and no longer", async () => {
  await using backup = answering();
  const port = deadPort();
  await using balancer = await startBalancer([port, `${backup.port},backup`], {
    health: "tcp",
    intervalMs: "100ms",
  });
  assertEquals(await askOnce(balancer.address.port, get("/")), ANSWER);
  const served = (): (number | undefined)[] =>
    balancer.snapshot().backends.map(({ leased }) => leased);
  assertEquals(served(), [0, 1]);
  await using _primary = answering("127.0.0.1", port);
  await until(() => balancer.snapshot().backends[0]?.state === "ready", "the primary is ready");
  assertEquals(await askOnce(balancer.address.port, get("/")), ANSWER);
  assertEquals(served(), [1, 1]);
});

Deno.test("eject: a backend that fails its clients though its checks succeed is left out", async () => {
  await using hasty = new RawServer(async (conn) => void await readSome(conn));
  await using good = answering();
  await using balancer = await startBalancer([hasty.port, good.port], {
    health: "tcp",
    policy: "round-robin",
    ejectAfter: "3",
  });
  const { port } = balancer.address;
  const post = "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi";
  let unanswered = 0;
  for (let turn = 0; turn < 40; turn++) {
    if (await askOnce(port, post) === "") unanswered++;
  }
  assertEquals(unanswered, 3);
  const [{ state, reason } = { state: "", reason: "" }] = balancer.snapshot().backends;
  assertEquals(state, "down");
  assertMatch(reason, /^failed 3 clients in a row \(connection ended before .*\); back in \d+s$/);
});

Deno.test("eject: the last backend stays, for a failure now and then is better than none served", async () => {
  await using hasty = new RawServer(async (conn, index) => {
    if (await readSome(conn) !== "" && index >= 10) await writeAll(conn, ANSWER);
  });
  await using balancer = await startBalancer([hasty.port], { ...TRUSTING, ejectAfter: "1" });
  for (let turn = 0; turn < 10; turn++) await askOnce(balancer.address.port, get("/"));
  assertEquals(await askOnce(balancer.address.port, get("/")), ANSWER);
});

// Regression: "connection ended before the first byte" was said of servers that had not been asked.
Deno.test("eject: clients that say half of it tell nothing of the server", async () => {
  const impatient = (): RawServer => {
    return new RawServer(async (conn) => {
      if ((await readSome(conn)).endsWith("\r\n\r\n")) await writeAll(conn, ANSWER);
    });
  };
  await using first = impatient();
  await using second = impatient();
  await using balancer = await startBalancer([first.port, second.port], {
    ...TRUSTING,
    ejectAfter: "1",
  });
  for (const start of ["G", "GET / HT"]) {
    using client = await ByteClient.connect(balancer.address.port);
    await client.send(start);
    await client.end();
    await client.receiveAll();
    await until(() => balancer.snapshot().carried === 0, "it is gone");
    assert(first.connections + second.connections > 0, "a server has had it");
  }
  const states = balancer.snapshot().backends.map(({ state, failures }) => [state, failures]);
  assertEquals(states, [["ready", 0], ["ready", 0]]);
});

Deno.test("eject: in tcp mode who ends without wanting an answer tells nothing", async () => {
  await using sink = new RawServer(async (conn) => {
    while (await readSome(conn) !== "");
  });
  await using other = answering();
  await using balancer = await startBalancer([sink.port, other.port], {
    ...TRUSTING,
    mode: "tcp",
    policy: "round-robin",
    ejectAfter: "1",
  });
  for (let turn = 0; turn < 6; turn++) {
    using client = await ByteClient.connect(balancer.address.port);
    await (await client.send("a line for the log\n")).end();
    await client.receiveAll();
  }
  assertEquals(balancer.snapshot().backends.map(({ state }) => state), ["ready", "ready"]);
});

Deno.test("down: whoever is still connecting to a backend that went down moves on", async () => {
  await using silent = new BlackHole();
  await using good = answering();
  await using balancer = await startBalancer([`${silent.port},weight=2`, good.port], {
    health: "tcp",
    policy: "round-robin",
    intervalMs: "1h",
    requests: "9",
    probeTimeoutMs: "300ms",
    fall: "1",
    connectTimeoutMs: "1h",
  });
  await silent.fill();
  const { port } = balancer.address;
  const answers = await Promise.all(Array.from({ length: 9 }, () => askOnce(port, get("/"))));
  assertEquals(answers, Array(9).fill(ANSWER));
  const [{ state, failures } = { state: "", failures: 0 }] = balancer.snapshot().backends;
  assertEquals([state, failures], ["down", 6]);
});

/** Answers of a name server that the test changes. */
class Names {
  readonly addresses = new Map<string, readonly string[]>();

  readonly lookup = (name: string): Promise<readonly string[]> => {
    const addresses = this.addresses.get(name);
    if (addresses !== undefined) return Promise.resolve(addresses);
    const action = `Cannot resolve ${name}`;
    const error = { action, state: "no such name", code: "unreachable", side: "backend" } as const;
    return Promise.reject(new BalancerError(error));
  };
}

Deno.test("names: each address is a backend; one that is new serves, one that vanishes drains", async () => {
  await using first = new GateServer();
  await using _second = answering("127.0.0.2", first.port);
  const names = new Names();
  names.addresses.set("web.test", ["127.0.0.1"]);
  const settings = { ...TRUSTING, policy: "round-robin", resolveMs: "1s" };
  await using balancer = makeBalancer([`web.test:${first.port},weight=3`], settings, {
    lookup: names.lookup,
  });
  const running = askOnce(balancer.address.port, get("/"));
  const states = (): string[] =>
    balancer.snapshot().backends.map(({ name, weight, state }) => `${name} ${weight} ${state}`);
  await until(() => first.connections === 1, "it is carried");
  assertEquals(states(), [`127.0.0.1:${first.port} 3 ready`]);
  names.addresses.set("web.test", ["127.0.0.2"]);
  await until(() => states().length === 2, "the new address is known");
  assertEquals(states(), [
    `127.0.0.2:${first.port} 3 ready`,
    `127.0.0.1:${first.port} 3 draining`,
  ]);
  assertEquals(await askOnce(balancer.address.port, get("/")), ANSWER);
  assertEquals(first.connections, 1, "who drains gets nobody");
  first.open();
  assertEquals(await running, ANSWER);
  await until(() => states().length === 1, "it is gone");
});

// Regression: a new bound of a backend that stayed ready woke nobody.
Deno.test("names: room that comes with another bound is used at once", async () => {
  const released = Promise.withResolvers<void>();
  const script: Script = async (conn) => {
    if (await readSome(conn) === "") return;
    await released.promise;
    await writeAll(conn, ANSWER);
  };
  await using first = new RawServer(script);
  await using _second = new RawServer(script, { hostname: "127.0.0.2", port: first.port });
  using _release = { [Symbol.dispose]: released.resolve };
  const names = new Names();
  names.addresses.set("small.test", ["127.0.0.1", "127.0.0.2"]);
  names.addresses.set("large.test", ["127.0.0.1"]);
  const servers = [`small.test:${first.port},max=1`, `large.test:${first.port},max=2`];
  const settings = { ...TRUSTING, resolveMs: "1s" };
  await using balancer = makeBalancer(servers, settings, { lookup: names.lookup });
  const answers = Array.from({ length: 3 }, () => askOnce(balancer.address.port, get("/")));
  await until(() => balancer.snapshot().carried === 2, "two are carried");
  await until(() => balancer.snapshot().waiting === 1, "the third waits");
  names.addresses.set("small.test", ["127.0.0.2"]);
  await until(() => first.connections === 2, "the third is carried");
  released.resolve();
  assertEquals(await Promise.all(answers), Array(3).fill(ANSWER));
});

// Regression: between the drain of the old addresses and the first check of the new, it was 500.
Deno.test("names: while all addresses change, there is always somebody to serve", async () => {
  await using first = answering();
  await using second = answering("127.0.0.2", first.port);
  const names = new Names();
  names.addresses.set("web.test", ["127.0.0.1"]);
  const settings = { health: "tcp", intervalMs: "1h", resolveMs: "1s" } as const;
  await using balancer = makeBalancer([`web.test:${first.port}`], settings, {
    lookup: names.lookup,
  });
  await balancer.ready;
  names.addresses.set("web.test", ["127.0.0.2"]);
  await until(async () => {
    assertEquals(await askOnce(balancer.address.port, get("/")), ANSWER);
    return second.connections > 1;
  }, "the new address serves");
});

Deno.test("names: it starts though a name does not resolve, and serves when it does", async () => {
  await using server = answering();
  const names = new Names();
  await using balancer = makeBalancer([`web.test:${server.port}`], TRUSTING, {
    lookup: names.lookup,
  });
  await balancer.ready;
  assertMatch(await askOnce(balancer.address.port, get("/")), /^HTTP\/1.1 500 /);
  const [{ name, reason } = { name: "", reason: "" }] = balancer.snapshot().unresolved;
  assertEquals([name, reason], [`web.test:${server.port}`, "no such name"]);
  names.addresses.set("web.test", ["127.0.0.1"]);
  await until(() => balancer.snapshot().backends.length === 1, "the name was tried again");
  assertEquals(await askOnce(balancer.address.port, get("/")), ANSWER);
  assertEquals(balancer.snapshot().unresolved, []);
});

Deno.test("names: one that fails is told of at once, and so is one that leads to the balancer", async () => {
  const names = new Names();
  const seen: string[][] = [];
  const port = deadPort();
  const listen = `127.0.0.1:${port}`;
  const config = makeConfig({ listen, backends: [`${deadPort()}`], settings: TRUSTING });
  await using balancer: Balancer = new Balancer(config, {
    lookup: names.lookup,
    onChange: () => seen.push(balancer.snapshot().unresolved.map(({ reason }) => reason)),
  });
  await balancer.ready;
  balancer.addServer(parseBackend("nosuch.test:80"));
  await until(() => seen.at(-1)?.join() === "no such name", "it fails");
  names.addresses.set("own.test", ["127.0.0.1"]);
  balancer.addServer(parseBackend(`own.test:${port}`));
  const own = "its name leads to this balancer itself";
  await until(() => seen.at(-1)?.join() === `no such name,${own}`, "it leads here");
  balancer.removeServer("nosuch.test:80");
  assertEquals(balancer.snapshot().unresolved.map(({ name }) => name), [`own.test:${port}`]);
});

Deno.test("names: new backends are checked before they are used", async () => {
  await using server = answering();
  const names = new Names();
  names.addresses.set("web.test", ["127.0.0.1"]);
  names.addresses.set("gone.test", ["127.0.0.1"]);
  await using balancer = makeBalancer(
    [`web.test:${server.port}`, `gone.test:${deadPort()}`],
    { health: "tcp", intervalMs: "1h" },
    { lookup: names.lookup },
  );
  await balancer.ready;
  assertEquals(balancer.snapshot().backends.map(({ state }) => state), ["ready", "down"]);
  for (let turn = 0; turn < 4; turn++) {
    assertEquals(await askOnce(balancer.address.port, get("/")), ANSWER);
  }
  assert(balancer.snapshot().backends[1]?.leased === 0);
});
