/**
 * `deno task demo [PORT]`: three HTTP servers on free ports, the balancer before them, and what to
 * try. Everything in one process, in a temporary directory that is removed at the end.
 */

import { Balancer } from "../lib/balancer.ts";
import { parseCommandLine } from "../lib/cli.ts";
import { combine } from "../lib/load.ts";
import { startLog } from "../lib/log.ts";
import { StopSignals } from "../lib/signals.ts";
import { type HttpServer, startHttpServer } from "./support/httpserver.ts";

const SERVER_NAMES = ["one", "two", "three"];
const DEFAULT_PORT = "8080";
const encoder = new TextEncoder();

const PAGE = `<!doctype html>
<html lang="en">
<title>loadbalancer demo</title>
<h1>It works</h1>
<p>One of three servers sent you this page; the header <code>X-Backend</code> tells which.</p>
</html>
`;

/** Runs the demo until SIGINT or SIGTERM; the result is the exit code. */
async function demo(args: readonly string[]): Promise<number> {
  const [port = DEFAULT_PORT, ...rest] = args;
  if (rest.length > 0 || !/^[0-9]{1,5}$/.test(port) || Number(port) > 65535) {
    await complain(`${rest[0] ?? port}: expected one port; usage: deno task demo [PORT]`);
    return 2;
  }
  const directory = await Deno.makeTempDir({ prefix: "loadbalancer-demo-" });
  using signals = new StopSignals();
  signals.second.then(() => {
    Deno.removeSync(directory, { recursive: true });
    Deno.exit(130);
  });
  const stop = new AbortController();
  signals.first.then(() => stop.abort());
  const servers: HttpServer[] = [];
  try {
    await writeFiles(directory);
    for (const name of SERVER_NAMES) servers.push(await startHttpServer({ name, root: directory }));
    return await runBalancer({ port, directory, servers, stop: stop.signal });
  } finally {
    await Promise.all(servers.map((server) => server.close()));
    await Deno.remove(directory, { recursive: true });
  }
}

async function runBalancer({ port, directory, servers, stop }: {
  readonly port: string;
  readonly directory: string;
  readonly servers: readonly HttpServer[];
  readonly stop: AbortSignal;
}): Promise<number> {
  const ports = servers.map((server) => String(server.port));
  const command = parseCommandLine(["--drain-timeout", "2s", port, ...ports]);
  if (command.kind !== "serve") throw new Error(`Unexpected command: ${command.kind}`);
  await using _log = await startLog({ level: "info", format: "text" });
  let balancer: Balancer;
  try {
    balancer = new Balancer(combine(command.given, null));
    await balancer.ready;
  } catch (error) {
    await complain(error instanceof Error ? error.message : String(error));
    await complain("to use another port, name it: deno task demo 8081 (0: any free port)");
    return 1;
  }
  try {
    await say(whatToTry({ port: balancer.address.port, directory, servers }));
    const isInteractive = Deno.stdin.isTerminal();
    await say(
      isInteractive
        ? "Type 1, 2 or 3 and Enter to stop that server, once more to start it again.\n" +
          "Ctrl-C ends the demo.\n\n"
        : "Run it in a terminal to stop and start the servers from the keyboard. " +
          "Ctrl-C ends the demo.\n\n",
    );
    // It ends with the process: a pending read of a terminal cannot be called off.
    if (isInteractive) toggleFromKeyboard(servers).catch((error) => complain(String(error)));
    if (!stop.aborted) await new Promise((resolve) => stop.addEventListener("abort", resolve));
    await say("\nThe demo stops.\n");
  } finally {
    await balancer.stop();
  }
  return 0;
}

async function writeFiles(directory: string): Promise<void> {
  await Deno.writeTextFile(`${directory}/index.html`, PAGE);
  await Deno.writeTextFile(`${directory}/hello.txt`, "Hello from behind the balancer.\n");
  const mebibyte = Uint8Array.from({ length: 1024 * 1024 }, (_, i) => i * 7 + (i >> 8));
  await Deno.writeFile(`${directory}/1MiB.bin`, mebibyte);
}

function whatToTry({ port, directory, servers }: {
  readonly port: number;
  readonly directory: string;
  readonly servers: readonly HttpServer[];
}): string {
  const url = `http://localhost:${port}`;
  const rows = servers.map((server, i) =>
    `  ${i + 1}  ${(server.name ?? "").padEnd(6)} http://127.0.0.1:${server.port}/\n`
  );
  return `
The balancer listens on ${url}/, before three servers:
${rows.join("")}They serve ${directory}.

Try, in another terminal:

  A page, and which server sent it:
    curl -i ${url}/
  A large file, and its checksum beside the original's:
    curl -s ${url}/1MiB.bin | cksum; cksum < ${directory}/1MiB.bin
  An upload, and its way back:
    curl -T ${directory}/hello.txt ${url}/copy.txt && curl ${url}/copy.txt
  Thirty requests side by side, and how they spread:
    curl --no-progress-meter --parallel --parallel-immediate --parallel-max 3 -o /dev/null \\
      -w '%header{x-backend}\\n' '${url}/hello.txt?[1-30]' | sort | uniq -c
  What a server tells the balancer: its errors, then its entries:
    curl -s http://127.0.0.1:${servers[0]?.port ?? 0}/healthcheck
  Failover: leave this running, stop a server, and see that no request fails:
    while sleep 0.2; do curl -s -o /dev/null -w '%{http_code} %header{x-backend}\\n' ${url}/; done

`;
}

/** Stops or starts the server whose number is typed, until the input ends. */
async function toggleFromKeyboard(servers: readonly HttpServer[]): Promise<void> {
  const stopped = new Set<HttpServer>();
  // A terminal hands its input over line by line.
  for await (const line of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const server = servers[Number(line) - 1];
    if (!server) {
      await say(`Type a number from 1 to ${servers.length}, or Ctrl-C to end the demo.\n`);
    } else if (stopped.delete(server)) {
      Object.assign(server.counts, { entries: 0, errors: 0 }); // as a new process would
      await server.startAccepting();
      await say(`Server ${server.name} runs again; the next probe will find it.\n`);
    } else {
      stopped.add(server);
      server.stopAccepting();
      await server.dropConnections();
      await say(`Server ${server.name} is stopped.\n`);
    }
  }
}

async function say(text: string): Promise<void> {
  await Deno.stdout.write(encoder.encode(text));
}

async function complain(text: string): Promise<void> {
  await Deno.stderr.write(encoder.encode(`demo: ${text}\n`));
}

if (import.meta.main) Deno.exit(await demo(Deno.args));
