/** The command line of `deno task torture`. Pure, but for the seed that it draws. */
import { parseArgs } from "node:util";
import { parseWholeNumber } from "../../lib/whole_number.ts";
import type { Scenario } from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";

/** A checked command line. */
export interface Arguments {
  readonly scenarios: readonly Scenario[];
  readonly seconds: number;
  readonly seed: number;
  readonly isShort: boolean;
  readonly isMarkdown: boolean;
  readonly isHelp: boolean;
}

const SECONDS = { long: 60, short: 7 } as const;
const SEED_MAX = 999_999;

/** The text of `--help`. */
export const USAGE = `Usage: deno task torture [OPTIONS]

Runs the balancer as a process, attacks it, and reports what it held. Exit code 1: a promise is broken.

  --only LIST    which scenarios, of those below (default: all)
  --seconds N    how long each attacks (default: ${SECONDS.long}, with --short ${SECONDS.short})
  --seed N       of all that is drawn at random (default: another each time; it is printed)
  --short        less of everything: all of it in at most three minutes
  --markdown     print the README's table
  -h, --help     print this text

Scenarios:
${SCENARIOS.map(({ name, help }) => `  ${name.padEnd(12)}  ${help}`).join("\n")}
`;

/** Reads the command line; throws a `TypeError` or a `RangeError` that names the argument. */
export function parseArguments(argv: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...argv],
    strict: true,
    options: {
      only: { type: "string" },
      seconds: { type: "string" },
      seed: { type: "string" },
      short: { type: "boolean", default: false },
      markdown: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const seconds = values.seconds ?? String(values.short ? SECONDS.short : SECONDS.long);
  const seed = values.seed ?? String(Math.floor(Math.random() * SEED_MAX));
  return {
    scenarios: scenariosNamed(values.only),
    seconds: wholeNumber("seconds", { text: seconds, min: 5, max: 86_400 }),
    seed: wholeNumber("seed", { text: seed, min: 0, max: SEED_MAX }),
    isShort: values.short,
    isMarkdown: values.markdown,
    isHelp: values.help,
  };
}

function scenariosNamed(list: string | undefined): readonly Scenario[] {
  if (list === undefined) return SCENARIOS;
  const names = list.split(",");
  const unknown = names.find((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown === undefined) return SCENARIOS.filter(({ name }) => names.includes(name));
  const known = SCENARIOS.map(({ name }) => name).join(",");
  throw new RangeError(`--only: expected a list of ${known}, got "${unknown}"`);
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
