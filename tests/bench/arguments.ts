/** The benchmark's command line. Pure, but for the names it knows. */

import { parseArgs } from "node:util";
import { CONTESTANT_NAMES, type ContestantName } from "./contestants.ts";
import { WORKLOADS } from "./load.ts";

/** What can be measured: the workloads under load, and idle connections. */
export const MEASUREMENT_NAMES = [...WORKLOADS.map(({ name }) => name), "idle"] as const;

/** One of {@linkcode MEASUREMENT_NAMES}. */
export type MeasurementName = typeof MEASUREMENT_NAMES[number];

/** A checked command line. */
export interface Arguments {
  readonly only: readonly MeasurementName[];
  readonly balancers: readonly ContestantName[];
  readonly seconds: number;
  readonly repeat: number;
  readonly isJson: boolean;
  readonly isHelp: boolean;
}

/** A command line that cannot be understood; the message names the argument and what was expected. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** The text of `--help`. */
export const USAGE = `Usage: deno task bench [OPTIONS]

Compares loadbalancer with HAProxy (mode tcp) and nginx (stream) before the same nginx backends, and
its http mode with HAProxy (mode http) and nginx (proxy_pass) under the workloads http-*.
Needs Debian's packages wrk, nginx, libnginx-mod-stream and haproxy.

  --only LIST       what to measure, of ${MEASUREMENT_NAMES.join(",")} (default: all)
  --balancers LIST  who takes part, of ${CONTESTANT_NAMES.join(",")} (default: ours,haproxy,nginx);
                    ours-log is ours with --access-log text
  --baseline        add the bare pump: what Deno costs without any of our features (not for http-*)
  --seconds N       length of each run under load (default: 5)
  --repeat N        repetitions, of which the median is reported (default: 3)
  --json            print JSON in place of the tables
  -h, --help        print this text
`;

/** Reads the command line; throws {@linkcode UsageError}. */
export function parseArguments(argv: readonly string[]): Arguments {
  const { values } = parseStrictly(argv);
  const balancers = listOf("balancers", { text: values.balancers, known: CONTESTANT_NAMES });
  const isPumpMissing = values.baseline && !balancers.includes("pump");
  return {
    only: listOf("only", { text: values.only, known: MEASUREMENT_NAMES }),
    balancers: isPumpMissing ? [...balancers, "pump"] : balancers,
    seconds: wholeNumber("seconds", values.seconds),
    repeat: wholeNumber("repeat", values.repeat),
    isJson: values.json,
    isHelp: values.help,
  };
}

// deno-lint-ignore explicit-function-return-type -- the type follows from the table of options
function parseStrictly(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      strict: true,
      options: {
        only: { type: "string", default: MEASUREMENT_NAMES.join(",") },
        balancers: { type: "string", default: "ours,haproxy,nginx" },
        baseline: { type: "boolean", default: false },
        seconds: { type: "string", default: "5" },
        repeat: { type: "string", default: "3" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(error.message) : error;
  }
}

function listOf<Name extends string>(
  option: string,
  { text, known }: { readonly text: string; readonly known: readonly Name[] },
): Name[] {
  const asked = text.split(",");
  for (const name of asked) {
    if (!known.some((one) => one === name)) {
      throw new UsageError(`--${option}: expected a list of ${known.join(",")}, got "${name}"`);
    }
  }
  return known.filter((name) => asked.includes(name));
}

function wholeNumber(option: string, text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) {
    throw new UsageError(`--${option}: expected a whole number from 1 to 9999, got "${text}"`);
  }
  return Number(text);
}
