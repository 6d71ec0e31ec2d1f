/** The report for people: one table, and below it what it cannot hold. Pure. */
import { layOut } from "../support/table.ts";
import type { Finding } from "./scenario.ts";
import type { VitalSigns } from "./vital_signs.ts";

/** Everything that one run found. */
export interface Report {
  /** All findings, in their order. */
  readonly findings: readonly Finding[];
  /** What could not be run, and why. */
  readonly skipped: readonly string[];
  /** Where and how it was run. */
  readonly provenance: string;
}

const HEADER = [
  "scenario",
  "load held",
  "faults injected",
  "lost",
  "sockets",
  "memory MiB",
  "promises",
];

/** The table, for a terminal or the README. */
export function findingsTable(findings: readonly Finding[], isMarkdown = false): string {
  const rows = findings.map(({ title, load, faults, lost, vitals, broken }) => [
    title,
    load,
    faults,
    lost,
    fromTo(vitals, ({ sockets }) => sockets),
    fromTo(vitals, ({ residentMib }) => Math.round(residentMib)),
    broken.length === 0 ? "kept" : "BROKEN",
  ]);
  return layOut({ header: HEADER, rows }, { isMarkdown, textColumns: HEADER.length });
}

/** All of it. */
export function reportText({ findings, skipped, provenance }: Report): string {
  const notes = findings.flatMap(({ title, notes, broken }) => [
    ...notes.map((note) => `${title}: ${note}`),
    ...broken.map((promise) => `BROKEN: ${title}: ${promise}`),
  ]);
  const lines = [...notes, ...skipped.map((why) => `skipped: ${why}`), provenance];
  return `${findingsTable(findings)}\n${lines.join("\n")}\n`;
}

function fromTo(vitals: Finding["vitals"], of: (signs: VitalSigns) => number): string {
  return vitals === null ? "" : `${of(vitals.before)} → ${of(vitals.after)}`;
}
