/** The command line: arguments to what was given, and the texts of help. Pure. */
// @ts-types="./std_parse_args.d.ts"
import { parseArgs } from "@std/cli/parse-args";
import { BACKEND_SETTINGS } from "./backend_argument.ts";
import { ConfigError, quoted } from "./config_error.ts";
import type { Given } from "./config.ts";
import { type Option, type Setting, SETTINGS } from "./options.ts";
import { POLICIES } from "./policy/mod.ts";

/** What the command line asks for. */
export type CommandLine =
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  | { readonly kind: "config-schema" }
  | {
    /** To serve, or to say what that would be: as a report, or as a unit of systemd. */
    readonly kind: "serve" | "check" | "systemd-unit";
    /** The ports and options. */
    readonly given: Given;
    /** The configuration file, `-` for standard input; null: there is none. */
    readonly configFile: string | null;
  };

/** The switches that ask for something else than to serve. Of two the first here counts. */
const KINDS = ["help", "version", "config-schema", "check", "systemd-unit"] as const;

/**
 * Reads the arguments: options and ports in any order, `-N8`, `-N 8`, `--parallel 8`,
 * `--parallel=8`. The first port is the balancer's own; of an option given twice the last counts.
 * The values are not looked at. Throws a {@linkcode ConfigError}.
 */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const end = endOfOptions(args);
  const spelled = [...args.slice(0, end).flatMap(spellOut), ...args.slice(end)];
  const parsed = parseArgs(spelled, {
    string: ["_", "config", ...SETTINGS.map(([, option]) => option.name)],
    boolean: KINDS,
    alias: { help: "h", version: "V", ...letters() },
    unknown: (argument, key) => {
      if (key !== undefined) throw unknownOption(argument);
    },
  });
  const kind = KINDS.find((each) => parsed[each] === true) ?? "serve";
  if (kind === "help" || kind === "version" || kind === "config-schema") return { kind };
  const configFile = parsed["config"] === undefined ? null : String(parsed["config"]);
  if (configFile === "") {
    throw new ConfigError('--config ""', "expected a file, or - for standard input");
  }
  return { kind, given: givenIn(parsed), configFile };
}

/** Do the arguments ask for `--check`, wrong as the rest of them may be? */
export function asksToCheck(args: readonly string[]): boolean {
  const options = args.slice(0, endOfOptions(args));
  const last = options.findLast((each) => /^--check(?:=|$)/.test(each));
  return last !== undefined && last !== "--check=false";
}

/** Where the options end: at `--`, or with the arguments. */
export function endOfOptions(args: readonly string[]): number {
  return args.includes("--") ? args.indexOf("--") : args.length;
}

function givenIn(parsed: ReturnType<typeof parseArgs>): Given {
  const settings: Partial<Record<Setting, string>> = {};
  for (const [setting, option] of SETTINGS) {
    const value = parsed[option.name];
    if (value !== undefined) settings[setting] = String(value);
  }
  const [listen, ...backends] = parsed._.map(String);
  if (listen === undefined) return { settings };
  return backends.length === 0 ? { listen, settings } : { listen, backends, settings };
}

/** The help. */
export function usage(): string {
  const rows = [...SETTINGS.map(([, option]) => row(option)), ...SWITCHES];
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  const policies = Object.entries(POLICIES).map(([name, { help }]) =>
    `  ${name.padEnd(19)}${help}`
  );
  return [
    "Usage: loadbalancer [OPTIONS] PORT SERVER [SERVER...]",
    "       loadbalancer [OPTIONS] --config FILE [PORT [SERVER...]]",
    "       loadbalancer ctl|top [OPTIONS]   for one that runs with --admin; ctl --help says more",
    "",
    "Takes clients on PORT and sends each to the best SERVER.",
    "PORT:   8080, 127.0.0.1:8080 or [::1]:8080 (0: any free port)",
    "SERVER: 1234 (this machine), host:1234 or [::1]:1234; behind commas, as in host:1234,weight=3:",
    ...Object.values(BACKEND_SETTINGS).map(({ form, help }) => `        ${form.padEnd(9)} ${help}`),
    "",
    "Options, in any order and among the ports:",
    ...rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`),
    "",
    "Policies, by --policy NAME:",
    ...policies,
    "In doubt take least-connections, or ip-hash for servers with sessions.",
    "",
    "A TIME carries its unit: 250ms, 3s, 10m. Exit codes: 0 stopped, 1 could not start, 2 wrong usage or file.",
    "",
  ].join("\n");
}

/** The README's table of options, in Markdown. */
export function optionsTable(): string {
  const rows = SETTINGS.map(([, option]) => {
    const flag = option.letter === undefined ? "" : `\`-${option.letter}\`, `;
    const value = valueOf(option).replaceAll("|", "\\|");
    const initial = option.default === "" ? "" : `\`${option.default}\``;
    return `| ${flag}\`--${option.name}${value}\` | ${initial} | ${option.help} |`;
  });
  return ["| Option | Default | What it sets |", "| --- | --- | --- |", ...rows].join("\n");
}

/** The README's table of switches, in Markdown. */
export function switchesTable(): string {
  const rows = SWITCHES.map(([left, right]) => `| \`${left.trim()}\` | ${right} |`);
  return ["| Switch | What it does |", "| --- | --- |", ...rows].join("\n");
}

/** The README's table of what may be set for single servers, in Markdown. */
export function backendSettingsTable(): string {
  const rows = Object.values(BACKEND_SETTINGS).map(({ form, help }) => `| \`${form}\` | ${help} |`);
  return ["| Setting | What it sets |", "| --- | --- |", ...rows].join("\n");
}

/** The README's table of policies, in Markdown. */
export function policiesTable(): string {
  const rows = Object.entries(POLICIES).map(([name, { help, cost }]) =>
    `| \`${name}\` | ${help} | ${cost} |`
  );
  const head = "| Policy | What it picks, and when to take it | Cost of a pick with n servers |";
  return [head, "| --- | --- | --- |", ...rows].join("\n");
}

const SWITCHES: readonly (readonly [string, string])[] = [
  [
    "    --config FILE",
    "read settings from a file too (-: from standard input); these here go first",
  ],
  ["    --check", "say what would run, and where it is set, and exit"],
  ["    --config-schema", "print the JSON Schema of the configuration file and exit"],
  ["    --systemd-unit", "print a unit of systemd that runs this very command line and exit"],
  ["-h, --help", "show this and exit"],
  ["-V, --version", "show the version and exit"],
];

/**
 * `-X1h` as `--interval=1h`: the parser takes a value behind a letter only where it is a number, and
 * a lone `-` for no value. An option that may stand alone has its value behind `=` and nowhere else.
 */
function spellOut(argument: string, at: number, args: readonly string[]): string | string[] {
  if (argument === "-" && args[at - 1] === "--config") return [];
  if (argument === "--config" && args[at + 1] === "-") return "--config=-";
  if (/^--?_(?:=|$)/.test(argument)) throw unknownOption(argument); // The parser's own word.
  const alone = SETTINGS.find(([, { name, alone }]) =>
    alone !== undefined && argument === `--${name}`
  );
  if (alone !== undefined) return `${argument}=${alone[1].alone}`;
  const [, letter, value] = /^-([A-Za-z])=?(.+)$/.exec(argument) ?? [];
  const option = SETTINGS.find(([, each]) => each.letter !== undefined && each.letter === letter);
  return option === undefined ? argument : `--${option[1].name}=${value}`;
}

/** How its value is given: ` N`, or `[=NAME]` where it may be left out. */
function valueOf({ value, alone }: Option<unknown>): string {
  return alone === undefined ? ` ${value}` : `[=${value}]`;
}

function unknownOption(argument: string): ConfigError {
  return new ConfigError(
    /^[\x21-\x7e]{1,80}$/.test(argument) ? argument : quoted(argument),
    "unknown option",
  );
}

function letters(): Record<string, string> {
  const pairs = SETTINGS.flatMap(([, { name, letter }]) =>
    letter === undefined ? [] : [[name, letter]]
  );
  return Object.fromEntries(pairs);
}

function row(option: Option<unknown>): readonly [string, string] {
  const letter = option.letter === undefined ? "    " : `-${option.letter}, `;
  const initial = option.default === "" ? "" : ` (default ${option.default})`;
  return [`${letter}--${option.name}${valueOf(option)}`, `${option.help}${initial}`];
}
