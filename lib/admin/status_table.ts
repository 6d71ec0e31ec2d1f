/** A status as lines for people: a summary, and a table of the servers. Pure. */
import { type Column, cut, tableLines } from "../table.ts";
import { harmless } from "../terminal.ts";
import type { BackendStatus, Status } from "./status.ts";

/** How a status is shown. */
export interface StatusTableOptions {
  /** No line is longer; null: there is no bound. */
  readonly width: number | null;
  /** May states be coloured? */
  readonly colour: boolean;
  /** The status before, for rates; null: there is none. */
  readonly before: Timed | null;
}

/** A status, and when it came. */
export interface Timed {
  /** The status. */
  readonly status: Status;
  /** When, in milliseconds of any clock. */
  readonly atMs: number;
}

const RESET = "\x1b[0m";
const COLOURS: Readonly<Record<BackendStatus["state"], string>> = {
  ready: "\x1b[32m",
  down: "\x1b[31m",
  draining: "\x1b[33m",
  disabled: "\x1b[2m",
};
const UNKNOWN = "-";

/** What the balancer is, and how many clients are where. */
export function summaryLines({ status, atMs }: Timed, options: StatusTableOptions): string[] {
  const { version, state, mode, policy, listen, uptimeSeconds, clients, backends } = status;
  const { accepted, carried, waiting, lingering, turnedAway } = clients;
  const { before, width } = options;
  const ready = backends.filter((each) => each.state === "ready").length;
  const accepts = rate(accepted, before?.status.clients.accepted, atMs, before);
  const lines = [
    `${listen} is ${state}: ${ready} of ${backends.length} servers ready, ` +
    `up ${duration(uptimeSeconds)}, ${mode} mode, ${policy}, loadbalancer ${version}`,
    `clients: ${accepted} accepted${accepts === UNKNOWN ? "" : ` (${accepts}/s)`}, ` +
    `${carried} carried, ${waiting} waiting, ${lingering} lingering, ${turnedAway} turned away`,
  ];
  return lines.map((line) => cut(harmless(line), width ?? Infinity));
}

/** One line for each server, below those of the head. */
export function backendLines({ status, atMs }: Timed, options: StatusTableOptions): string[] {
  const { before, width, colour } = options;
  const nowMs = Date.parse(status.startedAt) + status.uptimeSeconds * 1000;
  const earlier = new Map(before?.status.backends.map((each) => [each.name, each]));
  const column = (
    head: string,
    cell: (backend: BackendStatus) => string,
    more: Omit<Column, "head" | "cells"> = {},
  ): Column => ({ head, cells: status.backends.map((each) => harmless(cell(each))), ...more });
  const number = { align: "right" } as const;
  const paint = (state: string): readonly [string, string] =>
    colour ? [COLOURS[state as BackendStatus["state"]] ?? "", RESET] : ["", ""];
  return tableLines([
    column("SERVER", ({ name, backup }) => backup ? `${name} (backup)` : name),
    column("STATE", ({ state }) => state, { paint }),
    column("FOR", ({ since }) => duration((nowMs - Date.parse(since)) / 1000), {
      ...number,
      rank: 1,
    }),
    column("WEIGHT", ({ weight }) => `${weight}`, { ...number, rank: 5 }),
    column(
      "NOW",
      ({ inFlight, max }) => max === null ? `${inFlight}` : `${inFlight}/${max}`,
      number,
    ),
    ...(before === null ? [] : [
      column("PER S", ({ name, leased }) => rate(leased, earlier.get(name)?.leased, atMs, before), {
        ...number,
        rank: 2,
      }),
    ]),
    column("TOTAL", ({ leased }) => `${leased}`, { ...number, rank: 3 }),
    column("FAILED", ({ failures }) => `${failures}`, { ...number, rank: 4 }),
    column("LATENCY", ({ latencyMs }) => latency(latencyMs), { ...number, rank: 6 }),
    column("ENTRIES", ({ entries }) => `${entries}`, { ...number, rank: 8 }),
    column("ERRORS", ({ errors }) => `${errors}`, { ...number, rank: 9 }),
    column("UP", ({ bytesUp }) => bytes(bytesUp), { ...number, rank: 11 }),
    column("DOWN", ({ bytesDown }) => bytes(bytesDown), { ...number, rank: 10 }),
    column("WHY", ({ reason }) => reason, { flexible: true, rank: 7 }),
  ], width);
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

function latency(ms: number): string {
  if (ms === 0) return UNKNOWN;
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

/** How many more a second; unknown where a count is new, or went backwards with a restart. */
function rate(now: number, then: number | undefined, atMs: number, before: Timed | null): string {
  const seconds = before === null ? 0 : (atMs - before.atMs) / 1000;
  if (then === undefined || now < then || seconds <= 0) return UNKNOWN;
  const perSecond = (now - then) / seconds;
  return perSecond < 10 ? perSecond.toFixed(1) : `${Math.round(perSecond)}`;
}
