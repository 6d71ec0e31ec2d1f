/**
 * The service: a balancer with what stands around it in a process, from its start to its end: the
 * logs, the signals, the reloads, the admin port. Started by the program.
 */
import denoJson from "../deno.json" with { type: "json" };
import { AccessLog } from "./access_log.ts";
import type { Admin } from "./admin/admin.ts";
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
  using _hangups = onHangup(() => {
    reloader?.reload().catch(() => {}); // It is logged, and there is nobody else to tell.
  });
  await using admin = await openAdmin(config, {
    accessLog,
    reload: async () => await reloader?.reload() ?? "nothing has changed",
  });
  const balancer = new Balancer(config, {
    onPassage: (passage, endedMs) => accessLog.write(passage, endedMs),
    onChange: () => admin?.changed(),
    admin: admin?.address ?? null,
  });
  reloader = new Reloader({
    load: loadAgain,
    balancer,
    onReload: ({ logLevel, logFormat, accessLog: format }) => {
      runningLog.change({ level: logLevel, format: logFormat });
      accessLog.change(format);
    },
  });
  admin?.attach(balancer);
  await signals.first;
  log.info("Asked to stop; once more to end now");
  await Promise.race([balancer.stop(), signals.second]);
}

/** Opens the admin port, if there is to be one: it tells how things stand before and after all else. */
async function openAdmin(
  config: Config,
  parts: { readonly accessLog: AccessLog; readonly reload: () => Promise<string> },
): Promise<Admin | null> {
  const { admin: address } = config;
  if (address === null) return null;
  const { Admin } = await import("./admin/admin.ts");
  return new Admin({ config, address, version: denoJson.version, ...parts });
}
