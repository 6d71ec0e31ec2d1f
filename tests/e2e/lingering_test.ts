/** How connections end: clients receive their last bytes, and nobody stays for ever. */
import { assertEquals } from "../support/assert.ts";
import { startBalancer } from "../support/balancer.ts";
import { ByteClient, get } from "../support/byte_client.ts";
import { deadPort, RawServer, readSome, writeAll } from "../support/raw_server.ts";
import { until } from "../support/until.ts";

const TRUSTING = { health: "off" } as const;

Deno.test("lingering: who was told the 500 and does not close is closed after the deadline", async () => {
  await using balancer = await startBalancer([deadPort()], {
    ...TRUSTING,
    lingerTimeoutMs: "200ms",
  });
  using client = await ByteClient.connect(balancer.address.port);
  await client.send(get("/"));
  await client.receiveAll();
  await until(() => balancer.snapshot().lingering === 0, "it was let go, though it did not close");
});

Deno.test("lingering: who goes on sending for ever after the 500 is closed as well", async () => {
  await using balancer = await startBalancer([deadPort()], {
    ...TRUSTING,
    lingerTimeoutMs: "100ms",
  });
  using client = await ByteClient.connect(balancer.address.port);
  const sending = (async () => {
    for (;;) {
      await client.send("x".repeat(1000));
    }
  })().catch((error) => error.name);
  await client.receiveAll().catch(() => "");
  await until(() => balancer.snapshot().lingering === 0, "it was let go, though it still sends");
  assertEquals(["BrokenPipe", "ConnectionReset"].includes(await sending), true);
});

Deno.test("lingering: it holds no bridge", async () => {
  await using balancer = await startBalancer([deadPort()], { ...TRUSTING, parallel: "1" });
  const clients: ByteClient[] = [];
  for (let index = 0; index < 5; index++) {
    const client = await ByteClient.connect(balancer.address.port);
    clients.push(await client.send(get("/")));
    await client.receiveUntil("500 Internal Server Error");
  }
  await until(() => balancer.snapshot().lingering === 5, "all linger");
  assertEquals(balancer.snapshot().carried, 0);
  for (const client of clients) client[Symbol.dispose]();
});

Deno.test("lingering: a client that does not close after the backend's end is closed", async () => {
  await using backend = new RawServer(async (conn) => {
    await readSome(conn);
    await writeAll(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbye");
  });
  await using balancer = await startBalancer([backend.port], {
    ...TRUSTING,
    lingerTimeoutMs: "200ms",
  });
  using client = await ByteClient.connect(balancer.address.port);
  await client.send(get("/"));
  await client.receiveAll();
  await until(() => balancer.snapshot().carried === 0, "its bridge is free");
});

Deno.test("lingering: a client in the middle of an upload receives an early answer", async () => {
  const answer = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n";
  await using backend = new RawServer(async (conn) => {
    await readSome(conn);
    await writeAll(conn, answer);
  });
  await using balancer = await startBalancer([backend.port], TRUSTING);
  using client = await ByteClient.connect(balancer.address.port);
  await client.send("PUT / HTTP/1.1\r\nHost: test\r\nContent-Length: 16777216\r\n\r\n");
  for (let sent = 0; sent < 16_777_216; sent += 65_536) await client.send(new Uint8Array(65_536));
  assertEquals(await client.receiveAll(), answer);
});
