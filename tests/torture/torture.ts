/**
 * `deno task torture`: runs the balancer as a process of its own, attacks it in every way that the
 * scenarios know, and reports in one table what it held and what it lost.
 */
import { describeMachine } from "../bench/machine.ts";
import { Random } from "../support/random.ts";
import { type Arguments, parseArguments, USAGE } from "./arguments.ts";
import { findingsTable, type Report, reportText } from "./report.ts";
import { type Finding, type Scenario, type ScenarioOptions, Skipped } from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";

const EXIT = { ok: 0, broken: 1, usage: 2, interrupted: 130 } as const;

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
    const { name, share } = scenario;
    const startedMs = performance.now();
    try {
      findings.push(
        ...await interruptible(scenario, {
          seconds: Math.max(1, seconds * share),
          isShort,
          // A seed of its own for each, so that one runs alike with and without the others.
          random: new Random(seed + 7919 * SCENARIOS.indexOf(scenario)),
          progress: (line) => progress(`${name}: ${line}`),
        }),
      );
    } catch (error) {
      if (error instanceof Skipped) skipped.push(`${name}: ${error.message}`);
      else findings.push(failed(name, error));
    }
    progress(`${name}: done in ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
  }
  return { findings, skipped, provenance: await provenance(command) };
}

/** The finding of a scenario that broke off: something never came true, or the balancer was gone. */
function failed(name: string, error: unknown): Finding {
  const what = error instanceof Error ? error.stack ?? error.message : String(error);
  const title = name;
  return { title, load: "", faults: "", lost: "", vitals: null, broken: [what], notes: [] };
}

/** Runs a scenario; whatever it started ends with it, and with this process. */
async function interruptible(
  { run }: Scenario,
  options: Omit<ScenarioOptions, "stack">,
): Promise<readonly Finding[]> {
  await using stack = new globalThis.AsyncDisposableStack();
  const interrupt = async (): Promise<void> => {
    await stack.disposeAsync();
    Deno.exit(EXIT.interrupted);
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) Deno.addSignalListener(signal, interrupt);
  try {
    return await run({ ...options, stack });
  } finally {
    for (const signal of signals) Deno.removeSignalListener(signal, interrupt);
  }
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
