/** http mode: request by request, on real sockets. */
import type { Balancer } from "../../lib/balancer.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { type Settings, startBalancer } from "../support/balancer.ts";
import { askOnce, ByteClient, connectAndReset } from "../support/byte_client.ts";
import { deadPort, RawServer, readSome, writeAll } from "../support/raw_server.ts";
import { until } from "../support/until.ts";

const HTTP = { mode: "http", health: "off", policy: "round-robin" } as const;

/** A request for that path that keeps the connection. */
function ask(path: string, ...headers: string[]): string {
  return [`GET ${path} HTTP/1.1`, "Host: test", ...headers, "", ""].join("\r\n");
}

/** An answer with that body. */
function answer(body: string, ...headers: string[]): string {
  return ["HTTP/1.1 200 OK", `Content-Length: ${body.length}`, ...headers, "", body].join("\r\n");
}

/** A server that keeps its connections, and answers each request as told. */
class KeptServer {
  /** The heads that came, with what was read with them. */
  readonly heads: string[] = [];
  readonly server: RawServer;

  constructor(reply: (head: string, connection: number) => string | Promise<string>) {
    this.server = new RawServer(async (conn, connection) => {
      for (let head = await readSome(conn); head !== ""; head = await readSome(conn)) {
        this.heads.push(head);
        await writeAll(conn, await reply(head, connection));
      }
    });
  }

  get port(): number {
    return this.server.port;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.server.close();
  }
}

function start(servers: readonly { port: number }[], settings: Settings = {}): Promise<Balancer> {
  return startBalancer(servers.map(({ port }) => port), { ...HTTP, ...settings });
}

/** Sends a request over a kept connection and receives until its answer's body is there. */
async function exchange(client: ByteClient, request: string, body: string): Promise<string> {
  const before = client.text.length;
  await client.send(request);
  await until(async () => {
    if (client.text.slice(before).endsWith(body)) return true;
    await client.receive();
    return client.text.slice(before).endsWith(body);
  }, () => `the answer ends with ${body}: ${client.text.slice(before)}`);
  return client.text.slice(before);
}

Deno.test("http: the requests of one client go to the servers in turn, over kept connections", async () => {
  await using a = new KeptServer(() => answer("from a"));
  await using b = new KeptServer(() => answer("from b"));
  await using balancer = await start([a, b]);
  using client = await ByteClient.connect(balancer.address.port);
  const bodies: string[] = [];
  for (let turn = 0; turn < 6; turn++) {
    const text = await exchange(client, ask(`/${turn}`), turn % 2 === 0 ? "from a" : "from b");
    bodies.push(text.slice(-6));
  }
  assertEquals(bodies, ["from a", "from b", "from a", "from b", "from a", "from b"]);
  assertEquals([a.server.connections, b.server.connections], [1, 1]);
});

Deno.test("http: what the backend gets is rebuilt, and says who asked", async () => {
  await using server = new KeptServer(() => answer("ok", "Connection: close, X-Hop", "X-Hop: 1"));
  await using balancer = await start([server]);
  const request = ask(
    "/p?q=1",
    "X-Forwarded-For: 6.6.6.6",
    "Connection: x-gone",
    "X-Gone: 1",
    "A: b",
  );
  using client = await ByteClient.connect(balancer.address.port);
  const text = await exchange(client, request, "ok");
  const [head = ""] = server.heads;
  assertMatch(head, /^GET \/p\?q=1 HTTP\/1.1\r\nHost: test\r\nA: b\r\n/);
  assertStringIncludes(head, "X-Forwarded-For: 127.0.0.1\r\n");
  assert(!/6\.6\.6\.6|x-gone/i.test(head), head);
  assert(!/x-hop|connection/i.test(text), text);
  assertStringIncludes(text, "Via: 1.1 loadbalancer\r\n");
});

Deno.test("http: bodies come through whole, by length and in chunks, both ways", async () => {
  const body = "x".repeat(300_000);
  await using server = new RawServer(async (conn) => {
    let text = "";
    while (!text.endsWith("\r\n0\r\n\r\n") && !text.endsWith("!")) text += await readSome(conn);
    const size = text.split("\r\n\r\n").slice(1).join("").replaceAll(/[^x]/g, "").length;
    const chunk = `${size.toString(16)};ext=1\r\n${"x".repeat(size)}\r\n`;
    const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    await writeAll(conn, `${head}${chunk}0\r\nTrailer: 1\r\n\r\n`);
  });
  await using balancer = await start([server]);
  const chunked =
    `POST / HTTP/1.1\r\nHost: t\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n` +
    `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  const plain =
    `POST / HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: ${body.length + 1}` +
    `\r\n\r\n${body}!`;
  for (const request of [chunked, plain]) {
    const text = await askOnce(balancer.address.port, request);
    const [head = "", ...rest] = text.split("\r\n\r\n");
    assertMatch(head, /^HTTP\/1.1 200 OK\r\n/);
    assertEquals(rest.join("").replaceAll(/[^x]/g, "").length, body.length);
    assert(text.endsWith("\r\n0\r\n\r\n"), "the last chunk, without trailers");
  }
});

Deno.test("http: an answer that its connection ends goes in chunks to HTTP/1.1, raw to HTTP/1.0", async () => {
  await using server = new RawServer(async (conn) => {
    await readSome(conn);
    await writeAll(conn, "HTTP/1.1 200 OK\r\n\r\nall of it");
  });
  await using balancer = await start([server]);
  const { port } = balancer.address;
  assertMatch(
    await askOnce(port, ask("/", "Connection: close")),
    /\r\n\r\n9\r\nall of it\r\n0\r\n\r\n$/,
  );
  assertMatch(await askOnce(port, "GET / HTTP/1.0\r\n\r\n"), /Connection: close\r\n\r\nall of it$/);
});

Deno.test("http: HEAD, 204 and 304 have no body, and the connection goes on", async () => {
  await using server = new KeptServer((head) => {
    if (head.startsWith("HEAD")) return "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    if (head.includes("/204")) return "HTTP/1.1 204 No Content\r\n\r\n";
    return "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n";
  });
  await using balancer = await start([server]);
  using client = await ByteClient.connect(balancer.address.port);
  const head = await exchange(client, ask("/").replace("GET", "HEAD"), "\r\n\r\n");
  assertStringIncludes(head, "Content-Length: 5\r\n");
  assertMatch(await exchange(client, ask("/204"), "\r\n\r\n"), /^HTTP\/1.1 204 /);
  assertStringIncludes(await exchange(client, ask("/304"), "\r\n\r\n"), "Content-Length: 7\r\n");
  assertEquals(server.server.connections, 1);
});

Deno.test("http: requests that come at once are answered in their order", async () => {
  await using server = new KeptServer((head) => answer(head.split(" ")[1] ?? ""));
  await using balancer = await start([server]);
  const requests = ask("/p1") + ask("/p2") + ask("/p3", "Connection: close");
  const text = await askOnce(balancer.address.port, requests);
  assertEquals(text.match(/\/p\d/g), ["/p1", "/p2", "/p3"]);
});

const REFUSED: Readonly<Record<string, [request: string, status: number]>> = {
  "Content-Length with Transfer-Encoding": [
    "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    400,
  ],
  "two lengths": [
    "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    400,
  ],
  "no Host": ["GET / HTTP/1.1\r\n\r\n", 400],
  "a blank before the colon": ["GET / HTTP/1.1\r\nHost : t\r\n\r\n", 400],
  "a folded line": ["GET / HTTP/1.1\r\nHost: t\r\nA: b\r\n c\r\n\r\n", 400],
  "an unknown transfer coding": [
    "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    501,
  ],
  "an unknown version": ["GET / HTTP/3.0\r\nHost: t\r\n\r\n", 505],
  "a long target": [`GET /${"x".repeat(9000)} HTTP/1.1\r\nHost: t\r\n\r\n`, 414],
  "too many headers": [ask("/", ...Array.from({ length: 200 }, (_, at) => `A${at}: b`)), 431],
};

for (const [what, [request, status]] of Object.entries(REFUSED)) {
  Deno.test(`http: ${what} is refused with ${status}, and no backend sees it`, async () => {
    await using server = new KeptServer(() => answer("ok"));
    await using balancer = await start([server]);
    const text = await askOnce(balancer.address.port, request + ask("/smuggled"));
    assertMatch(text, new RegExp(`^HTTP/1.1 ${status} [^]*Connection: close\r\n\r\n$`));
    assertEquals(server.heads, []);
  });
}

Deno.test("http: a backend that refuses is passed over; when none is left it is 502, then 503", async () => {
  await using good = new KeptServer(() => answer("ok"));
  await using balancer = await start([{ port: deadPort() }, good]);
  assertMatch(await askOnce(balancer.address.port, ask("/", "Connection: close")), /ok$/);
  await using alone = await start([{ port: deadPort() }], { intervalMs: "1h" });
  assertMatch(await askOnce(alone.address.port, ask("/")), /^HTTP\/1.1 502 /);
  assertMatch(await askOnce(alone.address.port, ask("/")), /^HTTP\/1.1 503 [^]*Retry-After: 1\r\n/);
});

Deno.test("http: a backend that ends before its first byte: GET goes on to another, POST is 502", async () => {
  await using hasty = new RawServer(async (conn) => void await readSome(conn));
  await using good = new KeptServer(() => answer("ok"));
  await using balancer = await start([hasty, good], { ejectAfter: "0" });
  const { port } = balancer.address;
  for (let turn = 0; turn < 4; turn++) {
    assertMatch(await askOnce(port, ask("/", "Connection: close")), /ok$/);
  }
  const post = "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
  const answers = [await askOnce(port, post), await askOnce(port, post)].sort();
  assertMatch(answers[0] ?? "", /^HTTP\/1.1 200 /);
  assertMatch(answers[1] ?? "", /^HTTP\/1.1 502 /);
});

Deno.test("http: what is no answer is 502, a silent backend 504", async () => {
  for (const nonsense of ["garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "HTTP/1.1 20"]) {
    await using server = new RawServer(async (conn) => {
      await readSome(conn);
      await writeAll(conn, nonsense);
    });
    await using balancer = await start([server]);
    assertMatch(await askOnce(balancer.address.port, ask("/")), /^HTTP\/1.1 502 /, nonsense);
  }
  await using silent = new RawServer(async (conn) => {
    while (await readSome(conn) !== "");
  });
  await using balancer = await start([silent], { firstByteTimeoutMs: "200ms" });
  assertMatch(await askOnce(balancer.address.port, ask("/")), /^HTTP\/1.1 504 /);
});

Deno.test("http: an answer that breaks off is cut off, never ended as if it were whole", async () => {
  const heads = ["Content-Length: 100", "Transfer-Encoding: chunked"];
  for (const framing of heads) {
    await using server = new RawServer(async (conn) => {
      await readSome(conn);
      await writeAll(conn, `HTTP/1.1 200 OK\r\n${framing}\r\n\r\n5\r\nhello`);
    });
    await using balancer = await start([server]);
    const text = await askOnce(balancer.address.port, ask("/"));
    assertMatch(text, /hello/, framing);
    assert(!text.includes("\r\n0\r\n"), text);
  }
});

Deno.test("http: a kept connection that the backend gave up is replaced without a word", async () => {
  await using server = new RawServer(async (conn) => {
    await readSome(conn);
    await writeAll(conn, answer("ok"));
    // One request a connection, without saying so; it ends when the next request comes.
    await readSome(conn);
  });
  await using balancer = await start([server]);
  using client = await ByteClient.connect(balancer.address.port);
  for (let turn = 0; turn < 3; turn++) {
    assertMatch(await exchange(client, ask(`/${turn}`), "ok"), /^HTTP\/1.1 200 /);
  }
  assertEquals(balancer.snapshot().backends[0]?.failures, 0);
});

Deno.test("http: an upgrade is a tunnel from the backend's 101 on, half-closes included", async () => {
  await using server = new RawServer(async (conn) => {
    const head = await readSome(conn);
    if (/\r\n\r\n./.test(head)) return; // Bytes before the 101: they must not have come.
    await writeAll(
      conn,
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n",
    );
    for (let text = await readSome(conn); text !== ""; text = await readSome(conn)) {
      await writeAll(conn, text.toUpperCase());
    }
    await writeAll(conn, "bye");
  });
  await using balancer = await start([server]);
  using client = await ByteClient.connect(balancer.address.port);
  await client.send(ask("/", "Upgrade: echo", "Connection: Upgrade") + "early ");
  await client.receiveUntil("EARLY ");
  assertMatch(client.text, /^HTTP\/1.1 101 [^]*Upgrade: echo\r\n/);
  await client.send("late");
  await client.receiveUntil("LATE");
  await client.end();
  assertMatch(await client.receiveAll(), /bye$/);
  await until(() => balancer.snapshot().carried === 0, "its bridge is free");
});

Deno.test("http: an upgrade that the backend declines is a request like others", async () => {
  await using server = new KeptServer(() => answer("no"));
  await using balancer = await start([server]);
  using client = await ByteClient.connect(balancer.address.port);
  await exchange(client, ask("/", "Upgrade: echo", "Connection: upgrade"), "no");
  assertMatch(await exchange(client, ask("/2"), "no"), /^HTTP\/1.1 200 /);
});

Deno.test("http: Expect: 100-continue and its interim answer pass through", async () => {
  await using server = new RawServer(async (conn) => {
    assertStringIncludes(await readSome(conn), "Expect: 100-continue");
    await writeAll(conn, "HTTP/1.1 100 Continue\r\n\r\n");
    assertEquals(await readSome(conn), "body");
    await writeAll(conn, answer("thanks"));
  });
  await using balancer = await start([server]);
  using client = await ByteClient.connect(balancer.address.port);
  await client.send(
    "PUT / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
  );
  await client.receiveUntil("100 Continue\r\n");
  await exchange(client, "body", "thanks");
});

Deno.test("http: an early answer reaches a client that is still sending", async () => {
  await using server = new RawServer(async (conn) => {
    await readSome(conn);
    await writeAll(conn, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
  });
  await using balancer = await start([server]);
  using client = await ByteClient.connect(balancer.address.port);
  await client.send("PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: 100000000\r\n\r\n");
  const sending = client.send(new Uint8Array(10_000_000)).catch(() => {/* it need not take all */});
  assertMatch(await client.receiveAll(), /^HTTP\/1.1 413 [^]*Connection: close\r\n/);
  client[Symbol.dispose]();
  await sending;
});

Deno.test("http: what is streamed arrives piece by piece", async () => {
  const next = Promise.withResolvers<void>();
  await using server = new RawServer(async (conn) => {
    await readSome(conn);
    const head =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    await writeAll(conn, `${head}8\r\ndata: 1\n\r\n`);
    await next.promise;
    await writeAll(conn, "8\r\ndata: 2\n\r\n0\r\n\r\n");
  });
  await using balancer = await start([server]);
  using client = await ByteClient.connect(balancer.address.port);
  await client.send(ask("/"));
  await client.receiveUntil("data: 1\n");
  next.resolve();
  await client.receiveUntil("data: 2\n");
});

Deno.test("http: who is slow with a head gets 408, who does not ask at all is closed", async () => {
  await using server = new KeptServer(() => answer("ok"));
  await using balancer = await start([server], {
    headTimeoutMs: "200ms",
    keepAliveTimeoutMs: "300ms",
  });
  const { port } = balancer.address;
  assertMatch(await askOnce(port, "GET / HTTP/1.1\r\n"), /^HTTP\/1.1 408 /);
  assertEquals(await askOnce(port, ""), "");
  using client = await ByteClient.connect(port);
  await exchange(client, ask("/"), "ok");
  assertMatch(await client.receiveAll(), /ok$/, "kept for a while, then closed");
});

Deno.test("http: who is slow with a body gets 408, and the backend is not blamed", async () => {
  await using server = new RawServer(async (conn) => {
    while (await readSome(conn) !== "");
  });
  await using balancer = await start([server], { idleTimeoutMs: "200ms" });
  const slow = "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nhi";
  assertMatch(await askOnce(balancer.address.port, slow), /^HTTP\/1.1 408 /);
  assertEquals(balancer.snapshot().backends[0]?.failures, 0);
});

// Regression: backends that close on slow clients without a word were ejected for it.
Deno.test("http: a backend that closes on a slow body is not blamed, on a whole one it is", async () => {
  await using server = new RawServer(async (conn) => {
    for (let text = ""; !text.includes("hi");) text += await readSome(conn);
  });
  await using balancer = await start([server], { ejectAfter: "0" });
  const head = "POST / HTTP/1.1\r\nHost: t\r\nContent-Length:";
  assertMatch(await askOnce(balancer.address.port, `${head} 10\r\n\r\nhi`), /^HTTP\/1.1 502 /);
  assertEquals(balancer.snapshot().backends[0]?.failures, 0);
  assertMatch(await askOnce(balancer.address.port, `${head} 2\r\n\r\nhi`), /^HTTP\/1.1 502 /);
  assertEquals(balancer.snapshot().backends[0]?.failures, 1);
});

Deno.test("http: an idle client holds no bridge; N bounds the requests", async () => {
  const open = Promise.withResolvers<void>();
  await using server = new KeptServer(async (head) => {
    if (head.includes("/wait")) await open.promise;
    return answer("ok");
  });
  await using balancer = await start([server], { parallel: "1" });
  const { port } = balancer.address;
  using idle = await ByteClient.connect(port);
  await exchange(idle, ask("/"), "ok");
  using waiting = await ByteClient.connect(port);
  await waiting.send(ask("/wait"));
  await until(() => balancer.snapshot().carried === 1, "one is carried");
  await idle.send(ask("/"));
  await until(() => balancer.snapshot().waiting === 1, "the other waits");
  open.resolve();
  await waiting.receiveUntil("ok");
  await idle.receiveUntil("ok");
});

Deno.test("http: a client that breaks its connection ends the work for it", async () => {
  const ended = Promise.withResolvers<void>();
  await using server = new RawServer(async (conn) => {
    while (await readSome(conn) !== "");
    ended.resolve();
  });
  await using balancer = await start([server]);
  await connectAndReset(balancer.address.port, ask("/"));
  await ended.promise;
  await until(() => balancer.snapshot().carried === 0, "its bridge is free");
  assertEquals(balancer.snapshot().backends[0]?.failures, 0);
});

Deno.test("http: --sticky brings a client back to its server, by a cookie of its own", async () => {
  await using a = new KeptServer(() => answer("from a"));
  await using b = new KeptServer(() => answer("from b"));
  await using balancer = await start([a, b], { sticky: "id" });
  const { port } = balancer.address;
  const first = await askOnce(port, ask("/", "Connection: close"));
  const [, cookie = ""] =
    /Set-Cookie: (id=[\w-]+); Path=\/; HttpOnly; SameSite=Lax\r\n/.exec(first) ?? [];
  assert(cookie !== "" && first.endsWith("from a"), first);
  for (let turn = 0; turn < 5; turn++) {
    const text = await askOnce(port, ask("/", `Cookie: x=1; ${cookie}`, "Connection: close"));
    assert(text.endsWith("from a") && !text.includes("Set-Cookie"), text);
  }
  await a.server.close();
  const text = await askOnce(port, ask("/", `Cookie: ${cookie}`, "Connection: close"));
  assertMatch(text, /Set-Cookie: id=[^]*from b$/, "its server is gone: another, with a new cookie");
});

Deno.test("http: --compress: curl gets text compressed, and whole", async () => {
  const text = "a line of text\n".repeat(5000);
  const headers = ["Content-Type: text/plain", 'ETag: "1"'];
  await using server = new KeptServer(() => answer(text, ...headers));
  await using balancer = await start([server], { compress: "on" });
  const url = `http://127.0.0.1:${balancer.address.port}/`;
  const request = ask("/", "Accept-Encoding: gzip", "Connection: close");
  const raw = await askOnce(balancer.address.port, request);
  assertMatch(raw, /Content-Encoding: gzip\r\n/);
  assertMatch(raw, /ETag: W\/"1"\r\n[^]*Vary: Accept-Encoding\r\n/);
  assert(raw.length < text.length / 10, `${raw.length} bytes`);
  for (const encoding of ["gzip", "br", "zstd", "gzip;q=0", "identity"]) {
    const response = await fetch(url, { headers: { "Accept-Encoding": encoding } });
    if (encoding !== "zstd") assertEquals(await response.text(), text, encoding);
    else await response.bytes();
  }
});

Deno.test("http: at a stop, what runs is answered, and idle clients are closed", async () => {
  const open = Promise.withResolvers<void>();
  await using server = new KeptServer(async (head) => {
    if (head.includes("/wait")) await open.promise;
    return answer("ok");
  });
  await using balancer = await start([server]);
  using idle = await ByteClient.connect(balancer.address.port);
  await exchange(idle, ask("/"), "ok");
  using running = await ByteClient.connect(balancer.address.port);
  await running.send(ask("/wait"));
  await until(() => balancer.snapshot().carried === 1, "one is carried");
  const stopped = balancer.stop();
  await idle.receiveAll();
  idle[Symbol.dispose]();
  open.resolve();
  assertMatch(await running.receiveAll(), /Connection: close\r\n[^]*ok$/);
  running[Symbol.dispose]();
  await stopped;
});

// Regression: what was never sent again counted, and spent the budget.
Deno.test("http: only what is sent again counts as a retry", async () => {
  await using silent = new RawServer(async (conn) => void await readSome(conn));
  await using other = new RawServer(async (conn) => void await readSome(conn));
  await using balancer = await start([silent, other], { ejectAfter: "0" });
  for (let turn = 1; turn <= 4; turn++) {
    const text = await askOnce(balancer.address.port, ask("/"));
    assertMatch(text, /^HTTP\/1\.1 502 /);
    const { http, backends } = balancer.snapshot();
    const leased = backends.reduce((sum, each) => sum + each.leased, 0);
    assertEquals(http?.retries, leased - turn, "each lease beyond the first is one");
  }
});
