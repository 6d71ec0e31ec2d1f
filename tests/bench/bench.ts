/**
 * `deno task bench`: our balancer against HAProxy and nginx, on this machine, in the same run.
 *
 * This file puts the parts together: arguments, programs, backends, measurements, report. Every process
 * and every file lives in a scope, and Ctrl-C unwinds through the same scopes as a failure does.
 */

import { type Arguments, parseArguments, USAGE, UsageError } from "./arguments.ts";
import { Backends } from "./backends.ts";
import { findContestants, notInstalled } from "./contestants.ts";
import { type Field } from "./field.ts";
import { goals, type IdleRow, idleRows, type LoadRow, loadRows } from "./figures.ts";
import { measureIdle } from "./idle.ts";
import { measureLoad, WORKLOADS } from "./load.ts";
import { clockTicksPerSecond, describeMachine } from "./machine.ts";
import { findProgram } from "./programs.ts";
import { markdownReport, type Report, terminalReport } from "./tables.ts";
import { prepareWrk } from "./wrk.ts";

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

/** Runs the benchmark; returns the exit code. */
async function main(argv: readonly string[]): Promise<number> {
  const interruption = new AbortController();
  const interrupt = (): void => interruption.abort(new Error("interrupted"));
  Deno.addSignalListener("SIGINT", interrupt);
  Deno.addSignalListener("SIGTERM", interrupt);
  try {
    const args = parseArguments(argv);
    if (args.isHelp) {
      write(Deno.stdout, USAGE);
      return 0;
    }
    const report = await measure(args, {
      command: ["deno task bench", ...argv].join(" "),
      signal: interruption.signal,
    });
    write(Deno.stdout, reportText(report, args));
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      write(Deno.stderr, `bench: ${error.message}\nTry: deno task bench --help\n`);
      return EXIT_USAGE;
    }
    if (interruption.signal.aborted) {
      write(Deno.stderr, "bench: interrupted\n");
      return EXIT_INTERRUPTED;
    }
    write(Deno.stderr, `bench: ${describeError(error)}\n`);
    return EXIT_FAILED;
  } finally {
    Deno.removeSignalListener("SIGINT", interrupt);
    Deno.removeSignalListener("SIGTERM", interrupt);
  }
}

async function measure(
  args: Arguments,
  options: { readonly command: string; readonly signal: AbortSignal },
): Promise<Report> {
  const { command, signal } = options;
  const programs = {
    haproxy: await findProgram("haproxy"),
    nginx: await requireProgram("nginx"),
    wrk: await requireProgram("wrk"),
  };
  const bridge = await findContestants(args.balancers, "bridge");
  const http = await findContestants(args.balancers, "http");
  const skipped = [...bridge.skipped, ...http.skipped];
  for (const text of skipped) progress(`left out: ${text}`);

  await using stack = new globalThis.AsyncDisposableStack();
  const directory = await makeDirectory(stack);
  const backends = stack.use(await Backends.start({ nginx: programs.nginx, directory, signal }));
  const field: Field = {
    contestants: { bridge: bridge.contestants, http: http.contestants },
    backends,
    directory,
    clockTicksPerSecond: await clockTicksPerSecond(),
    signal,
    progress,
  };
  const rows = await measureAll(args, { field, wrkProgram: programs.wrk });
  return {
    machine: await describeMachine(programs),
    command,
    seconds: args.seconds,
    repeat: args.repeat,
    skipped,
    ...rows,
    goals: goals(rows),
  };
}

async function measureAll(
  { only, seconds, repeat }: Arguments,
  { field, wrkProgram }: { readonly field: Field; readonly wrkProgram: string },
): Promise<{ readonly load: readonly LoadRow[]; readonly idle: readonly IdleRow[] }> {
  const wrk = await prepareWrk(wrkProgram, field.directory);
  const load: LoadRow[] = [];
  for (const workload of WORKLOADS.filter(({ name }) => only.includes(name))) {
    const samples = await measureLoad(workload, { field, wrk, seconds, repeat });
    load.push(...loadRows(workload, { contestants: field.contestants[workload.mode], samples }));
  }
  if (!only.includes("idle")) return { load, idle: [] };
  const idle = idleRows(field.contestants.bridge, await measureIdle(field, repeat));
  return { load, idle };
}

/** A temporary directory that nginx's worker, which is another user when started by root, can read. */
async function makeDirectory(stack: AsyncDisposableStack): Promise<string> {
  const directory = await Deno.makeTempDir({ prefix: "loadbalancer-bench-" });
  stack.defer(() => Deno.remove(directory, { recursive: true }));
  await Deno.chmod(directory, 0o755);
  return directory;
}

async function requireProgram(name: string): Promise<string> {
  const path = await findProgram(name);
  if (path === undefined) throw new Error(`Cannot measure: ${name} is ${notInstalled(name)}`);
  return path;
}

function reportText(report: Report, { isJson }: Arguments): string {
  if (isJson) return `${JSON.stringify(report, undefined, 2)}\n`;
  return `\n${terminalReport(report)}\nMarkdown:\n\n${markdownReport(report)}`;
}

function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined
    ? error.message
    : `${error.message}: ${describeError(error.cause)}`;
}

function progress(line: string): void {
  write(Deno.stderr, `${line}\n`);
}

function write(stream: typeof Deno.stdout | typeof Deno.stderr, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let start = 0; start < bytes.length;) start += stream.writeSync(bytes.subarray(start));
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
