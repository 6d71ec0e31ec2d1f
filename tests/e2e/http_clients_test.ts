/** http mode between clients and servers that this project did not write. */
import type { Balancer } from "../../lib/balancer.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLessOrEqual,
} from "../support/assert.ts";
import { type Server, type Settings, startBalancer } from "../support/balancer.ts";
import { BalancerProcess } from "../support/balancer_process.ts";
import { ByteClient } from "../support/byte_client.ts";
import { binary, curl, decoder, encoder, FILES, withDirectory } from "../support/http_clients.ts";
import { startHttpServer } from "../support/httpserver.ts";
import { has, nginxConfig, spawnServer } from "../support/programs.ts";
import { deadPort } from "../support/raw_server.ts";
import { until } from "../support/until.ts";

/** With time enough for the slowest machine: what is kept here is not given up for its age. */
const PLAIN = {
  mode: "http",
  health: "off",
  policy: "round-robin",
  headTimeoutMs: "10m",
  keepAliveTimeoutMs: "10m",
  backendKeepAliveMs: "10m",
  queueTimeoutMs: "10m",
} as const;
const CLIENTS = 1000;
const LARGE_BYTES = 32_000_011;
/** For curl, in seconds. */
const PATIENT = ["--max-time", "300"] as const;

function start(servers: readonly Server[], settings: Settings = {}): Promise<Balancer> {
  return startBalancer(servers, { ...PLAIN, ...settings });
}

function urlOf({ address }: Balancer, path: string): string {
  return `http://127.0.0.1:${address.port}${path}`;
}

/** Not by `assertEquals`, whose account of a difference in so much would never end. */
function assertSameBytes(actual: Uint8Array, expected: Uint8Array): void {
  assertEquals(actual.length, expected.length);
  assertEquals(actual.findIndex((byte, at) => byte !== expected[at]), -1, "the first other byte");
}

/** Runs a script of Node; returns what it printed. */
async function node(script: string): Promise<string> {
  const command = new Deno.Command("node", { args: ["-e", script], stdin: "null" });
  const { code, stdout, stderr } = await command.output();
  assertEquals([code, decoder.decode(stderr)], [0, ""]);
  return decoder.decode(stdout);
}

Deno.test({
  name: "http clients: curl --compressed --parallel over a list of URLs gets each whole",
  ignore: !has("curl"),
  fn: async () => {
    const text = encoder.encode("a line of text that says little\n".repeat(4000));
    const files = { ...FILES, "/long.txt": text };
    await using one = await startHttpServer({ files });
    await using two = await startHttpServer({ files });
    await using balancer = await start([one.port, two.port], { compress: "on" });
    await withDirectory(async (directory) => {
      const paths = Array.from({ length: 10 }, () => Object.entries(files)).flat();
      const list = paths.map(([path], at) =>
        `url = "${urlOf(balancer, path)}?${at}"\noutput = "${directory}/${at}"\n`
      );
      await Deno.writeTextFile(`${directory}/list`, list.join(""));
      const { code, text: told } = await curl(
        ...["--compressed", "--parallel", "--parallel-immediate", "--parallel-max", "3"],
        ...["-w", "%{http_code} %{size_download} %{url}\n", "-K", `${directory}/list`],
      );
      const lines = told.trim().split("\n");
      assertEquals([code, lines.length], [0, paths.length]);
      for (const [at, [, bytes]] of paths.entries()) {
        assertSameBytes(await Deno.readFile(`${directory}/${at}`), bytes);
      }
      const sizes = lines.filter((line) => line.includes("/long.txt")).map((line) => {
        const [status, size] = line.split(" ");
        assertEquals(status, "200", line);
        return Number(size);
      });
      assertEquals(sizes.length, 10);
      for (const size of sizes) assertLessOrEqual(size, text.length / 10, "it came compressed");
    });
    assertEquals([one.entries, two.entries], [20, 20]);
  },
});

Deno.test({
  name: "http clients: curl keeps its connection, and the balancer those to the servers",
  ignore: !has("curl"),
  fn: async () => {
    await using one = await startHttpServer({ files: FILES });
    await using two = await startHttpServer({ files: FILES });
    await using balancer = await start([one.port, two.port]);
    const { code, text } = await curl(
      ...["-w", "%{num_connects}", urlOf(balancer, "/a.txt?[1-20]")],
    );
    assertEquals([code, text], [0, `alpha\n1${"alpha\n0".repeat(19)}`]);
    assertEquals([one.entries, two.entries], [10, 10]);
    assertEquals([one.connections, two.connections], [1, 1]);
  },
});

Deno.test({
  name: "http clients: a large upload and download, by length and in chunks, byte for byte",
  ignore: !has("curl"),
  fn: async () => {
    await withDirectory(async (directory) => {
      const root = `${directory}/root`;
      await Deno.mkdir(root);
      const bytes = binary(LARGE_BYTES);
      const file = `${directory}/file`;
      await Deno.writeFile(file, bytes);
      await using server = await startHttpServer({ root });
      await using balancer = await start([server.port]);
      for (const headers of [[], ["-H", "Transfer-Encoding: chunked"]]) {
        const to = urlOf(balancer, `/copy${headers.length}`);
        const put = await curl(
          ...PATIENT,
          ...headers,
          "-o",
          "/dev/null",
          "-w",
          "%{http_code}",
          "-T",
          file,
          to,
        );
        assertEquals([put.code, put.text], [0, "201"]);
        assertSameBytes(await Deno.readFile(`${root}/copy${headers.length}`), bytes);
        const got = await curl(...PATIENT, "--fail", "-o", `${directory}/back`, to);
        assertEquals(got.code, 0);
        assertSameBytes(await Deno.readFile(`${directory}/back`), bytes);
      }
      await until(() => balancer.snapshot().carried === 0, "nothing is carried");
      const [backend] = balancer.snapshot().backends;
      assertEquals(backend?.bytesUp, 2 * LARGE_BYTES);
      assertGreaterOrEqual(backend?.bytesDown ?? 0, 2 * LARGE_BYTES);
    });
  },
});

Deno.test({
  name: "http clients: wrk sees no error over kept-alive and over single connections",
  ignore: !has("wrk"),
  fn: async () => {
    await using one = await startHttpServer({ files: FILES });
    await using two = await startHttpServer({ files: FILES });
    const servers = [`${one.port}`, `${two.port}`];
    await using process = new BalancerProcess(["--mode", "http", "0", ...servers]);
    const url = `http://127.0.0.1:${await process.port()}/a.txt`;
    await process.says(/Serving: 2 of 2/);
    for (const headers of [[], ["-H", "Connection: close"]]) {
      const { stdout } = await new Deno.Command("wrk", {
        args: ["-t1", "-c32", "-d1s", "--timeout", "20s", ...headers, url],
      }).output();
      const report = decoder.decode(stdout);
      assertEquals(/Socket errors|Non-2xx/.test(report), false, report);
      assertGreater(Number(/(\d+) requests in/.exec(report)?.[1]), 0, report);
    }
    assertGreater(Math.min(one.entries, two.entries), 0, "both were asked");
  },
});

/**
 * Echoes bodies, in chunks; at `/connections` it tells how many it has accepted. Not before the body
 * has ended: an answer that overtakes it ends the connections.
 */
const NODE_SERVER = `
  let connections = 0;
  const server = require("node:http").createServer(async (request, answer) => {
    const parts = await request.toArray();
    if (request.url === "/connections") return answer.end(String(connections));
    for (const part of parts) answer.write(part);
    answer.end();
  });
  server.keepAliveTimeout = 0;
  server.on("connection", () => connections++);`;

Deno.test({
  name: "http clients: node's client and server, both with keep-alive, side by side",
  ignore: !has("node"),
  fn: async () => {
    const port = deadPort();
    const script = `${NODE_SERVER} server.listen(${port}, "127.0.0.1");`;
    await using _server = await spawnServer("node", ["-e", script], port);
    await using balancer = await start([port]);
    const told = await node(`
      const http = require("node:http");
      const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
      const sockets = new Set();
      const ask = (path, body) => new Promise((resolve, reject) => {
        const url = "${urlOf(balancer, "")}" + path;
        const request = http.request(url, { agent, method: "POST" }, (answer) => {
          const parts = [];
          answer.on("data", (data) => parts.push(data));
          answer.on("end", () => resolve(Buffer.concat(parts).toString()));
        });
        request.on("socket", (socket) => sockets.add(socket)).on("error", reject);
        // In two pieces, so that it goes in chunks.
        request.write(body.slice(0, 10));
        request.end(body.slice(10));
      });
      const many = async (name) => {
        for (let turn = 0; turn < 50; turn++) {
          const body = (name + turn).repeat(1 + turn * 100);
          if (await ask("/", body) !== body) throw new Error("another body came back");
        }
      };
      Promise.all(["a", "b", "c", "d"].map(many)).then(async () => {
        console.log(sockets.size, await ask("/connections", ""));
        agent.destroy();
      });`);
    const [clientSockets, serverSockets] = told.trim().split(" ").map(Number);
    assertEquals(clientSockets, 4, "the client kept its connections");
    // That of the wait for it to listen included.
    assertLessOrEqual(serverSockets ?? 0, 4 + 1, "and so did the balancer");
    assertEquals(balancer.snapshot().backends[0]?.failures, 0);
  },
});

Deno.test({
  name: "http clients: nginx behind it: ranges, HEAD, a condition, and connections kept",
  ignore: !has("nginx") || !has("curl"),
  fn: async () => {
    await withDirectory(async (directory) => {
      const bytes = binary(100_003);
      await Deno.writeFile(`${directory}/file`, bytes);
      await Deno.chmod(directory, 0o755); // nginx's worker is another user
      const ports = [deadPort(), deadPort()] as const;
      const config = await nginxConfig(directory, ports);
      await using _nginx = await spawnServer("nginx", ["-c", config], ports[1]);
      await using balancer = await start(ports, { health: "entries" });
      const url = urlOf(balancer, "/file");
      const { code, stdout } = await curl("--fail", `${url}?[1-10]`);
      assertEquals([code, stdout.length], [0, 10 * bytes.length]);
      assertSameBytes(stdout.subarray(-bytes.length), bytes);
      assertSameBytes((await curl("-r", "1000-1999", url)).stdout, bytes.subarray(1000, 2000));
      const head = await curl("-I", url);
      assert(/^HTTP\/1.1 200 OK\r\n[^]*Content-Length: 100003\r\n/.test(head.text), head.text);
      const [, etag = ""] = /ETag: (.*)\r\n/.exec(head.text) ?? [];
      const unchanged = await curl("-w", "%{http_code}", "-H", `If-None-Match: ${etag}`, url);
      assertEquals(unchanged.text, "304");
      const states = balancer.snapshot().backends.map(({ failures }) => failures);
      assertEquals(states, [0, 0]);
    });
  },
});

Deno.test({
  name: "http clients: python's http.server, of HTTP/1.0, behind kept-alive clients",
  ignore: !has("python3") || !has("curl"),
  fn: async () => {
    await withDirectory(async (directory) => {
      await Deno.writeTextFile(`${directory}/hello`, "hello\n");
      const port = deadPort();
      const args = ["-m", "http.server", String(port), "--bind", "127.0.0.1"];
      await using _python = await spawnServer("python3", [...args, "--directory", directory], port);
      await using balancer = await start([port], { health: "http", healthPath: "/" });
      const { code, text } = await curl(
        ...["-w", "%{http_version} %{num_connects}\n", urlOf(balancer, "/hello?[1-3]")],
      );
      assertEquals([code, text], [0, "hello\n1.1 1\nhello\n1.1 0\nhello\n1.1 0\n"]);
    });
  },
});

/** A server that echoes messages, and closes when told so; `closed` resolves with its reason. */
function startEcho(): { server: Deno.HttpServer<Deno.NetAddr>; closed: Promise<string> } {
  const { promise: closed, resolve } = Promise.withResolvers<string>();
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const server = Deno.serve(options, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) =>
      data === "close" ? socket.close(4001, "told") : socket.send(data);
    socket.onclose = ({ code, reason }) => resolve(`${code} ${reason}`);
    return response;
  });
  return { server, closed };
}

Deno.test("http clients: a WebSocket of Deno: text, bytes, and closed from either side", async () => {
  for (const closer of ["client", "server"]) {
    const { server, closed } = startEcho();
    await using balancer = await start([server.addr.port]);
    const socket = new WebSocket(urlOf(balancer, "/").replace("http", "ws"));
    socket.binaryType = "arraybuffer";
    const received: (string | ArrayBuffer)[] = [];
    socket.onmessage = ({ data }) => received.push(data);
    const end = Promise.withResolvers<string>();
    socket.onclose = ({ code, reason }) => end.resolve(`${code} ${reason}`);
    await Promise.race([new Promise((resolve) => socket.onopen = resolve), end.promise]);
    assertEquals(balancer.snapshot().carried, 1);
    const bytes = binary(1_000_003);
    socket.send("grüße");
    socket.send(bytes);
    socket.send("last");
    await until(() => received.length === 3, () => `3 messages are back: ${received.length}`);
    const [first, second, third] = received;
    assertEquals([first, third], ["grüße", "last"]);
    assert(second instanceof ArrayBuffer);
    assertSameBytes(new Uint8Array(second), bytes);
    if (closer === "client") socket.close(4000, "enough");
    else socket.send("close");
    const expected = closer === "client" ? "4000 enough" : "4001 told";
    assertEquals([await end.promise, await closed], [expected, expected], `by the ${closer}`);
    await until(() => balancer.snapshot().carried === 0, "its bridge is free");
    await server.shutdown();
  }
});

/** Sends a request and receives until so many answers are there in all. */
async function askAgain(client: ByteClient, answers: number): Promise<void> {
  await client.send("GET /a.txt HTTP/1.1\r\nHost: test\r\n\r\n");
  while (client.text.split("alpha\n").length <= answers) {
    assert(await client.receive() !== null, `the client was closed: ${client.text}`);
  }
  assertEquals(client.text.match(/^HTTP\/1.1 200 OK\r$/gm)?.length, answers);
}

Deno.test("http clients: a thousand kept-alive clients hold no bridge, and all are served again", async () => {
  await using server = await startHttpServer({ files: FILES });
  await using balancer = await start([server.port], { parallel: "50" });
  const clients: ByteClient[] = [];
  try {
    for (let index = 0; index < CLIENTS; index++) {
      clients.push(await ByteClient.connect(balancer.address.port));
    }
    for (let round = 1; round <= 3; round++) {
      await Promise.all(clients.map((client) => askAgain(client, round)));
      await until(() => balancer.snapshot().carried === 0, "nothing is carried");
      const { accepted, waiting } = balancer.snapshot();
      assertEquals([accepted, waiting, server.entries], [CLIENTS, 0, round * CLIENTS]);
    }
    assertLessOrEqual(server.connections, 50, "no more connections to the server than bridges");
  } finally {
    for (const client of clients) client[Symbol.dispose]();
  }
});
