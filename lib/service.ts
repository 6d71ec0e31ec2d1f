/**
 * The service: a balancer with what stands around it in a process, from its start to its end: the
 * logs, the signals, the reloads. Started by the program.
 */
import { AccessLog } from "./access_log.ts";
import { Balancer } from "./balancer.ts";
import { systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { log, startLog } from "./log.ts";
import { Reloader } from "./reloader.ts";
import { onHangup, StopSignals } from "./signals.ts";

/**
 * Serves until it is told to stop, by a signal. At SIGHUP the configuration is read by `loadAgain`.
 * Rejects with a `BalancerError` when it cannot start.
 */
export async function serve(config: Config, loadAgain: () => Promise<Config>): Promise<void> {
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
  const balancer = new Balancer(config, {
    onPassage: (passage, endedMs) => accessLog.write(passage, endedMs),
  });
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
}
