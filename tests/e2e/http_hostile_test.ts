/** http mode against clients and servers that mean ill, or are just odd: one test for each defect. */
import net from "node:net";
import type { Balancer } from "../../lib/balancer.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { type Settings, startBalancer } from "../support/balancer.ts";
import { BalancerProcess } from "../support/balancer_process.ts";
import { askOnce, ByteClient, get } from "../support/byte_client.ts";
import { RawServer, readSome, writeAll } from "../support/raw_server.ts";
import { until } from "../support/until.ts";

const HTTP = { mode: "http", health: "off", policy: "round-robin" } as const;

/** A server that keeps its connections and answers each request so. */
function keptServer(reply: (head: string) => string): RawServer {
  return new RawServer(async (conn) => {
    for (let head = await readSome(conn); head !== ""; head = await readSome(conn)) {
      await writeAll(conn, reply(head));
    }
  });
}

/** A server that answers nobody. */
function silentServer(): RawServer {
  return new RawServer(async (conn) => {
    while (await readSome(conn) !== "");
  });
}

function start(server: { port: number }, settings: Settings = {}): Promise<Balancer> {
  return startBalancer([server.port], { ...HTTP, ...settings });
}

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

Deno.test("http: a Host that is sent on three times over does not stop the balancer", async () => {
  await using server = keptServer(() => OK);
  // A process of its own: what loops here would stop the test too.
  await using balancer = new BalancerProcess(
    ["--mode", "http", "--health", "off", "127.0.0.1:0", String(server.port)],
  );
  const port = await balancer.port();
  await balancer.says(/Serving/);
  using long = await ByteClient.connect(port);
  await long.send(`GET / HTTP/1.1\r\nHost: ${"a".repeat(30_000)}\r\nConnection: close\r\n\r\n`);
  using other = await ByteClient.connect(port);
  await other.send(get("/"));
  const answered = other.receiveAll().catch(() => {/* the test is over */});
  await until(() => other.text.endsWith("ok"), "another client is served");
  await answered;
});

for (
  const [how, request, rest] of [
    ["that ends in the middle of its body", "Content-Length: 10\r\n\r\nhi", null],
    ["whose body is malformed", "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", "zz\r\n"],
  ] as const
) {
  Deno.test(`http: a client ${how} is not sent what is meant for others`, async () => {
    const size = 20_000_000;
    await using server = new RawServer(async (conn) => {
      const letter = (await readSome(conn)).includes("/other") ? "O" : ".";
      await writeAll(conn, `HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
      await writeAll(conn, letter.repeat(size));
    });
    await using balancer = await start(server);
    const { port } = balancer.address;
    using first = await ByteClient.connect(port);
    await first.send(`POST / HTTP/1.1\r\nHost: t\r\n${request}`);
    await first.receive();
    await standsStill(balancer);
    if (rest === null) await first.end();
    else await first.send(rest);
    await until(() => server.open === 0, "its backend's connection is closed");
    const others = await Promise.all(Array.from({ length: 4 }, () => ByteClient.connect(port)));
    for (const other of others) {
      await other.send(get("/other"));
      for (let taken = 0; taken < 2_000_000;) taken += (await other.receive())?.length ?? size;
    }
    await first.receiveAll().catch(() => {/* it may be cut off */});
    const body = first.text.slice(first.text.indexOf("\r\n\r\n") + 4);
    assertEquals(/[^.]/.exec(body)?.[0], undefined, "nothing but its own bytes");
    for (const other of others) other[Symbol.dispose]();
  });
}

/** Waits until the answer that a client does not read stands still. */
async function standsStill(balancer: Balancer): Promise<void> {
  // Nothing tells of bytes in flight: several turns of the loop with full buffers are enough.
  await until(() => balancer.snapshot().carried === 1, "it is carried");
  await new Promise((resolve) => setTimeout(resolve, 500));
}

Deno.test("http: --compress: an answer with an empty body ends", async () => {
  await using server = keptServer(() =>
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n"
  );
  await using balancer = await start(server, { compress: "on" });
  using client = await ByteClient.connect(balancer.address.port);
  await client.send("GET / HTTP/1.1\r\nHost: t\r\nAccept-Encoding: gzip\r\n\r\n");
  assertMatch(await client.receiveUntil("\r\n\r\n"), /Content-Length: 0\r\n/);
});

Deno.test("http: --compress: the head for HEAD is that for GET", async () => {
  const head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n";
  await using server = keptServer((asked) => asked.startsWith("HEAD") ? head : `${head}hello`);
  await using balancer = await start(server, { compress: "on" });
  const headers = "Host: t\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n";
  const got = await askOnce(balancer.address.port, `GET / HTTP/1.1\r\n${headers}`);
  const asked = await askOnce(balancer.address.port, `HEAD / HTTP/1.1\r\n${headers}`);
  const names = (text: string): string[] => (text.split("\r\n\r\n")[0] ?? "").split("\r\n").sort();
  assertEquals(names(asked), names(got));
});

Deno.test("http: a backend that answers nonsense is ejected like one that does not answer", async () => {
  await using bad = new RawServer(async (conn) => {
    await readSome(conn);
    await writeAll(conn, "nonsense\r\n\r\n");
  });
  await using good = keptServer(() => OK);
  await using balancer = await startBalancer([bad.port, good.port], { ...HTTP, ejectAfter: "3" });
  for (let turn = 0; turn < 8; turn++) await askOnce(balancer.address.port, get("/"));
  assertEquals(balancer.snapshot().backends[0]?.state, "down");
});

Deno.test("http: interim answers to a client that does not read hold a bridge no longer than allowed", async () => {
  await using server = new RawServer(async (conn) => {
    await readSome(conn);
    for (;;) await writeAll(conn, `HTTP/1.1 103 Early Hints\r\nA: ${"x".repeat(8000)}\r\n\r\n`);
  });
  await using balancer = await start(server, { firstByteTimeoutMs: "200ms" });
  using client = await ByteClient.connect(balancer.address.port);
  await client.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
  await until(() => balancer.snapshot().carried === 1, "it is carried");
  await until(() => balancer.snapshot().carried === 0, "its bridge is free");
});

for (
  const [what, request] of [
    [
      "an upgrade",
      "GET / HTTP/1.1\r\nHost: t\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n",
    ],
    ["two requests at once", "GET / HTTP/1.1\r\nHost: t\r\n\r\n".repeat(2)],
  ] as const
) {
  Deno.test(`http: a client that asks for ${what} and breaks its connection frees its bridge`, async () => {
    await using server = silentServer();
    await using balancer = await start(server);
    const socket = net.connect(balancer.address.port, "127.0.0.1");
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.write(request);
    await until(() => balancer.snapshot().backends[0]?.inFlight === 1, "it is carried");
    await until(() => server.open === 1, "its request has come");
    socket.resetAndDestroy();
    await closed;
    await until(() => balancer.snapshot().carried === 0, "its bridge is free");
  });
}

Deno.test("http: a POST over a kept connection that has ended does not count against the backend", async () => {
  await using server = new RawServer(async (conn) => {
    await readSome(conn);
    await writeAll(conn, OK);
    await readSome(conn); // It ends when the next request comes.
  });
  await using balancer = await start(server);
  const { port } = balancer.address;
  await askOnce(port, get("/"));
  const post = "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
  assert((await askOnce(port, post)).startsWith("HTTP/1.1 "));
  assertEquals(balancer.snapshot().backends[0]?.failures, 0);
});
