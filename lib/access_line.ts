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
  /** Null: it is not known, or there is none. */
  readonly of: (line: Line) => string | number | null;
}

/** A target, or a line that was refused, is cut after so many characters. */
const TARGET_LENGTH_MAX = 2048;

const FIELDS: readonly Field[] = [
  { name: "time", help: "when it came, in UTC", of: ({ dateMs }) => timeOf(dateMs) },
  { name: "client", help: "its address and port", of: ({ passage }) => clientOf(passage) },
  {
    name: "backend",
    help: "the server that had it last",
    of: ({ passage }) => passage.backend?.name ?? null,
  },
  {
    name: "attempts",
    help: "how often it was given to a server",
    of: ({ passage }) => passage.attempts,
  },
  {
    name: "request",
    help: "http mode: method, target and version, as far as they were understood",
    of: ({ passage }) => requestOf(passage),
  },
  {
    name: "status",
    help: "of the answer in http mode; else only of the balancer's own",
    of: ({ passage }) => passage.status === 0 ? null : passage.status,
  },
  {
    name: "up",
    help: "bytes sent to servers; in http mode of the body",
    of: ({ passage }) => passage.bytesUp,
  },
  {
    name: "down",
    help: "bytes of servers sent to the client; in http mode of the body",
    of: ({ passage }) => passage.bytesDown,
  },
  {
    name: "wait_ms",
    help: "until there was a server for it, or the end",
    of: ({ passage, endedMs }) =>
      rounded((passage.attempts === 0 ? endedMs : passage.leasedMs) - passage.arrivedMs),
  },
  {
    name: "connect_ms",
    help: "how long connecting took; none where a connection was kept",
    of: ({ passage }) => passage.connectMs === 0 ? null : rounded(passage.connectMs),
  },
  {
    name: "first_ms",
    help: "until the first byte of the answer",
    of: ({ passage }) => rounded(passage.answeredMs - passage.arrivedMs),
  },
  {
    name: "total_ms",
    help: "until the end",
    of: ({ passage, endedMs }) => rounded(endedMs - passage.arrivedMs),
  },
  { name: "end", help: "how it ended", of: ({ passage }) => endingOf(passage).word },
  { name: "by", help: "who ended it", of: ({ passage }) => endingOf(passage).by },
  {
    name: "reason",
    help: "why, in words: what is wrong with the request, or with that server",
    of: ({ passage }) => passage.reason || null,
  },
];

const JSON_PREFIXES = FIELDS.map(({ name }, place) => `${place === 0 ? "{" : ","}"${name}":`);
const TEXT_PREFIXES = FIELDS.map(({ name }, place) => place === 0 ? "" : ` ${name}=`);

/** One JSON object. What is not known is null. */
export function jsonLine(line: Line): string {
  let text = "";
  for (let place = 0; place < FIELDS.length; place++) {
    const value = FIELDS[place]?.of(line) ?? null;
    text += `${JSON_PREFIXES[place]}${typeof value === "string" ? JSON.stringify(value) : value}`;
  }
  return `${text}}\n`;
}

/** The time, and `name=value` for all else. What is not known is a dash; what has blanks in it is in quotes. */
export function textLine(line: Line): string {
  let text = "";
  for (let place = 0; place < FIELDS.length; place++) {
    text += `${TEXT_PREFIXES[place]}${textOf(FIELDS[place]?.of(line) ?? null)}`;
  }
  return `${text}\n`;
}

/** The README's table of fields, in Markdown. */
export function accessFieldsTable(): string {
  const rows = FIELDS.map(({ name, help }) => `| \`${name}\` | ${help} |`);
  return ["| Field | What it tells |", "| --- | --- |", ...rows].join("\n");
}

/** What has blanks in it is not to end a line or a pair of quotes. */
function textOf(value: string | number | null): string | number {
  if (value === null) return "-";
  return typeof value === "string" && value.includes(" ") ? JSON.stringify(value) : value;
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

/** To a thousandth; null where there is no such time. */
function rounded(ms: number): number | null {
  return Number.isNaN(ms) ? null : Math.max(0, Math.round(ms * 1000) / 1000);
}

/** The second that was last asked for, as text: most lines are of one second. */
const stamp = { second: NaN, text: "" };

/** As ISO 8601. */
function timeOf(dateMs: number): string {
  const second = Math.floor(dateMs / 1000);
  if (second !== stamp.second) {
    stamp.second = second;
    stamp.text = new Date(second * 1000).toISOString().slice(0, -4);
  }
  return `${stamp.text}${String(Math.floor(dateMs) - second * 1000).padStart(3, "0")}Z`;
}
