/**
 * The pool: the backends and their state, in one place. The bridges take leases from it, the
 * prober reports to it; the two meet nowhere else.
 *
 * Invariants: filter, pick and count are one synchronous step, so a burst never sees stale
 * numbers; a policy only ever sees backends that may be used, and all of them are in the list that
 * it was prepared for.
 */
import { formatAddress } from "./address.ts";
import { Backend, type BackendSettings, type BackendState, type BackendTuning } from "./backend.ts";
import { type BackendSnapshot, snapshotOf } from "./backend_snapshot.ts";
import type { Clock } from "./clock.ts";
import { Ejection } from "./ejection.ts";
import type { CountMark } from "./entry_count.ts";
import type { Observation } from "./health.ts";
import { Lease } from "./lease.ts";
import type { Policy, PolicyClient } from "./policy/mod.ts";
import { SlowStart } from "./slow_start.ts";

/** What a probe found out. */
export type ProbeResult =
  | {
    readonly ok: true;
    /** The backend's own counts, where the check reads them. */
    readonly counts?: { readonly entries: number; readonly errors: number };
  }
  | Extract<Observation, { ok: false }>;

/** A client that wants a backend. */
export interface PoolClient extends PolicyClient {
  /** The backends that have failed it. */
  readonly tried: readonly Backend[];
  /** The backend that it comes back to, if that can take it. */
  readonly prefers?: Backend | null;
}

/** What people may do with a backend: let it finish what it has, use it no more, or use it again. */
export type Steer = Extract<BackendState, "draining" | "disabled"> | "enabled";

/** What people have done with a backend, and why. */
export interface Steered {
  /** What they have done. */
  readonly to: Steer;
  /** Why, in words for other people. */
  readonly reason: string;
}

/** A backend that the pool is to have. */
export interface WantedBackend extends BackendSettings {
  /** What it is steered to when it comes in; left out: it is not. */
  readonly steered?: Steered;
}

/** What the pool is made of. */
export interface PoolOptions extends BackendTuning {
  /** The backends' settings, in the order given. */
  readonly backends: readonly WantedBackend[];
  /** How to choose. */
  readonly policy: Policy;
  /** The source of time. */
  readonly clock: Clock;
  /** Numbers from 0 to just under 1, such as `Math.random`. */
  readonly random: () => number;
  /** Called when a backend's state changed, or was learnt for the first time. */
  readonly onState: (backend: Backend) => void;
  /** Called when a backend that was removed has ended its last connection. */
  readonly onGone: (backend: Backend) => void;
  /** Called when a backend that had as many connections as it may have has one fewer. */
  readonly onRoom?: () => void;
}

/** Why a backend is ready that nobody looked at. */
const TRUSTED = "it is taken on trust, without checks";
/** Why a backend drains that is no longer among those wanted. */
const REMOVED = "no longer among the servers";

/** The backends and their state. */
export class Pool implements Disposable {
  readonly #options: PoolOptions;
  #policy: Policy;
  #tuning: BackendTuning;
  /** Those wanted, in the order given, and behind them those that were removed and still serve. */
  #backends: readonly Backend[] = [];
  readonly #removed = new Set<Backend>();
  /** Those that are missing from the list and serve until the new ones were looked at. */
  #retiring: ReadonlySet<Backend> = new Set();
  /** Those in state ready. */
  #ready: readonly Backend[] = [];
  /** Of those the ones to pick from: no backups, unless there is nothing else. */
  #usable: readonly Backend[] = [];
  /** Must each pick look for bounds and ramps? */
  #hurdles = false;
  /** Is the first round of probes over? Whoever becomes ready later on starts slowly. */
  #open = false;
  /** What cancels the wake-up of a backend: the end of its ejection, or of its slow start. */
  readonly #wakeUps = new Map<Backend, () => void>();

  /** A pool in which nothing is known of any backend, and so none is ready. */
  constructor(options: PoolOptions) {
    this.#options = options;
    this.#policy = options.policy;
    this.#tuning = options;
    this.reconcile(options.backends);
  }

  /** All backends, in the order given; behind them those that were removed and still serve. */
  get backends(): readonly Backend[] {
    return this.#backends;
  }

  /** Those that are to be checked. One that drains may be wanted again. */
  get checked(): readonly Backend[] {
    return this.#backends.filter(({ state }) => state !== "disabled");
  }

  /** How many backends may be used right now. */
  get readyCount(): number {
    return this.#ready.length;
  }

  /** From now on whoever becomes ready starts slowly: the first look at all of them is over. */
  open(): void {
    this.#open = true;
  }

  /**
   * Picks a ready backend that is not among those tried, the one that the client prefers if it can
   * be had, and counts it; null if there is none.
   * `wait`: there are, but each has as many connections as it may have.
   */
  acquire(client: PoolClient): Lease | "wait" | null {
    const preferred = client.prefers ?? null;
    if (preferred !== null && this.#takes(preferred, client)) {
      return new Lease(preferred, this.#ended);
    }
    const candidates = this.#hurdles || client.tried.length > 0
      ? this.#narrowed(client.tried)
      : this.#usable;
    if (candidates === "wait") return candidates;
    if (candidates.length === 0) return null;
    const backend = this.#policy.pick(candidates, client);
    if (this.#hurdles) backend.slowStart.picked();
    return new Lease(backend, this.#ended);
  }

  /** Is there a backend for that client, with room or without? */
  offers({ tried }: PoolClient): boolean {
    return this.#ready.some((each) => !tried.includes(each));
  }

  /** Takes in what a probe found out that set out at that mark. */
  probed(backend: Backend, result: ProbeResult, mark: CountMark): void {
    if (result.ok && result.counts !== undefined) {
      backend.counted(result.counts, mark, this.#leastEntriesBut(backend));
    }
    this.#news(backend, backend.observe(result));
    if (backend.ejection.checked(backend.health.state === "ready")) this.#endEjection(backend);
    this.#retire();
  }

  /** Takes a backend down because a client's connection to it failed just now. */
  connectFailed(backend: Backend, reason: string): void {
    this.#news(backend, backend.observe({ ok: false, final: true, reason }));
  }

  /** Takes every backend of which nothing is known to be ready, without a look at it. */
  trustUnknown(): void {
    const unknown = this.#backends.filter(({ health }) => !health.isKnown);
    this.#tell(unknown.filter((backend) => backend.observe({ ok: true, reason: TRUSTED })));
    this.#retire();
  }

  /** Takes a backend out of use by hand, or puts it back; not one that was removed. */
  steer(backend: Backend, to: Steer, reason = ""): void {
    if (this.#removed.has(backend)) return;
    this.#news(backend, backend.steer(to, reason));
    this.#retire();
  }

  /** Takes over how backends are judged and, with a policy, how they are chosen. */
  tune(tuning: BackendTuning, policy: Policy | null = null): void {
    this.#tuning = tuning;
    for (const backend of this.#backends) backend.tune(tuning);
    if (policy !== null) this.#policy = policy;
    this.#settle([]);
    // Nobody stays out for a rule that is no more.
    if (tuning.ejectAfter === 0) {
      for (const backend of this.#backends) {
        this.#endEjection(backend);
      }
    }
  }

  /**
   * Takes over a list of backends: those that are new come in and are not ready before they were
   * looked at; those that stay keep all that is known of them, with new settings. Those that are
   * missing go on until all that are new were looked at, so that there is always somebody; then they
   * drain, and are gone after their last connection; where nobody at all is wanted (no name resolves,
   * say), they go on. Of two with one address the first counts.
   */
  reconcile(wanted: readonly WantedBackend[]): void {
    const known = new Map(this.#backends.map((backend) => [backend.name, backend]));
    const kept = new Map<string, Backend>();
    const news: Backend[] = [];
    for (const settings of wanted) {
      const name = formatAddress(settings.address);
      if (kept.has(name)) continue;
      const backend = known.get(name) ?? this.#make(settings, kept.size);
      backend.set(settings, kept.size);
      kept.set(name, backend);
      const comesIn = this.#removed.delete(backend) || !known.has(name);
      const { to, reason } = settings.steered ?? { to: "enabled", reason: "" };
      if (comesIn && backend.steer(to, reason)) news.push(backend);
    }
    const missing = this.#backends.filter(({ name }) => !kept.has(name));
    this.#backends = [...kept.values(), ...missing];
    this.#retiring = new Set(missing.filter((each) => !this.#removed.has(each)));
    this.#settle(news);
    this.#retire();
  }

  /** All backends as they stand. */
  snapshot(): BackendSnapshot[] {
    return this.#backends.map(snapshotOf);
  }

  /** Ejections and slow starts no longer come to an end. */
  [Symbol.dispose](): void {
    for (const cancel of this.#wakeUps.values()) cancel();
    this.#wakeUps.clear();
  }

  #make(settings: BackendSettings, order: number): Backend {
    const { random, clock } = this.#options;
    const { fall, rise, ejectAfter, slowStartMs } = this.#tuning;
    return new Backend({
      ...settings,
      order,
      fall,
      rise,
      ejection: new Ejection({ failuresMax: ejectAfter, random }),
      slowStart: new SlowStart(slowStartMs),
      now: () => clock.now(),
    });
  }

  /** Lets those that are missing from the list drain, if all others were looked at. */
  #retire(): void {
    const retiring = this.#retiring;
    if (retiring.size === 0) return;
    const isWanted = (each: Backend): boolean => !this.#removed.has(each) && !retiring.has(each);
    const isUnknown = ({ state, health }: Backend): boolean =>
      state !== "disabled" && !health.isKnown;
    if (!this.#backends.some(isWanted)) return;
    if (this.#backends.some((each) => isUnknown(each) && isWanted(each))) return;
    this.#retiring = new Set();
    for (const backend of retiring) this.#removed.add(backend);
    this.#settle([...retiring].filter((backend) => backend.steer("draining", REMOVED)));
    // Whoever was told just now may have ended the last connection of one.
    this.#forget([...retiring].filter((each) => each.inFlight === 0 && this.#removed.has(each)));
  }

  /** Makes the lists that clients are served from anew, and only then tells of those changes. */
  #settle(changed: readonly Backend[]): void {
    this.#policy.prepare?.(this.#backends.filter((each) => !this.#removed.has(each)));
    this.#sort();
    for (const backend of changed) this.#options.onState(backend);
  }

  #forget(gone: readonly Backend[]): void {
    const left = new Set(this.#backends).difference(new Set(gone));
    this.#backends = [...left];
    for (const backend of gone) {
      this.#removed.delete(backend);
      this.#wakeUps.get(backend)?.();
      this.#wakeUps.delete(backend);
      this.#options.onGone(backend);
    }
  }

  /** May that client be sent to that backend, whatever the policy? */
  #takes(backend: Backend, { tried }: PoolClient): boolean {
    return backend.state === "ready" && !backend.full && !tried.includes(backend);
  }

  /** Those that this client may be sent to now. */
  #narrowed(tried: readonly Backend[]): readonly Backend[] | "wait" {
    const group = tried.length === 0
      ? this.#usable
      : withoutBackups(this.#ready.filter((each) => !tried.includes(each)));
    const roomy = group.filter(({ full }) => !full);
    if (roomy.length === 0) return group.length === 0 ? group : "wait";
    const nowMs = this.#options.clock.now();
    const weight = group.reduce((sum, each) => sum + each.weight, 0);
    const due = roomy.filter((each) => each.slowStart.offer(each.weight / weight, nowMs));
    return due.length > 0 ? due : roomy;
  }

  readonly #ended = (lease: Lease): void => {
    const { backend, end } = lease;
    if (end === "failed" || end === "refused") this.#failed(lease);
    if (backend.inFlight === 0 && this.#removed.has(backend)) this.#forget([backend]);
    else if (backend.inFlight === backend.max - 1) this.#options.onRoom?.();
  };

  /** Ejects a backend that fails one client after the other, unless it is the last one ready. */
  #failed({ backend, reason, sinceMs }: Lease): void {
    const { ejection } = backend;
    if (!ejection.failed(reason, sinceMs)) return;
    if (!this.#ready.some((each) => each !== backend)) return;
    const isNews = backend.eject();
    this.#wakeUp(backend, ejection.untilMs, () => this.#endEjection(backend));
    this.#news(backend, isNews);
  }

  #endEjection(backend: Backend): void {
    this.#news(backend, backend.endEjection());
  }

  /** Takes in that a backend's state changed, if it did, and tells of it. */
  #news(backend: Backend, isNews: boolean): void {
    if (isNews) this.#tell([backend]);
  }

  /** Takes in that the states of these have changed, and tells of them. */
  #tell(changed: readonly Backend[]): void {
    if (changed.length === 0) return;
    for (const backend of changed) {
      if (this.#open && backend.state === "ready") this.#startSlowly(backend);
    }
    this.#sort();
    for (const backend of changed) this.#options.onState(backend);
  }

  #startSlowly(backend: Backend): void {
    const { clock } = this.#options;
    const { slowStartMs } = this.#tuning;
    if (slowStartMs === 0) return;
    const nowMs = clock.now();
    backend.slowStart.begin(nowMs);
    // Timers may be a little early, and it is to be over by then.
    this.#wakeUp(backend, nowMs + slowStartMs + 1, () => {
      // What it missed is not to come all at once now.
      backend.raise(this.#leastEntriesBut(backend));
      this.#sort();
    });
  }

  /** Calls back at that time, unless there is something new to wait for before it. */
  #wakeUp(backend: Backend, atMs: number, callback: () => void): void {
    const { clock } = this.#options;
    this.#wakeUps.get(backend)?.();
    const cancel = clock.after(atMs - clock.now(), () => {
      this.#wakeUps.delete(backend);
      callback();
    });
    this.#wakeUps.set(backend, cancel);
  }

  #sort(): void {
    const nowMs = this.#options.clock.now();
    this.#ready = this.#backends.filter(({ state }) => state === "ready");
    this.#usable = withoutBackups(this.#ready);
    this.#hurdles = this.#usable.some(({ max, slowStart }) =>
      max !== Infinity || slowStart.ramping(nowMs)
    );
    // With nobody else, one that fails clients at times is better than none.
    if (this.#ready.length === 0) {
      for (const backend of this.#backends) this.#endEjection(backend);
    }
  }

  /** The fewest entries of one unit of weight. */
  #leastEntriesBut(backend: Backend): number | null {
    const others = this.#ready.filter((each) => each !== backend);
    return others.length === 0
      ? null
      : Math.min(...others.map((each) => each.entries / each.weight));
  }
}

/** Those of them that are no backups; if there are none, all. */
function withoutBackups(backends: readonly Backend[]): readonly Backend[] {
  const primaries = backends.filter(({ backup }) => !backup);
  return primaries.length > 0 ? primaries : backends;
}
