/** The admin port of the program as users run it: what it tells, what it steers, whom it refuses. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { BalancerProcess } from "../support/balancer_process.ts";
import { askOnce, ByteClient, get } from "../support/byte_client.ts";
import { FILES } from "../support/http_clients.ts";
import { type HttpServer, startHttpServer } from "../support/httpserver.ts";
import { has } from "../support/programs.ts";
import { deadPort, RawServer, readSome, writeAll } from "../support/raw_server.ts";
import { readReadme, tableOf } from "../support/readme.ts";
import { until } from "../support/until.ts";

const TOKEN = "sixteen-and-more-characters";
const JSON_TYPE = { "content-type": "application/json" };

function server(): Promise<HttpServer> {
  return startHttpServer({ files: FILES });
}

/** A running balancer with an admin port at an address of this machine. */
function start(servers: readonly number[], ...args: string[]): BalancerProcess {
  const options = args.includes("--admin") ? args : ["--admin", "0", ...args];
  return new BalancerProcess(["127.0.0.1:0", ...servers.map(String), ...options]);
}

interface Asked {
  readonly status: number;
  readonly text: string;
}

async function ask(port: number, path: string, init: RequestInit = {}): Promise<Asked> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
  return { status: response.status, text: await response.text() };
}

/** A call that changes something; resolves to what is answered. */
async function steer(
  port: number,
  path: string,
  body: unknown = {},
  // deno-lint-ignore no-explicit-any -- whatever was answered, which is what is tested
): Promise<any> {
  const init = { method: "POST", headers: JSON_TYPE, body: JSON.stringify(body) };
  return JSON.parse((await ask(port, path, init)).text);
}

Deno.test("admin port: tells the whole way from starting to the end of draining", async () => {
  const checked = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  await using backend = new RawServer(async (conn) => {
    if ((await readSome(conn)).startsWith("GET /healthcheck")) {
      await checked.promise;
      await writeAll(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n0\n0\n");
    } else {
      await finish.promise;
      await writeAll(conn, "HTTP/1.1 200 OK\r\n\r\nlate");
    }
  });
  await using process = start([backend.port], "--probe-timeout", "60s");
  const port = await process.adminPort();
  assertEquals(await ask(port, "/healthz"), { status: 200, text: "ok\n" });
  assertEquals(await ask(port, "/readyz"), {
    status: 503,
    text: "starting: the first round of checks is not over\n",
  });
  assertEquals(JSON.parse((await ask(port, "/status")).text).state, "starting");
  checked.resolve();
  await until(async () => (await ask(port, "/readyz")).status === 200, "it is ready");
  assertEquals(await ask(port, "/readyz"), { status: 200, text: "ready\n" });

  using client = await ByteClient.connect(await process.port());
  await client.send(get("/"));
  await until(
    async () => JSON.parse((await ask(port, "/status")).text).clients.carried === 1,
    "the client is carried",
  );
  process.kill("SIGTERM");
  await process.says(/Draining: 1 client left/);
  assertEquals(await ask(port, "/readyz"), {
    status: 503,
    text: "draining: it was told to stop\n",
  });
  const { state, clients, backends } = JSON.parse((await ask(port, "/status")).text);
  assertEquals([state, clients.carried, backends[0].inFlight], ["draining", 1, 1]);
  assertEquals((await ask(port, "/healthz")).status, 200);
  finish.resolve();
  assertEquals(await client.receiveAll(), "HTTP/1.1 200 OK\r\n\r\nlate");
  client[Symbol.dispose]();
  const { code, stdout } = await process.end();
  assertEquals([code, stdout], [0, ""]);
});

// Regression: a few hundred calls that were never finished made /healthz and /readyz answer 503.
Deno.test("admin port: tells whether it is alive, however many calls are kept open", async () => {
  await using process = start([deadPort()], "--health", "off");
  const port = await process.adminPort();
  await process.says(/Serving/);
  const slow: ByteClient[] = [];
  const status = async (path: string): Promise<number> => (await ask(port, path)).status;
  const keepOpen = async (): Promise<void> => {
    const client = await ByteClient.connect(port);
    slow.push(client);
    await client.send(
      `POST /backends HTTP/1.1\r\nHost: localhost:${port}\r\n` +
        "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n",
    );
  };
  try {
    await until(async () => {
      await Promise.all(Array.from({ length: 32 }, keepOpen));
      return await status("/status") === 503;
    }, "no more calls are taken");
    assertEquals([await status("/healthz"), await status("/readyz")], [200, 200]);
  } finally {
    for (const client of slow) client[Symbol.dispose]();
  }
});

Deno.test("admin port: is not ready while no server is, and says so", async () => {
  await using process = start([deadPort()]);
  const port = await process.adminPort();
  await process.says(/Serving: 0 of 1/);
  assertEquals(await ask(port, "/readyz"), { status: 503, text: "no server is ready: 1 down\n" });
});

Deno.test("admin port: GET /status tells what the README says, and nothing else", async () => {
  await using backend = await server();
  await using process = start([backend.port]);
  const port = await process.adminPort();
  await process.says(/Serving/);
  for (let turn = 0; turn < 3; turn++) await askOnce(await process.port(), get("/a.txt"));
  const status = JSON.parse((await ask(port, "/status")).text);
  const { clients, backends: [only], ...whole } = status;
  assertEquals([whole.schema, whole.state, whole.mode, whole.policy], [
    1,
    "serving",
    "bridge",
    "least-entries",
  ]);
  assertEquals(whole.listen, `127.0.0.1:${await process.port()}`);
  assertMatch(whole.version, /^\d+\.\d+\.\d+$/);
  assertMatch(whole.startedAt, /^\d{4}-\d\d-\d\dT.*Z$/);
  assert(Math.abs(Date.parse(whole.startedAt) - Date.now()) < 3_600_000, whole.startedAt);
  assert(Date.parse(only.since) >= Date.parse(whole.startedAt), "ready before it was started");
  assertEquals([clients.accepted, only.leased, only.failures, only.max], [3, 3, 0, null]);
  assertEquals([only.name, only.state], [`127.0.0.1:${backend.port}`, "ready"]);

  const rows = tableOf(readReadme() ?? "", "Status field").slice(1);
  const described = rows.flatMap(([names = ""]) =>
    names.split(", ").map((name) => name.slice(1, -1))
  );
  const told = [...Object.keys(status), ...Object.keys(only)];
  assertEquals(new Set(described), new Set(told));
});

Deno.test("admin port: GET /metrics tells Prometheus its numbers", async () => {
  await using backend = await server();
  await using process = start([backend.port]);
  const port = await process.adminPort();
  await process.says(/Serving/);
  await askOnce(await process.port(), get("/a.txt"));
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  assertStringIncludes(response.headers.get("content-type") ?? "", "text/plain; version=0.0.4");
  assertMatch(await response.text(), /^loadbalancer_clients_accepted_total 1$/m);
});

Deno.test("admin port: steering holds for those who come next, and shows what is left", async () => {
  await using first = await server();
  await using second = await server();
  await using process = start([first.port, second.port], "--health", "tcp");
  const port = await process.adminPort();
  const clients = await process.port();
  await process.says(/Serving: 2 of 2/);
  const asked = async (count: number): Promise<readonly [number, number]> => {
    const before = [first.requests.length, second.requests.length] as const;
    for (let turn = 0; turn < count; turn++) await askOnce(clients, get("/a.txt"));
    return [first.requests.length - before[0], second.requests.length - before[1]];
  };
  const one = `/backends/${first.port}`;

  const drained = await steer(port, `${one}/drain`, { reason: "new release" });
  assertEquals([drained.left, drained.backend.state], [0, "draining"]);
  assertEquals(drained.backend.reason, "drained over the admin port: new release");
  assertEquals(await asked(4), [0, 4]);
  assertEquals((await steer(port, `${one}/enable`)).backend.state, "ready");
  assertEquals(await asked(4), [2, 2]);
  assertEquals((await steer(port, `${one}/disable`)).backend.state, "disabled");
  assertEquals(await asked(4), [0, 4]);
  await steer(port, `${one}/enable`);
  assertEquals((await steer(port, `${one}/weight`, { weight: 3 })).backend.weight, 3);
  assertEquals(await asked(8), [6, 2]);

  await until(
    async () => JSON.parse((await ask(port, one)).text).inFlight === 0,
    "its last connection has ended",
  );
  const removed = await fetch(`http://127.0.0.1:${port}${one}`, {
    method: "DELETE",
    headers: JSON_TYPE,
  });
  assertEquals([removed.status, (await removed.json()).left], [200, 0]);
  assertEquals(await asked(4), [0, 4]);
  const added = await steer(port, "/backends", { server: `${first.port},weight=3` });
  assertEquals(added.name, `127.0.0.1:${first.port}`);
  await until(
    async () => JSON.parse((await ask(port, one)).text).state === "ready",
    "the new one was looked at",
  );
  assertEquals(await asked(8), [6, 2]);
});

Deno.test("admin port: a drained server that still serves is told with its connections", async () => {
  const finish = Promise.withResolvers<void>();
  await using backend = new RawServer(async (conn) => {
    await readSome(conn);
    await finish.promise;
    await writeAll(conn, "HTTP/1.1 200 OK\r\n\r\nlate");
  });
  await using process = start([backend.port], "--health", "off");
  const port = await process.adminPort();
  await process.says(/Serving/);
  using client = await ByteClient.connect(await process.port());
  await client.send(get("/"));
  await until(() => backend.connections === 1, "the request is at the backend");
  assertEquals((await steer(port, `/backends/${backend.port}/drain`)).left, 1);
  finish.resolve();
  assertEquals(await client.receiveAll(), "HTTP/1.1 200 OK\r\n\r\nlate");
  client[Symbol.dispose]();
  await until(
    async () => JSON.parse((await ask(port, `/backends/${backend.port}`)).text).inFlight === 0,
    "nothing is left",
  );
});

/** Requests of attackers, each with the status that it gets. OWN stands for the Host of the port. */
const ATTACKS: Readonly<Record<string, readonly [request: string, status: number]>> = {
  "a form of another site (text/plain)": [
    "POST /backends/1234/drain HTTP/1.1\r\nHost: OWN\r\nOrigin: https://evil.example\r\n" +
    "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nContent-Type: text/plain\r\n" +
    "Content-Length: 2\r\n\r\n{}",
    403,
  ],
  "a form of another site (urlencoded), without any header that tells": [
    "POST /backends/1234/drain HTTP/1.1\r\nHost: OWN\r\n" +
    "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b",
    415,
  ],
  "JSON of another site, as if leave had been given": [
    "POST /backends/1234/drain HTTP/1.1\r\nHost: OWN\r\nOrigin: https://evil.example\r\n" +
    "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    403,
  ],
  "the question for leave (preflight)": [
    "OPTIONS /backends/1234/drain HTTP/1.1\r\nHost: OWN\r\nOrigin: https://evil.example\r\n" +
    "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\n\r\n",
    405,
  ],
  "a name that was made to point here, for reading": [
    "GET /status HTTP/1.1\r\nHost: evil.example:9000\r\n\r\n",
    403,
  ],
  "a name that was made to point here, for changes": [
    "POST /backends/1234/drain HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n" +
    "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    403,
  ],
  "HTTP/1.0 without Host": ["GET /status HTTP/1.0\r\n\r\n", 403],
  "HTTP/1.1 without Host": ["GET /status HTTP/1.1\r\n\r\n", 403],
  "an empty Host": ["GET /status HTTP/1.1\r\nHost:\r\n\r\n", 403],
  "two Hosts": ["GET /status HTTP/1.1\r\nHost: OWN\r\nHost: evil.example\r\n\r\n", 400],
  "a target that is a URL of another host": [
    "GET http://evil.example/status HTTP/1.1\r\nHost: OWN\r\n\r\n",
    403,
  ],
  "a target that is a URL of this one, with the Host of another": [
    "GET http://OWN/status HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    403,
  ],
  "a tunnel": ["CONNECT OWN HTTP/1.1\r\nHost: OWN\r\n\r\n", 405],
  "a body that is too long": [
    "POST /backends HTTP/1.1\r\nHost: OWN\r\nContent-Type: application/json\r\n" +
    `Content-Length: 70000\r\n\r\n${" ".repeat(70_000)}`,
    413,
  ],
};

Deno.test("admin port: attacks by way of a browser change nothing and learn nothing", async () => {
  await using backend = await server();
  await using process = start([backend.port]);
  const port = await process.adminPort();
  await process.says(/Serving/);
  for (const [what, [request, status]] of Object.entries(ATTACKS)) {
    const own = request.replaceAll("OWN", `127.0.0.1:${port}`)
      .replaceAll("1234", `${backend.port}`);
    using client = await ByteClient.connect(port);
    await client.send(own);
    const head = await client.receiveUntil("\r\n\r\n");
    assertMatch(head, new RegExp(`^HTTP/1\\.[01] ${status} `), what);
    assert(!/access-control-/i.test(head), `${what}: leave was given`);
    assert(!client.text.includes("bytesDown"), `${what}: it was told the status`);
  }
  const [only] = JSON.parse((await ask(port, "/backends")).text).backends;
  assertEquals([only.state, only.weight], ["ready", 1]);
});

Deno.test("admin port: with a token on this machine, changes need it and reading does not", async () => {
  await using backend = await server();
  await using process = start([backend.port], "--admin-token", TOKEN);
  const port = await process.adminPort();
  await process.says(/Serving/);
  const path = `/backends/${backend.port}/drain`;
  const drain = (authorization?: string): Promise<Asked> => {
    const shown = authorization === undefined ? {} : { authorization };
    return ask(port, path, { method: "POST", headers: { ...JSON_TYPE, ...shown } });
  };
  assertEquals((await ask(port, "/status")).status, 200);
  for (
    const wrong of [undefined, "Bearer x", `Bearer ${TOKEN}x`, `Bearer ${TOKEN.toUpperCase()}`]
  ) {
    const { status, text } = await drain(wrong);
    assertEquals(status, 401, wrong);
    assertStringIncludes(JSON.parse(text).error, "the token is ");
  }
  assertEquals(JSON.parse((await ask(port, "/status")).text).backends[0].state, "ready");
  assertEquals((await drain(`Bearer ${TOKEN}`)).status, 200);
  await process.says(
    new RegExp(`WARN.* POST ${path} by 127\\.0\\.0\\.1:\\d+ was refused for lack of the token`),
  );
  await process.says(new RegExp(`INFO.* Admin port: POST ${path} by 127\\.0\\.0\\.1:\\d+\\n`));
  assert(!process.stderr.includes(TOKEN), "the log tells the token");
});

Deno.test("admin port: on every address reading needs the token too, but for the health of it", async () => {
  await using backend = await server();
  await using process = start([backend.port], "--admin", "0.0.0.0:0", "--admin-token", TOKEN);
  const port = await process.adminPort();
  await process.says(/Serving/);
  for (const path of ["/status", "/backends", "/metrics"]) {
    assertEquals((await ask(port, path)).status, 401, path);
  }
  for (const path of ["/healthz", "/readyz"]) {
    assertEquals((await ask(port, path)).status, 200, path);
  }
  const answer = await askOnce(
    port,
    `GET /status HTTP/1.1\r\nHost: lb.example\r\nAuthorization: Bearer ${TOKEN}\r\n` +
      "Connection: close\r\n\r\n",
  );
  assertStringIncludes(answer, "HTTP/1.1 200 OK");
});

Deno.test("admin port: one that is taken is named, exit 1", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using process = start([1234], "--admin", `${listener.addr.port}`);
  const { code, stderr } = await process.end();
  assertEquals(code, 1);
  const address = `127.0.0.1:${listener.addr.port}`;
  assertEquals(
    stderr,
    `loadbalancer: Cannot listen on ${address}: another program listens there already\n`,
  );
});

Deno.test("admin port: without --admin there is none", async () => {
  await using process = new BalancerProcess(["0", `${deadPort()}`]);
  await process.says(/Serving/);
  assertEquals(/Admin port/.test(process.stderr), false);
});

Deno.test("admin port: a second signal ends it at once, calls or not", async () => {
  await using backend = new RawServer(async (conn) => {
    while (await readSome(conn) !== "");
  });
  await using process = start([backend.port], "--health", "off", "--drain-timeout", "24h");
  const port = await process.adminPort();
  using client = await ByteClient.connect(await process.port());
  await client.send(get("/"));
  await until(() => backend.connections === 1, "the request is at the backend");
  using half = await ByteClient.connect(port);
  await half.send(
    `POST /reload HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n` +
      "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
  );
  process.kill("SIGTERM");
  await process.says(/Draining/);
  process.kill("SIGTERM");
  assertEquals((await process.end()).code, 0);
});

// Regression: Deno.serve ends when descriptors run out, and took the balancer with it.
Deno.test("admin port: without descriptors the balancer goes on, and the port comes back", async () => {
  await using backend = await server();
  await using process = new BalancerProcess(
    ["127.0.0.1:0", `${backend.port}`, "--admin", "0", "--health", "off"],
    { before: "ulimit -n 48" },
  );
  const port = await process.adminPort();
  await process.says(/Serving/);
  const idle: ByteClient[] = [];
  try {
    await until(async () => {
      const client = await ByteClient.connect(port).catch(() => null);
      if (client !== null) idle.push(client);
      return process.stderr.includes("The admin port is out of order");
    }, "it runs out of descriptors");
  } finally {
    for (const client of idle) client[Symbol.dispose]();
  }
  const healthy = (): Promise<boolean> =>
    ask(port, "/healthz").then(({ status }) => status === 200, () => false);
  await until(healthy, "the admin port is back");
  assertStringIncludes(await askOnce(await process.port(), get("/a.txt")), "alpha");
  process.kill("SIGTERM");
  assertEquals((await process.end()).code, 0);
});

Deno.test(
  `admin port: curl over IPv6, by HTTP/1.1 and 1.0 ${has("curl") ? "" : "(skipped: no curl)"}`,
  { ignore: !has("curl") },
  async () => {
    await using process = start([deadPort()], "--admin", "[::1]:0");
    const url = `http://[::1]:${await process.adminPort()}/status`;
    for (const args of [["-g"], ["-g", "--http1.0"]]) {
      const { code, stdout } = await new Deno.Command("curl", {
        args: ["-s", "--fail", "--noproxy", "*", ...args, url],
      }).output();
      assertEquals(code, 0, args.join(" "));
      assertEquals(JSON.parse(new TextDecoder().decode(stdout)).schema, 1);
    }
  },
);

// Regression: whoever came in as a client could then steer the balancer.
Deno.test("admin port: it cannot be added as a server", async () => {
  await using backend = await server();
  await using process = start([backend.port]);
  const port = await process.adminPort();
  await process.says(/Serving/);
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ server: `127.0.0.1:${port}` });
  const answer = await fetch(`http://127.0.0.1:${port}/backends`, {
    method: "POST",
    headers,
    body,
  });
  assertEquals(answer.status, 400);
  assertEquals((await answer.json()).error.includes("it is this balancer itself"), true);
});
