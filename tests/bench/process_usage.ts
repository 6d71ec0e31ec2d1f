/**
 * CPU time and memory of a process and its children, from /proc (Linux).
 *
 * CPU time is read from /proc/PID/stat. Its resolution is a clock tick (10 ms) in each of two fields, so
 * a difference is right to 20 ms: under 1 % of the CPU time of a run of five seconds. The sum of
 * /proc/PID/task/TID/schedstat is finer, but it loses all the time of a thread that has ended (Deno's
 * pool threads end after ten idle seconds), and /proc/PID/schedstat is the main thread alone. `stat`
 * counts ended threads, and since the kernel scales it to the exact run time of the thread group, it is
 * no sampled figure: measured against clock_gettime on the process's CPU clock, the two agree within the
 * tick.
 */

const USER_TIME_INDEX = 11;
const SYSTEM_TIME_INDEX = 12;

/** `pid` and its children (nginx's master has workers), leaving out what has ended. */
export async function processFamily(pid: number): Promise<number[]> {
  const children = await readIfThere(`/proc/${pid}/task/${pid}/children`);
  return [pid, ...children.split(" ").filter((text) => text.trim() !== "").map(Number)];
}

/** User and system time in microseconds that `pid` and its children have used since they started. */
export async function cpuMicroseconds(pid: number, clockTicksPerSecond: number): Promise<number> {
  let ticks = 0;
  for (const member of await processFamily(pid)) {
    const stat = await readIfThere(`/proc/${member}/stat`);
    // The second field, the name, may hold spaces; it ends at the last parenthesis.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[USER_TIME_INDEX] ?? 0) + Number(fields[SYSTEM_TIME_INDEX] ?? 0);
  }
  return ticks * 1_000_000 / clockTicksPerSecond;
}

/** Resident memory in KiB (VmRSS) of `pid` and its children. */
export async function residentKib(pid: number): Promise<number> {
  let kib = 0;
  for (const member of await processFamily(pid)) {
    const status = await readIfThere(`/proc/${member}/status`);
    kib += Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
  }
  return kib;
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    // The process has ended; a file of /proc read while it ends fails with ESRCH, which has no class.
    if (error instanceof Deno.errors.NotFound || !(await isThere(path))) return "";
    throw error;
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
