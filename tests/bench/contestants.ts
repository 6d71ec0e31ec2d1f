/**
 * The balancers that are compared, each single-threaded and copying bytes in front of the same
 * backends: ours, HAProxy in TCP mode, nginx's stream module, and the bare pump as the floor.
 */

import { nginxPaths } from "./backends.ts";
import { findProgram, nginxStreamDirective } from "./programs.ts";
import { type ProcessCommand } from "./running_process.ts";

const PROJECT_DIRECTORY = new URL("../../", import.meta.url).pathname;

/** The names of the contestants, as `--balancers` takes them; `pump` is what `--baseline` adds. */
export const CONTESTANT_NAMES = ["ours", "haproxy", "nginx", "pump"] as const;

/** One of {@linkcode CONTESTANT_NAMES}. */
export type ContestantName = typeof CONTESTANT_NAMES[number];

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

/** A contestant, or why it cannot take part on this machine. */
export type ContestantFound = Contestant | {
  readonly name: ContestantName;
  readonly missing: string;
};

/** Looks for `name` on this machine. */
export async function findContestant(name: ContestantName): Promise<ContestantFound> {
  switch (name) {
    case "ours":
      return denoContestant({ name, label: "loadbalancer", script: "main.ts" });
    case "pump":
      return denoContestant({ name, label: "bare pump", script: "tests/bench/bare_pump.ts" });
    case "haproxy": {
      const program = await findProgram("haproxy");
      if (program === undefined) return { name, missing: notInstalled("haproxy") };
      return haproxyContestant(program);
    }
    case "nginx": {
      const program = await findProgram("nginx");
      if (program === undefined) return { name, missing: notInstalled("nginx") };
      const directive = await nginxStreamDirective(program);
      if (directive === undefined) return { name, missing: notInstalled("libnginx-mod-stream") };
      return nginxContestant(program, directive);
    }
  }
}

/** What to say of a Debian package that is not there. */
export function notInstalled(debianPackage: string): string {
  return `not installed (on Debian: apt-get install ${debianPackage})`;
}

function denoContestant(options: {
  readonly name: "ours" | "pump";
  readonly label: string;
  readonly script: string;
}): Contestant {
  const { name, label, script } = options;
  return {
    name,
    label,
    isPeer: false,
    prepare({ port, backendPorts, clientsMax }): Promise<ProcessCommand> {
      const args = ["run", "--frozen", "--allow-net", `${PROJECT_DIRECTORY}${script}`];
      if (name === "ours" && clientsMax > DEFAULT_BRIDGES) args.push("-N", String(clientsMax));
      // The peers listen on 127.0.0.1 alone, not on every address of both families.
      args.push(name === "ours" ? `127.0.0.1:${port}` : String(port), ...backendPorts.map(String));
      return Promise.resolve({ name: label, program: Deno.execPath(), args });
    },
  };
}

/** What our balancer carries at once unless `-N` says otherwise. */
const DEFAULT_BRIDGES = 1024;

function haproxyContestant(program: string): Contestant {
  return {
    name: "haproxy",
    label: "HAProxy tcp",
    isPeer: true,
    async prepare({ port, backendPorts, directory }): Promise<ProcessCommand> {
      const path = `${directory}/haproxy.cfg`;
      const servers = backendPorts.map((backendPort, index) =>
        `  server backend${index} 127.0.0.1:${backendPort} check inter 3s`
      );
      await Deno.writeTextFile(
        path,
        `global
  nbthread 1
  maxconn 4096
defaults
  mode tcp
  timeout connect 3s
  timeout client 10m
  timeout server 10m
listen balancer
  bind 127.0.0.1:${port}
  balance roundrobin
${servers.join("\n")}
`,
      );
      return { name: "haproxy", program, args: ["-db", "-f", path] };
    },
  };
}

function nginxContestant(program: string, streamDirective: string): Contestant {
  return {
    name: "nginx",
    label: "nginx stream",
    isPeer: true,
    async prepare({ port, backendPorts, directory }): Promise<ProcessCommand> {
      const path = `${directory}/nginx.conf`;
      const servers = backendPorts.map((backendPort) => `    server 127.0.0.1:${backendPort};`);
      await Deno.writeTextFile(
        path,
        `${streamDirective}
${nginxPaths(directory)}
events { worker_connections 16384; }
stream {
  upstream backends {
${servers.join("\n")}
  }
  server {
    listen 127.0.0.1:${port};
    proxy_pass backends;
    proxy_connect_timeout 3s;
    proxy_timeout 10m;
  }
}
`,
      );
      return { name: "nginx", program, args: ["-e", "stderr", "-p", directory, "-c", path] };
    },
  };
}
