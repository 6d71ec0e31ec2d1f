/**
 * What a configuration file may hold, made from the tables of `config.ts` and `backend_argument.ts`:
 * a schema of zod for the types and the keys, with every value read by the option itself, so that
 * bounds and messages are those of the command line. And the same as JSON Schema, for editors. Pure.
 */
import { z } from "zod";
import {
  BACKEND_SETTINGS,
  type BackendSetting,
  formatSetting,
  parseBackend,
  parseBackendAddress,
} from "../backend_argument.ts";
import { BACKENDS_MAX, parseListen } from "../config.ts";
import { DURATION, type Option, SETTINGS } from "../options.ts";
import { parseWholeNumber } from "../whole_number.ts";
import type { Path } from "./jsonc.ts";

/** What a value may be. */
export type Value = string | number | boolean | readonly string[];

/** A server as an object: its address, and settings by their names. */
export interface ServerObject {
  /** As on the command line, without what stands there behind a comma. */
  readonly address: string | number;
  /** The settings that servers may have. */
  readonly [setting: string]: unknown;
}

/** What a file says when it is as it should be. */
export interface FileContent {
  /** Where clients come in. */
  readonly listen?: string | number | undefined;
  /** The servers. */
  readonly servers?: readonly (string | number | ServerObject)[] | undefined;
  /** The options, by the names they have on the command line. */
  readonly [option: string]: unknown;
}

/** A value that is not as it should be, or a key that is not known. */
export interface Issue {
  /** Where. */
  readonly path: Path;
  /** What was expected; null: no such key. */
  readonly expected: string | null;
}

const PORT_MAX = 65_535;

/** The schema of a whole file. */
const FILE_SCHEMA: z.ZodType<FileContent> = z.strictObject({
  $schema: z.string({ error: "expected text: the address of a JSON Schema" })
    .meta({ description: "the JSON Schema of this file, for editors" }).optional(),
  listen: addressSchema(parseListen, 0)
    .meta({ description: "where clients come in, as PORT on the command line" }).optional(),
  servers: z.array(serverSchema(), { error: "expected a list of servers in brackets" })
    .min(1, { error: "expected at least one" })
    .meta({
      description: "where they are sent, as SERVER on the command line",
      maxItems: BACKENDS_MAX,
    }).optional(),
  ...Object.fromEntries(
    SETTINGS.map(([, option]) => [option.name, optionSchema(option).optional()]),
  ),
}, { error: 'expected an object in braces, such as { "listen": 8080, "servers": ["web1:80"] }' });

/** Checks what a file says. Gives it back, or everything that is wrong with it. */
export function checkContent(
  value: unknown,
): { readonly content: FileContent } | { readonly issues: readonly Issue[] } {
  const { servers } = Object(value);
  // Not left to the schema: it goes through all of them first, and a reload must not take long.
  if (Array.isArray(servers) && servers.length > BACKENDS_MAX) {
    return {
      issues: [{ path: ["servers"], expected: `expected at most ${BACKENDS_MAX} of them` }],
    };
  }
  const { success, data, error } = FILE_SCHEMA.safeParse(value);
  return success ? { content: data } : { issues: issuesOf(error.issues, []) };
}

/** The JSON Schema of a file (draft 2020-12), as text. */
export function jsonSchema(): string {
  const { $schema, ...rest } = z.toJSONSchema(FILE_SCHEMA, { io: "input" });
  const title = "Configuration file of loadbalancer: JSON with comments and trailing commas";
  return `${JSON.stringify({ $schema, title, ...rest }, null, 2)}\n`;
}

/** A value as it would be typed on the command line; null: as if it were not given. */
export function typed(option: Option<unknown>, value: Value): string | null {
  if (value === true && option.alone !== undefined) return option.alone;
  if (value === false && option.alone !== undefined) return null;
  return String(value); // That of a list has commas, as on the command line.
}

/** A server as it would be typed on the command line. */
export function typedServer(server: string | number | ServerObject): string {
  if (typeof server !== "object") return String(server);
  const { address, ...settings } = server;
  const given = Object.entries(settings)
    .flatMap(([name, value]) =>
      typeof value === "number" || value === true ? [formatSetting(name, value)] : []
    );
  return [String(address), ...given].join(",");
}

function issuesOf(issues: readonly z.core.$ZodIssue[], base: Path): Issue[] {
  return issues.flatMap((issue) => {
    const path = [...base, ...issue.path];
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({ path: [...path, key], expected: null }));
    }
    // Of alternatives, that one was meant which is wrong inside only.
    const meant = issue.code === "invalid_union" ? issue.errors.find(isWrongInside) : undefined;
    return meant === undefined ? [{ path, expected: issue.message }] : issuesOf(meant, path);
  });
}

function isWrongInside(issues: readonly z.core.$ZodIssue[]): boolean {
  return issues.some(({ code, path }) => code === "unrecognized_keys" || path.length > 0);
}

function optionSchema(option: Option<unknown>): z.ZodType {
  const { help, default: initial, form } = option;
  return ofType(option)
    .refine(...readBy((value: Value) => {
      const text = typed(option, value);
      return text === null ? null : option.parse(text);
    }))
    .meta({
      description: help,
      ...(initial === "" ? {} : { default: form?.kind === "count" ? Number(initial) : initial }),
    });
}

/** The types of JSON that an option takes; what they may hold is for the option to say. */
function ofType(option: Option<unknown>): z.ZodType<Value> {
  const form = option.form ?? { kind: "text" };
  const expected = { error: expectedOf(option) };
  const alternatives: z.ZodType<Value>[] = [];
  if (form.kind === "count") {
    const { min: minimum, max: maximum } = form;
    alternatives.push(z.number(expected).meta({ type: "integer", minimum, maximum }));
  } else if (form.kind === "duration") {
    alternatives.push(z.string(expected).meta({ pattern: DURATION.source }));
  } else if (form.kind === "choice") {
    alternatives.push(z.string(expected).meta({ enum: form.choices }));
  } else if (form.kind === "address") {
    alternatives.push(addressSchema(option.parse, 0));
  } else {
    alternatives.push(z.string(expected));
  }
  if (form.kind === "list") alternatives.push(z.array(z.string(expected)));
  if (option.alone !== undefined) alternatives.push(z.boolean());
  const [only, ...others] = alternatives;
  return only !== undefined && others.length === 0 ? only : z.union(alternatives, expected);
}

/** What is said where the type is wrong. */
function expectedOf(option: Option<unknown>): string {
  const form = option.form ?? { kind: "text" };
  if (form.kind === "text" || form.kind === "list") {
    const others = form.kind === "list" ? ", or a list of such" : "";
    return `expected text in double quotes${others}${aloneWords(option)}`;
  }
  if (form.kind === "address") return complaintOf(() => option.parse(""));
  const quotes = form.kind === "count" ? "without quotes" : "in double quotes";
  return `${complaintOf(() => option.parse(""))}, ${quotes}${aloneWords(option)}`;
}

function aloneWords({ alone }: Option<unknown>): string {
  return alone === undefined ? "" : ", or true or false";
}

function serverSchema(): z.ZodType<string | number | ServerObject> {
  const settings: Record<string, z.ZodType> = {};
  for (const [name, setting] of Object.entries(BACKEND_SETTINGS)) {
    settings[name] = settingSchema(setting).meta({ description: setting.help }).optional();
  }
  const object = z.strictObject({
    address: addressSchema(parseBackendAddress, 1)
      .meta({ description: "1234 (this machine), host:1234 or [::1]:1234" }),
    ...settings,
  });
  return z.union(
    [addressSchema(parseBackend, 1), object],
    { error: 'expected a server, such as "web1:80,weight=3", or an object with its address' },
  );
}

function settingSchema({ bounds }: BackendSetting): z.ZodType {
  if (bounds === undefined) return z.boolean({ error: "expected true or false" });
  const { min: minimum, max: maximum } = bounds;
  return z.number({ error: `expected a whole number from ${minimum} to ${maximum}` })
    .refine(...readBy((value: number) => parseWholeNumber(String(value), bounds)))
    .meta({ type: "integer", minimum, maximum });
}

/** An address, or a port alone, which may be a number. */
function addressSchema(
  read: (text: string) => unknown,
  minimum: 0 | 1,
): z.ZodType<string | number> {
  const port = z.number().meta({ type: "integer", minimum, maximum: PORT_MAX });
  return z.union([z.string(), port], { error: complaintOf(() => read("")) })
    .refine(...readBy((value: string | number) => read(String(value))));
}

/** A check by what reads the value, which says too what it expected. */
function readBy<T>(
  read: (value: T) => unknown,
): [(value: T) => boolean, { error: (issue: { input?: unknown }) => string }] {
  return [
    (value) => complaintOf(() => read(value)) === "",
    { error: ({ input }) => complaintOf(() => read(input as T)) },
  ];
}

/** What it says of the value that it reads; empty where it takes it. */
function complaintOf(read: () => unknown): string {
  try {
    read();
    return "";
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return error.message;
  }
}
