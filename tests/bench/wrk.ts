/**
 * One run of wrk against a port of this machine, and what it measured.
 *
 * wrk calls the script's `done` once at the end, so the script costs nothing per request; its one line
 * is exact where wrk's own text is rounded.
 */

const REPORT_SCRIPT = `
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("bench %d %d %d %.0f %d %d %d %d %d\\n", summary.requests, summary.duration,
    summary.bytes, latency:percentile(99), e.connect, e.read, e.write, e.timeout, e.status))
end
`;

/** How hard wrk drives: one thread, so that it stays comparable on small machines. */
export const WRK_CONNECTIONS = 64;

/** What one run does. */
export interface WrkRun {
  readonly port: number;
  readonly path: string;
  /** Further request headers, as wrk's `-H` takes them: `Name: value`. */
  readonly headers: readonly string[];
  readonly seconds: number;
}

/** What one run measured. `errors` counts socket errors, time-outs (2 s) and answers of 400 and above. */
export interface WrkFigures {
  readonly requests: number;
  readonly durationSeconds: number;
  readonly bytes: number;
  readonly p99Ms: number;
  readonly errors: number;
}

/** Where wrk's program is and where its report script was written. */
export interface Wrk {
  readonly program: string;
  readonly scriptPath: string;
}

/** Writes the report script into `directory`. */
export async function prepareWrk(program: string, directory: string): Promise<Wrk> {
  const scriptPath = `${directory}/report.lua`;
  await Deno.writeTextFile(scriptPath, REPORT_SCRIPT);
  return { program, scriptPath };
}

/** Runs wrk to its end; an abort of `signal` ends it. */
export async function runWrk(
  wrk: Wrk,
  options: { readonly run: WrkRun; readonly signal: AbortSignal },
): Promise<WrkFigures> {
  const { run, signal } = options;
  const output = await new Deno.Command(wrk.program, {
    args: [
      "--threads=1",
      `--connections=${WRK_CONNECTIONS}`,
      `--duration=${run.seconds}s`,
      "--latency",
      `--script=${wrk.scriptPath}`,
      ...run.headers.map((header) => `--header=${header}`),
      `http://127.0.0.1:${run.port}${run.path}`,
    ],
    signal,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  signal.throwIfAborted();
  const text = new TextDecoder().decode(output.stdout);
  const report = /^bench ([\d ]+)$/m.exec(text)?.[1];
  if (!output.success || report === undefined) {
    throw new Error(
      `wrk failed with exit code ${output.code}: ${text}${new TextDecoder().decode(output.stderr)}`,
    );
  }
  const [requests = 0, duration = 0, bytes = 0, p99 = 0, ...errors] = report.split(" ").map(Number);
  return {
    requests,
    durationSeconds: duration / 1_000_000,
    bytes,
    p99Ms: p99 / 1_000,
    errors: errors.reduce((sum, count) => sum + count, 0),
  };
}
