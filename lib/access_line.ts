/**
 * What a line of the access log tells of a passage, and its two forms. Pure. One list of fields, from
 * which both forms and the README's table are made.
 */
import { formatAddress, plainIp } from "./address.ts";
import { ENDING } from "./ending.ts";
import type { Passage } from "./passage.ts";

/** A passage that is over, and when that was. */
export interface Line {
  /** The passage. */
  readonly passage: Passage;
  /** When it ended, on the clock of its times, in milliseconds. */
  readonly endedMs: number;
  /** When it came, in milliseconds since 1970. */
  readonly dateMs: number;
}

/** One thing that a line tells. */
interface Field {
  readonly name: string;
  readonly help: string;
  /** Where it stands in quotes: a word only in JSON, a phrase, which has blanks, in text too. */
  readonly kind: "word" | "phrase" | "number";
  /** Null: it is not known, or there is none. */
  readonly of: (line: Line) => string | number | null;
}

/** A target, or a line that was refused, is cut after so many characters. */
const TARGET_LENGTH_MAX = 2048;

const FIELDS: readonly Field[] = [
  { name: "time", kind: "word", help: "when it came, in UTC", of: ({ dateMs }) => timeOf(dateMs) },
  {
    name: "client",
    kind: "word",
    help: "its address and port",
    of: ({ passage }) => clientOf(passage),
  },
  {
    name: "backend",
    kind: "word",
    help: "the server that had it last",
    of: ({ passage }) => passage.backend?.name ?? null,
  },
  {
    name: "attempts",
    kind: "number",
    help: "how often it was given to a server",
    of: ({ passage }) => passage.attempts,
  },
  {
    name: "request",
    kind: "phrase",
    help: "http mode: method, target and version, as far as they were understood",
    of: ({ passage }) => requestOf(passage),
  },
  {
    name: "status",
    kind: "number",
    help: "of the answer in http mode; else only of the balancer's own",
    of: ({ passage }) => passage.status === 0 ? null : passage.status,
  },
  {
    name: "up",
    kind: "number",
    help: "bytes sent to servers; in http mode of the body",
    of: ({ passage }) => passage.bytesUp,
  },
  {
    name: "down",
    kind: "number",
    help: "bytes of servers sent to the client; in http mode of the body",
    of: ({ passage }) => passage.bytesDown,
  },
  {
    name: "wait_ms",
    kind: "number",
    help: "until there was a server for it, or the end",
    of: ({ passage, endedMs }) =>
      rounded((passage.attempts === 0 ? endedMs : passage.leasedMs) - passage.arrivedMs),
  },
  {
    name: "connect_ms",
    kind: "number",
    help: "how long connecting took; none where a connection was kept",
    of: ({ passage }) => passage.connectMs === 0 ? null : rounded(passage.connectMs),
  },
  {
    name: "first_ms",
    kind: "number",
    help: "until the first byte of the answer",
    of: ({ passage }) => rounded(passage.answeredMs - passage.arrivedMs),
  },
  {
    name: "total_ms",
    kind: "number",
    help: "until the end",
    of: ({ passage, endedMs }) => rounded(endedMs - passage.arrivedMs),
  },
  { name: "end", kind: "word", help: "how it ended", of: ({ passage }) => endingOf(passage).word },
  { name: "by", kind: "word", help: "who ended it", of: ({ passage }) => endingOf(passage).by },
  {
    name: "reason",
    kind: "phrase",
    help: "why, in words: what is wrong with the request, or with that server",
    of: ({ passage }) => passage.reason || null,
  },
];

/** A field with what stands before its value. */
type Placed = Field & { readonly before: string };

const IN_JSON: readonly Placed[] = FIELDS.map((field, place) => ({
  ...field,
  before: `${place === 0 ? "{" : ","}"${field.name}":`,
}));
const IN_TEXT: readonly Placed[] = FIELDS.map((field, place) => ({
  ...field,
  before: place === 0 ? "" : ` ${field.name}=`,
}));

/** One JSON object. What is not known is null. */
export function jsonLine(line: Line): string {
  let text = "";
  for (const { before, kind, of } of IN_JSON) {
    const value = of(line);
    text += before;
    if (kind === "number" || value === null) text += value;
    else text += kind === "word" ? `"${value}"` : quoted(value);
  }
  return `${text}}\n`;
}

/** The time, and `name=value` for all else. What is not known is a dash; what has blanks is in quotes. */
export function textLine(line: Line): string {
  let text = "";
  for (const { before, kind, of } of IN_TEXT) {
    const value = of(line);
    text += before;
    if (value === null) text += "-";
    else text += kind === "phrase" ? quoted(value) : value;
  }
  return `${text}\n`;
}

/** The README's table of fields, in Markdown. */
export function accessFieldsTable(): string {
  const rows = FIELDS.map(({ name, help }) => `| \`${name}\` | ${help} |`);
  return ["| Field | What it tells |", "| --- | --- |", ...rows].join("\n");
}

/** Text that stands in quotes as it is, as nearly all does; finding that out costs less than quoting. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** It cannot end the line, nor its quotes. */
function quoted(value: string | number): string {
  const text = String(value);
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

function clientOf({ client: { hostname, port } }: Passage): string {
  return formatAddress({ hostname: plainIp(hostname), port });
}

function requestOf({ request }: Passage): string | null {
  if (request === null) return null;
  if (typeof request === "string") return shortened(request);
  const { method, target, minor } = request;
  return `${method} ${shortened(target)} HTTP/1.${minor}`;
}

function shortened(text: string): string {
  return text.length > TARGET_LENGTH_MAX ? `${text.slice(0, TARGET_LENGTH_MAX)}…` : text;
}

function endingOf({ ending }: Passage): { readonly word: string; readonly by: string } {
  return ending ?? ENDING.defect;
}

/** Three digits behind the point, without the last zeros: printing a fraction costs more than all else. */
const FRACTIONS = Array.from({ length: 1000 }, (_, digits) => `${digits / 1000}`.slice(1));

/** To a thousandth, as text; null where there is no such time. */
function rounded(ms: number): string | null {
  if (Number.isNaN(ms)) return null;
  const thousandths = ms <= 0 ? 0 : Math.round(ms * 1000);
  return `${Math.trunc(thousandths / 1000)}${FRACTIONS[thousandths % 1000]}`;
}

/** Three digits. */
const MILLISECONDS = Array.from({ length: 1000 }, (_, ms) => `${ms}`.padStart(3, "0"));

/** The second that was last asked for, as text: most lines are of one second. */
const stamp = { second: NaN, text: "" };

/** As ISO 8601. */
function timeOf(dateMs: number): string {
  const second = Math.floor(dateMs / 1000);
  if (second !== stamp.second) {
    stamp.second = second;
    stamp.text = new Date(second * 1000).toISOString().slice(0, -4);
  }
  return `${stamp.text}${MILLISECONDS[Math.floor(dateMs) - second * 1000]}Z`;
}
