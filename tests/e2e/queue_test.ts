/** N bridges, and what happens to those that wait for one. */
import { assertEquals } from "../support/assert.ts";
import { startBalancer } from "../support/balancer.ts";
import { askOnce, ByteClient, connectAndReset, get } from "../support/byte_client.ts";
import { GateServer } from "../support/gate_server.ts";
import { RawServer, writeAll } from "../support/raw_server.ts";
import { until } from "../support/until.ts";

const TRUSTING = { health: "off" } as const;
const ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const BUSY = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";

Deno.test("queue: never more than N clients are carried, and all are served in their order", async () => {
  await using server = new GateServer();
  await using balancer = await startBalancer([server.port], { ...TRUSTING, parallel: "1" });
  const answers: Promise<string>[] = [];
  for (let index = 0; index < 8; index++) {
    answers.push(askOnce(balancer.address.port, get(`/${index}`)));
    await until(() => balancer.snapshot().accepted === index + 1, "it was accepted");
  }
  assertEquals(balancer.snapshot().waiting, 7);
  server.open();
  assertEquals(await Promise.all(answers), Array(8).fill(ANSWER));
  assertEquals(server.asked, ["/0", "/1", "/2", "/3", "/4", "/5", "/6", "/7"]);
  assertEquals(server.most, 1, "one at a time");
});

Deno.test("queue: with N = 3, three are carried side by side", async () => {
  await using server = new GateServer();
  await using balancer = await startBalancer([server.port], { ...TRUSTING, parallel: "3" });
  const answers = Array.from({ length: 9 }, () => askOnce(balancer.address.port, get("/")));
  await until(() => balancer.snapshot().waiting === 6, "six wait");
  assertEquals(balancer.snapshot().carried, 3);
  server.open();
  assertEquals(await Promise.all(answers), Array(9).fill(ANSWER));
  assertEquals(server.most, 3);
});

Deno.test("queue: when it is full one more is turned away with 503 and Retry-After", async () => {
  await using server = new GateServer();
  await using balancer = await startBalancer([server.port], {
    ...TRUSTING,
    parallel: "1",
    queueMax: "1",
  });
  const { port } = balancer.address;
  const first = askOnce(port, get("/1"));
  await until(() => balancer.snapshot().carried === 1, "the first is carried");
  const second = askOnce(port, get("/2"));
  await until(() => balancer.snapshot().waiting === 1, "the second waits");
  assertEquals(await askOnce(port, get("/3")), BUSY);
  assertEquals(balancer.snapshot().turnedAway, 1);
  server.open();
  assertEquals(await Promise.all([first, second]), [ANSWER, ANSWER]);
});

Deno.test("queue: who waits for too long is turned away with 503", async () => {
  await using server = new GateServer();
  await using balancer = await startBalancer([server.port], {
    ...TRUSTING,
    parallel: "1",
    queueTimeoutMs: "200ms",
  });
  const { port } = balancer.address;
  const first = askOnce(port, get("/1"));
  await until(() => balancer.snapshot().carried === 1, "the first is carried");
  assertEquals(await askOnce(port, get("/2")), BUSY);
  server.open();
  assertEquals(await first, ANSWER);
});

Deno.test("queue: in tcp mode who is turned away is closed without a word", async () => {
  await using server = new GateServer();
  await using balancer = await startBalancer([server.port], {
    ...TRUSTING,
    mode: "tcp",
    parallel: "1",
    queueMax: "1",
  });
  const first = askOnce(balancer.address.port, get("/1"));
  await until(() => balancer.snapshot().carried === 1, "the first is carried");
  assertEquals(await askOnce(balancer.address.port, "x"), "");
  server.open();
  assertEquals(await first, ANSWER);
});

Deno.test("queue: who hangs up while waiting gives its place up", async () => {
  await using server = new GateServer();
  await using balancer = await startBalancer([server.port], {
    ...TRUSTING,
    parallel: "1",
    queueMax: "2",
  });
  const { port } = balancer.address;
  const first = askOnce(port, get("/1"));
  await until(() => balancer.snapshot().carried === 1, "the first is carried");
  await connectAndReset(port, get("/never"));
  await until(() => balancer.snapshot().accepted === 2, "both were accepted");
  await until(() => balancer.snapshot().waiting === 0, "it has left");
  const last = askOnce(port, get("/2"));
  await until(() => balancer.snapshot().waiting === 1, "there is room again");
  server.open();
  assertEquals(await Promise.all([first, last]), [ANSWER, ANSWER]);
  assertEquals(server.asked, ["/1", "/2"], "the backend never saw those that left");
});

Deno.test("queue: who ends its side while waiting, having asked, is still answered", async () => {
  await using server = new GateServer();
  await using balancer = await startBalancer([server.port], { ...TRUSTING, parallel: "1" });
  const first = askOnce(balancer.address.port, get("/1"));
  await until(() => balancer.snapshot().carried === 1, "the first is carried");
  using client = await ByteClient.connect(balancer.address.port);
  await (await client.send(get("/2"))).end();
  await until(() => balancer.snapshot().waiting === 1, "it waits");
  server.open();
  assertEquals(await first, ANSWER);
  assertEquals(await client.receiveAll(), ANSWER);
});

// Regression (found by the torture's idle): as many silent clients as there are bridges kept all
// others waiting for as long as the servers let them be silent.
Deno.test("queue: silent clients hold no bridge and no place in the queue", async () => {
  await using server = new GateServer();
  server.open();
  await using balancer = await startBalancer([server.port], {
    ...TRUSTING,
    parallel: "1",
    queueMax: "1",
  });
  const { port } = balancer.address;
  const silent = await Promise.all([1, 2, 3].map(() => ByteClient.connect(port)));
  await until(() => balancer.snapshot().accepted === 3, "all were accepted");
  assertEquals(await askOnce(port, get("/1")), ANSWER);
  await until(() => balancer.snapshot().clients === 3, "the silent ones are still there");
  const [late] = silent as [ByteClient];
  await late.send(get("/late"));
  assertEquals(await late.receiveAll(), ANSWER, "it may still ask");
  for (const client of silent) client[Symbol.dispose]();
  await until(() => balancer.snapshot().clients === 0, "they are gone");
  assertEquals(server.asked, ["/1", "/late"]);
});

Deno.test("queue: a client that says nothing for --head-timeout is closed", async () => {
  await using server = new GateServer();
  await using balancer = await startBalancer([server.port], {
    ...TRUSTING,
    headTimeoutMs: "200ms",
  });
  assertEquals(await askOnce(balancer.address.port, ""), "");
  assertEquals(server.connections, 0);
});

Deno.test("queue: at a stop, a request that is on its way is served, who stays silent is closed", async () => {
  await using server = new GateServer();
  server.open();
  await using balancer = await startBalancer([server.port], TRUSTING);
  using silent = await ByteClient.connect(balancer.address.port);
  using late = await ByteClient.connect(balancer.address.port);
  await until(() => balancer.snapshot().accepted === 2, "both were accepted");
  const stopped = balancer.stop();
  await late.send(get("/late"));
  assertEquals(await late.receiveAll(), ANSWER);
  assertEquals(await silent.receiveAll(), "");
  late[Symbol.dispose]();
  silent[Symbol.dispose]();
  await stopped;
});

Deno.test("queue: bytes sent while waiting are all carried, however many", async () => {
  const release = Promise.withResolvers<void>();
  let received = 0;
  await using server = new RawServer(async (conn, index) => {
    if (index === 0) await release.promise;
    const buffer = new Uint8Array(65_536);
    for (let count = await conn.read(buffer); count !== null; count = await conn.read(buffer)) {
      if (index === 1) received += count;
    }
    await writeAll(conn, ANSWER);
  });
  await using balancer = await startBalancer([server.port], { ...TRUSTING, parallel: "1" });
  using first = await ByteClient.connect(balancer.address.port);
  await first.send(get("/"));
  await until(() => balancer.snapshot().carried === 1, "the first is carried");
  using second = await ByteClient.connect(balancer.address.port);
  const sending = second.send(new Uint8Array(3_000_000)).then((client) => client.end());
  await until(() => balancer.snapshot().waiting === 1, "the second waits");
  release.resolve();
  await first.end();
  assertEquals(await first.receiveAll(), ANSWER);
  first[Symbol.dispose]();
  await sending;
  assertEquals(await second.receiveAll(), ANSWER);
  assertEquals(received, 3_000_000);
});
