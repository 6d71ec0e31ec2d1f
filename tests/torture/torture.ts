/**
 * `deno task torture`: runs the balancer as a process of its own, attacks it in every way that the
 * scenarios know, and reports in one table what it held and what it lost.
 */
import { describeMachine } from "../bench/machine.ts";
import { Random } from "../support/random.ts";
import { type Arguments, parseArguments, USAGE } from "./arguments.ts";
import { findingsTable, type Report, reportText } from "./report.ts";
import { type Finding, Skipped } from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";

const EXIT = { ok: 0, broken: 1, usage: 2 } as const;

/** Runs the command; returns the exit code. */
async function main(argv: readonly string[]): Promise<number> {
  let args: Arguments;
  try {
    args = parseArguments(argv);
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
    write(Deno.stderr, `torture: ${error.message}\nTry: deno task torture --help\n`);
    return EXIT.usage;
  }
  if (args.isHelp) {
    write(Deno.stdout, USAGE);
    return EXIT.ok;
  }
  const report = await torture(args);
  write(Deno.stdout, `\n${reportText(report)}`);
  if (args.isMarkdown) write(Deno.stdout, `\n${findingsTable(report.findings, true)}`);
  const broken = report.findings.flatMap(({ broken }) => broken).length;
  if (broken === 0) return EXIT.ok;
  write(Deno.stderr, `torture: ${broken} promises are broken; again with --seed ${args.seed}\n`);
  return EXIT.broken;
}

async function torture({ scenarios, seconds, seed, isShort }: Arguments): Promise<Report> {
  const names = scenarios.map(({ name }) => name).join(",");
  const command = `deno task torture --seed ${seed} --seconds ${seconds} --only ${names}` +
    (isShort ? " --short" : "");
  progress(command);
  const findings: Finding[] = [];
  const skipped: string[] = [];
  for (const scenario of scenarios) {
    const { name, share, run } = scenario;
    const startedMs = performance.now();
    try {
      // A seed of its own for each, so that one runs alike with and without the others.
      const random = new Random(seed + 7919 * SCENARIOS.indexOf(scenario));
      const attackSeconds = Math.max(1, seconds * share);
      const tell = (line: string): void => progress(`${name}: ${line}`);
      findings.push(...await run({ seconds: attackSeconds, isShort, random, progress: tell }));
    } catch (error) {
      if (!(error instanceof Skipped)) throw error;
      skipped.push(`${name}: ${error.message}`);
    }
    progress(`${name}: done in ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
  }
  return { findings, skipped, provenance: await provenance(command) };
}

async function provenance(command: string): Promise<string> {
  const { date, cpu, cores, kernel, versions } = await describeMachine({
    haproxy: undefined,
    nginx: undefined,
  });
  return `Measured ${date} with \`${command}\`: ${cpu}, ${cores} cores, ${kernel}, ` +
    `${versions.join(", ")}.`;
}

function progress(line: string): void {
  write(Deno.stderr, `${line}\n`);
}

function write(stream: typeof Deno.stdout | typeof Deno.stderr, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let start = 0; start < bytes.length;) start += stream.writeSync(bytes.subarray(start));
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
