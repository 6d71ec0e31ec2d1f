/** The program as users run it: arguments, output, signals, exit codes, and lack of means. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { BalancerProcess, BINARY, type ProcessEnd } from "../support/balancer_process.ts";
import { askOnce, ByteClient, connectAndReset, get } from "../support/byte_client.ts";
import { FILES } from "../support/http_clients.ts";
import { type HttpServer, startHttpServer } from "../support/httpserver.ts";
import { deadPort, RawServer, readSome, writeAll } from "../support/raw_server.ts";
import { until } from "../support/until.ts";

async function runToEnd(...args: string[]): Promise<ProcessEnd> {
  await using process = new BalancerProcess(args);
  return await process.end();
}

function server(): Promise<HttpServer> {
  return startHttpServer({ files: FILES });
}

const USAGE_ERRORS: readonly (readonly [args: string, message: string])[] = [
  ["", "PORT: missing; expected PORT SERVER..."],
  ["8080", "SERVER: missing; expected at least one"],
  ["8080 1234 --nonsense", "--nonsense: unknown option"],
  ["8080 1234 -N 0", '-N/--parallel "0": expected a whole number from 1 to 1000000'],
  ["8080 70000", 'SERVER "70000": expected a port (1 to 65535), host:port or [ipv6]:port'],
];

for (const [args, message] of USAGE_ERRORS) {
  Deno.test(`program: "loadbalancer ${args}" is told what is wrong in one line, exit 2`, async () => {
    const end = await runToEnd(...args.split(" ").filter((part) => part !== ""));
    assertEquals(end, { code: 2, stdout: "", stderr: `loadbalancer: ${message} (see --help)\n` });
  });
}

Deno.test("program: --help and --version go to stdout, exit 0", async () => {
  const help = await runToEnd("--help");
  assertEquals([help.code, help.stderr], [0, ""]);
  assertStringIncludes(help.stdout, "Usage: loadbalancer [OPTIONS] PORT SERVER");
  const version = await runToEnd("-V");
  assertEquals([version.code, version.stderr], [0, ""]);
  assertMatch(version.stdout, /^loadbalancer \d+\.\d+\.\d+\n$/);
});

// Regression: what could not be written was an uncaught error.
for (const args of [["--help"], ["--config-schema"], ["8080", "1234", "--check"]]) {
  Deno.test(`program: ${args.join(" ")} says in one line that stdout cannot be written, exit 1`, async () => {
    await using process = new BalancerProcess(args, { before: "exec >/dev/full" });
    const { code, stderr } = await process.end();
    assertEquals(code, 1);
    assertMatch(stderr, /^loadbalancer: Cannot write to standard output: No space left .*\n$/);
  });
}

Deno.test("program: a port that is taken is named, exit 1", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${listener.addr.port}`;
  const { code, stderr } = await runToEnd(address, "1234");
  assertEquals(code, 1);
  assertEquals(
    stderr,
    `loadbalancer: Cannot listen on ${address}: another program listens there already\n`,
  );
});

Deno.test("program: without --allow-net it says which flag to add, exit 1", {
  ignore: BINARY !== undefined, // Its permissions are compiled in.
}, async () => {
  await using process = new BalancerProcess(["0", "1234"], { permissions: [] });
  const { code, stderr } = await process.end();
  assertEquals(code, 1);
  assertEquals(
    stderr,
    "loadbalancer: Cannot listen on [::]:0: not allowed by Deno " +
      "(run with --allow-net or --allow-net=[::]:0)\n",
  );
});

Deno.test("program: at start it prints what it understood; nothing per connection", async () => {
  await using backend = await server();
  const dead = deadPort();
  await using process = new BalancerProcess(["0", `${backend.port}`, `${dead}`, "-N8"]);
  const port = await process.port();
  await process.says(/Serving: 1 of 2 servers ready/);
  const before = process.stderr;
  assertMatch(before, /Listening on \[::\]:\d+: bridge mode, least-entries, 8 bridges, health /);
  assertStringIncludes(before, `127.0.0.1:${backend.port} is ready`);
  assertStringIncludes(before, `127.0.0.1:${dead} is down: connection refused`);
  for (let turn = 0; turn < 20; turn++) await askOnce(port, get("/a.txt"));
  assertEquals(process.stderr, before);
  process.kill("SIGTERM");
  assertEquals((await process.end()).stdout, "");
});

Deno.test("program: --log-format json writes one object a line", async () => {
  await using process = new BalancerProcess(["0", `${deadPort()}`, "--log-format", "json"]);
  await process.says(/Serving/);
  process.kill("SIGTERM");
  const { code, stderr } = await process.end();
  assertEquals(code, 0);
  const lines = stderr.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert(lines.every((line) => typeof line["@timestamp"] === "string" && line.message !== ""));
  assertEquals(lines.some((line) => line.level === "WARN" || line.level === "WARNING"), true);
});

Deno.test("program: --log-level error is silent about states", async () => {
  const port = deadPort();
  await using process = new BalancerProcess(
    [`127.0.0.1:${port}`, `${deadPort()}`, "--log-level", "error"],
  );
  await until(
    () => askOnce(port, get("/")).then((text) => text.includes(" 500 "), () => false),
    "it serves",
  );
  process.kill("SIGTERM");
  assertEquals(await process.end(), { code: 0, stdout: "", stderr: "" });
});

Deno.test("program: SIGTERM lets what runs finish, refuses the rest, and exits 0", async () => {
  const finish = Promise.withResolvers<void>();
  await using backend = new RawServer(async (conn) => {
    await readSome(conn);
    await finish.promise;
    await writeAll(conn, "HTTP/1.1 200 OK\r\n\r\nlate");
  });
  await using process = new BalancerProcess(["0", `${backend.port}`, "--health", "off"]);
  const port = await process.port();
  await process.says(/Serving/);
  using client = await ByteClient.connect(port);
  await client.send(get("/"));
  await until(() => backend.connections === 1, "the request is at the backend");
  process.kill("SIGTERM");
  await process.says(/Draining: 1 client left/);
  await until(
    () => ByteClient.connect(port).then((client) => (client.conn.close(), false), () => true),
    "new clients are refused",
  );
  finish.resolve();
  assertEquals(await client.receiveAll(), "HTTP/1.1 200 OK\r\n\r\nlate");
  client[Symbol.dispose]();
  assertEquals((await process.end()).code, 0);
});

Deno.test("program: after the drain deadline the rest is closed, exit 0", async () => {
  await using backend = new RawServer(async (conn) => {
    while (await readSome(conn) !== "");
  });
  await using process = new BalancerProcess(
    ["0", `${backend.port}`, "--health", "off", "--drain-timeout", "200ms"],
  );
  const port = await process.port();
  using client = await ByteClient.connect(port);
  await client.send(get("/"));
  await until(() => backend.connections === 1, "the request is at the backend");
  process.kill("SIGINT");
  assertEquals(await client.receiveAll(), "");
  const { code, stderr } = await process.end();
  assertEquals(code, 0);
  assertStringIncludes(stderr, "Closing 1 client that is not finished");
});

// Regression: only the client was closed, which a tunnel that waits for its backend does not notice.
const STUCK: Readonly<Record<string, (conn: Deno.TcpConn, client: ByteClient) => Promise<void>>> = {
  "a backend that does not read an upload": async (_conn, client) => {
    for (;;) await client.send(new Uint8Array(65_536));
  },
  "a client that has half-closed and a silent backend": async (_conn, client) => {
    await (await client.send(get("/"))).end();
  },
  "a client that has half-closed and a backend stuck in its answer": async (conn, client) => {
    await (await client.send(get("/"))).end();
    await writeAll(conn, "HTTP/1.1 200 OK\r\n\r\nhalf");
    await client.receiveUntil("half");
  },
};

for (const [what, makeStuck] of Object.entries(STUCK)) {
  Deno.test(`program: the drain deadline also ends ${what}`, {
    // The runtime that can be had to compile with is of Deno 2.4.2, in which closing a connection
    // with a blocked write hangs (denoland/deno#36369).
    ignore: BINARY !== undefined,
  }, async () => {
    const accepted = Promise.withResolvers<Deno.TcpConn>();
    const over = Promise.withResolvers<void>();
    await using backend = new RawServer(async (conn) => {
      accepted.resolve(conn);
      await over.promise;
    });
    await using process = new BalancerProcess(
      ["0", `${backend.port}`, "--health", "off", "--drain-timeout", "300ms"],
    );
    using client = await ByteClient.connect(await process.port());
    await client.send("P"); // Nobody is given to a server who has said nothing.
    const stuck = accepted.promise.then((conn) => makeStuck(conn, client)).catch(() => {});
    await accepted.promise;
    process.kill("SIGTERM");
    const { code, stderr } = await process.end();
    over.resolve();
    await stuck;
    assertEquals(code, 0);
    assertStringIncludes(stderr, "Closing 1 client that is not finished");
    assertEquals(/is down/.test(stderr), false);
  });
}

// Regression: it ended without a word on those that were still served.
Deno.test("program: a second signal ends it at once, and the log tells of those cut off", async () => {
  await using backend = new RawServer(async (conn) => {
    while (await readSome(conn) !== "");
  });
  await using process = new BalancerProcess(
    ["0", `${backend.port}`, "--health", "off", "--drain-timeout", "24h", "--access-log", "text"],
  );
  using client = await ByteClient.connect(await process.port());
  await client.send(get("/"));
  await until(() => backend.connections === 1, "the request is at the backend");
  process.kill("SIGTERM");
  await process.says(/Draining/);
  process.kill("SIGTERM");
  const { code, stdout, stderr } = await process.end();
  assertEquals(code, 0);
  assertStringIncludes(stderr, "Closing 1 client that is not finished");
  assertMatch(stdout, /^[^\n]* end=drain-timeout [^\n]*\n$/);
});

// Regression: signals were let go before the last lines were out, so that a second Ctrl-C ended it.
Deno.test("program: signals do not keep the last lines of the access log from being written", async () => {
  await using backend = await server();
  const reads = Promise.withResolvers<void>();
  await using process = new BalancerProcess(
    ["0", `${backend.port}`, "--mode", "http", "--access-log", "text"],
    { readsAfter: reads.promise },
  );
  const port = await process.port();
  // More than a pipe holds.
  const path = `/a.txt?${"x".repeat(2000)}`;
  for (let turn = 0; turn < 200; turn++) {
    assertStringIncludes(await askOnce(port, get(path)), "alpha");
  }
  process.kill("SIGTERM");
  await process.says(/Stopped/);
  process.kill("SIGINT");
  process.kill("SIGHUP");
  process.kill("SIGTERM");
  reads.resolve();
  const { code, stdout } = await process.end();
  assertEquals(code, 0);
  assertEquals(stdout.split("\n").length, 201);
});

// Regression: until the configuration was there, SIGHUP ended the process.
Deno.test("program: SIGHUP before the configuration is read is answered when it serves", {
  // With the runtime of Deno 2.4.2, the only one that tests can compile with, it never gets to serve.
  ignore: BINARY !== undefined,
}, async () => {
  await using backend = await server();
  const directory = await Deno.makeTempDir();
  const path = `${directory}/lb.jsonc`;
  await new Deno.Command("mkfifo", { args: [path] }).output();
  const config = JSON.stringify({ listen: 0, servers: [backend.port] });
  try {
    await using process = new BalancerProcess(["--config", path], {
      permissions: ["--allow-net", "--allow-read"],
    });
    await until(() => catchesHangups(process.pid), "it catches SIGHUP");
    process.kill("SIGHUP");
    await Deno.writeTextFile(path, config);
    await process.says(/Serving/);
    await Deno.writeTextFile(path, config);
    await process.says(/Reloaded: nothing has changed/);
    process.kill("SIGTERM");
    assertEquals((await process.end()).code, 0);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

/** Is SIGHUP no longer the end of that process? */
async function catchesHangups(pid: number): Promise<boolean> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0";
  return (BigInt(`0x${caught}`) & 1n) === 1n;
}

Deno.test("program: clients that reset before they are accepted do not end the listening", async () => {
  await using backend = await server();
  await using process = new BalancerProcess(["0", `${backend.port}`]);
  const port = await process.port();
  await process.says(/Serving/);
  process.kill("SIGSTOP");
  await Promise.all(Array.from({ length: 50 }, () => connectAndReset(port)));
  process.kill("SIGCONT");
  assertStringIncludes(await askOnce(port, get("/a.txt")), "alpha");
});

Deno.test("program: without descriptors it waits without spinning, and goes on when there are some", async () => {
  await using backend = await server();
  await using process = new BalancerProcess(["0", `${backend.port}`, "--queue-timeout", "20s"], {
    before: "ulimit -n 48",
  });
  const port = await process.port();
  await process.says(/Serving/);
  const idle: ByteClient[] = [];
  try {
    for (let index = 0; index < 60; index++) idle.push(await ByteClient.connect(port));
    await process.says(/no file descriptor left/);
    const before = await cpuSeconds(process.pid);
    const start = performance.now();
    await until(() => performance.now() - start > 1000, "a second has passed");
    assert(await cpuSeconds(process.pid) - before < 0.5, "it does not spin");
    assertEquals(/is down/.test(process.stderr), false, "the backend is not to blame");
  } finally {
    for (const client of idle) client[Symbol.dispose]();
  }
  assertStringIncludes(await askOnce(port, get("/a.txt")), "alpha");
});

Deno.test("program: a stop longer than all deadlines costs nobody its answer", {
  ignore: BINARY !== undefined, // Its older runtime is checked for the rest only.
}, async () => {
  const release = Promise.withResolvers<void>();
  await using backend = new RawServer(async (conn) => {
    await readSome(conn);
    await release.promise;
    await writeAll(conn, "HTTP/1.1 200 OK\r\n\r\nok");
  });
  const deadlines = ["--first-byte-timeout", "8s", "--idle-timeout", "8s"];
  await using process = new BalancerProcess(
    ["0", `${backend.port}`, "--health", "off", ...deadlines],
  );
  const port = await process.port();
  await process.says(/Serving/);
  const answers = Array.from({ length: 300 }, () => askOnce(port, get("/")));
  await until(() => backend.connections === 300, "all requests are at the backend");
  process.kill("SIGSTOP");
  release.resolve();
  const start = performance.now();
  await until(() => performance.now() - start > 9000, "all deadlines went by");
  process.kill("SIGCONT");
  const bad = (await Promise.all(answers)).filter((answer) => !answer.endsWith("ok"));
  assertEquals(bad, []);
});

/** CPU time of a process so far. */
async function cpuSeconds(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

Deno.test("program: a stalled reader of stderr does not hold up the data path", async () => {
  await using backend = await server();
  // A line for each that is down is more than the 64 KiB that a pipe holds.
  const dead = Array.from({ length: 1200 }, () => `${deadPort()}`);
  const main = new URL("../../main.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-net", main, "0", `${backend.port}`, ...dead],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const reader = child.stderr.getReader(); // It reads the first lines, and nothing after them.
  try {
    const port = await firstPort(reader);
    await until(
      () => askOnce(port, get("/a.txt")).then((text) => text.includes("alpha"), () => false),
      "it serves",
    );
    for (let flap = 0; flap < 30; flap++) {
      backend.stopAccepting();
      await askOnce(port, get("/a.txt"));
      await backend.startAccepting();
      await until(
        async () => (await askOnce(port, get("/a.txt"))).includes("alpha"),
        "it serves after a flap",
      );
    }
  } finally {
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
  }
});

/** The port that the balancer says it listens on. */
async function firstPort(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<number> {
  for (let text = "";;) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`It ended: ${text}`);
    text += new TextDecoder().decode(value);
    const port = /Listening on [^ ]*:(\d+): /.exec(text)?.[1];
    if (port !== undefined) return Number(port);
  }
}
