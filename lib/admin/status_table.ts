/** A status as lines for people: a summary, and a table of the servers. Pure. */
import { type Column, cut, tableLines } from "../table.ts";
import { harmless } from "../terminal.ts";
import type { BackendStatus, Status, UnresolvedStatus } from "./status.ts";

/** How a status is shown. */
export interface StatusTableOptions {
  /** No line is longer; null: there is no bound. */
  readonly width: number | null;
  /** May states be coloured? */
  readonly colour: boolean;
  /** There are no more lines for servers than these, their head included; null: no bound. */
  readonly height: number | null;
}

const RESET = "\x1b[0m";
const COLOURS: Readonly<Record<string, string>> = {
  ready: "\x1b[32m",
  down: "\x1b[31m",
  unresolved: "\x1b[31m",
  draining: "\x1b[33m",
  disabled: "\x1b[2m",
};
const UNKNOWN = "-";

/** What the balancer is, how many clients are where, and what became of those of late. */
export function summaryLines(status: Status, { width }: StatusTableOptions): string[] {
  const { version, state, mode, policy, listen, uptimeSeconds, clients, total } = status;
  const { accepted, carried, waiting, lingering, turnedAway } = clients;
  const ready = status.backends.filter(isReady).length;
  const all = rowsOf(status).length;
  const lines = [
    `${listen} is ${state}: ${ready} of ${all} servers ready, ` +
    `up ${duration(uptimeSeconds)}, ${mode} mode, ${policy}, loadbalancer ${version}`,
    `clients: ${accepted} accepted, ${carried} carried, ${waiting} waiting, ` +
    `${lingering} lingering, ${turnedAway} turned away`,
    `last 5s: ${rate(total.perSecond)} per second, ${rate(total.failuresPerSecond)} failed, ` +
    `first byte p50 ${time(total.p50Ms)}, p99 ${time(total.p99Ms)}`,
  ];
  return lines.map((line) => cut(harmless(line), width ?? Infinity));
}

/**
 * One line for each server, below those of the head. Where not all can be shown, those that are not
 * ready come first, and the last line says what is missing.
 */
export function backendLines(status: Status, options: StatusTableOptions): string[] {
  const { width, height } = options;
  const all = rowsOf(status);
  if (height === null || all.length < height) {
    return tableLines(columnsOf(status, all, options), width);
  }
  const sorted = [...all.filter((each) => !isReady(each)), ...all.filter(isReady)];
  const shownMax = Math.max(0, height - 2);
  const rest = sorted.slice(shownMax);
  const troubled = rest.filter((each) => !isReady(each)).length;
  const what = troubled === 0 ? "ready" : `${troubled} of them not ready`;
  const lines = [
    ...tableLines(columnsOf(status, sorted.slice(0, shownMax), options), width),
    cut(`… ${rest.length} more, ${what}`, width ?? Infinity),
  ];
  return lines.slice(Math.max(0, lines.length - height));
}

/** A backend, or a server that is none because its name has no address. */
type Row = BackendStatus | UnresolvedStatus;

function rowsOf({ backends, unresolved }: Status): readonly Row[] {
  return [...backends, ...unresolved];
}

function isReady(row: Row): boolean {
  return "state" in row && row.state === "ready";
}

/** Where there is no room, what is of no use in the middle of the night goes first. */
function columnsOf(
  { startedAt, uptimeSeconds }: Status,
  rows: readonly Row[],
  { colour }: StatusTableOptions,
): readonly Column[] {
  const nowMs = Date.parse(startedAt) + uptimeSeconds * 1000;
  const column = (
    head: string,
    cell: (row: Row) => string,
    more: Omit<Column, "head" | "cells"> = {},
  ): Column => ({ head, cells: rows.map((each) => harmless(cell(each))), ...more });
  const number = (
    head: string,
    cell: (backend: BackendStatus) => string,
    rank = 0,
  ): Column =>
    column(head, (row) => "state" in row ? cell(row) : UNKNOWN, { align: "right", rank });
  const paint = (state: string): readonly [string, string] =>
    colour ? [COLOURS[state] ?? "", RESET] : ["", ""];
  return [
    column("SERVER", (row) => "state" in row && row.backup ? `${row.name} (backup)` : row.name),
    column("STATE", (row) => "state" in row ? row.state : "unresolved", { paint }),
    column("FOR", ({ since }) => duration((nowMs - Date.parse(since)) / 1000), {
      align: "right",
      rank: 2,
    }),
    number("WEIGHT", ({ weight }) => `${weight}`, 8),
    number("NOW", ({ inFlight, max }) => max === null ? `${inFlight}` : `${inFlight}/${max}`),
    number("PER S", ({ perSecond }) => rate(perSecond), 3),
    number("P50", ({ p50Ms }) => time(p50Ms), 6),
    number("P99", ({ p99Ms }) => time(p99Ms), 4),
    number("TOTAL", ({ leased }) => `${leased}`, 7),
    number("FAILED", ({ failures }) => `${failures}`, 5),
    number("ENTRIES", ({ entries }) => `${entries}`, 9),
    number("ERRORS", ({ errors }) => `${errors}`, 10),
    number("UP", ({ bytesUp }) => bytes(bytesUp), 12),
    number("DOWN", ({ bytesDown }) => bytes(bytesDown), 11),
    column("WHY", ({ reason }) => reason, { flexible: true, rank: 1 }),
  ];
}

/** A span of time in its largest unit but one: `42s`, `3m`, `2h5m`, `4d3h`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours}h${minutes % 60}m`;
  return `${Math.floor(hours / 24)}d${hours % 24}h`;
}

/** A size in the unit that leaves the fewest digits: `512 B`, `1.5 KiB`. */
export function bytes(count: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let [value, unit] = [count, 0];
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** A time in milliseconds; null: not known. */
function time(ms: number | null): string {
  if (ms === null) return UNKNOWN;
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

function rate(perSecond: number): string {
  return perSecond > 0 && perSecond < 10 ? perSecond.toFixed(1) : `${Math.round(perSecond)}`;
}
