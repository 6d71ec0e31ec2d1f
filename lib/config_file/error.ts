/** What is wrong with a configuration file. Apart, so that who catches it need not load the rest. */

/** The most problems that are told at once. */
const PROBLEMS_MAX = 20;

/** A configuration file whose text was read and cannot be taken. */
export class ConfigFileError extends Error {
  /** Always the same. */
  override readonly name = "ConfigFileError";

  /**
   * `problems` is what is wrong, a line each, with its place; the message is the first of them. It is
   * read no further than that: there may be a problem in each line of a long file.
   */
  constructor(problems: Iterable<string>) {
    const lines: string[] = [];
    for (const problem of problems) {
      lines.push(lines.length < PROBLEMS_MAX ? problem : "and more of the kind");
      if (lines.length > PROBLEMS_MAX) break;
    }
    super(lines.join("\n"));
  }
}
