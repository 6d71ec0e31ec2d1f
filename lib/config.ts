/**
 * The configuration: what was given, as text, to one validated and frozen {@linkcode Config}. Pure.
 */
import {
  type Address,
  canonicalHost,
  formatAddress,
  isLoopback,
  isSame,
  parseAddress,
} from "./address.ts";
import type { BackendSettings } from "./backend.ts";
import { parseBackend } from "./backend_argument.ts";
import { ConfigError, quoted } from "./config_error.ts";
import type { Trusted } from "./http1/trusted.ts";
import {
  type Mode,
  type Option,
  optionName,
  OPTIONS,
  type Setting,
  type ValueOf,
} from "./options.ts";
import { POLICIES, type PolicyName } from "./policy/mod.ts";

/** The settings whose default depends on others. */
export type Dependent =
  | "policy"
  | "slowStartMs"
  | "idleTimeoutMs"
  | "trustProxy"
  | "sticky"
  | "stickyKey"
  | "admin"
  | "adminToken";

/** The values of all other settings. */
export type Values = { readonly [K in Exclude<Setting, Dependent>]: ValueOf<K> };

/** All settings, validated and frozen. Times are in milliseconds. */
export interface Config extends Values {
  /** The settings that were given; all others have their defaults. */
  readonly given: ReadonlySet<Setting>;
  /** Where clients come in. Port 0: any free one. */
  readonly listen: Address;
  /** The servers, in the order given; at least one. */
  readonly backends: readonly BackendSettings[];
  /** How a backend is chosen. */
  readonly policy: PolicyName;
  /** A connection without a byte for this long is closed. */
  readonly idleTimeoutMs: number;
  /** The same where a client and a backend have agreed on another protocol, in http mode. */
  readonly upgradedIdleTimeoutMs: number;
  /** Proxies whose word on those before them is taken. */
  readonly trustProxy: Trusted;
  /** The name of the cookie that brings clients back to their backend; null: there is none. */
  readonly sticky: string | null;
  /** What such cookies are signed with; null: a random key. */
  readonly stickyKey: string | null;
  /** Where it is looked at and steered; null: nowhere. Port 0: any free one. */
  readonly admin: Address | null;
  /** What has to be shown there for changes, and for reading from afar; null: nothing. */
  readonly adminToken: string | null;
  /** How long a backend that comes back takes to get its whole share; 0: no time. */
  readonly slowStartMs: number;
}

/** What a {@linkcode Config} is made from: text as typed. A setting left out has its default. */
export interface ConfigSource {
  /** PORT. */
  readonly listen: string;
  /** Each SERVER. */
  readonly backends: readonly string[];
  /** The options that were given. */
  readonly settings?: Readonly<Partial<Record<Setting, string>>>;
}

/** What was given in one place, such as the command line; what is left out was not given there. */
export type Given = Partial<ConfigSource>;

/** The most servers. */
export const BACKENDS_MAX = 10_000;
/** The default of --slow-start for policies that would rush to a backend that comes back. */
const SLOW_START_MS = 10_000;
/** The default of --idle-timeout. */
const IDLE_MS: Readonly<Record<Mode, number>> = { bridge: 600_000, tcp: 600_000, http: 60_000 };
/** The same for what has been upgraded: a WebSocket may be quiet for long. */
const UPGRADED_IDLE_MS = 600_000;
const TRUST_NOBODY: Trusted = { text: "", isTrusted: () => false };

/** Validates everything. Throws a {@linkcode ConfigError} at the first thing that is wrong. */
export function makeConfig(source: ConfigSource): Config {
  const config = readConfig(source);
  for (const contradiction of contradictions(config)) throw contradiction;
  return config;
}

/**
 * Reads each value by itself. Throws a {@linkcode ConfigError} at the first that cannot be read;
 * whether they go together is for {@linkcode contradictions} to say.
 */
export function readConfig(source: ConfigSource): Config {
  const settings = readSettings(source.settings ?? {});
  const policy = settings.policy ??
    (settings.health === "entries" ? "least-entries" : "round-robin");
  const config: Config = {
    ...settings,
    given: new Set(Object.keys(source.settings ?? {}) as Setting[]),
    policy,
    idleTimeoutMs: settings.idleTimeoutMs ?? IDLE_MS[settings.mode],
    upgradedIdleTimeoutMs: settings.idleTimeoutMs ?? UPGRADED_IDLE_MS,
    sticky: settings.sticky ?? null,
    stickyKey: settings.stickyKey ?? null,
    admin: settings.admin ?? null,
    adminToken: settings.adminToken ?? null,
    trustProxy: settings.trustProxy ?? TRUST_NOBODY,
    slowStartMs: settings.slowStartMs ?? (POLICIES[policy].rushes ? SLOW_START_MS : 0),
    listen: readArgument("PORT", source.listen, parseListen),
    backends: source.backends.map((text) => readArgument("SERVER", text, parseBackend)),
  };
  const parts = config.backends.flatMap((backend) => [backend, backend.address]);
  for (const part of [config, config.listen, config.admin, config.backends, ...parts]) {
    Object.freeze(part);
  }
  return config;
}

function readSettings(
  given: Readonly<Partial<Record<Setting, string>>>,
): Values & { readonly [K in Dependent]?: ValueOf<K> } {
  const entries = Object.entries(OPTIONS).map(([setting, option]: [string, Option<unknown>]) => {
    const text = given[setting as Setting];
    if (text === undefined && option.default === "") return [setting, undefined];
    try {
      return [setting, option.parse(text ?? option.default)];
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      const shown = option.secret === true ? "" : ` ${quoted(text ?? "")}`;
      throw new ConfigError(`${optionName(option)}${shown}`, error.message);
    }
  });
  return Object.fromEntries(entries);
}

function readArgument<T>(argument: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ConfigError(`${argument} ${quoted(text)}`, error.message);
  }
}

/** Reads PORT. Throws a `RangeError` that says what was expected. */
export function parseListen(text: string): Address {
  return parseAddress(text, { defaultHostname: "::", portMin: 0 });
}

/** What does not go together in a configuration. */
export function* contradictions(config: Config): Iterable<ConfigError> {
  yield* wrongBackends(config);
  yield* wrongAdmin(config);
  const { policy, health } = config;
  if (!POLICIES[policy].needsCounts || health === "entries") return;
  yield new ConfigError(
    `--policy ${policy}`,
    `needs the counts of --health entries, but --health is ${health}; ` +
      "expected another policy, such as round-robin",
    { subject: "policy" },
  );
}

/** What is wrong with the servers of a balancer that listens there. */
export function* wrongBackends(
  { listen, backends }: Pick<Config, "listen" | "backends">,
): Iterable<ConfigError> {
  if (backends.length === 0) yield new ConfigError("SERVER", "missing; expected at least one");
  if (backends.length > BACKENDS_MAX) {
    yield new ConfigError("SERVER", `expected at most ${BACKENDS_MAX} of them`);
  }
  const seen = new Set<string>();
  for (const [at, { address }] of backends.entries()) {
    const host = canonicalHost(address.hostname);
    const name = `${host} ${address.port}`;
    const argument = `SERVER ${formatAddress(address)}`;
    if (seen.has(name)) {
      yield new ConfigError(argument, "given twice; expected each once", {
        subject: at,
      });
    }
    seen.add(name);
    if (isSame(address, listen)) {
      yield new ConfigError(argument, "is this balancer itself; expected another port", {
        subject: at,
      });
    }
  }
}

function* wrongAdmin({ admin, adminToken, listen, backends }: Config): Iterable<ConfigError> {
  if (admin === null) return;
  const argument = `--admin ${formatAddress(admin)}`;
  if (adminToken === null && !isLoopback(admin.hostname)) {
    yield new ConfigError(
      argument,
      "is reached from other machines; expected --admin-token too, or an address of this machine " +
        `such as 127.0.0.1:${admin.port}`,
      { subject: "admin" },
    );
  }
  if (admin.port === 0) return;
  if (isSame(admin, listen) || isSame(listen, admin)) {
    yield new ConfigError(argument, "is where clients come in; expected another port", {
      subject: "admin",
    });
  }
  if (backends.some(({ address }) => isSame(address, admin))) {
    yield new ConfigError(argument, "is one of the servers; expected another port", {
      subject: "admin",
    });
  }
}
