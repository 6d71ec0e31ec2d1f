/**
 * What a new configuration changes in a running balancer, and which parts have to know. Pure; the
 * balancer asks at each reload.
 */
import { formatAddress } from "./address.ts";
import type { BackendSettings } from "./backend.ts";
import type { Config } from "./config.ts";
import { OPTIONS, type Setting } from "./options.ts";

/** The parts of a balancer that settings are for. */
export type Part =
  | "carrier" // how clients are carried: those that come from now on
  | "pool" // how servers are judged and chosen
  | "prober" // how they are checked
  | "resolver" // when their names are looked up
  | "stop" // read when the balancer stops
  | "log" // the program's own
  | "start"; // read when the program starts, and never again

/** For each setting the part that goes by it. */
const PARTS: Readonly<Record<Setting, Part>> = {
  parallel: "carrier",
  requests: "prober",
  intervalMs: "prober",
  mode: "carrier",
  policy: "pool",
  health: "prober",
  healthPath: "prober",
  probeTimeoutMs: "prober",
  fall: "pool",
  rise: "pool",
  resolveMs: "resolver",
  ejectAfter: "pool",
  slowStartMs: "pool",
  connectTimeoutMs: "carrier",
  firstByteTimeoutMs: "carrier",
  idleTimeoutMs: "carrier",
  headTimeoutMs: "carrier",
  keepAliveTimeoutMs: "carrier",
  backendKeepAliveMs: "carrier",
  trustProxy: "carrier",
  sticky: "carrier",
  stickyKey: "carrier",
  compress: "carrier",
  lingerTimeoutMs: "carrier",
  queueMax: "carrier",
  queueTimeoutMs: "carrier",
  drainDelayMs: "stop",
  drainTimeoutMs: "stop",
  admin: "start",
  adminToken: "start",
  accessLog: "log",
  logLevel: "log",
  logFormat: "log",
};

/** In a log line, no more names than this of one kind. */
const NAMES_MAX = 10;

/** What two configurations differ in. */
export class ConfigChanges {
  /** Is the balancer to listen elsewhere? */
  readonly listen: boolean;
  /** The settings that differ, in the order of the help. */
  readonly settings: readonly Setting[];
  /** The servers that come in, by name. */
  readonly added: readonly string[];
  /** The servers that go. */
  readonly removed: readonly string[];
  /** The servers that stay, with settings of their own that differ. */
  readonly changed: readonly string[];
  /** Of the settings those that somebody gave otherwise, and not only by the default of another. */
  readonly #given: readonly Setting[];
  /** Do those that stay stand in another order? */
  readonly reordered: boolean;

  /** Compares what is in force with what is to come. */
  constructor(before: Config, after: Config) {
    const old = byName(before.backends);
    const next = byName(after.backends);
    this.listen = formatAddress(before.listen) !== formatAddress(after.listen);
    this.settings = (Object.keys(OPTIONS) as Setting[]).filter((setting) =>
      identity(before, setting) !== identity(after, setting)
    );
    this.#given = this.settings.filter((each) => before.given.has(each) || after.given.has(each));
    this.added = [...next.keys()].filter((name) => !old.has(name));
    this.removed = [...old.keys()].filter((name) => !next.has(name));
    const stay = [...old.keys()].filter((name) => next.has(name));
    this.changed = stay.filter((name) => settingsText(old, name) !== settingsText(next, name));
    this.reordered = stay.join() !== [...next.keys()].filter((name) => old.has(name)).join();
  }

  /** Does anything differ that this part goes by? */
  concern(part: Part): boolean {
    return this.settings.some((setting) => PARTS[setting] === part);
  }

  /** The settings that differ and cannot change while the balancer runs. */
  get refused(): readonly Setting[] {
    return this.settings.filter((setting) => PARTS[setting] === "start");
  }

  /** All of it in one line, with options as they are typed. */
  toString(): string {
    const options = this.#given.map((setting) => `--${OPTIONS[setting].name}`);
    const changed = [...this.listen ? ["PORT"] : [], ...options, ...this.changed];
    const parts = [
      part("added", this.added),
      part("removed", this.removed),
      part("changed", changed),
      ...this.reordered ? ["servers in another order"] : [],
    ];
    return parts.filter((each) => each !== "").join("; ") || "nothing has changed";
  }
}

function byName(backends: readonly BackendSettings[]): ReadonlyMap<string, BackendSettings> {
  return new Map(backends.map((each) => [formatAddress(each.address), each]));
}

/** What is the same for the same value of a setting. Where one has a value that depends on another, both count. */
function identity(config: Config, setting: Setting): unknown {
  if (setting === "trustProxy") return config.trustProxy.text;
  if (setting === "admin") return config.admin === null ? null : formatAddress(config.admin);
  if (setting !== "idleTimeoutMs") return config[setting];
  return `${config.idleTimeoutMs} ${config.upgradedIdleTimeoutMs}`;
}

function settingsText(servers: ReadonlyMap<string, BackendSettings>, name: string): string {
  const { address: _address, ...settings } = servers.get(name) ?? { address: null };
  return Object.entries(settings).sort(([one], [other]) => one < other ? -1 : 1).join(";");
}

function part(what: string, names: readonly string[]): string {
  if (names.length === 0) return "";
  const more = names.length > NAMES_MAX ? ` and ${names.length - NAMES_MAX} more` : "";
  return `${what} ${names.slice(0, NAMES_MAX).join(", ")}${more}`;
}
