/** The program: command line to exit code. What `main.ts` runs. */
import denoJson from "../deno.json" with { type: "json" };
import { AccessLog } from "./access_log.ts";
import { Balancer } from "./balancer.ts";
import { type Command, parseCommandLine, usage } from "./cli.ts";
import { systemClock } from "./clock.ts";
import { type Config, ConfigError } from "./config.ts";
import { BalancerError } from "./errors.ts";
import { log, startLog } from "./log.ts";
import { Reloader } from "./reloader.ts";
import { onHangup, StopSignals } from "./signals.ts";

/** What the process answers with. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** Runs until it is stopped. Resolves to the exit code. */
export async function run(args: readonly string[]): Promise<number> {
  try {
    const command = await load(args);
    if (command.kind === "help") return print(usage());
    if (command.kind === "version") return print(`loadbalancer ${denoJson.version}\n`);
    return await serve(command.config, () => loadConfig(args));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return complain(`${error.message} (see --help)`, EXIT.usage);
  }
}

/** Reads what is asked for: at start, and again at each reload. */
function load(args: readonly string[]): Promise<Command> {
  return Promise.try(() => parseCommandLine(args));
}

/** The same arguments asked to serve once, and do so again. */
async function loadConfig(args: readonly string[]): Promise<Config> {
  const command = await load(args);
  if (command.kind === "serve") return command.config;
  throw new ConfigError(`--${command.kind}`, "there is nothing to serve; expected PORT SERVER...");
}

async function serve(config: Config, loadAgain: () => Promise<Config>): Promise<number> {
  await using runningLog = await startLog({ level: config.logLevel, format: config.logFormat });
  await using accessLog = new AccessLog({
    format: config.accessLog,
    output: Deno.stdout,
    clock: systemClock,
    date: Date.now,
  });
  using signals = new StopSignals();
  let reloader: Reloader | null = null;
  // Before there is a balancer, what would be read again was read just now.
  using _hangups = onHangup(() => void reloader?.reloadAndLog());
  let balancer: Balancer;
  try {
    balancer = new Balancer(config, {
      onPassage: (passage, endedMs) => accessLog.write(passage, endedMs),
    });
  } catch (error) {
    if (!(error instanceof BalancerError)) throw error;
    return complain(error.message, EXIT.failed);
  }
  reloader = new Reloader({
    load: loadAgain,
    balancer,
    onReload: ({ logLevel, logFormat, accessLog: format }) => {
      runningLog.change({ level: logLevel, format: logFormat });
      accessLog.change(format);
    },
  });
  await signals.first;
  log.info("Asked to stop; once more to end now");
  await Promise.race([balancer.stop(), signals.second]);
  return EXIT.ok;
}

function print(text: string): number {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
  return EXIT.ok;
}

function complain(text: string, exitCode: number): number {
  Deno.stderr.writeSync(new TextEncoder().encode(`loadbalancer: ${text}\n`));
  return exitCode;
}
