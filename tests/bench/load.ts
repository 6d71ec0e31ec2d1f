/**
 * The workloads under load: requests per second, p99 latency, errors and CPU time per request.
 *
 * The contestants take turns inside each repetition, so that a slow minute of the machine falls on all
 * of them, and each workload has fresh processes, so that `--only` does not change a figure.
 */

import { type ContestantName, type Mode } from "./contestants.ts";
import { othersShare, readCpu } from "./disturbance.ts";
import { type Field, startContestant, type StartedContestant } from "./field.ts";
import { cpuMicroseconds } from "./process_usage.ts";
import { runWrk, type Wrk, WRK_CONNECTIONS } from "./wrk.ts";

const WARM_UP_SECONDS = 5;

/** From this share of the CPU time on, other programs disturb a run. */
export const DISTURBED_SHARE = 0.05;

/** One kind of load. */
export interface Workload {
  readonly name: "keepalive" | "close" | "large" | "http-keepalive" | "http-close" | "http-large";
  readonly title: string;
  /** Whom it is for. */
  readonly mode: Mode;
  readonly path: string;
  readonly headers: readonly string[];
  /** What ours is to reach, beside the best peer. */
  readonly ratioMax: {
    readonly cpu?: number;
    readonly p99?: number;
  };
}

const SMALL = { path: "/small", headers: [] } as const;
const CLOSE = { path: "/small", headers: ["Connection: close"] } as const;
const LARGE = { path: "/large", headers: [] } as const;

/** The workloads, in the order they run. */
export const WORKLOADS: readonly Workload[] = [
  {
    name: "keepalive",
    title: "keep-alive small",
    mode: "bridge",
    ...SMALL,
    ratioMax: { cpu: 1.25, p99: 1.5 },
  },
  {
    name: "close",
    title: "one connection per request",
    mode: "bridge",
    ...CLOSE,
    ratioMax: { cpu: 1.45, p99: 1.5 },
  },
  {
    name: "large",
    title: "1 MiB bodies",
    mode: "bridge",
    ...LARGE,
    ratioMax: { cpu: 0.7, p99: 1.5 },
  },
  {
    name: "http-keepalive",
    title: "http: keep-alive small",
    mode: "http",
    ...SMALL,
    ratioMax: { cpu: 1.35 },
  },
  {
    name: "http-close",
    title: "http: one connection per request",
    mode: "http",
    ...CLOSE,
    ratioMax: {},
  },
  {
    name: "http-large",
    title: "http: 1 MiB bodies",
    mode: "http",
    ...LARGE,
    ratioMax: { cpu: 1.1 },
  },
];

/** What one run of one contestant measured. */
export interface LoadSample {
  readonly requestsPerSecond: number;
  readonly p99Ms: number;
  readonly errors: number;
  readonly cpuMicrosecondsPerRequest: number;
  /** Of the machine's CPU time, what other programs took meanwhile: from 0 to 1. */
  readonly othersShare: number;
}

/** For each contestant one sample per repetition, in the order of the repetitions. */
export type LoadSamples = ReadonlyMap<ContestantName, readonly LoadSample[]>;

/** Measures `workload` for all contestants that it is for. */
export async function measureLoad(
  workload: Workload,
  options: {
    readonly field: Field;
    readonly wrk: Wrk;
    readonly seconds: number;
    readonly repeat: number;
  },
): Promise<LoadSamples> {
  const { field, wrk, seconds, repeat } = options;
  await using stack = new globalThis.AsyncDisposableStack();
  const started: StartedContestant[] = [];
  const samples = new Map<ContestantName, LoadSample[]>();
  for (const contestant of field.contestants[workload.mode]) {
    started.push(
      await startContestant(contestant, { field, stack, clientsMax: WRK_CONNECTIONS }),
    );
    samples.set(contestant.name, []);
  }
  for (const one of started) {
    await runOnce(one, { workload, field, wrk, seconds: WARM_UP_SECONDS });
  }
  for (let repetition = 1; repetition <= repeat; repetition++) {
    for (const one of started) {
      const sample = await runOnce(one, { workload, field, wrk, seconds });
      samples.get(one.contestant.name)?.push(sample);
      field.progress(
        `${workload.title} ${repetition}/${repeat}: ${one.contestant.label}: ` +
          `${sample.requestsPerSecond.toFixed(0)} requests/s, ` +
          `${sample.cpuMicrosecondsPerRequest.toFixed(2)} µs CPU per request` +
          (sample.errors > 0 ? `, ${sample.errors} ERRORS` : "") +
          (sample.othersShare > DISTURBED_SHARE
            ? `, DISTURBED: ${(100 * sample.othersShare).toFixed(0)} % of the CPU went to others`
            : ""),
      );
    }
  }
  return samples;
}

async function runOnce(
  { contestant, process, port }: StartedContestant,
  options: {
    readonly workload: Workload;
    readonly field: Field;
    readonly wrk: Wrk;
    readonly seconds: number;
  },
): Promise<LoadSample> {
  const { workload, field, wrk, seconds } = options;
  const { path, headers } = workload;
  const pids = [process.pid, field.backends.pid];
  const startedMs = performance.now();
  const machineBefore = await readCpu(pids, field.clockTicksPerSecond);
  const cpuBefore = await cpuMicroseconds(process.pid, field.clockTicksPerSecond);
  const figures = await runWrk(wrk, {
    run: { port, path, headers, seconds },
    signal: field.signal,
  });
  const cpuAfter = await cpuMicroseconds(process.pid, field.clockTicksPerSecond);
  const machineAfter = await readCpu(pids, field.clockTicksPerSecond);
  const elapsedSeconds = (performance.now() - startedMs) / 1_000;
  await process.assertRunning();
  await field.backends.assertRunning();
  if (figures.requests === 0) {
    throw new Error(`${contestant.label} answered no request in ${seconds} s (${workload.title})`);
  }
  return {
    requestsPerSecond: figures.requests / figures.durationSeconds,
    p99Ms: figures.p99Ms,
    errors: figures.errors,
    cpuMicrosecondsPerRequest: (cpuAfter - cpuBefore) / figures.requests,
    othersShare: othersShare(machineBefore, {
      after: machineAfter,
      seconds: elapsedSeconds,
      cores: navigator.hardwareConcurrency,
    }),
  };
}
