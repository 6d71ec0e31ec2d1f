/** What is written for people and other programs: to stdout, and complaints to stderr. */

const ENCODER = new TextEncoder();

/** Where something is written. */
export interface Sink {
  /** Writes what it can; returns how many bytes that was. */
  writeSync(bytes: Uint8Array): number;
}

/** Writes to stdout; false: nobody reads it any more, as of `… | head -1`. */
export function print(text: string, sink: Sink = Deno.stdout): boolean {
  try {
    let rest = ENCODER.encode(text);
    while (rest.length > 0) rest = rest.subarray(sink.writeSync(rest));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return false;
    throw error;
  }
}

/** Writes one line to stderr, with the name of the program in front. */
export function complain(text: string): void {
  print(`loadbalancer: ${text}\n`, Deno.stderr);
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
