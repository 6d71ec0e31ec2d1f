/** What the process itself takes: memory, processor, descriptors. Read at each scrape. */
import process from "node:process";

/** The process as it stands. */
export interface ProcessNumbers {
  /** Processor time since the start, in seconds. */
  readonly cpuSeconds: number;
  /** Memory, in bytes. */
  readonly memory: Deno.MemoryUsage;
  /** Descriptors that are open, and how many may be; null where they may not be looked at. */
  readonly descriptors: Descriptors | null;
}

/** Descriptors of the process. */
export interface Descriptors {
  /** How many are open. */
  readonly open: number;
  /** How many may be; Infinity: no bound. */
  readonly max: number;
}

/** When the process started, in seconds since 1970. */
export const STARTED_SECONDS: number = performance.timeOrigin / 1000;

/** The process as it stands now. */
export function readProcess(): ProcessNumbers {
  const { user, system } = process.cpuUsage();
  return {
    cpuSeconds: (user + system) / 1e6,
    memory: Deno.memoryUsage(),
    descriptors: readDescriptors(),
  };
}

/** Null: not on Linux, or without the permission for /proc, which is `--allow-all` and nothing less. */
function readDescriptors(): Descriptors | null {
  const path = "/proc/self/fd";
  // Where it is not granted, Deno would ask whoever sits at the terminal.
  if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") return null;
  try {
    const open = [...Deno.readDirSync(path)].length - 1; // One is that of the reading itself.
    const limits = Deno.readTextFileSync("/proc/self/limits");
    const max = /^Max open files +(\S+)/m.exec(limits)?.[1];
    return { open, max: Number(max ?? Infinity) || Infinity };
  } catch {
    return null; // Read permission alone is not enough, or there is no /proc.
  }
}
