/**
 * One backend: its address, its settings, its state and its counters. Only the pool and the leases
 * that it gives out change it.
 */
import { type Address, formatAddress } from "./address.ts";
import type { Ejection } from "./ejection.ts";
import { ENDINGS } from "./ending.ts";
import { type CountMark, EntryCount } from "./entry_count.ts";
import { Health, type HealthOptions, type Observation } from "./health.ts";
import { Histogram } from "./histogram.ts";
import { Latency } from "./latency.ts";
import type { LeaseEnd } from "./lease.ts";
import { type Hash, hash64 } from "./policy/hash.ts";
import type { Candidate } from "./policy/mod.ts";
import { ProbeCounts } from "./probe_counts.ts";
import type { SlowStart } from "./slow_start.ts";

/** What is set for one backend. */
export interface BackendSettings {
  /** Where it listens. */
  readonly address: Address;
  /** Its share compared with others. */
  readonly weight: number;
  /** The most connections that it is given at once; Infinity: no bound. */
  readonly max: number;
  /** Is it used only when no other is ready? */
  readonly backup: boolean;
}

/** How backends are judged and brought back; the same for all. */
export interface BackendTuning extends HealthOptions {
  /** Clients failed in a row that eject a backend; 0: none do. */
  readonly ejectAfter: number;
  /** How long a backend that came back takes to get its whole share, in milliseconds; 0: no time. */
  readonly slowStartMs: number;
}

/** What a backend is made of. */
export interface BackendOptions extends BackendSettings, HealthOptions {
  /** Its place on the command line, from 0. */
  readonly order: number;
  /** What its clients say of it. */
  readonly ejection: Ejection;
  /** How it takes up its share. */
  readonly slowStart: SlowStart;
  /** The time, in milliseconds. */
  readonly now: () => number;
}

/**
 * May clients be sent there? `ready`: yes. `down`: not before it is seen to work. `draining`: no new
 * ones; those that it has may finish. `disabled`: no, and it is not checked either.
 */
export type BackendState = "ready" | "down" | "draining" | "disabled";

/** May clients be sent to a backend, and why or why not? */
export interface Judgement {
  /** May they? */
  readonly state: BackendState;
  /** Why, in words that a person can act on. */
  readonly reason: string;
}

/** The state of a backend, why and since when. */
export interface Standing extends Judgement {
  /** Since when, on the backend's clock, in milliseconds. */
  readonly sinceMs: number;
}

/** A server that clients are sent to. */
export class Backend implements Candidate {
  /** Where it listens. */
  readonly address: Address;
  /** Its address as text, for logs. */
  readonly name: string;
  /** Of its name. */
  readonly hash: Hash;
  /** Its place on the command line, from 0. */
  order: number;
  /** Its share compared with others. */
  weight: number;
  /** The most connections that it is given at once. */
  max: number;
  /** Is it used only when no other is ready? */
  backup: boolean;
  /** What checks and connections say of it. */
  readonly health: Health;
  /** What its clients say of it. */
  readonly ejection: Ejection;
  /** How it takes up its share when it comes back. */
  readonly slowStart: SlowStart;
  /** How long clients wait for the first byte of its answers, connecting included. */
  readonly latency: Latency = new Latency();
  /** The time, in milliseconds. */
  readonly now: () => number;

  /** Errors as last probed. */
  errors = 0;
  /** Connections that were given to it and have not ended. */
  inFlight = 0;
  /** Connections that were given to it since the start, failed ones included. */
  leased = 0;
  /** Connections that it did not take, or dropped before its first byte. */
  failures = 0;
  /** Bytes of ended connections that clients sent to it. */
  bytesUp = 0;
  /** Bytes of ended connections that it sent to clients. */
  bytesDown = 0;
  /** How many passages that it had last ended in which way, by the place of the ending. */
  readonly endings: Float64Array = new Float64Array(ENDINGS.length);
  /** From the arrival of its clients, or requests, to the first byte of its answers. */
  readonly answered: Histogram = new Histogram();
  /** What became of its probes. */
  readonly probes: ProbeCounts = new ProbeCounts();
  /** How often its state changed, the first time included that it was ready. */
  stateChanges = 0;

  readonly #count = new EntryCount();
  /** What people have set, which goes before what is seen. */
  #steered: Judgement | null = null;
  #standing: Standing;

  /** A backend of which nothing is known yet. */
  constructor(options: BackendOptions) {
    this.address = options.address;
    this.name = formatAddress(options.address);
    this.hash = hash64(this.name);
    this.order = options.order;
    this.weight = options.weight;
    this.max = options.max;
    this.backup = options.backup;
    this.ejection = options.ejection;
    this.slowStart = options.slowStart;
    this.now = options.now;
    this.health = new Health(options, options.now());
    this.#standing = { ...this.#judge(), sinceMs: options.now() };
  }

  /** May clients be sent there? */
  get state(): BackendState {
    return this.#standing.state;
  }

  /** Its state, why and since when. */
  get standing(): Standing {
    return { ...this.#standing, ...this.#judge() };
  }

  /** Its entries as last probed, plus what was sent to it since. */
  get entries(): number {
    return this.#count.entries;
  }

  /** Its latency as a moving average, in milliseconds; 0 while it is not known. */
  get latencyMs(): number {
    return this.latency.at(this.now());
  }

  /** Is it at the most connections that it may have? */
  get full(): boolean {
    return this.inFlight >= this.max;
  }

  /** Is it worth another look soon? */
  get inDoubt(): boolean {
    return this.#steered === null && this.health.inDoubt;
  }

  /** Takes over how it is judged and brought back from now on. */
  tune(tuning: BackendTuning): void {
    this.health.set(tuning);
    this.ejection.set(tuning.ejectAfter);
    this.slowStart.set(tuning.slowStartMs);
  }

  /** Takes over new settings; the address stays. */
  set(settings: Omit<BackendSettings, "address">, order: number): void {
    this.weight = settings.weight;
    this.max = settings.max;
    this.backup = settings.backup;
    this.order = order;
  }

  /** Takes in what was seen of it; true when that changed its state, or was the first to be seen. */
  observe(observation: Observation): boolean {
    const first = !this.health.isKnown && this.#steered === null;
    this.health.observe(observation, this.now());
    return this.#settle() || first;
  }

  /** Takes it out of use by hand, or puts it back; true when that changed its state. */
  steer(to: "draining" | "disabled" | "enabled", reason = ""): boolean {
    this.#steered = to === "enabled" ? null : { state: to, reason };
    return this.#settle();
  }

  /** Takes it out of use for a while, for what its clients say; true when that changed its state. */
  eject(): boolean {
    this.ejection.eject(this.now());
    return this.#settle();
  }

  /** Ends its ejection, if there is one; true when that changed its state. */
  endEjection(): boolean {
    this.ejection.end(this.now());
    return this.#settle();
  }

  /** What {@linkcode counted} needs to know about the moment when a probe set out. */
  mark(): CountMark {
    return this.#count.mark(this.health.state === "down");
  }

  /**
   * Takes in the counts that a probe brought back. A count that went backwards is a restart: the
   * backend goes on level with the least of the others.
   * @param leastOfOthers the fewest {@linkcode entries} of one unit of weight among the others that
   * are ready, or null.
   */
  counted(
    counts: { readonly entries: number; readonly errors: number },
    mark: CountMark,
    leastOfOthers: number | null,
  ): void {
    this.#count.counted(counts.entries, mark, this.#level(leastOfOthers));
    this.errors = counts.errors;
  }

  /** Goes on level with the least of the others, if it is below them. */
  raise(leastOfOthers: number | null): void {
    this.#count.raise(this.#level(leastOfOthers));
  }

  /** Counts a connection that is given to it; returns what {@linkcode ended} wants back. */
  begin(): number {
    this.leased++;
    this.inFlight++;
    return this.#count.begin();
  }

  /** Counts the end of a connection. */
  ended(how: LeaseEnd, epoch: number): void {
    this.inFlight--;
    if (how === "failed" || how === "refused") this.failures++;
    this.#count.ended(how, epoch);
  }

  #level(leastOfOthers: number | null): number {
    return Math.round((leastOfOthers ?? 0) * this.weight);
  }

  /** Takes over the state that follows from what is known; true when it is another. */
  #settle(): boolean {
    const { state, sinceMs } = this.#standing;
    const judgement = this.#judge();
    const changed = judgement.state !== state;
    if (changed) this.stateChanges++;
    this.#standing = { ...judgement, sinceMs: changed ? this.now() : sinceMs };
    return changed;
  }

  #judge(): Judgement {
    if (this.#steered !== null) return this.#steered;
    const { state, reason } = this.health;
    if (state === "down" || !this.ejection.ejected) return { state, reason };
    return { state: "down", reason: this.ejection.reason(this.now()) };
  }
}
