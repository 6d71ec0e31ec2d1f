/** The program: command line to exit code. What `main.ts` runs. */
import denoJson from "../deno.json" with { type: "json" };
import { AccessLog, type AccessLogFormat } from "./access_log.ts";
import { Balancer } from "./balancer.ts";
import { parseCommandLine, usage } from "./cli.ts";
import { systemClock } from "./clock.ts";
import { type Config, ConfigError } from "./config.ts";
import { BalancerError } from "./errors.ts";
import { log, startLog } from "./log.ts";
import { StopSignals } from "./signals.ts";

/** What the process answers with. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** Runs until it is stopped. Resolves to the exit code. */
export async function run(args: readonly string[]): Promise<number> {
  try {
    const command = parseCommandLine(args);
    if (command.kind === "help") return print(usage());
    if (command.kind === "version") return print(`loadbalancer ${denoJson.version}\n`);
    return await serve(command.config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return complain(`${error.message} (see --help)`, EXIT.usage);
  }
}

async function serve(config: Config): Promise<number> {
  await using _log = await startLog({ level: config.logLevel, format: config.logFormat });
  await using accessLog = openAccessLog(config.accessLog);
  using signals = new StopSignals();
  let balancer: Balancer;
  try {
    balancer = new Balancer(config, {
      onPassage: accessLog && ((passage, endedMs) => accessLog.write(passage, endedMs)),
    });
  } catch (error) {
    if (!(error instanceof BalancerError)) throw error;
    return complain(error.message, EXIT.failed);
  }
  await signals.first;
  log.info("Asked to stop: accepting no more clients; once more to end now");
  await Promise.race([balancer.stop(), signals.second]);
  return EXIT.ok;
}

function openAccessLog(format: AccessLogFormat): AccessLog | null {
  if (format === "off") return null;
  return new AccessLog({ format, output: Deno.stdout, clock: systemClock, date: Date.now });
}

function print(text: string): number {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
  return EXIT.ok;
}

function complain(text: string, exitCode: number): number {
  Deno.stderr.writeSync(new TextEncoder().encode(`loadbalancer: ${text}\n`));
  return exitCode;
}
