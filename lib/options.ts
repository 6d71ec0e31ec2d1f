/**
 * The options: one table from which the command line and the configuration file are read, the help
 * and the README's table are printed, and in which every default and bound lives. Pure.
 */
import { ACCESS_LOG_FORMATS, type AccessLogFormat } from "./access_log.ts";
import { type Address, parseAddress } from "./address.ts";
import { isCookieName } from "./http1/sticky.ts";
import { parseTrusted } from "./http1/trusted.ts";
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from "./log.ts";
import { POLICIES, type PolicyName } from "./policy/mod.ts";
import type { ProbeKind } from "./probe.ts";
import { parseWholeNumber } from "./whole_number.ts";

/**
 * How clients are carried: by the connection, with HTTP's answers to a failure (`bridge`) or without a
 * word of HTTP (`tcp`); or request by request (`http`).
 */
export type Mode = "bridge" | "tcp" | "http";

/** How backends are checked. `off`: only those that failed a client, by connecting to them. */
export type HealthKind = ProbeKind | "off";

/**
 * What the values of an option are, for those who check them before they are read, such as editors.
 * A list is text with commas on the command line, and may be a list in the configuration file.
 */
export type Form =
  | { readonly kind: "count"; readonly min: number; readonly max: number }
  | { readonly kind: "duration" }
  | { readonly kind: "choice"; readonly choices: readonly string[] }
  | { readonly kind: "list" }
  | { readonly kind: "address" }
  | { readonly kind: "text" };

/** One option of the command line. */
export interface Option<T> {
  /** Its long name, without dashes. */
  readonly name: string;
  /** Its letter, where it has one. */
  readonly letter?: string;
  /** What its value is called in the help. */
  readonly value: string;
  /** Its default as it would be typed; empty where it depends on others. */
  readonly default: string;
  /** What it is set to where it is given alone, without a value; left out: it wants one. */
  readonly alone?: string;
  /** What it sets, in one line. */
  readonly help: string;
  /** What its values are; left out: text. */
  readonly form?: Form;
  /** Is its value nobody else's business, so that it is never printed? */
  readonly secret?: boolean;
  /** Reads a value. Throws a `RangeError` that says what was expected. */
  readonly parse: (text: string) => T;
}

/** Everything that can be set, by its name in {@linkcode Config}. The order is that of the help. */
export const OPTIONS = {
  parallel: count(1, 1_000_000, {
    name: "parallel",
    letter: "N",
    default: "1024",
    help: "bridges: clients carried at once",
  }),
  requests: count(0, 1_000_000_000, {
    name: "requests",
    letter: "R",
    default: "100",
    help: "probe the servers after every N requests (0: by time alone)",
  }),
  intervalMs: duration(100, {
    name: "interval",
    letter: "X",
    default: "3s",
    help: "probe the servers this often",
  }),
  mode: choice<Mode>(["bridge", "tcp", "http"], {
    name: "mode",
    default: "bridge",
    help: "bridge: HTTP, connection by connection; tcp: any protocol; http: request by request",
  }),
  policy: {
    ...choice<PolicyName>(Object.keys(POLICIES) as PolicyName[], {
      name: "policy",
      default: "",
      help: "how a server is chosen (least-entries with --health entries, else round-robin)",
    }),
    value: "NAME",
  },
  health: choice<HealthKind>(["entries", "http", "tcp", "off"], {
    name: "health",
    default: "entries",
    help: "how servers are checked: two counts, a status of 2xx or 3xx, a connection, not at all",
  }),
  healthPath: {
    name: "health-path",
    value: "PATH",
    default: "/healthcheck",
    help: "what --health entries and http ask for",
    parse: parsePath,
  },
  probeTimeoutMs: duration(10, {
    name: "probe-timeout",
    default: "2s",
    help: "a check that takes longer has failed",
  }),
  fall: count(1, 100, {
    name: "fall",
    default: "2",
    help: "failed checks in a row that take a server down (refusing takes it down at once)",
  }),
  rise: count(1, 100, {
    name: "rise",
    default: "1",
    help: "good checks in a row that bring it back",
  }),
  resolveMs: duration(1000, {
    name: "resolve",
    default: "30s",
    help: "look the names of servers up this often",
  }),
  ejectAfter: count(0, 1000, {
    name: "eject",
    default: "5",
    help: "clients failed in a row that take a server out for a while (0: never)",
  }),
  slowStartMs: duration(0, {
    name: "slow-start",
    default: "",
    help: "how long a server that comes back takes to get its share (10s by counts, else 0s)",
  }),
  connectTimeoutMs: duration(10, {
    name: "connect-timeout",
    default: "3s",
    help: "a server that takes longer to connect has failed",
  }),
  firstByteTimeoutMs: duration(10, {
    name: "first-byte-timeout",
    default: "60s",
    help: "how long a server may stay silent after a client's first request",
  }),
  idleTimeoutMs: duration(100, {
    name: "idle-timeout",
    default: "",
    help: "a connection without a byte for this long is closed (10m; in http mode 60s)",
  }),
  headTimeoutMs: duration(100, {
    name: "head-timeout",
    default: "10s",
    help: "how long a client may take to send the head of a request; in bridge mode its first byte",
  }),
  keepAliveTimeoutMs: duration(100, {
    name: "keep-alive-timeout",
    default: "60s",
    help: "http mode: how long a client may wait before its next request",
  }),
  backendKeepAliveMs: duration(0, {
    name: "backend-keep-alive",
    default: "4s",
    help: "http mode: how long a connection to a server is kept for the next request",
  }),
  trustProxy: {
    name: "trust-proxy",
    value: "LIST",
    default: "",
    help: "http mode: proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8,loopback",
    form: { kind: "list" },
    parse: parseTrusted,
  },
  sticky: {
    name: "sticky",
    value: "NAME",
    alone: "loadbalancer",
    default: "",
    help: "http mode: a cookie of that name brings a client back to its server",
    parse: parseCookieName,
  },
  stickyKey: {
    name: "sticky-key",
    value: "TEXT",
    default: "",
    help: "what such cookies are signed with (else a random key, new at each start)",
    secret: true,
    parse: parseKey,
  },
  compress: {
    ...choice<"on" | "off">(["on", "off"], {
      name: "compress",
      default: "off",
      help: "http mode: send text compressed (zstd, gzip or br) to those who take it",
    }),
    alone: "on",
  },
  lingerTimeoutMs: duration(100, {
    name: "linger-timeout",
    default: "5s",
    help: "how long a client may stay silent after the end of its answer",
  }),
  queueMax: count(0, 100_000, {
    name: "queue",
    default: "10000",
    help: "clients that may wait for a bridge; one more is turned away",
  }),
  queueTimeoutMs: duration(10, {
    name: "queue-timeout",
    default: "30s",
    help: "how long a client may wait for a bridge",
  }),
  drainDelayMs: duration(0, {
    name: "drain-delay",
    default: "0s",
    help: "how long it goes on accepting after SIGTERM or SIGINT, until others have noticed",
  }),
  drainTimeoutMs: duration(0, {
    name: "drain-timeout",
    default: "30s",
    help: "how long what runs may go on when it no longer accepts",
  }),
  admin: {
    name: "admin",
    value: "ADDRESS",
    default: "",
    help: "port for status and steering, of this machine only; others need --admin-token",
    form: { kind: "address" },
    parse: parseAdmin,
  },
  adminToken: {
    name: "admin-token",
    value: "TEXT",
    default: "",
    help: "16 to 1024 characters to show to --admin for changes; `ps` shows them: see --config",
    secret: true,
    parse: parseToken,
  },
  accessLog: choice<AccessLogFormat>(ACCESS_LOG_FORMATS, {
    name: "access-log",
    default: "off",
    help: "a line on stdout for each connection, or in http mode each request",
  }),
  logLevel: choice<LogLevel>(LOG_LEVELS, {
    name: "log-level",
    default: "info",
    help: "the least important lines that are logged",
  }),
  logFormat: choice<LogFormat>(LOG_FORMATS, {
    name: "log-format",
    default: "text",
    help: "lines for people, or one JSON object a line",
  }),
} as const;

/** The names of all settings. */
export type Setting = keyof typeof OPTIONS;

/** The value of each setting, as its option reads it. */
export type ValueOf<K extends Setting> = ReturnType<(typeof OPTIONS)[K]["parse"]>;

/** The settings in the order of the help. */
export const SETTINGS: readonly (readonly [Setting, Option<unknown>])[] = Object.entries(
  OPTIONS,
) as [Setting, Option<unknown>][];

/** How an option is named to people: `-N/--parallel`. */
export function optionName(option: Option<unknown>): string {
  return option.letter === undefined ? `--${option.name}` : `-${option.letter}/--${option.name}`;
}

type Described<T> = Omit<Option<T>, "parse" | "value">;

function count(min: number, max: number, option: Described<number>): Option<number> {
  const form = { kind: "count", min, max } as const;
  return { ...option, form, value: "N", parse: (text) => parseWholeNumber(text, { min, max }) };
}

/** A time as it is typed; what it may be is the option's. */
export const DURATION = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)$/;
const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const DURATION_MS_MAX = 24 * 3_600_000;

function duration(minMs: number, option: Described<number>): Option<number> {
  const parse = (text: string): number => {
    const [, number, unit = ""] = DURATION.exec(text) ?? [];
    const ms = number === undefined ? NaN : Number(number) * (UNITS_MS[unit] ?? NaN);
    if (ms >= minMs && ms <= DURATION_MS_MAX) return ms;
    throw new RangeError(
      `expected a time with its unit, such as 250ms, 3s or 10m, from ${minMs}ms to 24h`,
    );
  };
  return { ...option, form: { kind: "duration" }, value: "TIME", parse };
}

function choice<T extends string>(choices: readonly T[], option: Described<T>): Option<T> {
  const parse = (text: string): T => {
    const chosen = choices.find((each) => each === text);
    if (chosen !== undefined) return chosen;
    throw new RangeError(`expected ${choices.join(", ").replace(/, (?=[^,]*$)/, " or ")}`);
  };
  return { ...option, form: { kind: "choice", choices }, value: choices.join("|"), parse };
}

function parsePath(text: string): string {
  if (/^\/[\x21-\x7e]*$/.test(text) && text.length <= 2048) return text;
  throw new RangeError("expected a path that starts with a slash, without blanks");
}

function parseCookieName(text: string): string {
  if (isCookieName(text)) return text;
  throw new RangeError("expected the name of a cookie: letters, digits, - and _");
}

function parseKey(text: string): string {
  if (text.length >= 16) return text;
  throw new RangeError("expected at least 16 characters");
}

function parseAdmin(text: string): Address {
  return parseAddress(text, { defaultHostname: "127.0.0.1", portMin: 0 });
}

function parseToken(text: string): string {
  if (/^[\x21-\x7e]{16,1024}$/.test(text)) return text; // It stands in a header.
  throw new RangeError("expected 16 to 1024 characters of ASCII without blanks");
}
