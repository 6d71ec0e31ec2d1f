/** The report for people: tables aligned for a terminal, and the same in Markdown for the README. Pure. */

import { layOut, type Table } from "../support/table.ts";
import { type Goal, type IdleRow, type LoadRow } from "./figures.ts";
import { IDLE_CLIENTS } from "./idle.ts";
import { DISTURBED_SHARE } from "./load.ts";
import { type Machine } from "./machine.ts";

/** Everything one benchmark run found. */
export interface Report {
  readonly machine: Machine;
  readonly command: string;
  readonly seconds: number;
  readonly repeat: number;
  /** Contestants that did not take part, with the reason. */
  readonly skipped: readonly string[];
  readonly load: readonly LoadRow[];
  readonly idle: readonly IdleRow[];
  readonly goals: readonly Goal[];
}

const TEXT_COLUMNS = 2;

/** Tables with aligned columns: the two of text to the left, numbers to the right. */
export function terminalReport(report: Report): string {
  const tables = tablesOf(report).map((table) =>
    layOut(table, { isMarkdown: false, textColumns: TEXT_COLUMNS })
  );
  return [`${provenance(report)}\n`, ...tables, notes(report)].filter((part) => part !== "")
    .join("\n");
}

/** The same as Markdown. */
export function markdownReport(report: Report): string {
  const tables = tablesOf(report).map((table) =>
    layOut(table, { isMarkdown: true, textColumns: TEXT_COLUMNS })
  );
  return [...tables, `${provenance(report)}\n`, notes(report)].filter((part) => part !== "")
    .join("\n");
}

function provenance({ machine, command, seconds, repeat }: Report): string {
  const { date, cpu, cores, kernel, versions } = machine;
  return `Measured ${date} with \`${command}\`: ${cpu}, ${cores} cores, ${kernel}, ` +
    `${versions.join(", ")}; median of ${repeat} run${repeat === 1 ? "" : "s"} of ${seconds} s.`;
}

function notes({ load, skipped }: Report): string {
  const lines = skipped.map((text) => `Left out: ${text}.`);
  const disturbed = load.flatMap(({ samples }) => samples).filter(({ othersShare }) =>
    othersShare > DISTURBED_SHARE
  );
  if (disturbed.length > 0) {
    const most = Math.max(...disturbed.map(({ othersShare }) => othersShare));
    lines.push(
      `Disturbed: in ${disturbed.length} runs other programs took up to ${
        (100 * most).toFixed(0)
      } % of the CPU time.`,
    );
  }
  if (load.some(({ errors }) => errors > 0)) {
    lines.push("**!** marks runs with errors: their figures do not count.");
  }
  return lines.map((line) => `${line}\n`).join("");
}

function tablesOf({ load, idle, goals }: Report): Table[] {
  const tables = [loadTable(load), idleTable(idle), goalTable(goals)];
  return tables.filter(({ rows }) => rows.length > 0);
}

function loadTable(rows: readonly LoadRow[]): Table {
  return {
    header: [
      "workload",
      "balancer",
      "requests/s",
      "p99 ms",
      "errors",
      "CPU µs/request",
      "CPU ÷ best peer",
      "p99 ÷ best peer",
    ],
    rows: rows.map((row) => [
      row.workloadTitle,
      row.label,
      row.requestsPerSecond.toFixed(0),
      row.p99Ms.toFixed(2),
      row.errors > 0 ? `${row.errors} !` : "0",
      row.cpuMicrosecondsPerRequest.toFixed(1),
      row.cpuToBestPeer?.toFixed(2) ?? "",
      row.p99ToBestPeer?.toFixed(2) ?? "",
    ]),
  };
}

function idleTable(rows: readonly IdleRow[]): Table {
  return {
    header: ["workload", "balancer", "KiB per connection"],
    rows: rows.map((row) => [
      `${IDLE_CLIENTS} idle connections`,
      row.label,
      row.kibPerConnection.toFixed(1),
    ]),
  };
}

function goalTable(goals: readonly Goal[]): Table {
  return {
    header: ["workload", "figure to reach", "measured", "at most", "reached"],
    rows: goals.map(({ workload, figure, measured, limit, isReached }) => [
      workload,
      figure,
      measured.toFixed(2),
      String(limit),
      isReached ? "yes" : "NO",
    ]),
  };
}
