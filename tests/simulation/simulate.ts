/**
 * `deno task simulate`: how the policies compare, in virtual time. Needs no permission; the same
 * command line prints the same text on every machine.
 */
import { parseArgs } from "node:util";
import { POLICIES, type PolicyName } from "../../lib/policy/mod.ts";
import { parseWholeNumber } from "../../lib/whole_number.ts";
import { type Scenario, SCENARIOS } from "./scenarios.ts";
import { simulate } from "./simulation.ts";
import { markdownTables, type ScenarioResults, terminalTables } from "./tables.ts";

/** What is simulated when nothing is asked for: the README's tables. */
export const DEFAULTS = { seed: 1, seconds: 60 } as const;

const EXIT_USAGE = 2;
const USAGE = `Usage: deno task simulate [OPTIONS]

Simulates the balancer before servers of several kinds, under each policy.

  --scenario NAME  one of ${SCENARIOS.map(({ name }) => name).join(", ")} (default: all)
  --seconds N      for how long clients come, at least 10 (default: ${DEFAULTS.seconds})
  --seed N         of all random numbers (default: ${DEFAULTS.seed})
  --markdown       print the README's tables
  -h, --help       print this text
`;

interface Arguments {
  readonly scenarios: readonly Scenario[];
  readonly seconds: number;
  readonly seed: number;
  readonly isMarkdown: boolean;
  readonly isHelp: boolean;
}

/** Each scenario under each policy. */
export async function simulateAll({ scenarios, seed, seconds }: {
  readonly scenarios: readonly Scenario[];
  readonly seed: number;
  readonly seconds: number;
}): Promise<ScenarioResults[]> {
  const all: ScenarioResults[] = [];
  for (const scenario of scenarios) {
    const results = [];
    for (const policy of Object.keys(POLICIES) as PolicyName[]) {
      results.push(await simulate(scenario, { policy, seed, seconds }));
    }
    all.push({ scenario, results });
  }
  return all;
}

/** Runs the command; returns the exit code. */
async function main(argv: readonly string[]): Promise<number> {
  let args: Arguments;
  try {
    args = parseArguments(argv);
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
    write(Deno.stderr, `simulate: ${error.message}\nTry: deno task simulate --help\n`);
    return EXIT_USAGE;
  }
  if (args.isHelp) {
    write(Deno.stdout, USAGE);
    return 0;
  }
  const all = await simulateAll(args);
  write(Deno.stdout, args.isMarkdown ? markdownTables(all) : terminalTables(all));
  return 0;
}

/** Throws a `TypeError` or a `RangeError` that names the argument. */
function parseArguments(argv: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...argv],
    strict: true,
    options: {
      scenario: { type: "string" },
      seconds: { type: "string", default: String(DEFAULTS.seconds) },
      seed: { type: "string", default: String(DEFAULTS.seed) },
      markdown: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  return {
    scenarios: scenariosNamed(values.scenario),
    seconds: wholeNumber("seconds", { text: values.seconds, min: 10, max: 3600 }),
    seed: wholeNumber("seed", { text: values.seed, min: 0, max: 1_000_000 }),
    isMarkdown: values.markdown,
    isHelp: values.help,
  };
}

function scenariosNamed(name: string | undefined): readonly Scenario[] {
  if (name === undefined) return SCENARIOS;
  const found = SCENARIOS.filter((scenario) => scenario.name === name);
  if (found.length > 0) return found;
  const known = SCENARIOS.map((scenario) => scenario.name).join(", ");
  throw new RangeError(`--scenario: expected one of ${known}, got "${name}"`);
}

function wholeNumber(
  option: string,
  { text, min, max }: { readonly text: string; readonly min: number; readonly max: number },
): number {
  try {
    return parseWholeNumber(text, { min, max });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new RangeError(`--${option}: ${error.message}, got "${text}"`);
  }
}

function write(stream: typeof Deno.stdout | typeof Deno.stderr, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let start = 0; start < bytes.length;) start += stream.writeSync(bytes.subarray(start));
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
