/** What is wrong with a configuration file. Apart, so that who catches it need not load the rest. */
import { ConfigError } from "../config_error.ts";

/** The most problems that are told at once. */
const PROBLEMS_MAX = 20;

/** All that is wrong with a configuration of which a file is part: one message, a line for each. */
export class ConfigFileError extends ConfigError {
  /** Always the same. */
  override readonly name = "ConfigFileError";

  /**
   * Of the problems, the first are told: there may be one in each line of a long file. They are read
   * no further than that; at least one.
   */
  constructor(problems: Iterable<ConfigError>) {
    const [first, ...others] = firstOf(problems);
    if (first === undefined) throw new RangeError("Cannot make an error: nothing is wrong");
    super(first.argument, [first.expected, ...others.map(lineOf)].join("\n"));
  }
}

function firstOf(problems: Iterable<ConfigError>): ConfigError[] {
  const first: ConfigError[] = [];
  for (const problem of problems) {
    first.push(problem);
    if (first.length > PROBLEMS_MAX) break;
  }
  return first;
}

function lineOf({ message }: ConfigError, at: number): string {
  return at < PROBLEMS_MAX - 1 ? message : "and more of the kind";
}
