/**
 * How all stands, as GET /status tells it: the types are its documentation, and `schema` changes
 * when something that was there means something else or is gone. Made from a snapshot; pure.
 */
import { formatAddress } from "../address.ts";
import type { BackendState } from "../backend.ts";
import type { BackendSnapshot, UnresolvedSnapshot } from "../backend_snapshot.ts";
import type { BalancerState } from "../balancer.ts";
import type { Config } from "../config.ts";
import type { Mode } from "../options.ts";
import type { PolicyName } from "../policy/mod.ts";
import type { History } from "./history.ts";
import type { Rates } from "./meter.ts";
import type { Steerable, SteerableSnapshot } from "./steerable.ts";

/** The version of the schema. What is only added does not change it. */
export const SCHEMA = 1;

/** GET /status. */
export interface Status {
  /** The version of this schema. */
  readonly schema: typeof SCHEMA;
  /** The version of the balancer. */
  readonly version: string;
  /** `starting`: clients wait for the first round of checks; `draining`: it was told to stop. */
  readonly state: BalancerState;
  /** How clients are carried. */
  readonly mode: Mode;
  /** How a backend is chosen. */
  readonly policy: PolicyName;
  /** Where clients come in. */
  readonly listen: string;
  /** Since when it runs: ISO 8601, in UTC. */
  readonly startedAt: string;
  /** For how long it has run, in seconds. */
  readonly uptimeSeconds: number;
  /** How many clients are where. */
  readonly clients: ClientsStatus;
  /** What became of all clients, or in http mode requests, of the last five seconds. */
  readonly total: Rates;
  /** The backends, in the order given; behind them those that were removed and still serve. */
  readonly backends: readonly BackendStatus[];
  /** The servers that are no backend, because their names have no address. */
  readonly unresolved: readonly UnresolvedStatus[];
}

/** How many clients are where. */
export interface ClientsStatus {
  /** Connections accepted since the start. */
  readonly accepted: number;
  /** Clients, or in http mode requests, that are carried right now. */
  readonly carried: number;
  /** Those that wait for a bridge, or for a backend with room. */
  readonly waiting: number;
  /** Those that have been served or turned away, and have not closed yet. */
  readonly lingering: number;
  /** Those turned away since the start because too many waited, or one for too long. */
  readonly turnedAway: number;
}

/** One backend; its rates and times are those of the last five seconds. */
export interface BackendStatus extends Rates {
  /** Its address, by which it is steered. */
  readonly name: string;
  /** `ready`, `down`, `draining` or `disabled`. */
  readonly state: BackendState;
  /** Why, in words for people. */
  readonly reason: string;
  /** Since when it is in that state: ISO 8601, in UTC. */
  readonly since: string;
  /** Its share compared with others. */
  readonly weight: number;
  /** The most connections that it is given at once; null: no bound. */
  readonly max: number | null;
  /** Is it used only when no other is ready? */
  readonly backup: boolean;
  /** Its entries as last probed, plus what was sent to it since. */
  readonly entries: number;
  /** Its errors as last probed. */
  readonly errors: number;
  /** Connections, or in http mode requests, that it serves right now. */
  readonly inFlight: number;
  /** Those that were given to it since the start, failed ones included. */
  readonly leased: number;
  /** Those that it did not take, or dropped before its first byte. */
  readonly failures: number;
  /** Bytes of ended connections that clients sent to it. */
  readonly bytesUp: number;
  /** Bytes of ended connections that it sent to clients. */
  readonly bytesDown: number;
}

/** A server whose name has no address. */
export interface UnresolvedStatus {
  /** Its name and port, by which it is steered. */
  readonly name: string;
  /** Why it has none, in words for people. */
  readonly reason: string;
  /** Since when it has been looked up: ISO 8601, in UTC. */
  readonly since: string;
}

/** What is told of a backend besides its snapshot. */
export interface BackendSource {
  /** A time of the backends' clock as people write it. */
  readonly iso: (ms: number) => string;
  /** The last seconds. */
  readonly history: Pick<History, "rates" | "ratesOf">;
}

/** What a status is made from. */
export interface StatusSource extends BackendSource {
  /** The settings it was started with. */
  readonly config: Config;
  /** The version of the balancer. */
  readonly version: string;
  /** The balancer; null: it is not there yet. */
  readonly balancer: Steerable | null;
  /** When it was started, on the clock below. */
  readonly startedMs: number;
  /** The time, on the clock of the backends, in milliseconds. */
  readonly nowMs: number;
}

/** How all stands. */
export function statusOf(source: StatusSource): Status {
  const { balancer, version, startedMs, nowMs, iso, history } = source;
  const { mode, policy, listen } = balancer?.config ?? source.config;
  const { accepted, carried, waiting, lingering, turnedAway, state, backends, unresolved } =
    balancer?.snapshot() ?? NOT_THERE;
  return {
    schema: SCHEMA,
    version,
    state,
    mode,
    policy,
    listen: formatAddress(balancer?.address ?? listen),
    startedAt: iso(startedMs),
    uptimeSeconds: Math.floor((nowMs - startedMs) / 1000),
    clients: { accepted, carried, waiting, lingering, turnedAway },
    total: history.rates,
    backends: backends.map((backend) => backendStatus(backend, source)),
    unresolved: unresolved.map((server) => unresolvedStatus(server, source)),
  };
}

/** How one backend stands. */
export function backendStatus(
  snapshot: BackendSnapshot,
  { iso, history }: BackendSource,
): BackendStatus {
  const { name, state, reason, sinceMs, weight, max, backup } = snapshot;
  const { entries, errors, inFlight, leased, failures, bytesUp, bytesDown } = snapshot;
  return {
    name,
    state,
    reason,
    since: iso(sinceMs),
    weight,
    max: max === Infinity ? null : max, // JSON has no word for it.
    backup,
    entries,
    errors,
    inFlight,
    leased,
    failures,
    ...history.ratesOf(name),
    bytesUp,
    bytesDown,
  };
}

/** How a server stands whose name has no address. */
export function unresolvedStatus(
  { name, reason, sinceMs }: UnresolvedSnapshot,
  { iso }: Pick<BackendSource, "iso">,
): UnresolvedStatus {
  return { name, reason, since: iso(sinceMs) };
}

/** Why no clients should be sent here, in words for people; null: they should. */
export function whyNotReady(balancer: Steerable | null): string | null {
  const { state, backends, unresolved } = balancer?.snapshot() ?? NOT_THERE;
  if (state === "starting") return "starting: the first round of checks is not over";
  if (state === "draining") return "draining: it was told to stop";
  if (backends.some((backend) => backend.state === "ready")) return null;
  const counts = (["down", "draining", "disabled"] as const).map((each) =>
    [each, backends.filter((backend) => backend.state === each).length] as const
  );
  const words = [...counts, ["unresolved", unresolved.length] as const]
    .filter(([, count]) => count > 0)
    .map(([each, count]) => `${count} ${each}`);
  return `no server is ready: ${words.join(", ")}`;
}

const NOT_THERE: SteerableSnapshot = {
  state: "starting",
  accepted: 0,
  carried: 0,
  waiting: 0,
  lingering: 0,
  turnedAway: 0,
  backends: [],
  unresolved: [],
};
