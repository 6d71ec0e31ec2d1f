/**
 * Types for the one function that `lib/cli.ts` uses from `npm:deno-std`, which ships plain
 * JavaScript. The code is that of JSR's `@std/cli/parse-args`.
 */

/** What `parseArgs` is told about the options. */
export interface ParseOptions {
  /** Options that take a value, by their long names. */
  readonly string?: readonly string[];
  /** Options that are switches. */
  readonly boolean?: readonly string[];
  /** Other names of an option. */
  readonly alias?: Readonly<Record<string, string>>;
  /** Options whose every use is kept, as an array. */
  readonly collect?: readonly string[];
  /** Called with each argument that is neither; `false` drops it. */
  readonly unknown?: (argument: string, key?: string, value?: unknown) => unknown;
}

/** The arguments sorted: options by name, the rest in order under `_`. */
export function parseArgs(
  args: readonly string[],
  options: ParseOptions,
): { _: (string | number)[]; [name: string]: unknown };
