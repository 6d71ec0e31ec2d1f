/** Programs of others as servers: what the tests of real clients and servers share. */
import { until } from "./until.ts";

/** Is that program on this machine? Tests of it are skipped where it is not. */
export function has(program: string): boolean {
  const [directory] = (Deno.env.get("PATH") ?? "").split(":").filter((directory) => {
    try {
      return Deno.statSync(`${directory}/${program}`).isFile;
    } catch {
      return false;
    }
  });
  return directory !== undefined;
}

/** A server in a process of its own; it listens when the promise resolves. */
export async function spawnServer(
  command: string,
  args: readonly string[],
  port: number,
): Promise<AsyncDisposable & { kill(): void }> {
  const child = new Deno.Command(command, {
    args: [...args],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await until(
    () => Deno.connect({ port }).then((conn) => (conn.close(), true), () => false),
    `${command} listens on ${port}`,
  );
  const kill = (): void => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
  };
  return {
    kill,
    async [Symbol.asyncDispose](): Promise<void> {
      kill();
      await child.status;
    },
  };
}

/** Writes a configuration of nginx that serves the directory on these ports; returns its path. */
export async function nginxConfig(directory: string, ports: readonly number[]): Promise<string> {
  const file = `${directory}/nginx.conf`;
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${directory}/${name};`).join(" ");
  const servers = ports.map((port) =>
    `server { listen 127.0.0.1:${port}; root ${directory};
       location = /healthcheck { default_type text/plain; return 200 "0\\n0\\n"; } }`
  );
  await Deno.writeTextFile(
    file,
    `daemon off; worker_processes 1; pid ${directory}/pid; error_log ${directory}/error.log;
     events { worker_connections 1024; }
     http { access_log off; ${temporary} ${servers.join("\n")} }`,
  );
  return file;
}
