/** The results for people: all figures for a terminal, and the README's two tables. Pure. */
import { layOut, type Table } from "../support/table.ts";
import type { Scenario } from "./scenarios.ts";
import type { Result } from "./simulation.ts";

/** What came of one scenario under each policy, in the same order for all scenarios. */
export interface ScenarioResults {
  readonly scenario: Scenario;
  readonly results: readonly Result[];
}

/** Above each table what it is about. */
export function terminalTables(all: readonly ScenarioResults[]): string {
  return all.map(({ scenario, results }) => {
    const table = layOut(fullTable(scenario, results), { isMarkdown: false, textColumns: 1 });
    return `${scenario.name}: ${scenario.title}\n${table}`;
  }).join("\n");
}

/** A row for each policy and a column for each scenario: first the latencies, then the load. */
export function markdownTables(all: readonly ScenarioResults[]): string {
  const latencies = tableOf(all, {
    corner: LATENCIES,
    title: ({ name }) => name,
    cell: ({ results }, row) => latencyCell(results[row]),
  });
  const loads = tableOf(all, {
    corner: LOADS,
    title: (scenario) => `${scenario.name}: ${loadTitle(scenario)}`,
    cell: ({ scenario, results }, row) => loadCell(scenario, results[row]),
  });
  return [latencies, loads].map((table) => layOut(table, { isMarkdown: true, textColumns: 1 }))
    .join("\n");
}

/** The first cell of the README's table of latencies. */
export const LATENCIES = "p50 / p95 / p99 in ms";
/** The first cell of the README's table of loads. */
export const LOADS = "Load";

function tableOf(all: readonly ScenarioResults[], { corner, title, cell }: {
  readonly corner: string;
  readonly title: (scenario: Scenario) => string;
  readonly cell: (one: ScenarioResults, row: number) => string;
}): Table {
  const policies = all[0]?.results.map(({ policy }) => policy) ?? [];
  return {
    header: [corner, ...all.map(({ scenario }) => title(scenario))],
    rows: policies.map((policy, row) => [`\`${policy}\``, ...all.map((one) => cell(one, row))]),
  };
}

function fullTable(scenario: Scenario, results: readonly Result[]): Table {
  return {
    header: ["policy", "p50 ms", "p95 ms", "p99 ms", "errors", "retries", loadTitle(scenario)],
    rows: results.map((result) => [
      result.policy,
      result.p50Ms.toFixed(0),
      result.p95Ms.toFixed(0),
      result.p99Ms.toFixed(0),
      percent(result.errors),
      percent(result.retries),
      loadCell(scenario, result),
    ]),
  };
}

function latencyCell(result: Result | undefined): string {
  if (result === undefined) return "";
  const latencies = [result.p50Ms, result.p95Ms, result.p99Ms].map((ms) => ms.toFixed(0));
  const errors = result.errors === 0 ? "" : `, ${percent(result.errors)} errors`;
  return `${latencies.join(" / ")}${errors}`;
}

function loadTitle({ odd, restart }: Scenario): string {
  if (odd === undefined) return "busiest ÷ idlest";
  return restart === undefined ? "share of the odd one" : "share since, highest in 1 s";
}

function loadCell({ odd, restart }: Scenario, result: Result | undefined): string {
  if (result === undefined) return "";
  const { busy, shares, sharesSince } = result;
  if (odd === undefined) return (Math.max(...busy) / Math.min(...busy)).toFixed(2);
  if (restart === undefined) return (shares[odd] ?? NaN).toFixed(2);
  const mean = sharesSince.reduce((sum, share) => sum + share, 0) / sharesSince.length;
  return `${mean.toFixed(2)}, ${Math.max(...sharesSince).toFixed(2)}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
