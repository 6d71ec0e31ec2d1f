/** How each passage ends, and what the access log says of it, on real sockets. */
import type { Balancer } from "../../lib/balancer.ts";
import type { Passage } from "../../lib/passage.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { type Settings, startBalancer } from "../support/balancer.ts";
import { BalancerProcess, BINARY } from "../support/balancer_process.ts";
import { askOnce, ByteClient, connectAndReset, get } from "../support/byte_client.ts";
import { deadPort, RawServer, readSome, type Script, writeAll } from "../support/raw_server.ts";
import { until } from "../support/until.ts";

const ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const HALF = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
const POST = "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nhi";
/** A request of a client that goes on. */
const KEEP = "GET / HTTP/1.1\r\nHost: t\r\n\r\n";
/** A request whose body does not come. */
const BODILESS = "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\n";
const UPGRADE = "GET / HTTP/1.1\r\nHost: t\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
const SWITCHED = "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";

/** Answers, and closes. */
const answers: Script = async (conn) => {
  await readSome(conn);
  await writeAll(conn, ANSWER);
};
/** Says that, once it was asked, and then nothing; closes when the client does. */
function says(text: string): Script {
  return async (conn) => {
    await readSome(conn);
    await writeAll(conn, text);
    while (await readSome(conn) !== "");
  };
}
/** Reads a request and closes without an answer. */
const closes: Script = async (conn) => {
  await readSome(conn);
};
/** Says that, and closes. */
function breaksOff(text: string): Script {
  return async (conn) => {
    await readSome(conn);
    await writeAll(conn, text);
  };
}

/** One way to end. */
interface Case {
  /** In plain words, for the test's name. */
  readonly what: string;
  readonly server: Script | "dead";
  readonly settings?: Settings;
  /** Does what a client does; what it leaves open is closed by the test. */
  readonly client: (port: number, balancer: Balancer) => Promise<Disposable | void>;
  /** The ending by its word, whose doing it was, and the status. */
  readonly ends: readonly [word: string, by: string, status: number];
}

/** A client that sends that, and receives until the text is there. */
async function sends(port: number, text: string, untilText = ""): Promise<ByteClient> {
  const client = await ByteClient.connect(port);
  await client.send(text);
  if (untilText !== "") await client.receiveUntil(untilText);
  return client;
}

/** Keeps the only bridge busy, so that whoever comes next waits. */
async function busy(port: number, balancer: Balancer): Promise<ByteClient> {
  const client = await sends(port, get("/busy"));
  await until(() => balancer.snapshot().carried === 1, "the bridge is busy");
  return client;
}

const asks = async (port: number): Promise<void> => void await askOnce(port, get("/"));
const ONE = { parallel: "1" } as const;

const BRIDGE_CASES: readonly Case[] = [
  {
    what: "the backend closes after its answer",
    server: answers,
    client: asks,
    ends: ["served", "backend", 0],
  },
  {
    what: "the client closes after its answer",
    server: says(ANSWER),
    client: (port) => sends(port, get("/"), "ok").then((client) => client[Symbol.dispose]()),
    ends: ["served", "client", 0],
  },
  {
    what: "the backend ends without an answer to what cannot be sent again",
    server: closes,
    client: async (port) => void await askOnce(port, POST),
    ends: ["unanswered", "backend", 0],
  },
  // Regression: it was the balancer's doing that a server had ended.
  {
    what: "the only backend ends without an answer to what could be sent again",
    server: closes,
    client: asks,
    ends: ["unanswered", "backend", 500],
  },
  {
    what: "the client leaves in the middle of its head",
    server: closes,
    client: async (port) => {
      using client = await sends(port, "GET / HT");
      await client.end();
      await client.receiveAll();
    },
    ends: ["unanswered", "client", 500],
  },
  {
    what: "the client says nothing and closes",
    server: says(""),
    client: (port) => ByteClient.connect(port).then((client) => client[Symbol.dispose]()),
    ends: ["unanswered", "client", 0],
  },
  {
    what: "the client resets while it waits for its answer",
    server: says(""),
    client: (port) => connectAndReset(port, get("/")),
    ends: ["unanswered", "client", 0],
  },
  {
    what: "no server is there",
    server: "dead",
    client: asks,
    ends: ["nobody", "balancer", 500],
  },
  {
    what: "the server stays silent",
    server: says(""),
    settings: { firstByteTimeoutMs: "100ms" },
    client: asks,
    ends: ["first-byte-timeout", "balancer", 500],
  },
  {
    what: "nothing moves in the middle",
    server: says(HALF),
    settings: { idleTimeoutMs: "100ms" },
    client: asks,
    ends: ["idle-timeout", "balancer", 0],
  },
  {
    what: "the client does not close",
    server: answers,
    settings: { lingerTimeoutMs: "100ms" },
    client: (port) => sends(port, get("/"), "ok"),
    ends: ["linger-timeout", "balancer", 0],
  },
  {
    what: "as many wait as may",
    server: says(""),
    settings: { ...ONE, queueMax: "0" },
    client: async (port, balancer) => {
      const other = await busy(port, balancer);
      await askOnce(port, get("/"));
      return other;
    },
    ends: ["queue", "balancer", 503],
  },
  {
    what: "it waits too long",
    server: says(""),
    settings: { ...ONE, queueTimeoutMs: "100ms" },
    client: async (port, balancer) => {
      const other = await busy(port, balancer);
      await askOnce(port, get("/"));
      return other;
    },
    ends: ["queue-timeout", "balancer", 503],
  },
  {
    what: "it hangs up while it waits",
    server: says(""),
    settings: ONE,
    client: async (port, balancer) => {
      const other = await busy(port, balancer);
      await connectAndReset(port);
      return other;
    },
    ends: ["unanswered", "client", 0],
  },
  {
    what: "the balancer has to stop",
    server: says(""),
    client: async (port, balancer) => {
      const client = await busy(port, balancer);
      await balancer[Symbol.asyncDispose]();
      return client;
    },
    ends: ["drain-timeout", "balancer", 0],
  },
];

const HTTP_CASES: readonly Case[] = [
  {
    what: "the answer is out",
    server: says(ANSWER),
    client: (port) => sends(port, get("/"), "ok"),
    ends: ["served", "backend", 200],
  },
  {
    what: "the head is no request",
    server: answers,
    client: async (port) => void await askOnce(port, "GET /\r\n\r\n"),
    ends: ["malformed", "client", 400],
  },
  {
    what: "the body is none",
    server: says(""),
    client: async (port) => {
      const head = "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
      await askOnce(port, `${head}no chunk\r\n`);
    },
    ends: ["malformed", "client", 400],
  },
  {
    what: "the answer is none",
    server: says("SSH-2.0\r\n"),
    client: asks,
    ends: ["malformed", "backend", 502],
  },
  {
    what: "the backend ends without an answer to what cannot be sent again",
    server: closes,
    client: async (port) => void await askOnce(port, POST),
    ends: ["unanswered", "backend", 502],
  },
  {
    what: "the only backend ends without an answer to what could be sent again",
    server: closes,
    client: asks,
    ends: ["unanswered", "backend", 502],
  },
  {
    what: "the answer breaks off",
    server: breaksOff(HALF),
    client: asks,
    ends: ["broken", "backend", 200],
  },
  {
    what: "the client breaks off in the middle of the answer",
    server: async (conn) => {
      await readSome(conn);
      await writeAll(conn, "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n");
      for (;;) await writeAll(conn, new Uint8Array(64 * 1024));
    },
    client: (port) => sends(port, get("/"), "200").then((client) => client[Symbol.dispose]()),
    ends: ["broken", "client", 200],
  },
  {
    what: "the client leaves before its answer",
    server: says(""),
    client: (port) => connectAndReset(port, get("/")),
    ends: ["unanswered", "client", 0],
  },
  {
    what: "no server is there",
    server: "dead",
    client: asks,
    ends: ["nobody", "balancer", 502],
  },
  {
    what: "the server stays silent",
    server: says(""),
    settings: { firstByteTimeoutMs: "100ms" },
    client: asks,
    ends: ["first-byte-timeout", "balancer", 504],
  },
  {
    what: "the head does not come",
    server: answers,
    settings: { headTimeoutMs: "100ms" },
    client: async (port) => void await askOnce(port, "GET / HTTP/1.1\r\n"),
    ends: ["head-timeout", "balancer", 408],
  },
  {
    what: "nothing comes at all",
    server: answers,
    settings: { headTimeoutMs: "100ms" },
    client: async (port) => void await askOnce(port, ""),
    ends: ["head-timeout", "balancer", 0],
  },
  {
    what: "the body does not come",
    server: says(""),
    settings: { idleTimeoutMs: "100ms" },
    client: async (port) => void await askOnce(port, BODILESS),
    ends: ["idle-timeout", "balancer", 408],
  },
  {
    what: "the rest of the answer does not come",
    server: says(HALF),
    settings: { idleTimeoutMs: "100ms" },
    client: asks,
    ends: ["idle-timeout", "balancer", 200],
  },
  {
    what: "another protocol ends with the client",
    server: says(SWITCHED),
    client: (port) => sends(port, UPGRADE, "101").then((client) => client[Symbol.dispose]()),
    ends: ["served", "client", 101],
  },
  {
    what: "another protocol ends with the backend",
    server: breaksOff(SWITCHED),
    client: async (port) => void await askOnce(port, UPGRADE),
    ends: ["served", "backend", 101],
  },
  ...BRIDGE_CASES.filter(({ ends: [word] }) => /^(queue.*|drain.*)$/.test(word)),
];

for (const [mode, cases] of [["bridge", BRIDGE_CASES], ["http", HTTP_CASES]] as const) {
  for (const { what, server, settings, client, ends } of cases) {
    Deno.test(`access log: ${mode}: ${what}: ${ends[0]} by ${ends[1]}`, async () => {
      const passages: Passage[] = [];
      const endingsOf = (): readonly (readonly [string, string, number])[] =>
        passages.map(({ ending, status }) => [ending?.word ?? "", ending?.by ?? "", status]);
      await using backend = new RawServer(server === "dead" ? () => {} : server);
      const port = server === "dead" ? deadPort() : backend.port;
      await using balancer = await startBalancer(
        [port],
        { health: "off", mode, ...settings },
        { onPassage: (passage) => passages.push(passage) },
      );
      using _client = await client(balancer.address.port, balancer) ?? null;
      await until(
        () => endingsOf().some((ending) => String(ending) === String(ends)),
        () => `${ends} among ${endingsOf().join("; ")}`,
      );
      assert(passages.length <= 2, "one line for each");
    });
  }
}

Deno.test("access log: http: a client that does not ask again is told of, and its request before it", async () => {
  const words: (string | undefined)[] = [];
  await using backend = new RawServer(says(ANSWER));
  const settings = { health: "off", mode: "http", keepAliveTimeoutMs: "100ms" } as const;
  await using balancer = await startBalancer([backend.port], settings, {
    onPassage: ({ ending }) => words.push(ending?.word),
  });
  using client = await sends(balancer.address.port, KEEP, "ok");
  await client.receiveAll();
  await until(() => words.length === 2, "both are told of");
  assertEquals(words, ["served", "keep-alive-timeout"]);
});

Deno.test("access log: each try counts, and bytes and times are those of the client", async () => {
  const passages: Passage[] = [];
  await using backend = new RawServer(answers);
  const servers = [deadPort(), deadPort(), backend.port];
  const settings = { health: "off", policy: "round-robin" } as const;
  await using balancer = await startBalancer(servers, settings, {
    onPassage: (passage) => passages.push(passage),
  });
  await askOnce(balancer.address.port, get("/"));
  await until(() => passages.length === 1, "it is over");
  const [passage] = passages;
  assertEquals([passage?.attempts, passage?.backend?.name], [3, `127.0.0.1:${backend.port}`]);
  assertEquals([passage?.bytesUp, passage?.bytesDown], [get("/").length, ANSWER.length]);
  assert((passage?.connectMs ?? 0) > 0);
  assert((passage?.answeredMs ?? 0) >= (passage?.leasedMs ?? Infinity));
});

Deno.test("access log: lines are on stdout, each whole, and none is lost at a clean stop", {
  ignore: BINARY !== undefined,
}, async () => {
  await using backend = new RawServer(async (conn) => {
    while (await readSome(conn) !== "") await writeAll(conn, ANSWER);
  });
  for (const format of ["text", "json"]) {
    const args = ["0", `${backend.port}`, "--health=off", "--mode=http", `--access-log=${format}`];
    await using balancer = new BalancerProcess(["--log-level=info", ...args]);
    const port = await balancer.port();
    const asked = Array.from({ length: 200 }, async (_, index) => {
      using client = await sends(port, get(`/${index}`), "ok");
      return client.text;
    });
    await Promise.all(asked);
    balancer.kill("SIGTERM");
    const { code, stdout, stderr } = await balancer.end();
    assertEquals(code, 0, stderr);
    const lines = stdout.trimEnd().split("\n").filter((line) => line.includes("end"));
    const paths = lines.map((line) => {
      if (format === "json") return JSON.parse(line).request;
      assertMatch(line, /^20\d\d-\d\d-\d\dT[\d:.]{12}Z client=127\.0\.0\.1:\d+ .* by=backend$/);
      return JSON.parse(/ request=("[^"]*") /.exec(line)?.[1] ?? "null");
    });
    const expected = Array.from({ length: 200 }, (_, index) => `GET /${index} HTTP/1.1`);
    assertEquals(paths.sort(), expected.sort());
  }
});
