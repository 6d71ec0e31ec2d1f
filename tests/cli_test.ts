import { asksToCheck, optionsTable, parseCommandLine, policiesTable, usage } from "../lib/cli.ts";
import { ConfigError } from "../lib/config_error.ts";
import type { Config } from "../lib/config.ts";
import { type Option, OPTIONS } from "../lib/options.ts";
import { combine } from "../lib/load.ts";
import { POLICIES } from "../lib/policy/mod.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "./support/assert.ts";

/** Splits at blanks, as a shell would. */
function parse(line: string): ReturnType<typeof parseCommandLine> {
  return parseCommandLine(line.split(" ").filter((argument) => argument !== ""));
}

function configOf(line: string): Config {
  const command = parse(line);
  if (command.kind !== "serve") throw new TypeError(`${line}: asks for ${command.kind}`);
  return combine(command.given, null);
}

function ports(line: string): readonly [listen: number, ...backends: number[]] {
  const { listen, backends } = configOf(line);
  return [listen.port, ...backends.map(({ address }) => address.port)];
}

function complaint(line: string): string {
  return assertThrows(() => configOf(line), ConfigError, "", `${line} was taken`).message;
}

Deno.test("parseCommandLine: the first port is its own, the others are servers", () => {
  assertEquals(ports("8080 1234"), [8080, 1234]);
  assertEquals(ports("8080 1234 5678 1248"), [8080, 1234, 5678, 1248]);
});

Deno.test("parseCommandLine: options and ports come in any order, mixed", () => {
  const lines = [
    "8080 -N 8 1234 -R 7 5678 1248",
    "-N 8 -R 7 8080 1234 5678 1248",
    "8080 1234 5678 1248 -R 7 -N 8",
    "-R 7 8080 1234 -N 8 5678 1248",
  ];
  for (const line of lines) {
    assertEquals(ports(line), [8080, 1234, 5678, 1248], line);
    const { parallel, requests } = configOf(line);
    assertEquals([parallel, requests], [8, 7], line);
  }
});

Deno.test("parseCommandLine: an option's value may stand apart, behind = or, for a letter, at once", () => {
  for (const line of ["-N 8", "-N8", "-N=8", "--parallel 8", "--parallel=8"]) {
    assertEquals(configOf(`8080 ${line} 1234`).parallel, 8, line);
    assertEquals(ports(`8080 ${line} 1234`), [8080, 1234], line);
  }
  for (const line of ["-X 250ms", "-X=250ms", "--interval 250ms", "--interval=250ms"]) {
    assertEquals(configOf(`8080 ${line} 1234`).intervalMs, 250, line);
  }
});

Deno.test("parseCommandLine: a time too may follow its letter at once", () => {
  for (
    const [text, ms] of Object.entries({ "3s": 3000, "250ms": 250, "0.5s": 500, "2m": 120_000 })
  ) {
    assertEquals(configOf(`8080 -X${text} 1234`).intervalMs, ms, `-X${text}`);
  }
});

Deno.test("parseCommandLine: a bad value right behind its letter is called a bad value", () => {
  for (const value of ["8x", "x", "1e", "+8", "8R7"]) {
    assertEquals(
      complaint(`8080 1234 -N${value}`),
      `-N/--parallel "${value}": expected a whole number from 1 to 1000000`,
    );
  }
});

Deno.test("parseCommandLine: every option of the table sets what it names", () => {
  const other: Record<string, string> = {
    mode: "tcp",
    policy: "round-robin",
    health: "http",
    healthPath: "/up",
    accessLog: "json",
    logLevel: "error",
    logFormat: "json",
    sticky: "id",
    stickyKey: "sixteen-and-more",
    compress: "on",
    adminToken: "sixteen-and-more",
  };
  for (const [setting, option] of Object.entries(OPTIONS) as [keyof Config, Option<unknown>][]) {
    const text = other[setting] ?? (option.value === "TIME" ? "7s" : "7");
    if (setting === "trustProxy") continue; // What it reads is no value that can be compared.
    const names = option.letter === undefined ? [] : [`-${option.letter} ${text}`];
    // An option that may stand alone has its value behind = only.
    const apart = option.alone === undefined ? [`--${option.name} ${text}`] : [];
    for (const given of [...names, ...apart, `--${option.name}=${text}`]) {
      assertEquals(configOf(`${given} 8080 1234`)[setting], option.parse(text), given);
    }
  }
});

Deno.test("parseCommandLine: --sticky and --compress may stand alone, also before a port", () => {
  for (const line of ["--sticky --compress 8080 1234", "8080 1234 --compress --sticky"]) {
    const { sticky, compress, backends } = configOf(line);
    assertEquals([sticky, compress, backends.length], ["loadbalancer", "on", 1]);
  }
  assertEquals(configOf("8080 1234 --sticky=id --compress=off").sticky, "id");
});

Deno.test("parseCommandLine: --trust-proxy takes addresses, blocks and words", () => {
  const { trustProxy } = configOf("8080 1234 --trust-proxy 10.0.0.0/8,loopback");
  const trusted = ["10.1.2.3", "127.0.0.1", "::1", "11.0.0.1"].map((ip) =>
    trustProxy.isTrusted(ip)
  );
  assertEquals(trusted, [true, true, true, false]);
});

Deno.test("parseCommandLine: of an option given twice the last counts, under whatever name", () => {
  assertEquals(configOf("8080 1234 -N8 -N9").parallel, 9);
  assertEquals(configOf("8080 1234 -N9 --parallel=8").parallel, 8);
  assertEquals(configOf("8080 1234 --parallel 8 -N 9").parallel, 9);
});

Deno.test("parseCommandLine: -h and -V ask for the help and the version, ports or not", () => {
  for (const line of ["-h", "--help", "8080 --help", "8080 1234 -N8 -h", "-hV"]) {
    assertEquals(parse(line), { kind: "help" }, line);
  }
  for (const line of ["-V", "--version", "-V 8080 1234"]) {
    assertEquals(parse(line), { kind: "version" }, line);
  }
});

Deno.test("parseCommandLine: --config names a file or standard input, apart or behind =", () => {
  const lines = ["--config a.jsonc 8080", "--config=a.jsonc 8080", "8080 --config a.jsonc"];
  for (const line of lines) {
    const given = { listen: "8080", settings: {} };
    assertEquals(parse(line), { kind: "serve", given, configFile: "a.jsonc" }, line);
  }
  for (const line of ["--config - -N8", "-N8 --config=-", "-N8 --config -"]) {
    const given = { settings: { parallel: "8" } };
    assertEquals(parse(line), { kind: "serve", given, configFile: "-" }, line);
  }
});

Deno.test("parseCommandLine: --config without a file is refused", () => {
  for (const line of ["8080 1234 --config", "8080 1234 --config=", "--config -N8 8080 1234"]) {
    assertEquals(complaint(line), '--config "": expected a file, or - for standard input', line);
  }
});

Deno.test("parseCommandLine: --config-schema, --check and --systemd-unit ask for that", () => {
  assertEquals(parse("--config-schema"), { kind: "config-schema" });
  for (const kind of ["check", "systemd-unit"] as const) {
    const given = { listen: "8080", backends: ["1234"], settings: {} };
    assertEquals(parse(`8080 --${kind} 1234`), { kind, given, configFile: null });
  }
});

Deno.test("asksToCheck: finds --check among the options, whatever else is wrong", () => {
  assertEquals(asksToCheck(["--wat", "--check"]), true);
  assertEquals(asksToCheck(["8080", "1234"]), false);
  assertEquals(asksToCheck(["8080", "--checks"]), false);
  assertEquals(asksToCheck(["8080", "--", "--check"]), false);
});

Deno.test("asksToCheck: is of one mind with parseCommandLine, however --check is written", () => {
  for (const text of ["--check=true", "--check=", "--check=false", "--check --check=false"]) {
    const args = text.split(" ");
    assertEquals(asksToCheck(args), parseCommandLine([...args, "1", "2"]).kind === "check", text);
  }
  assertEquals(asksToCheck(["--check=true"]), true);
});

Deno.test("parseCommandLine: help is given even if a value is wrong", () => {
  assertEquals(parse("-N wrong --help"), { kind: "help" });
});

Deno.test("parseCommandLine: behind -- everything is a port", () => {
  assertEquals(ports("-- 8080 1234"), [8080, 1234]);
  assertEquals(ports("8080 -N8 -- 1234"), [8080, 1234]);
  assertStringIncludes(complaint("8080 1234 -- --help"), 'SERVER "--help": expected a port');
});

// Regression: arguments behind -- were spelled out as if they were options.
Deno.test("parseCommandLine: a wrong port behind -- is named as it was typed", () => {
  for (const argument of ["-N8", "-X3s", "-R=7"]) {
    assertStringIncludes(complaint(`8080 1234 -- ${argument}`), `SERVER "${argument}": expected`);
  }
});

Deno.test("parseCommandLine: every wrong line is refused with the argument and what was expected", () => {
  const whole = "expected a whole number from 1 to 1000000";
  const address = "host:port or [ipv6]:port";
  const wrong: Record<string, string> = {
    "": "PORT: missing; expected PORT SERVER...",
    "-N8": "PORT: missing; expected PORT SERVER...",
    "8080": "SERVER: missing; expected at least one",
    "8080 -N 1234": "SERVER: missing; expected at least one",
    "x 1234": `PORT "x": expected a port (0 to 65535), ${address}`,
    "0x1f90 1234": `PORT "0x1f90": expected a port (0 to 65535), ${address}`,
    "1e3 1234": `PORT "1e3": expected a port (0 to 65535), ${address}`,
    "- 1234": `PORT "-": expected a port (0 to 65535), ${address}`,
    "8080 1234 70000": `SERVER "70000": expected a port (1 to 65535), ${address}`,
    "8080 1234 -N": `-N/--parallel "": ${whole}`,
    "8080 1234 -N -R 7": `-N/--parallel "": ${whole}`,
    "8080 1234 -N0": `-N/--parallel "0": ${whole}`,
    "8080 1234 -N-5": `-N/--parallel "-5": ${whole}`,
    "8080 1234 -N1.5": `-N/--parallel "1.5": ${whole}`,
    "8080 1234 -N 8x": `-N/--parallel "8x": ${whole}`,
    "8080 1234 --parallel=": `-N/--parallel "": ${whole}`,
    "8080 1234 --parallel=8=9": `-N/--parallel "8=9": ${whole}`,
    "8080 1234 --policy=": '--policy "": expected least-entries, round-robin, random, ' +
      "least-connections, p2c, peak-ewma, ip-hash or maglev",
    "8080 1234 --mode http2": '--mode "http2": expected bridge, tcp or http',
    "8080 1234 -X3":
      '-X/--interval "3": expected a time with its unit, such as 250ms, 3s or 10m, ' +
      "from 100ms to 24h",
    "8080 1234 -Z": "-Z: unknown option",
    "8080 1234 -5": "-5: unknown option",
    "8080 1234 -N8 -hZ": "-hZ: unknown option",
    "8080 1234 --wat": "--wat: unknown option",
    "8080 1234 --wat=3": "--wat=3: unknown option",
    "8080 1234 -parallel 8": "-parallel: unknown option",
    "8080 1234 --no-parallel": "--no-parallel: unknown option",
    "8080 1234 --parallel.x 3": "--parallel.x: unknown option",
    "8080 1234 --__proto__ 3": "--__proto__: unknown option",
    "8080 1234 --__proto__.x 3": "--__proto__.x: unknown option",
    "8080 1234 --constructor 3": "--constructor: unknown option",
  };
  for (const [line, message] of Object.entries(wrong)) assertEquals(complaint(line), message, line);
});

Deno.test("parseCommandLine: an empty argument is a wrong port, not a missing one", () => {
  for (const [args, place] of [[["", "1234"], "PORT"], [["8080", ""], "SERVER"]] as const) {
    const command = parseCommandLine(args);
    assert(command.kind === "serve");
    const error = assertThrows(() => combine(command.given, null), ConfigError);
    assertStringIncludes(error.message, `${place} "": expected a port`);
  }
});

// Regression: `_` is the parser's own name for the ports, and a TypeError got out.
Deno.test("parseCommandLine: an underscore is no option", () => {
  for (const line of ["8080 1234 --_ 3", "8080 1234 --_=3", "8080 1234 -_ 3", "8080 1234 --_"]) {
    assertStringIncludes(complaint(line), "unknown option", line);
  }
});

// Regression: an unknown option went into the message as it came, line ends and all.
Deno.test("parseCommandLine: an unknown option is complained of in one short line", () => {
  for (const argument of ["--a\nb", `--${"x".repeat(10_000)}`]) {
    const { message } = assertThrows(
      () => parseCommandLine(["8080", "1234", argument]),
      ConfigError,
    );
    assert(!message.includes("\n"), JSON.stringify(message));
    assert(message.length < 300, `${message.length} characters`);
  }
});

Deno.test("parseCommandLine: leaves nothing behind in the prototypes of objects", () => {
  complaint("8080 1234 --__proto__.polluted 3");
  complaint("8080 1234 --constructor.prototype.polluted 3");
  assertEquals("polluted" in {}, false);
});

Deno.test("usage: names every option with its value, its help and its default", () => {
  const lines = usage().split("\n");
  for (const option of Object.values(OPTIONS) as Option<unknown>[]) {
    const letter = option.letter === undefined ? "" : `-${option.letter}, `;
    const value = option.alone === undefined ? ` ${option.value}` : `[=${option.value}]`;
    const name = `${letter}--${option.name}${value}`;
    const line = lines.find((each) => each.trimStart().startsWith(`${name} `));
    assert(line !== undefined, `${name} is not in the help`);
    assertStringIncludes(line, option.help);
    if (option.default !== "") assert(line.endsWith(` (default ${option.default})`), line);
  }
});

Deno.test("usage: names the switches, the ports and every policy", () => {
  const text = usage();
  const switches = ["--config FILE", "--config-schema", "--check", "--systemd-unit"];
  for (const word of ["-h, --help", "-V, --version", "PORT", "SERVER", ...switches]) {
    assertStringIncludes(text, word);
  }
  for (const [name, { help }] of Object.entries(POLICIES)) {
    assert(text.split("\n").some((line) => line.includes(name) && line.endsWith(help)), name);
  }
  assert(text.endsWith("\n"));
});

Deno.test("optionsTable: is a Markdown table with a row for each option and three cells in each", () => {
  const [head, rule, ...rows] = optionsTable().split("\n");
  assertEquals(head, "| Option | Default | What it sets |");
  assertEquals(rule, "| --- | --- | --- |");
  assertEquals(rows.length, Object.keys(OPTIONS).length);
  for (const row of rows) assertEquals(row.split(/(?<!\\)\|/).length, 5, row);
  assert(rows.includes("| `-N`, `--parallel N` | `1024` | bridges: clients carried at once |"));
});

Deno.test("policiesTable: is a Markdown table with a row for each policy and three cells in each", () => {
  const [, rule, ...rows] = policiesTable().split("\n");
  assertEquals(rule, "| --- | --- | --- |");
  for (const [at, name] of Object.keys(POLICIES).entries()) {
    const row = rows[at] ?? "";
    assert(row.startsWith(`| \`${name}\` | `), row);
    assertEquals(row.split(/(?<!\\)\|/).length, 5, row);
  }
  assertEquals(rows.length, Object.keys(POLICIES).length);
});
