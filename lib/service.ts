/**
 * The service: a balancer with what stands around it in a process, from its start to its end: the
 * logs, the signals, the reloads, the admin port. Started by the program.
 */
import denoJson from "../deno.json" with { type: "json" };
import { AccessLog } from "./access_log.ts";
import type { Admin } from "./admin/admin.ts";
import { Balancer } from "./balancer.ts";
import { pause, systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { log, startLog } from "./log.ts";
import { Reloader } from "./reloader.ts";
import { type Hangups, StopSignals } from "./signals.ts";

/** What a service is told by. */
export interface ServeOptions {
  /** Reads the configuration anew. */
  readonly loadAgain: () => Promise<Config>;
  /** They ask for that. */
  readonly hangups: Hangups;
}

/** How long clients may take to be cut off at the second signal, in milliseconds. */
const CUT_MS_MAX = 2000;

/**
 * Serves until it is told to stop, by a signal. Signals are held until the last lines of the logs are
 * out. Rejects with a `BalancerError` when it cannot start.
 */
export async function serve(
  config: Config,
  { loadAgain, hangups }: ServeOptions,
): Promise<void> {
  using signals = new StopSignals();
  await using runningLog = await startLog({ level: config.logLevel, format: config.logFormat });
  await using accessLog = new AccessLog({
    format: config.accessLog,
    output: Deno.stdout,
    clock: systemClock,
    date: Date.now,
  });
  let reloader: Reloader | null = null;
  await using admin = await openAdmin(config, {
    accessLog,
    reload: async () => await reloader?.reload() ?? "nothing has changed",
  });
  const balancer = new Balancer(config, {
    onPassage: (passage, endedMs) => accessLog.write(passage, endedMs),
    onChange: () => admin?.changed(),
    admin: admin?.address ?? null,
  });
  const reloads = reloader = new Reloader({
    load: loadAgain,
    balancer,
    onReload: ({ logLevel, logFormat, accessLog: format }) => {
      runningLog.change({ level: logLevel, format: logFormat });
      accessLog.change(format);
    },
  });
  admin?.attach(balancer);
  hangups.answer(() => {
    reloads.reload().catch(() => {}); // It is logged, and there is nobody else to tell.
  });
  await signals.first;
  log.info("Asked to stop; once more to end now");
  const stopped = balancer.stop().then(() => true);
  if (await Promise.race([stopped, signals.second.then(() => false)])) return;
  await Promise.race([balancer[Symbol.asyncDispose](), pause(CUT_MS_MAX, systemClock)]);
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
