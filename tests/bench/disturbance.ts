/**
 * How much of the machine's CPU time went to programs that are no part of the benchmark. With three busy
 * processes of our own on a small machine, a neighbour changes even the CPU time per request (the
 * caches are shared), so a disturbed run has to be seen as one.
 */

import { cpuMicroseconds } from "./process_usage.ts";

/** CPU time in microseconds since some fixed moment; only differences mean something. */
export interface CpuReading {
  /** Used on the whole machine, what the hypervisor took away included. */
  readonly machine: number;
  /** Used by the benchmark: itself, its children that have ended (wrk), and those given. */
  readonly own: number;
}

// The columns of the line `cpu` in /proc/stat: user nice system idle iowait irq softirq steal.
const BUSY_COLUMNS = [0, 1, 2, 5, 6, 7];
// The fields of /proc/self/stat behind the name: utime, stime, and both of children that have ended.
const SELF_FIELDS = [11, 12, 13, 14];

/** Reads both; `pids` are the children of the benchmark that still run. */
export async function readCpu(
  pids: readonly number[],
  clockTicksPerSecond: number,
): Promise<CpuReading> {
  const stat = await Deno.readTextFile("/proc/stat");
  const columns = (/^cpu\s+(.+)$/m.exec(stat)?.[1] ?? "").split(" ");
  const self = await Deno.readTextFile("/proc/self/stat");
  const fields = self.slice(self.lastIndexOf(")") + 2).split(" ");
  let own = sumOf(fields, SELF_FIELDS) * 1_000_000 / clockTicksPerSecond;
  for (const pid of pids) own += await cpuMicroseconds(pid, clockTicksPerSecond);
  return { machine: sumOf(columns, BUSY_COLUMNS) * 1_000_000 / clockTicksPerSecond, own };
}

/** The share, from 0 to 1, of all CPU time of `seconds` that went to others between two readings. */
export function othersShare(
  before: CpuReading,
  options: { readonly after: CpuReading; readonly seconds: number; readonly cores: number },
): number {
  const { after, seconds, cores } = options;
  const others = (after.machine - before.machine) - (after.own - before.own);
  return Math.max(0, others / (seconds * 1_000_000 * cores));
}

function sumOf(texts: readonly string[], indexes: readonly number[]): number {
  return indexes.reduce((sum, index) => sum + Number(texts[index] ?? 0), 0);
}
