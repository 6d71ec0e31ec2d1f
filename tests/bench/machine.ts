/** Where and with what the figures were measured. */

import { outputOf } from "./programs.ts";

/** What belongs beside every figure. */
export interface Machine {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly versions: readonly string[];
}

/** Describes this machine; a program that is undefined is not installed and has no version. */
export async function describeMachine(programs: {
  readonly haproxy: string | undefined;
  readonly nginx: string | undefined;
}): Promise<Machine> {
  const cpuInfo = await Deno.readTextFile("/proc/cpuinfo");
  const versions = [`Deno ${Deno.version.deno}`];
  if (programs.haproxy !== undefined) {
    const text = await outputOf(programs.haproxy, ["-v"]);
    versions.push(`HAProxy ${/version (\S+)/.exec(text)?.[1]}`);
  }
  if (programs.nginx !== undefined) {
    const text = await outputOf(programs.nginx, ["-v"]);
    versions.push(`nginx ${/nginx\/(\S+)/.exec(text)?.[1]}`);
  }
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: /^model name\s*:\s*(.+)$/m.exec(cpuInfo)?.[1] ?? "unknown CPU",
    cores: navigator.hardwareConcurrency,
    kernel: `Linux ${Deno.osRelease()}`,
    versions,
  };
}

/** The clock ticks in which /proc counts CPU time, per second. */
export async function clockTicksPerSecond(): Promise<number> {
  const ticks = Number(await outputOf("getconf", ["CLK_TCK"]));
  if (!(ticks > 0)) throw new Error("Cannot read CPU times: getconf CLK_TCK gave no number");
  return ticks;
}
