/** What a bridge promises for the bytes it carries. */
import { assert, assertEquals, assertLess } from "../support/assert.ts";
import { startBalancer } from "../support/balancer.ts";
import { askOnce, ByteClient, connectAndReset, get } from "../support/byte_client.ts";
import { binary } from "../support/http_clients.ts";
import { RawServer, readAll, readSome, writeAll } from "../support/raw_server.ts";
import { until } from "../support/until.ts";

const TRUSTING = { health: "off" } as const;

Deno.test("bridge: bytes pass untouched both ways, whatever they are and however many", async () => {
  const payload = binary(5_000_011);
  let seen = 0;
  await using backend = new RawServer(async (conn) => {
    seen = await readAll(conn);
    await writeAll(conn, payload);
  });
  await using balancer = await startBalancer([backend.port], TRUSTING);
  using client = await ByteClient.connect(balancer.address.port);
  await (await client.send(payload)).end();
  const answer = await client.receiveAllBytes();
  assertEquals(seen, payload.length, "the backend got as many bytes as were sent");
  assertEquals(answer.length, payload.length);
  assert(answer.every((byte, at) => byte === payload[at]), "the same bytes came back");
});

Deno.test("bridge: a client that ends its side still receives its whole answer", async () => {
  await using backend = new RawServer(async (conn) => {
    const bytes = await readAll(conn);
    await writeAll(conn, `HTTP/1.1 200 OK\r\n\r\n${bytes} bytes`);
  });
  await using balancer = await startBalancer([backend.port], TRUSTING);
  using client = await ByteClient.connect(balancer.address.port);
  await (await client.send(get("/"))).end();
  const answer = `HTTP/1.1 200 OK\r\n\r\n${get("/").length} bytes`;
  assertEquals(await client.receiveAll(), answer);
  await until(() => balancer.snapshot().carried === 0, "the bridge is free");
  const [counts] = balancer.snapshot().backends;
  assertEquals([counts?.bytesUp, counts?.bytesDown], [get("/").length, answer.length]);
});

Deno.test("bridge: one connection carries many messages in turn", async () => {
  await using backend = new RawServer(async (conn) => {
    for (let message = await readSome(conn); message !== ""; message = await readSome(conn)) {
      await writeAll(conn, message.toUpperCase());
    }
  });
  await using balancer = await startBalancer([backend.port], TRUSTING);
  using client = await ByteClient.connect(balancer.address.port);
  let expected = "";
  for (let turn = 0; turn < 50; turn++) {
    await client.send(`turn ${turn};`);
    expected += `TURN ${turn};`;
    assertEquals(await client.receiveUntil(`TURN ${turn};`), expected);
  }
  assertEquals(backend.connections, 1);
});

Deno.test("bridge: memory stays flat while a client does not read", async () => {
  let written = 0;
  await using backend = new RawServer(async (conn) => {
    await readSome(conn);
    const block = new Uint8Array(1024 * 1024);
    for (; written < 512 * 1024 * 1024; written += block.length) await writeAll(conn, block);
  });
  await using balancer = await startBalancer([backend.port], TRUSTING);
  using client = await ByteClient.connect(balancer.address.port);
  await client.send(get("/"));
  await client.receive();
  // The backend is held up when the sockets' buffers are full: it stops making progress.
  let before = -1;
  let still = 0;
  await until(() => {
    still = written === before ? still + 1 : 0;
    before = written;
    return still > 50;
  }, "the backend was held up");
  assertLess(written, 64 * 1024 * 1024, "what is under way fits into the sockets' buffers");
});

Deno.test("bridge: a backend that reads slowly holds the client up", async () => {
  const { promise: mayRead, resolve: read } = Promise.withResolvers<void>();
  let received = 0;
  await using backend = new RawServer(async (conn) => {
    await mayRead;
    received = await readAll(conn);
    await writeAll(conn, "done");
  });
  await using balancer = await startBalancer([backend.port], TRUSTING);
  using client = await ByteClient.connect(balancer.address.port);
  const total = 64 * 1024 * 1024;
  let sent = 0;
  const sending = (async () => {
    const block = new Uint8Array(256 * 1024);
    for (; sent < total; sent += block.length) await client.send(block);
    await client.end();
  })();
  let before = -1;
  let still = 0;
  await until(() => {
    still = sent === before ? still + 1 : 0;
    before = sent;
    return still > 50;
  }, "the client was held up");
  assertLess(sent, total, "not everything could be sent");
  read();
  await sending;
  assertEquals(await client.receiveAll(), "done");
  assertEquals(received, total, "and yet nothing was lost");
});

Deno.test("bridge: a request that comes byte by byte arrives whole", async () => {
  let request = "";
  await using backend = new RawServer(async (conn) => {
    while (!request.endsWith("\r\n\r\n")) request += await readSome(conn);
    await writeAll(conn, "HTTP/1.1 204 No Content\r\n\r\n");
  });
  await using balancer = await startBalancer([backend.port], TRUSTING);
  using client = await ByteClient.connect(balancer.address.port);
  for (const byte of get("/slow")) await client.send(byte);
  assertEquals(await client.receiveAll(), "HTTP/1.1 204 No Content\r\n\r\n");
  assertEquals(request, get("/slow"));
});

Deno.test("bridge: both sides are closed when the client breaks the connection", async () => {
  await using backend = new RawServer(async (conn) => void await readAll(conn));
  await using balancer = await startBalancer([backend.port], TRUSTING);
  await connectAndReset(balancer.address.port, "GET / HTTP/1.1\r\n");
  await until(() => balancer.snapshot().accepted === 1, "the client was accepted");
  await until(() => balancer.snapshot().carried === 0, "the bridge let go of it");
  await until(() => backend.open === 0, "the backend's connection was closed");
});

Deno.test("bridge: an answer that breaks off is passed on as far as it came, and ends", async () => {
  await using backend = new RawServer(async (conn) => {
    await readSome(conn);
    await writeAll(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
  });
  await using spare = new RawServer(async (conn) => await writeAll(conn, "never"));
  await using balancer = await startBalancer([backend.port, spare.port], TRUSTING);
  const answer = await askOnce(balancer.address.port, get("/"));
  assertEquals(answer, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
  assertEquals(spare.connections, 0, "nothing is sent again once the answer has begun");
});

Deno.test("bridge: a connection without a byte is closed after the idle deadline", async () => {
  await using backend = new RawServer(async (conn) => void await readAll(conn));
  await using balancer = await startBalancer([backend.port], {
    ...TRUSTING,
    idleTimeoutMs: "200ms",
    parallel: "1",
  });
  using silent = await ByteClient.connect(balancer.address.port);
  assertEquals(await silent.receiveAll(), "", "it is closed without a word");
  await until(() => backend.open === 0, "the backend's connection was closed too");
  await until(() => balancer.snapshot().carried === 0, "its bridge is free");
});

Deno.test("bridge: a busy connection outlives the idle deadline", async () => {
  await using backend = new RawServer(async (conn) => {
    for (let text = await readSome(conn); text !== ""; text = await readSome(conn)) {
      await writeAll(conn, text);
    }
  });
  await using balancer = await startBalancer([backend.port], {
    ...TRUSTING,
    idleTimeoutMs: "1s",
  });
  using client = await ByteClient.connect(balancer.address.port);
  const start = performance.now();
  let echoed = 0;
  while (performance.now() - start < 1500) {
    await client.send("x");
    await client.receiveUntil("x".repeat(++echoed));
  }
  assertEquals(balancer.snapshot().carried, 1);
});

Deno.test("tcp mode: a backend that ends its side first still receives everything", async () => {
  let received = 0;
  await using backend = new RawServer(async (conn) => {
    await conn.closeWrite();
    received = await readAll(conn);
  });
  await using balancer = await startBalancer([backend.port], { ...TRUSTING, mode: "tcp" });
  using client = await ByteClient.connect(balancer.address.port);
  assertEquals(await client.receiveAll(), "");
  await (await client.send(new Uint8Array(1_000_000))).end();
  await until(() => received === 1_000_000, () => `the backend received all, not ${received}`);
});

Deno.test("tcp mode: a backend that speaks first is heard", async () => {
  await using backend = new RawServer(async (conn) => {
    await writeAll(conn, "220 ready\r\n");
    await writeAll(conn, await readSome(conn));
  });
  await using balancer = await startBalancer([backend.port], { ...TRUSTING, mode: "tcp" });
  using client = await ByteClient.connect(balancer.address.port);
  await client.receiveUntil("220 ready\r\n");
  await client.send("QUIT\r\n");
  assertEquals(await client.receiveAll(), "220 ready\r\nQUIT\r\n");
});

Deno.test("balancer: nothing is left open after a thousand clients of all kinds", async () => {
  await using backend = new RawServer(async (conn) => {
    const text = await readSome(conn);
    if (text !== "") await writeAll(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  await using balancer = await startBalancer([backend.port], TRUSTING);
  const { port } = balancer.address;
  const polite = async (): Promise<void> => {
    assertEquals((await askOnce(port, get("/"))).slice(-2), "ok");
  };
  const mute = async (): Promise<void> => {
    using _client = await ByteClient.connect(port);
  };
  const rude = (): Promise<void> => connectAndReset(port, get("/"));
  for (let round = 0; round < 50; round++) {
    const kinds = [polite, mute, rude, polite];
    await Promise.all(Array.from({ length: 20 }, (_, index) => kinds[index % 4]?.()));
  }
  await until(() => {
    const { carried, waiting, lingering } = balancer.snapshot();
    return carried + waiting + lingering === 0;
  }, () => `all clients are gone: ${JSON.stringify(balancer.snapshot())}`);
  await until(() => backend.open === 0, "all connections to the backend are closed");
  assertEquals(balancer.snapshot().backends[0]?.inFlight, 0);
});
