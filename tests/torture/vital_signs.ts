/** The sockets and the memory of a process, from /proc (Linux). */
import { residentKib } from "../bench/process_usage.ts";

/** How a process stands. */
export interface VitalSigns {
  /** Sockets that it has open. */
  readonly sockets: number;
  /** All that it has open. */
  readonly descriptors: number;
  /** Resident memory in MiB. */
  readonly residentMib: number;
}

/** Looks. Throws when the process is gone. */
export async function vitalSigns(pid: number): Promise<VitalSigns> {
  let sockets = 0;
  let descriptors = 0;
  for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
    descriptors++;
    // One that is closed between the two looks is none any more.
    const target = await Deno.readLink(`/proc/${pid}/fd/${name}`).catch(() => "");
    if (target.startsWith("socket:")) sockets++;
  }
  return { sockets, descriptors, residentMib: await residentKib(pid) / 1024 };
}
