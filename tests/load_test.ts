import { ConfigFileError } from "../lib/config_file/error.ts";
import { type Source, StandardInput } from "../lib/config_file/text.ts";
import { ConfigError } from "../lib/config_error.ts";
import type { Config } from "../lib/config.ts";
import { BalancerError } from "../lib/errors.ts";
import { type Command, load } from "../lib/load.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "./support/assert.ts";
import { Random } from "./support/random.ts";
import { randomSettings } from "./support/random_settings.ts";

function input(text: string): StandardInput {
  let rest: Uint8Array | null = new TextEncoder().encode(text);
  const source: Source = {
    read(buffer): Promise<number | null> {
      const count = Math.min(buffer.length, rest?.length ?? 0);
      buffer.set(rest?.subarray(0, count) ?? []);
      rest = count === 0 ? null : rest?.subarray(count) ?? null;
      return Promise.resolve(rest === null ? null : count);
    },
  };
  return new StandardInput(source);
}

/** What the arguments ask for, with that file at standard input. */
function loadWith(file: unknown, ...args: string[]): Promise<Command> {
  const text = typeof file === "string" ? file : JSON.stringify(file);
  return load(["--config", "-", ...args], input(text));
}

function configOf(command: Command): Config {
  assert("loaded" in command);
  return command.loaded.config;
}

async function configWith(file: unknown, ...args: string[]): Promise<Config> {
  return configOf(await loadWith(file, ...args));
}

function ports({ listen, backends }: Config): readonly number[] {
  return [listen.port, ...backends.map(({ address }) => address.port)];
}

async function complaint(
  kind: abstract new (...args: never[]) => Error,
  file: unknown,
  ...args: string[]
): Promise<string> {
  return (await assertRejects(() => loadWith(file, ...args), kind)).message;
}

const FILE = { listen: 80, servers: [1, 2], parallel: 5, mode: "http" };

Deno.test("load: without --config the command line says it all", async () => {
  assertEquals(ports(configOf(await load(["8080", "1234", "-N8"]))), [8080, 1234]);
});

Deno.test("load: a file alone says it all", async () => {
  const config = await configWith(FILE);
  assertEquals([ports(config), config.parallel, config.mode], [[80, 1, 2], 5, "http"]);
});

Deno.test("load: an option on the command line goes before that of the file, one by one", async () => {
  const { parallel, mode } = await configWith(FILE, "-N8");
  assertEquals([parallel, mode], [8, "http"]);
});

Deno.test("load: PORT replaces listen, SERVERs replace all servers", async () => {
  assertEquals(ports(await configWith(FILE, "90")), [90, 1, 2]);
  assertEquals(ports(await configWith(FILE, "90", "3")), [90, 3]);
  assertEquals(ports(await configWith({ parallel: 5 }, "90", "3")), [90, 3]);
  assertEquals(ports(await configWith({ servers: [1] }, "90")), [90, 1]);
});

Deno.test("load: a port or servers that neither names are asked for in both", async () => {
  assertEquals(
    await complaint(ConfigError, { servers: [1] }),
    'PORT: missing; expected on the command line or as "listen" in standard input',
  );
  assertEquals(
    await complaint(ConfigError, { listen: 1 }),
    'SERVER: missing; expected on the command line or as "servers" in standard input',
  );
  assertEquals(
    await complaint(ConfigError, {}),
    'PORT: missing; expected on the command line or as "listen" in standard input\n' +
      'SERVER: missing; expected on the command line or as "servers" in standard input',
    "both at once",
  );
  const error = await assertRejects(() => load(["-N8"]), ConfigError);
  assertEquals(error.message, "PORT: missing; expected PORT SERVER...");
});

Deno.test("load: a file is wrong also where the command line goes before it", async () => {
  assertEquals(
    await complaint(ConfigFileError, { ...FILE, parallel: 0 }, "-N8"),
    "standard input:1:41: parallel 0: expected a whole number from 1 to 1000000",
  );
});

Deno.test("load: a wrong value on the command line is told as without a file", async () => {
  assertEquals(
    await complaint(ConfigError, FILE, "-N0"),
    '-N/--parallel "0": expected a whole number from 1 to 1000000',
  );
});

Deno.test("load: all that does not go together in a file is told, with its places", async () => {
  const file = `{ "listen": 80,
    "servers": [1, 2, "127.0.0.1:1", 80],
    "policy": "least-entries", "health": "tcp" }`;
  assertEquals((await complaint(ConfigFileError, file)).split("\n"), [
    'standard input:2:23: servers[2] "127.0.0.1:1": given twice; expected each once',
    "standard input:2:38: servers[3] 80: is this balancer itself; expected another port",
    'standard input:3:15: policy "least-entries": needs the counts of --health entries, ' +
    "but --health is tcp; expected another policy, such as round-robin",
  ]);
});

Deno.test("load: what does not go together is told of whoever gives it", async () => {
  const policy = { ...FILE, policy: "least-entries" };
  assertStringIncludes(
    await complaint(ConfigFileError, policy, "--health", "tcp"),
    'standard input:1:66: policy "least-entries": needs the counts',
  );
  const health = { ...FILE, health: "tcp" };
  assertStringIncludes(
    await complaint(ConfigFileError, health, "--policy", "least-entries"),
    "--policy least-entries: needs the counts",
  );
  assertStringIncludes(await complaint(ConfigFileError, FILE, "9", "9"), "SERVER 127.0.0.1:9: is");
  assertStringIncludes(await complaint(ConfigFileError, FILE, "2"), "servers[1] 2: is this");
});

Deno.test("load: of thousands of contradictions no more than twenty are told", async () => {
  const message = await complaint(ConfigFileError, { listen: 80, servers: Array(9000).fill(1) });
  assertEquals(message.split("\n").length, 21);
});

Deno.test("load: standard input is read once; again, as at a reload, is an error", async () => {
  const standardInput = input(JSON.stringify(FILE));
  await load(["--config", "-"], standardInput);
  await assertRejects(
    () => load(["--config", "-"], standardInput),
    BalancerError,
    "it can be read only once",
  );
});

Deno.test("load: a file is read anew each time, and named in what is wrong with it", async () => {
  const path = await Deno.makeTempFile();
  try {
    for (const listen of [80, 90]) {
      await Deno.writeTextFile(path, JSON.stringify({ ...FILE, listen }));
      assertEquals(configOf(await load(["--config", path])).listen.port, listen);
    }
    await Deno.writeTextFile(path, "{");
    const error = await assertRejects(() => load(["--config", path]), ConfigFileError);
    assertEquals(error.message, `${path}:1:2: expected a closing brace }`);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("load: a unit for systemd cannot read standard input", async () => {
  assertEquals(
    await complaint(ConfigError, FILE, "--systemd-unit"),
    "--systemd-unit --config -: a service has no standard input; expected the name of a file",
  );
});

/** What becomes of the settings: a Config that can be compared, or why there is none. */
async function outcome(promise: Promise<Command>): Promise<unknown> {
  try {
    const { trustProxy, ...config } = configOf(await promise);
    const ips = ["10.1.2.3", "127.0.0.1", "::1", "192.168.1.1", "2001:db8::1", "8.8.8.8"];
    return { ...config, trustProxy: ips.map((ip) => trustProxy.isTrusted(ip)) };
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof ConfigFileError)) throw error;
    return error.message.includes("needs the counts") ? "contradiction" : error.message;
  }
}

Deno.test("load: the same settings by the command line and by a file are the same", async () => {
  const random = new Random(20);
  let served = 0;
  for (let turn = 0; turn < 300; turn++) {
    const { args, file } = randomSettings(random);
    const byLine = await outcome(load(args));
    assertEquals(await outcome(loadWith(file)), byLine, JSON.stringify(file));
    // Half here, half there, and the other half's servers overridden.
    assertEquals(await outcome(loadWith(file, ...args)), byLine, args.join(" "));
    if (typeof byLine === "object") served++;
    else assertEquals(byLine, "contradiction");
  }
  assert(served > 150, `only ${served} settings were good`);
});
