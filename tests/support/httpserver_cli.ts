/** The command line of the HTTP server: arguments in, exit code out. Called by `httpserver.ts`. */

// @ts-types="../../lib/std_parse_args.d.ts"
import { parseArgs } from "@std/cli/parse-args";
import { FAULT_STAGES, type Faults, type FaultStage } from "./http_faults.ts";
import type { HttpServer, HttpServerOptions } from "./httpserver.ts";

const USAGE = `Usage: httpserver [OPTIONS] PORT

Serves the files of a directory by GET, HEAD and PUT; GET /healthcheck tells errors and entries.

  -l, --log LOG         append a line per request to LOG
      --root DIR        the directory (default: the current one)
      --hostname HOST   the address to listen on (default: 127.0.0.1)
      --name NAME       send X-Backend: NAME with every answer
  -h, --help            show this

Misbehaving (STAGE: ${FAULT_STAGES.join(", ")}):
      --slow TIME       wait before the first byte of each answer (200ms, 3s)
      --rate BYTES      send answers in drips, at so many bytes per second
      --silent          read requests, never answer them, nor health checks
      --reset STAGE     reset the connection at that stage of each request
      --close STAGE     end the connection too early, at that stage
      --health-silent   never answer health checks
      --healthcheck TEXT
                        what /healthcheck answers: a body, or if it starts with HTTP/ the whole
                        answer; \\r and \\n stand for CR and LF
`;
const VALUED = ["log", "root", "hostname", "name", "slow", "rate", "reset", "close", "healthcheck"];
const encoder = new TextEncoder();

/** The arguments cannot be understood. */
class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Runs the server until SIGINT or SIGTERM; the result is the exit code. */
export async function runCommandLine(
  args: readonly string[],
  start: (options: HttpServerOptions) => Promise<HttpServer>,
): Promise<number> {
  let server: HttpServer;
  try {
    const options = parseCommandLine(args);
    if (options === "help") {
      await Deno.stdout.write(encoder.encode(USAGE));
      return 0;
    }
    server = await start(options);
  } catch (error) {
    const isUsage = error instanceof UsageError;
    const message = error instanceof Error ? error.message : String(error);
    const hint = isUsage ? "; see --help" : "";
    await Deno.stderr.write(encoder.encode(`httpserver: ${message}${hint}\n`));
    return isUsage ? 2 : 1;
  }
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) Deno.addSignalListener(signal, stop);
  const hostname = server.hostname.includes(":") ? `[${server.hostname}]` : server.hostname;
  const url = `http://${hostname}:${server.port}/`;
  await Deno.stdout.write(encoder.encode(`httpserver listens on ${url}\n`));
  await stopped;
  for (const signal of signals) Deno.removeSignalListener(signal, stop);
  await server.close();
  return 0;
}

/** Throws a {@linkcode UsageError} that names the argument and what was expected. */
function parseCommandLine(args: readonly string[]): HttpServerOptions | "help" {
  const parsed = parseArgs(args, {
    string: [...VALUED, "_"],
    boolean: ["help", "silent", "health-silent"],
    alias: { l: "log", h: "help" },
    unknown: (argument, key) => {
      if (key !== undefined) throw new UsageError(`${argument}: no such option`);
    },
  });
  if (parsed["help"] === true) return "help";
  const value = (name: string): string | undefined => {
    const given = parsed[name];
    if (given === "") throw new UsageError(`--${name}: expected a value`);
    return typeof given === "string" ? given : undefined;
  };
  const ports = parsed._.map(String);
  if (ports.length !== 1) {
    throw new UsageError(ports[1] ? `${ports[1]}: expected one PORT` : "PORT: missing");
  }
  const slow = value("slow");
  const rate = value("rate");
  const faults: Faults = {
    delayMs: slow === undefined ? undefined : parseDuration(slow),
    bytesPerSecond: rate === undefined
      ? undefined
      : parseWhole("--rate", rate, { min: 1, max: 1e12 }),
    silent: parsed["silent"] === true ? "forever" : undefined,
    healthSilent: parsed["silent"] || parsed["health-silent"] ? "forever" : undefined,
    reset: parseStage("--reset", value("reset")),
    close: parseStage("--close", value("close")),
    healthAnswer: parseHealthAnswer(value("healthcheck")),
  };
  return {
    port: parseWhole("PORT", ports[0] ?? "", { min: 0, max: 65535 }),
    hostname: value("hostname"),
    name: value("name"),
    root: value("root"),
    log: value("log"),
    faults,
  };
}

function parseWhole(
  name: string,
  text: string,
  { min, max }: { readonly min: number; readonly max: number },
): number {
  const number = /^[0-9]{1,13}$/.test(text) ? Number(text) : NaN;
  if (!(number >= min && number <= max)) {
    throw new UsageError(`${name} "${text}": expected a whole number from ${min} to ${max}`);
  }
  return number;
}

function parseDuration(text: string): number {
  const [, number, unit] = /^([0-9]{1,6})(ms|s)$/.exec(text) ?? [];
  if (number === undefined) {
    throw new UsageError(`--slow "${text}": expected a time such as 200ms or 3s`);
  }
  return Number(number) * (unit === "s" ? 1000 : 1);
}

function parseStage(name: string, text: string | undefined): FaultStage | undefined {
  const stage = FAULT_STAGES.find((stage) => stage === text);
  if (text !== undefined && !stage) {
    throw new UsageError(`${name} "${text}": expected one of ${FAULT_STAGES.join(", ")}`);
  }
  return stage;
}

function parseHealthAnswer(text: string | undefined): string | undefined {
  const answer = text?.replace(/\\r/g, "\r").replace(/\\n/g, "\n");
  if (answer === undefined || answer.startsWith("HTTP/")) return answer;
  const bodyBytes = encoder.encode(answer).length;
  return `HTTP/1.1 200 OK\r\nServer: httpserver\r\nContent-Length: ${bodyBytes}\r\n` +
    `Connection: close\r\n\r\n${answer}`;
}
