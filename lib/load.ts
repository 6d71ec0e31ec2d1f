/**
 * From the arguments to what is asked for: reads the command line and, where it names one, the
 * configuration file, and makes one {@linkcode Config} of both. `program.ts` calls it at the start
 * and again at each reload; what is wrong is thrown before anything has changed.
 *
 * The command line goes before the file: its options replace the file's one by one, its PORT
 * replaces `listen`, and its SERVERs, where there are any, all `servers`.
 */
import { parseCommandLine } from "./cli.ts";
import { ConfigFileError } from "./config_file/error.ts";
import type { ConfigFile } from "./config_file/mod.ts";
import { printable, readConfigText, StandardInput } from "./config_file/text.ts";
import { ConfigError } from "./config_error.ts";
import {
  type Config,
  type ConfigSource,
  contradictions,
  type Given,
  makeConfig,
  readConfig,
} from "./config.ts";
import { OPTIONS } from "./options.ts";

/** What is asked for, with all that was given checked. */
export type Command =
  | { readonly kind: "help" | "version" }
  | { readonly kind: "config-schema"; readonly schema: string }
  | { readonly kind: "serve" | "check" | "systemd-unit"; readonly loaded: Loaded };

/** A configuration, and where it comes from. */
export interface Loaded {
  /** The command line and the file in one. */
  readonly config: Config;
  /** What the command line gives. */
  readonly line: Given;
  /** What the file gives, and how it is named to people; null: there is none. */
  readonly file: { readonly name: string; readonly given: Given } | null;
  /** The file as `--config` names it. */
  readonly configFile: string | null;
}

const STANDARD_INPUT = new StandardInput(Deno.stdin);

/**
 * Reads the arguments and the file that they name. Rejects with a {@linkcode ConfigError} where they
 * are wrong (a {@linkcode ConfigFileError} where it is the file), and with a `BalancerError` where it
 * cannot be read; standard input (`-`) can be read only once.
 */
export async function load(
  args: readonly string[],
  standardInput: StandardInput = STANDARD_INPUT,
): Promise<Command> {
  const line = parseCommandLine(args);
  if (line.kind === "help" || line.kind === "version") return { kind: line.kind };
  if (line.kind === "config-schema") {
    const { jsonSchema } = await import("./config_file/mod.ts");
    return { kind: line.kind, schema: jsonSchema() };
  }
  const { kind, given, configFile } = line;
  if (kind === "systemd-unit" && configFile === "-") {
    const expected = "a service has no standard input; expected the name of a file";
    throw new ConfigError("--systemd-unit --config -", expected);
  }
  const file = await readFile(configFile, standardInput);
  const config = combine(given, file);
  return { kind, loaded: { config, line: given, file, configFile } };
}

/** The configuration that the command line asks for, with the file where there is one. */
export function combine(line: Given, file: ConfigFile | null): Config {
  if (file === null) return makeConfig(completed(line, null));
  const settings = { ...file.given.settings, ...line.settings };
  const config = readConfig(completed({ ...file.given, ...line, settings }, file));
  const problems = [...contradictions(config)];
  if (problems.length === 0) return config;
  throw new ConfigFileError(
    problems.values().map((problem) => placed(problem, { line, file }) ?? problem),
  );
}

async function readFile(
  configFile: string | null,
  standardInput: StandardInput,
): Promise<ConfigFile | null> {
  if (configFile === null) return null;
  const isInput = configFile === "-";
  const text = await (isInput ? standardInput.text() : readConfigText(configFile));
  const { parseConfigFile } = await import("./config_file/mod.ts");
  return parseConfigFile(text, isInput ? "standard input" : printable(configFile));
}

/** The same with nothing left out that has no default. */
function completed(
  { listen, backends, settings = {} }: Given,
  file: ConfigFile | null,
): ConfigSource {
  const missing = (key: string): string =>
    file === null
      ? "missing; expected PORT SERVER..."
      : `missing; expected on the command line or as "${key}" in ${file.name}`;
  const port = listen === undefined ? [new ConfigError("PORT", missing("listen"))] : [];
  if (file === null) { for (const problem of port) throw problem; }
  const server = backends === undefined && file !== null
    ? [new ConfigError("SERVER", missing("servers"))]
    : [];
  if (listen === undefined || server.length > 0) throw new ConfigFileError([...port, ...server]);
  return { listen, backends: backends ?? [], settings };
}

/** The same with its place in the file; null where it is the command line that gives it. */
function placed(
  { subject, expected }: ConfigError,
  { line, file }: { readonly line: Given; readonly file: ConfigFile },
): ConfigError | null {
  if (subject === undefined) return null;
  if (typeof subject === "number") {
    return line.backends === undefined ? file.complain(["servers", subject], expected) : null;
  }
  const isInFile = line.settings?.[subject] === undefined &&
    file.given.settings?.[subject] !== undefined;
  return isInFile ? file.complain([OPTIONS[subject].name], expected) : null;
}
