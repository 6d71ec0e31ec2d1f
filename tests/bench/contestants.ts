/**
 * The balancers that are compared, each single-threaded, in front of the same backends: ours, HAProxy,
 * nginx, and the bare pump as the floor of what copies bytes only. The configurations of the peers are
 * in haproxy.ts and nginx.ts.
 */

import { haproxyConfig } from "./haproxy.ts";
import { nginxConfig } from "./nginx.ts";
import { findProgram, nginxStreamDirective } from "./programs.ts";
import { type ProcessCommand } from "./running_process.ts";

const PROJECT_DIRECTORY = new URL("../../", import.meta.url).pathname;

/**
 * The names of the contestants, as `--balancers` takes them; `ours-log` is ours with the access log,
 * and `pump` is what `--baseline` adds.
 */
export const CONTESTANT_NAMES = ["ours", "ours-log", "haproxy", "nginx", "pump"] as const;

/** One of {@linkcode CONTESTANT_NAMES}. */
export type ContestantName = typeof CONTESTANT_NAMES[number];

/** What the contestants do, named by our mode: copy the bytes of connections, or balance requests. */
export type Mode = "bridge" | "http";

/** Who takes part where. */
export type Contestants = Readonly<Record<Mode, readonly Contestant[]>>;

/** Where a contestant listens, where it sends, and how many clients it must carry at once. */
export interface Placement {
  readonly port: number;
  readonly backendPorts: readonly number[];
  readonly clientsMax: number;
  /** An empty directory of its own. */
  readonly directory: string;
}

/** A balancer that can be started. */
export interface Contestant {
  readonly name: ContestantName;
  /** What the tables call it. */
  readonly label: string;
  /** A peer is what ours is measured against. */
  readonly isPeer: boolean;
  /** Writes what it needs into its directory and returns how to start it. */
  prepare(placement: Placement): Promise<ProcessCommand>;
}

/** Those that take part in a mode, and why others cannot on this machine, a line each. */
export interface ContestantsFound {
  readonly contestants: readonly Contestant[];
  readonly skipped: readonly string[];
}

/** Looks for those of `names` that have this mode. */
export async function findContestants(
  names: readonly ContestantName[],
  mode: Mode,
): Promise<ContestantsFound> {
  const contestants: Contestant[] = [];
  const skipped: string[] = [];
  for (const name of names) {
    if (name === "pump" && mode !== "bridge") continue; // It knows no requests.
    const found = await findContestant(name, mode);
    if ("missing" in found) skipped.push(`${found.label}: ${found.missing}`);
    else contestants.push(found);
  }
  return { contestants, skipped };
}

/** What to say of a Debian package that is not there. */
export function notInstalled(debianPackage: string): string {
  return `not installed (on Debian: apt-get install ${debianPackage})`;
}

/** One that cannot take part on this machine. */
interface Missing {
  readonly label: string;
  readonly missing: string;
}

async function findContestant(name: ContestantName, mode: Mode): Promise<Contestant | Missing> {
  switch (name) {
    case "ours":
      return ourContestant(name, { label: "loadbalancer", args: ["--mode", mode] });
    case "ours-log": {
      const args = ["--mode", mode, "--access-log", "text"];
      return ourContestant(name, { label: "with access log", args });
    }
    case "pump":
      return pumpContestant();
    case "haproxy": {
      const label = mode === "http" ? "HAProxy http" : "HAProxy tcp";
      const program = await findProgram("haproxy");
      if (program === undefined) return { label, missing: notInstalled("haproxy") };
      return haproxyContestant(label, { program, mode });
    }
    case "nginx": {
      const label = mode === "http" ? "nginx http" : "nginx stream";
      const program = await findProgram("nginx");
      if (program === undefined) return { label, missing: notInstalled("nginx") };
      const streamDirective = mode === "http" ? "" : await nginxStreamDirective(program);
      if (streamDirective === undefined) {
        return { label, missing: notInstalled("libnginx-mod-stream") };
      }
      return nginxContestant(label, { program, mode, streamDirective });
    }
  }
}

/** What our balancer carries at once unless `-N` says otherwise. */
const DEFAULT_BRIDGES = 1024;

function ourContestant(
  name: "ours" | "ours-log",
  { label, args }: { readonly label: string; readonly args: readonly string[] },
): Contestant {
  return {
    name,
    label,
    isPeer: false,
    prepare({ port, backendPorts, clientsMax }): Promise<ProcessCommand> {
      const bridges = clientsMax > DEFAULT_BRIDGES ? ["-N", String(clientsMax)] : [];
      // The peers listen on 127.0.0.1 alone, not on every address of both families.
      const addresses = [`127.0.0.1:${port}`, ...backendPorts.map(String)];
      const all = [...args, ...bridges, ...addresses];
      return Promise.resolve(denoCommand(label, { script: "main.ts", args: all }));
    },
  };
}

function pumpContestant(): Contestant {
  const label = "bare pump";
  return {
    name: "pump",
    label,
    isPeer: false,
    prepare({ port, backendPorts }): Promise<ProcessCommand> {
      const args = [port, ...backendPorts].map(String);
      return Promise.resolve(denoCommand(label, { script: "tests/bench/bare_pump.ts", args }));
    },
  };
}

function denoCommand(
  name: string,
  { script, args }: { readonly script: string; readonly args: readonly string[] },
): ProcessCommand {
  return {
    name,
    program: Deno.execPath(),
    args: ["run", "--frozen", "--allow-net", `${PROJECT_DIRECTORY}${script}`, ...args],
  };
}

function haproxyContestant(
  label: string,
  { program, mode }: { readonly program: string; readonly mode: Mode },
): Contestant {
  return {
    name: "haproxy",
    label,
    isPeer: true,
    async prepare(placement): Promise<ProcessCommand> {
      const path = `${placement.directory}/haproxy.cfg`;
      await Deno.writeTextFile(path, haproxyConfig(placement, mode));
      return { name: label, program, args: ["-db", "-f", path] };
    },
  };
}

function nginxContestant(
  label: string,
  options: { readonly program: string; readonly mode: Mode; readonly streamDirective: string },
): Contestant {
  const { program, mode, streamDirective } = options;
  return {
    name: "nginx",
    label,
    isPeer: true,
    async prepare(placement): Promise<ProcessCommand> {
      const { directory } = placement;
      const path = `${directory}/nginx.conf`;
      await Deno.writeTextFile(path, nginxConfig(placement, { mode, streamDirective }));
      return { name: label, program, args: ["-e", "stderr", "-p", directory, "-c", path] };
    },
  };
}
