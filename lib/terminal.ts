/** What is written for people and other programs: to stdout, and complaints to stderr. */
import { BalancerError, socketFailure } from "./errors.ts";

const ENCODER = new TextEncoder();

/** Where something is written. */
export interface Sink {
  /** Writes what it can; returns how many bytes that was. */
  writeSync(bytes: Uint8Array): number;
}

/**
 * Writes to stdout; false: nobody reads it any more, as of `… | head -1`. Throws a `BalancerError`
 * where it cannot be written, as on a disk that is full.
 */
export function print(text: string, sink: Sink = Deno.stdout): boolean {
  try {
    let rest = ENCODER.encode(text);
    while (rest.length > 0) rest = rest.subarray(sink.writeSync(rest));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return false;
    const { code, state } = socketFailure(error);
    const action = "Cannot write to standard output";
    throw new BalancerError({ action, state, code, side: "internal", cause: error });
  }
}

/** Writes to stderr, with the name of the program in front of each line. */
export function complain(text: string, sink: Sink = Deno.stderr): void {
  try {
    print(text.split("\n").map((line) => `loadbalancer: ${line}\n`).join(""), sink);
  } catch (error) {
    // There is nowhere left to say it; the exit code tells.
    if (!(error instanceof BalancerError)) throw error;
  }
}

/** How much the terminal shows; the usual where it does not tell. */
export function terminalSize(): { readonly columns: number; readonly rows: number } {
  const { columns, rows } = Deno.consoleSize();
  return { columns: columns || 80, rows: rows || 24 };
}

/** How tables are printed to stdout: as wide as a terminal, in its colours; else as they are. */
export function stdoutLook(): { readonly width: number | null; readonly colour: boolean } {
  if (!Deno.stdout.isTerminal()) return { width: null, colour: false };
  return { width: terminalSize().columns, colour: !Deno.noColor };
}

/** Text of others without what a terminal would obey. */
export function harmless(text: string): string {
  return text.replace(/\p{Cc}|\p{Cf}/gu, "?");
}
