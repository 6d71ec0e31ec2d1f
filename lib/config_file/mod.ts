/**
 * The configuration file: its text to what was given in it. Loaded only where there is one, since
 * zod and jsonc-parser come with it. Pure.
 */
import { BACKEND_SETTINGS } from "../backend_argument.ts";
import { ConfigError, quoted } from "../config_error.ts";
import type { Given } from "../config.ts";
import { type Setting, SETTINGS } from "../options.ts";
import { ConfigFileError } from "./error.ts";
import { formatPath, Jsonc, type Path, type Problem } from "./jsonc.ts";
import { nearest } from "./nearest.ts";
import { checkContent, type FileContent, typed, typedServer, type Value } from "./schema.ts";

export { jsonSchema } from "./schema.ts";

/** The most issues whose places are looked up: each goes through the whole file. */
const ISSUES_MAX = 100;

/** A configuration file that is as it should be. */
export interface ConfigFile {
  /** How it is named to people. */
  readonly name: string;
  /** What was given in it. */
  readonly given: Given;
  /** What is wrong with the value at a path, with its place. */
  complain(path: Path, expected: string): ConfigError;
}

/**
 * Reads a whole file, which is named so in what is said of it. Throws a
 * {@linkcode ConfigFileError} that lists everything that is wrong; of text that is no JSON with
 * comments only the first such place.
 */
export function parseConfigFile(text: string, name: string): ConfigFile {
  const document = new Jsonc(text);
  const placed = ({ offset, text }: Problem): ConfigError =>
    new ConfigError(`${name}:${document.lineAndColumn(offset)}`, text);
  const fail = (problems: readonly Problem[]): never => {
    const inOrder = problems.toSorted((one, other) => one.offset - other.offset);
    throw new ConfigFileError(inOrder.values().map(placed));
  };
  if (document.problems.length > 0) return fail(document.problems);
  const checked = checkContent(document.value);
  const issues = "issues" in checked ? checked.issues : [];
  const problems = issues.slice(0, ISSUES_MAX).map(({ path, expected }) =>
    expected === null ? unknownKey(path, document) : problemAt(path, { expected, document })
  );
  if ("issues" in checked || document.duplicates.length > 0) {
    return fail([...document.duplicates, ...problems]);
  }
  return {
    name,
    given: givenIn(checked.content),
    complain: (path, expected) => placed(problemAt(path, { expected, document })),
  };
}

function givenIn({ listen, servers, ...options }: FileContent): Given {
  const settings: Partial<Record<Setting, string>> = {};
  for (const [setting, option] of SETTINGS) {
    const value = options[option.name];
    const text = value === undefined ? null : typed(option, value as Value);
    if (text !== null) settings[setting] = text;
  }
  return {
    settings,
    ...(listen === undefined ? {} : { listen: String(listen) }),
    ...(servers === undefined ? {} : { backends: servers.map(typedServer) }),
  };
}

function unknownKey(path: Path, document: Jsonc): Problem {
  const key = String(path.at(-1));
  const owner = path.slice(0, -1);
  const [, named] = SETTINGS.find(([, { letter }]) => letter === key) ?? [];
  const meant = (owner.length === 0 ? named?.name : undefined) ?? nearest(key, keysOf(owner));
  const hint = meant === undefined
    ? "--config-schema lists those that are known"
    : `did you mean "${meant}"?`;
  const where = owner.length === 0 ? "" : `${formatPath(owner)}: `;
  return {
    offset: document.offsetOfKey(path),
    text: `${where}${quoted(key)}: unknown key; ${hint}`,
  };
}

/** The keys that an object may have: the file itself, or a server in it. */
function keysOf(owner: Path): string[] {
  if (owner.length > 0) return ["address", ...Object.keys(BACKEND_SETTINGS)];
  return ["listen", "servers", ...SETTINGS.map(([, { name }]) => name)];
}

function problemAt(
  path: Path,
  { expected, document }: { readonly expected: string; readonly document: Jsonc },
): Problem {
  const value = document.valueAt(path);
  const isSecret = SETTINGS.some(([, { name, secret }]) => secret === true && name === path[0]);
  const offset = document.offsetOf(path);
  if (path.length === 0) return { offset, text: expected };
  if (value === undefined) return { offset, text: `${formatPath(path)}: missing; ${expected}` };
  const shown = isSecret ? "" : ` ${shortened(value)}`;
  return { offset, text: `${formatPath(path)}${shown}: ${expected}` };
}

/** A value as it stands in the file, cut short. */
function shortened(value: unknown): string {
  if (typeof value === "string") return quoted(value);
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
