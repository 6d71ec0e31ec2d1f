/** When backends are probed, what counts as an answer, and what follows from it. */
import { oneTurn, systemClock } from "../../lib/clock.ts";
import { assertEquals, assertLess, assertStringIncludes } from "../support/assert.ts";
import { makeBalancer, type Settings, startBalancer } from "../support/balancer.ts";
import { askOnce, get } from "../support/byte_client.ts";
import { FILES } from "../support/http_clients.ts";
import type { Faults } from "../support/http_faults.ts";
import { type HttpServer, startHttpServer } from "../support/httpserver.ts";
import { RawServer } from "../support/raw_server.ts";
import { until } from "../support/until.ts";

const SLOW = { intervalMs: "1h", requests: "0" } as const;

function probes(server: HttpServer): number {
  return server.requests.filter((request) => request.target === "/healthcheck").length;
}

async function stateWith(
  faults: Faults,
  settings: Settings = {},
): Promise<{ state: string; reason: string; open: number }> {
  await using server = await startHttpServer({ files: FILES, faults });
  await using balancer = await startBalancer([server.port], {
    ...SLOW,
    fall: "1",
    probeTimeoutMs: "500ms",
    ...settings,
  });
  const [backend] = balancer.snapshot().backends;
  await until(() => server.open === 0, "the probe's connection was closed");
  return { state: backend?.state ?? "", reason: backend?.reason ?? "", open: server.open };
}

Deno.test("health: a client that comes before the first round is over waits, and is served", async () => {
  await using server = await startHttpServer({ files: FILES, faults: { healthDelayMs: 300 } });
  await using balancer = makeBalancer([server.port], SLOW);
  const answer = askOnce(balancer.address.port, get("/a.txt"));
  await until(() => balancer.snapshot().waiting === 1, "it waits");
  assertStringIncludes(await answer, "alpha");
});

const GOOD: Readonly<Record<string, Faults>> = {
  "an orderly answer": {},
  "an answer in single bytes": { healthPieces: Infinity },
  "a chunked answer": { healthChunked: true },
  "a chunked answer in single bytes": { healthChunked: true, healthPieces: Infinity },
  "an answer on a connection that stays open": { healthKeepAlive: true },
  "no line end after the second number": {
    healthAnswer: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n3\n7",
  },
  "a body that the end of the connection ends": { healthAnswer: "HTTP/1.0 200 OK\r\n\r\n3\n7\n" },
};

for (const [what, faults] of Object.entries(GOOD)) {
  Deno.test(`health: ${what} means ready`, async () => {
    const reason = "it passes its checks";
    assertEquals(await stateWith(faults), { state: "ready", reason, open: 0 });
  });
}

const HINT = "; for servers without it, use --health tcp or --health http --health-path /";
const BAD: Readonly<Record<string, readonly [Faults, string]>> = {
  "a bad status": [
    { healthAnswer: "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" },
    `/healthcheck answered 404${HINT}`,
  ],
  "words": [
    { healthAnswer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" },
    `/healthcheck answered "hello" in place of two numbers, errors then entries${HINT}`,
  ],
  "a negative number": [
    { healthAnswer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n-1\n2\n" },
    `/healthcheck answered "-1\\n2\\n" in place of two numbers, errors then entries${HINT}`,
  ],
  "an endless head": [
    { healthEndless: "head" },
    `/healthcheck sent a head of more than 16 KiB${HINT}`,
  ],
  "an endless body": [
    { healthEndless: "body" },
    `/healthcheck sent a body of more than 1 KiB${HINT}`,
  ],
  "silence": [{ healthSilent: true }, "/healthcheck gave no answer within 0.5s"],
  "no answer": [
    { healthClose: "request" },
    `/healthcheck closed the connection without an answer${HINT}`,
  ],
  "half an answer": [
    { healthClose: "answer" },
    `/healthcheck closed the connection in the middle of its answer${HINT}`,
  ],
  "a reset": [{ healthReset: "request" }, "/healthcheck: connection reset"],
  "garbage": [
    { healthAnswer: "\0\0garbage\r\n\r\n" },
    `/healthcheck did not answer in HTTP${HINT}`,
  ],
};

for (const [what, [faults, reason]] of Object.entries(BAD)) {
  Deno.test(`health: ${what} means down, with the reason`, async () => {
    assertEquals(await stateWith(faults), { state: "down", reason, open: 0 });
  });
}

Deno.test("health http: 200 and 302 on the path mean ready, 500 means down", async () => {
  const answer = (status: string): Faults => ({
    healthAnswer: `HTTP/1.1 ${status}\r\nContent-Length: 100000\r\n\r\n`,
  });
  const settings = { health: "http", policy: "round-robin" } as const;
  assertEquals((await stateWith(answer("200 OK"), settings)).state, "ready");
  assertEquals((await stateWith(answer("302 Found"), settings)).state, "ready");
  const bad = await stateWith(answer("500 Internal Server Error"), settings);
  assertEquals([bad.state, bad.reason], ["down", "/healthcheck answered 500"]);
});

Deno.test("health tcp: whoever takes the connection is ready", async () => {
  assertEquals((await stateWith({ healthSilent: true }, { health: "tcp" })).state, "ready");
});

Deno.test("health: every R requests are a round, and requests during it count for the next", async () => {
  await using server = await startHttpServer({ files: FILES });
  await using balancer = await startBalancer([server.port], { intervalMs: "1h", requests: "5" });
  assertEquals(probes(server), 1, "the round at the start");
  for (let round = 1; round <= 3; round++) {
    for (let request = 0; request < 5; request++) {
      assertEquals(probes(server), round, "no round before its time");
      await askOnce(balancer.address.port, get("/a.txt"));
    }
    await server.waitFor(() => probes(server) === round + 1);
  }
});

Deno.test("health: every X is a round without any request", async () => {
  await using server = await startHttpServer({ files: FILES });
  await using _balancer = await startBalancer([server.port], { intervalMs: "100ms" });
  await server.waitFor(() => probes(server) >= 4);
});

Deno.test("health: one late answer does not take a server down, `fall` in a row do", async () => {
  await using server = await startHttpServer({ files: FILES });
  await using balancer = await startBalancer([server.port], {
    intervalMs: "1h",
    requests: "1",
    probeTimeoutMs: "200ms",
    fall: "2",
  });
  const state = (): string | undefined => balancer.snapshot().backends[0]?.state;
  server.faults.healthSilent = "forever";
  await askOnce(balancer.address.port, get("/a.txt"));
  await server.waitFor(() => probes(server) === 2);
  assertEquals(state(), "ready", "it is re-checked first");
  await until(() => state() === "down", "the second failure in a row takes it down");
  server.faults.healthSilent = undefined;
  await until(() => state() === "ready", "it is back as soon as it answers again");
});

Deno.test("health: a server that refused is looked at again soon, long before X", async () => {
  await using server = await startHttpServer({ files: FILES });
  await using balancer = await startBalancer([server.port], { intervalMs: "1h" });
  server.stopAccepting();
  assertStringIncludes(await askOnce(balancer.address.port, get("/a.txt")), " 500 ");
  await server.startAccepting();
  await until(() => balancer.snapshot().backends[0]?.state === "ready", "it is ready again");
  assertStringIncludes(await askOnce(balancer.address.port, get("/a.txt")), "alpha");
});

Deno.test("health off: a server that refused is used again as soon as it connects", async () => {
  await using server = await startHttpServer({ files: FILES });
  await using balancer = await startBalancer([server.port], { health: "off" });
  assertEquals(server.connections, 0, "nothing is probed");
  server.stopAccepting();
  assertStringIncludes(await askOnce(balancer.address.port, get("/a.txt")), " 500 ");
  await server.startAccepting();
  await until(() => balancer.snapshot().backends[0]?.state === "ready", "it is ready again");
});

Deno.test("health: a server that flaps is followed, and no client gets less than the best", async () => {
  await using steady = await startHttpServer({ files: FILES });
  await using flapping = await startHttpServer({ files: FILES });
  await using balancer = await startBalancer([flapping.port, steady.port], {
    intervalMs: "100ms",
  });
  const state = (): string | undefined => balancer.snapshot().backends[0]?.state;
  for (let flap = 0; flap < 5; flap++) {
    flapping.stopAccepting();
    assertStringIncludes(await askOnce(balancer.address.port, get("/a.txt")), "alpha");
    await until(() => state() === "down", "it is down");
    assertStringIncludes(await askOnce(balancer.address.port, get("/a.txt")), "alpha");
    await flapping.startAccepting();
    await until(() => state() === "ready", "it is ready");
  }
});

Deno.test("health: a burst of clients between two probes is spread as the counts would be", async () => {
  const servers = await Promise.all([0, 1, 2].map(() => startHttpServer({ files: FILES })));
  try {
    const [first, second, third] = servers;
    if (first !== undefined) first.counts.entries = 20;
    await using balancer = await startBalancer(servers.map((server) => server.port), SLOW);
    await Promise.all(
      Array.from({ length: 40 }, () => askOnce(balancer.address.port, get("/a.txt"))),
    );
    assertEquals(first?.served.length, 0, "the one that is ahead gets nothing");
    assertEquals([second?.served.length, third?.served.length], [20, 20]);
  } finally {
    await Promise.all(servers.map((server) => server.close()));
  }
});

Deno.test("health: a server restarted with counts at zero does not draw all traffic", async () => {
  await using steady = await startHttpServer({ files: FILES });
  await using restarted = await startHttpServer({ files: FILES });
  steady.counts.entries = 1000;
  restarted.counts.entries = 1000;
  await using balancer = await startBalancer([steady.port, restarted.port], {
    intervalMs: "100ms",
    requests: "0",
  });
  restarted.counts.entries = 0;
  await until(() => balancer.snapshot().backends[1]?.entries === 1000, "it rejoined level");
  const before = restarted.served.length;
  for (let turn = 0; turn < 40; turn++) await askOnce(balancer.address.port, get("/a.txt"));
  const share = restarted.served.length - before;
  assertLess(Math.abs(share - 20), 3, `it had ${share} of 40`);
});

Deno.test("health: a stall of this process takes no good server down", async () => {
  // The server is a process of its own, which goes on while this one is stalled.
  const directory = await Deno.makeTempDir();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const server = new Deno.Command("python3", {
    args: ["-m", "http.server", String(port), "--bind", "127.0.0.1", "--directory", directory],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    await until(
      () => Deno.connect({ port }).then((conn) => (conn.close(), true), () => false),
      "python listens",
    );
    await using balancer = await startBalancer([port], {
      health: "http",
      healthPath: "/",
      intervalMs: "100ms",
      // So long that a machine that others use does not keep the server from answering.
      probeTimeoutMs: "1s",
      fall: "1",
    });
    const downs: string[] = [];
    for (let stall = 0; stall < 5; stall++) {
      const end = performance.now() + 1250;
      while (performance.now() < end);
      for (let turn = 0; turn < 20 * (stall % 3); turn++) await oneTurn(systemClock);
      const [backend] = balancer.snapshot().backends;
      if (backend?.state !== "ready") downs.push(String(backend?.reason));
    }
    assertEquals(downs, []);
  } finally {
    server.kill("SIGKILL");
    await server.status;
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("health: probes run side by side, so one slow server holds no other up", async () => {
  await using slow = new RawServer(async (conn) => void await conn.read(new Uint8Array(1)));
  await using good = await startHttpServer({ files: FILES });
  await using balancer = makeBalancer([slow.port, good.port], { ...SLOW, probeTimeoutMs: "10s" });
  await until(() => balancer.snapshot().backends[1]?.state === "ready", "the good one is ready");
  await slow.close();
  await balancer.ready;
});
