/** `loadbalancer ctl` as users run it, against a balancer that runs. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import {
  BalancerProcess,
  BINARY,
  MAIN_COMMAND,
  type ProcessEnd,
} from "../support/balancer_process.ts";
import { ByteClient, get } from "../support/byte_client.ts";
import { startHttpServer } from "../support/httpserver.ts";
import { deadPort, RawServer, readSome, writeAll } from "../support/raw_server.ts";
import { has } from "../support/programs.ts";
import { codeBlocksIn, readReadme } from "../support/readme.ts";
import { until } from "../support/until.ts";

const TOKEN = "sixteen-and-more-characters";
/** A shell command after which nothing can be written to stdout. */
const TO_FULL = "exec >/dev/full";

/** Runs `ctl` to its end; `before` is a shell command that runs first. */
async function ctl(args: string, before = "true"): Promise<ProcessEnd> {
  const words = args.split(" ").filter((word) => word !== "");
  await using process = new BalancerProcess(["ctl", ...words], { before });
  return await process.end();
}

/** What it said on stdout; fails unless that is all, and it went well. */
async function said(args: string, before?: string): Promise<string> {
  const { code, stdout, stderr } = await ctl(args, before);
  assertEquals([code, stderr], [0, ""], `ctl ${args}`);
  return stdout;
}

function start(servers: readonly number[], ...args: string[]): BalancerProcess {
  return new BalancerProcess([
    "127.0.0.1:0",
    ...servers.map(String),
    "--admin",
    "0",
    "--health",
    "off",
    ...args,
  ]);
}

Deno.test("ctl: status and list show a table, and with --json what is answered", async () => {
  const [one, two] = [deadPort(), deadPort()];
  await using process = start([one, two]);
  const admin = `--admin ${await process.adminPort()}`;
  await process.says(/Serving/);
  const table = await said(`status ${admin}`);
  assertMatch(table, /^127\.0\.0\.1:\d+ is serving: 2 of 2 servers ready, up /);
  assertMatch(
    table,
    new RegExp(`\nSERVER .*\n127\\.0\\.0\\.1:${one} +ready .*\n.*:${two} +ready `),
  );
  assert(!/\p{Cc}/u.test(table.replaceAll("\n", "")), "colours where there is no terminal");
  const list = await said(`${admin} list`);
  assert(list.startsWith("SERVER ") && list.trimEnd().split("\n").length === 3, list);
  assertEquals(JSON.parse(await said(`status --json ${admin}`)).schema, 1);
  const { backends } = JSON.parse(await said(`list --json ${admin}`));
  assertEquals(backends.map(({ name }: { name: string }) => name), [
    `127.0.0.1:${one}`,
    `127.0.0.1:${two}`,
  ]);
});

Deno.test("ctl: each command does what it says, and says what it did", async () => {
  const [one, two, three] = [deadPort(), deadPort(), deadPort()];
  await using process = start([one, two]);
  const admin = `--admin ${await process.adminPort()}`;
  await process.says(/Serving/);
  const name = `127.0.0.1:${one}`;
  const steps: readonly (readonly [command: string, said: string, state: string])[] = [
    [`drain ${one}`, `${name} is draining: 0 connections left\n`, "draining"],
    [`drain ${one} --wait`, `${name} is draining: 0 connections left\n`, "draining"],
    [`disable ${name}`, `${name} is disabled: 0 connections left\n`, "disabled"],
    [
      `enable ${one}`,
      `${name} is enabled: it is ready, it is taken on trust, without checks\n`,
      "ready",
    ],
    [`weight ${one} 7`, `${name} has a weight of 7\n`, "ready"],
    [`add ${three},weight=2`, `127.0.0.1:${three} was added\n`, "ready"],
    [`remove ${three}`, `127.0.0.1:${three} was removed: 0 connections left\n`, "ready"],
  ];
  for (const [command, expected, state] of steps) {
    assertEquals(await said(`${command} ${admin}`), expected, command);
    const { backends: [first] } = JSON.parse(await said(`list --json ${admin}`));
    assertEquals([first.name, first.state], [name, state], command);
  }
  const answer = JSON.parse(await said(`drain ${one} --json ${admin}`));
  assertEquals([answer.left, answer.backend.state], [0, "draining"]);
});

Deno.test("ctl: drain --wait ends when the last connection has", async () => {
  const finish = Promise.withResolvers<void>();
  await using backend = new RawServer(async (conn) => {
    await readSome(conn);
    await finish.promise;
    await writeAll(conn, "HTTP/1.1 200 OK\r\n\r\nlate");
  });
  await using process = start([backend.port]);
  const admin = `${await process.adminPort()}`;
  await process.says(/Serving/);
  using client = await ByteClient.connect(await process.port());
  await client.send(get("/"));
  await until(() => backend.connections === 1, "the request is at the backend");
  await using waiting = new BalancerProcess(
    ["ctl", "--admin", admin, "drain", `${backend.port}`, "--wait"],
  );
  await until(() => waiting.stdout.includes("draining: 1 connection left\n"), "it waits");
  finish.resolve();
  await client.receiveAll();
  client[Symbol.dispose]();
  const { code, stdout, stderr } = await waiting.end();
  assertEquals([code, stderr], [0, ""]);
  assert(stdout.endsWith("\n0 connections left\n"), stdout);
});

Deno.test("ctl: drain --wait gives up when the server is put back", async () => {
  await using backend = new RawServer(async (conn) => {
    while (await readSome(conn) !== "");
  });
  await using process = start([backend.port], "--drain-timeout", "0s");
  const admin = `${await process.adminPort()}`;
  await process.says(/Serving/);
  using client = await ByteClient.connect(await process.port());
  await client.send(get("/"));
  await until(() => backend.connections === 1, "the request is at the backend");
  await using waiting = new BalancerProcess(
    ["ctl", "--admin", admin, "drain", `${backend.port}`, "--wait"],
  );
  await until(() => waiting.stdout.includes("1 connection left"), "it waits");
  await said(`--admin ${admin} enable ${backend.port}`);
  const { code, stderr } = await waiting.end();
  assertEquals(code, 1);
  assertStringIncludes(stderr, "was put back meanwhile: it is ready");
});

Deno.test("ctl: what the balancer refuses is said in its words, exit 1", async () => {
  await using backend = await startHttpServer();
  await using process = start([backend.port], "--admin-token", TOKEN);
  const port = await process.adminPort();
  await process.says(/Serving/);
  const refused: Readonly<Record<string, string>> = {
    [`drain ${backend.port}`]: "the token is missing; expected ",
    [`drain ${backend.port} --token wrong`]: "the token is wrong; expected ",
    [`drain 99 --token ${TOKEN}`]: "Cannot steer 127.0.0.1:99: there is no such server",
    [`drain nonsense --token ${TOKEN}`]: '"nonsense" is no server: expected a port',
    [`add x --token ${TOKEN}`]: 'server "x": expected a port',
  };
  for (const [args, words] of Object.entries(refused)) {
    const { code, stdout, stderr } = await ctl(`${args} --admin ${port}`);
    assertEquals([code, stdout], [1, ""], args);
    const start = `loadbalancer: The balancer at 127.0.0.1:${port} refuses: ${words}`;
    assert(stderr.startsWith(start) && stderr.trimEnd().split("\n").length === 1, stderr);
  }
  assertStringIncludes(await said(`list --admin ${port}`), "ready", "reading needs no token");
  assertStringIncludes(
    await said(`drain ${backend.port} --admin ${port} --token ${TOKEN}`),
    "drain",
  );
});

Deno.test("ctl: --token - reads the first line of standard input", async () => {
  await using process = start([deadPort()], "--admin-token", TOKEN);
  const admin = `--admin ${await process.adminPort()}`;
  await process.says(/Serving/);
  const file = await Deno.makeTempFile();
  try {
    for (const content of [`${TOKEN}\nmore\n`, TOKEN, `${TOKEN}\r\n`]) {
      await Deno.writeTextFile(file, content);
      const { code, stderr } = await ctl(`reload --token - ${admin}`, `exec < '${file}'`);
      assertEquals([code, stderr], [0, ""], "the token was taken");
    }
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("ctl: where no balancer answers it says so, exit 1", async () => {
  const dead = deadPort();
  const nobody = await ctl(`status --admin ${dead}`);
  assertEquals([nobody.code, nobody.stdout], [1, ""]);
  assertEquals(
    nobody.stderr,
    `loadbalancer: Cannot reach the balancer at 127.0.0.1:${dead}: ` +
      "nobody listens there (was it started with --admin?)\n",
  );
  await using other = await startHttpServer({ files: {} });
  const wrong = await ctl(`status --admin ${other.port}`);
  assertEquals(wrong.code, 1);
  assertStringIncludes(wrong.stderr, "what answers there is no admin port of a balancer\n");
  await using mute = new RawServer((conn) => conn.close());
  const ended = await ctl(`status --admin ${mute.port}`);
  assertEquals([ended.code, ended.stderr.trimEnd().split("\n").length], [1, 1], ended.stderr);
  assert(!/\.ts:|https?:/.test(ended.stderr), ended.stderr);
});

Deno.test("ctl: without --allow-net it says which flag to add, exit 1", {
  ignore: BINARY !== undefined, // Its permissions are compiled in.
}, async () => {
  await using process = new BalancerProcess(["ctl", "status"], { permissions: [] });
  const { code, stderr } = await process.end();
  assertEquals([code, stderr], [
    1,
    "loadbalancer: Cannot reach the balancer at 127.0.0.1:9000: not allowed by Deno " +
    "(run with --allow-net or --allow-net=127.0.0.1:9000)\n",
  ]);
});

Deno.test("ctl: reload says what has changed, or what is wrong; the log has both", async () => {
  const file = await Deno.makeTempFile({ suffix: ".jsonc" });
  try {
    const [one, two] = [deadPort(), deadPort()];
    const write = (settings: string): Promise<void> =>
      Deno.writeTextFile(file, `{ "servers": [${settings}] }`);
    await write(`${one}`);
    const args = ["127.0.0.1:0", "--config", file, "--admin", "0", "--health", "off"];
    const permissions = ["--allow-net", "--allow-read"];
    await using process = new BalancerProcess(args, { permissions });
    const reload = `reload --admin ${await process.adminPort()}`;
    await process.says(/Serving/);
    assertEquals(await said(reload), "The configuration was read again: nothing has changed\n");
    await write(`${one}, ${two}`);
    const added = `added 127.0.0.1:${two}`;
    assertEquals(await said(reload), `The configuration was read again: ${added}\n`);
    await process.says(new RegExp(`Reloaded: ${added}`));
    await write("-1");
    const { code, stderr } = await ctl(reload);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "nothing was changed: ");
    // Regression: only SIGHUP left this in the log.
    await process.says(/ERROR.* Not reloaded, nothing has changed: .*-1/);
  } finally {
    await Deno.remove(file);
  }
});

// Regression: it "was added", and then nothing told of it.
Deno.test("ctl: add says that a name is looked up, and list what becomes of it", async () => {
  await using process = start([deadPort()]);
  const admin = `--admin ${await process.adminPort()}`;
  await process.says(/Serving/);
  assertEquals(
    await said(`add nosuch.invalid:80 ${admin}`),
    "nosuch.invalid:80 was added; its name is looked up, as ctl list tells\n",
  );
  assertMatch(await said(`list ${admin}`), /\nnosuch\.invalid:80 +unresolved +\d+s /);
  assertMatch(await said(`status ${admin}`), /: 1 of 2 servers ready, /);
  const { unresolved: [only] } = JSON.parse(await said(`list --json ${admin}`));
  assertEquals(only.name, "nosuch.invalid:80");
});

// Regression: an IPv6 address was no URL without its brackets ("failed to parse tcp proxy uri").
for (const listen of ["[::1]", "[::]", "0.0.0.0"]) {
  Deno.test(`ctl: reaches an admin port at ${listen}, named as it was given to the balancer`, async () => {
    await using process = start([deadPort()], "--admin", `${listen}:0`, "--admin-token", TOKEN);
    const port = await process.adminPort();
    await process.says(/Serving/);
    assertMatch(await said(`list --admin ${listen}:${port} --token ${TOKEN}`), /^SERVER /);
  });
}

// Regression: what could not be written was an uncaught error.
for (const args of ["list", "drain ONE", "--help"]) {
  Deno.test(`ctl ${args}: says in one line that stdout cannot be written, exit 1`, async () => {
    const one = deadPort();
    await using process = start([one]);
    const admin = `--admin ${await process.adminPort()}`;
    await process.says(/Serving/);
    const { code, stderr } = await ctl(`${args.replace("ONE", `${one}`)} ${admin}`, TO_FULL);
    assertEquals(code, 1);
    assertMatch(stderr, /^loadbalancer: Cannot write to standard output: No space left .*\n$/);
  });
}

// Regression: fetch gives the call, and the token in it, to the proxy that the environment names.
Deno.test("ctl: goes to the balancer itself, whatever proxy the environment names", async () => {
  await using proxy = new RawServer((conn) => conn.close());
  await using process = start([deadPort()]);
  const admin = `--admin ${await process.adminPort()}`;
  await process.says(/Serving/);
  const url = `http://127.0.0.1:${proxy.port}`;
  const names = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
  // Deno itself looks for a newer version, through the proxy, half a second after its start.
  const before = `export DENO_NO_UPDATE_CHECK=1 ${names.map((name) => `${name}=${url}`).join(" ")}`;
  assertStringIncludes(await said(`list ${admin}`, before), "SERVER");
  assertEquals(proxy.connections, 0);
});

const USAGE: readonly (readonly [args: string, message: string])[] = [
  [
    "fly",
    '"fly": unknown command; expected status, list, add, remove, drain, disable, enable, ' +
    "weight or reload",
  ],
  ["__proto__", '"__proto__": unknown command; expected status'],
  ["drain", "drain: expected ctl drain NAME"],
  ["drain 1 2", "drain: expected ctl drain NAME"],
  ["weight 1", "weight: expected ctl weight NAME N"],
  ["weight 1 0", 'weight "0": expected a whole number from 1 to 1000'],
  ["status --admin x", '--admin "x": expected a port (1 to 65535), host:port or [ipv6]:port'],
  ["status --wait", "--wait: expected only with drain, disable or remove"],
  ["status --fast", '"--fast": unknown option'],
  ["status --token=", "--token: expected characters of ASCII without blanks"],
];

for (const [args, message] of USAGE) {
  Deno.test(`ctl: "ctl ${args}" is told what is wrong in one line, exit 2`, async () => {
    const { code, stdout, stderr } = await ctl(args);
    assertEquals([code, stdout], [2, ""]);
    assert(stderr.startsWith(`loadbalancer: ${message}`), stderr);
    assert(stderr.endsWith(" (see loadbalancer ctl --help)\n"), stderr);
  });
}

Deno.test("ctl: --help names every command, exit 0; nothing at all is wrong usage", async () => {
  const help = await said("--help");
  const words = "status list add remove drain disable enable weight reload --admin --token --json";
  for (const word of words.split(" ")) assertMatch(help, new RegExp(`^  ${word}`, "m"));
  const { code, stdout } = await ctl("");
  assertEquals([code, stdout], [2, help]);
});

Deno.test(
  `README: the examples of the admin port do what they say${
    has("curl") ? "" : " (skipped: no curl)"
  }`,
  { ignore: !has("curl") },
  async () => {
    await using one = await startHttpServer();
    await using two = await startHttpServer();
    const added = deadPort();
    await using process = start([one.port, two.port], "--health", "tcp");
    const admin = `127.0.0.1:${await process.adminPort()}`;
    await process.says(/Serving/);
    const ports: Readonly<Record<string, number>> = { 1234: one.port, 5678: two.port, 1248: added };
    const lines = codeBlocksIn(readReadme() ?? "", "Admin port")
      .filter((line) => !line.endsWith("--admin 9000")); // That one runs already.
    assert(lines.length > 10, lines.join("\n"));
    for (const line of lines) {
      const command = line
        .replaceAll(/\b(?:1234|5678|1248)\b/g, (port) => `${ports[port]}`)
        .replace("127.0.0.1:9000", admin)
        .replace(/^curl /, "curl --silent --show-error --fail --noproxy '*' ")
        .replace(/^deno run --allow-net main\.ts (\w+)/, `${quotedCommand()} $1 --admin ${admin}`);
      assert(command.includes(admin), `${line}: goes elsewhere`);
      const { code, stdout, stderr } = await new Deno.Command("sh", { args: ["-c", command] })
        .output();
      const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
      assertEquals([code, err], [0, ""], line);
      assert(out !== "", `${line}: said nothing`);
    }
    assertMatch(process.stderr, /drained over the admin port/);
  },
);

function quotedCommand(): string {
  return MAIN_COMMAND.map((word) => `'${word}'`).join(" ");
}
