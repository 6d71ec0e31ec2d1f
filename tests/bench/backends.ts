/**
 * The backends all contestants share: one nginx worker that listens on two ports, with a 12-byte answer,
 * a 1 MiB file and the health check that our balancer asks for.
 */

import { freePort } from "./ports.ts";
import { RunningProcess } from "./running_process.ts";

/** The body at `/small`: 12 bytes. */
export const SMALL_BODY = "hello world\n";

/** The size in bytes of the body at `/large`. */
export const LARGE_BODY_BYTES = 1_048_576;

/** nginx's paths in `directory`, in place of those that only root may write. */
export function nginxPaths(directory: string): string {
  return `pid ${directory}/nginx.pid;\nerror_log stderr warn;\ndaemon off;\nworker_processes 1;`;
}

/** The same for the block `http`, which makes these directories whether it uses them or not. */
export function nginxHttpPaths(directory: string): string {
  return ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `  ${name}_temp_path ${directory}/${name};`).join("\n");
}

/** Two HTTP servers of one nginx process; it ends with its scope. */
export class Backends implements AsyncDisposable {
  readonly ports: readonly number[];
  readonly #process: RunningProcess;

  private constructor(process: RunningProcess, ports: readonly number[]) {
    this.#process = process;
    this.ports = ports;
  }

  /** Starts them with files in `directory`; returns once both ports take connections. */
  static async start(options: {
    readonly nginx: string;
    readonly directory: string;
    readonly signal: AbortSignal;
  }): Promise<Backends> {
    const { nginx, directory, signal } = options;
    await Deno.mkdir(`${directory}/files`, { recursive: true });
    await Deno.writeFile(`${directory}/files/large`, new Uint8Array(LARGE_BODY_BYTES).fill(120));
    const ports = [await freePort(), await freePort()];
    const configPath = `${directory}/nginx.conf`;
    await Deno.writeTextFile(configPath, configText(directory, ports));
    const process = new RunningProcess({
      name: "nginx (backends)",
      program: nginx,
      args: ["-e", "stderr", "-p", directory, "-c", configPath],
    });
    try {
      for (const port of ports) await process.acceptsOn(port, signal);
    } catch (error) {
      await process[Symbol.asyncDispose]();
      throw error;
    }
    return new Backends(process, ports);
  }

  /** The process id of nginx, whose worker is its child. */
  get pid(): number {
    return this.#process.pid;
  }

  /** Throws, with its stderr, when nginx has ended. */
  assertRunning(): Promise<void> {
    return this.#process.assertRunning();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }
}

function configText(directory: string, ports: readonly number[]): string {
  const listens = ports.map((port) => `    listen 127.0.0.1:${port};`).join("\n");
  return `${nginxPaths(directory)}
events { worker_connections 16384; }
http {
  access_log off;
${nginxHttpPaths(directory)}
  default_type text/plain;
  sendfile on;
  tcp_nodelay on;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  open_file_cache max=10 inactive=1h;
  server {
${listens}
    root ${directory}/files;
    location = /small { return 200 "${SMALL_BODY.replaceAll("\n", "\\n")}"; }
    location = /healthcheck { return 200 "0\\n0\\n"; }
  }
}
`;
}
