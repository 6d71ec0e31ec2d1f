/**
 * The pool: the backends and their state, in one place. The bridges take leases from it, the
 * prober reports to it; the two meet nowhere else.
 *
 * Invariants: filter, pick and count are one synchronous step, so a burst never sees stale
 * numbers; a policy only ever sees backends that may be used.
 */
import { Backend, type BackendSettings, type CountMark, Lease } from "./backend.ts";
import type { HealthOptions, HealthState, Observation } from "./health.ts";
import type { Policy, PolicyClient } from "./policy/mod.ts";

/** What a probe found out. */
export type ProbeResult =
  | {
    readonly ok: true;
    /** The backend's own counts, where the check reads them. */
    readonly counts?: { readonly entries: number; readonly errors: number };
  }
  | Extract<Observation, { ok: false }>;

/** What the pool is made of. */
export interface PoolOptions extends HealthOptions {
  /** The backends' settings, in the order given. */
  readonly backends: readonly BackendSettings[];
  /** How to choose. */
  readonly policy: Policy;
  /** The time, in milliseconds. */
  readonly now: () => number;
  /** Called when a backend's state flipped, or was learnt for the first time. */
  readonly onFlip: (backend: Backend) => void;
}

/** A backend as it stands, for people and tests. */
export interface BackendSnapshot {
  /** Its address as text. */
  readonly name: string;
  /** Its share compared with others. */
  readonly weight: number;
  /** May clients be sent there? */
  readonly state: HealthState;
  /** Why not; empty when it is ready. */
  readonly reason: string;
  /** Its entries as last probed, plus what was sent to it since. */
  readonly entries: number;
  /** Its errors as last probed. */
  readonly errors: number;
  /** Connections that it serves right now. */
  readonly inFlight: number;
  /** Connections that were given to it since the start, failed ones included. */
  readonly leased: number;
  /** Connections that it did not take, or dropped before its first byte. */
  readonly failures: number;
  /** Bytes of ended connections that clients sent to it. */
  readonly bytesUp: number;
  /** Bytes of ended connections that it sent to clients. */
  readonly bytesDown: number;
}

/** The backends and their state. */
export class Pool {
  /** All backends, in the order given. */
  readonly backends: readonly Backend[];
  readonly #policy: Policy;
  readonly #now: () => number;
  readonly #onFlip: (backend: Backend) => void;
  #ready: readonly Backend[] = [];

  /** A pool in which nothing is known of any backend, and so none is ready. */
  constructor(options: PoolOptions) {
    this.#policy = options.policy;
    this.#now = options.now;
    this.#onFlip = options.onFlip;
    const { fall, rise, now } = options;
    this.backends = options.backends.map((settings, order) =>
      new Backend({ ...settings, order, fall, rise, now })
    );
    this.#policy.prepare?.(this.backends);
  }

  /** How many backends may be used right now. */
  get readyCount(): number {
    return this.#ready.length;
  }

  /** Picks a ready backend that is not among those tried, and counts it; null if there is none. */
  acquire(client: PolicyClient, tried: readonly Backend[]): Lease | null {
    const candidates = tried.length === 0
      ? this.#ready
      : this.#ready.filter((backend) => !tried.includes(backend));
    return candidates.length === 0 ? null : new Lease(this.#policy.pick(candidates, client));
  }

  /** Takes in what a probe found out that set out at that mark. */
  probed(backend: Backend, result: ProbeResult, mark: CountMark): void {
    if (result.ok && result.counts !== undefined) {
      backend.counted(result.counts, mark, this.#leastEntriesBut(backend));
    }
    this.#observe(backend, result);
  }

  /** Takes a backend down because a client's connection to it failed just now. */
  connectFailed(backend: Backend, reason: string): void {
    this.#observe(backend, { ok: false, final: true, reason });
  }

  /** Takes every backend to be ready without a look at it. */
  trustAll(): void {
    for (const backend of this.backends) this.#observe(backend, { ok: true });
  }

  /** All backends as they stand. */
  snapshot(): BackendSnapshot[] {
    return this.backends.map((backend) => ({
      name: backend.name,
      weight: backend.weight,
      state: backend.health.state,
      reason: backend.health.reason,
      entries: backend.entries,
      errors: backend.errors,
      inFlight: backend.inFlight,
      leased: backend.leased,
      failures: backend.failures,
      bytesUp: backend.bytesUp,
      bytesDown: backend.bytesDown,
    }));
  }

  #observe(backend: Backend, observation: Observation): void {
    if (!backend.health.observe(observation, this.#now())) return;
    this.#ready = this.backends.filter((each) => each.health.state === "ready");
    this.#onFlip(backend);
  }

  /** The fewest entries of one unit of weight. */
  #leastEntriesBut(backend: Backend): number | null {
    const others = this.#ready.filter((each) => each !== backend);
    return others.length === 0
      ? null
      : Math.min(...others.map((each) => each.entries / each.weight));
  }
}
