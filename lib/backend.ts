/**
 * One backend: its address, its health, its counters; and the lease, the right to use it.
 * Only the pool changes it.
 */
import { type Address, formatAddress } from "./address.ts";
import { Health, type HealthOptions } from "./health.ts";
import { Latency } from "./latency.ts";
import { type Hash, hash64 } from "./policy/hash.ts";
import type { Candidate } from "./policy/mod.ts";

/** The moment when a probe set out. */
export interface CountMark {
  /** Sent to the backend since its count was last read; it is in the new count. */
  readonly sent: number;
  /** What of that it has served, for certain after its count was last read. */
  readonly served: number;
  /** Was it down? */
  readonly wasDown: boolean;
}

/**
 * What became of a lease: the backend `served` it, that is, began an answer; it `failed` it after it
 * had taken the connection; it `refused` the connection; it was never asked, through no fault of its
 * own (`unasked`); or it was `asked`, and the client left without an answer.
 */
export type LeaseEnd = "served" | "failed" | "refused" | "unasked" | "asked";

/** What is set for one backend. */
export interface BackendSettings {
  /** Where it listens. */
  readonly address: Address;
  /** Its share compared with others. */
  readonly weight: number;
}

/** What a backend is made of. */
export interface BackendOptions extends BackendSettings, HealthOptions {
  /** Its place on the command line, from 0. */
  readonly order: number;
  /** The time, in milliseconds. */
  readonly now: () => number;
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
  readonly order: number;
  /** Its share compared with others. */
  readonly weight: number;
  /** Whether clients may be sent there. */
  readonly health: Health;
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

  #probedEntries = -1;
  /** Added to its own count after a restart, so that it does not draw all traffic. */
  #levelling = 0;
  /** Since its count was last read: what was sent to it, and what of that it has served. */
  #sent = 0;
  #served = 0;
  /** Grows with each mark and each count: leases of an earlier one are settled by the counts. */
  #epoch = 0;

  /** A backend of which nothing is known yet. */
  constructor(options: BackendOptions) {
    this.address = options.address;
    this.name = formatAddress(options.address);
    this.hash = hash64(this.name);
    this.order = options.order;
    this.weight = options.weight;
    this.now = options.now;
    this.health = new Health(options, options.now());
  }

  /** Its entries as last probed, plus what was sent to it since. */
  get entries(): number {
    return Math.max(0, this.#probedEntries) + this.#levelling + this.#sent;
  }

  /** Its latency as a moving average, in milliseconds; 0 while it is not known. */
  get latencyMs(): number {
    return this.latency.at(this.now());
  }

  /** What {@linkcode counted} needs to know about the moment when a probe set out. */
  mark(): CountMark {
    this.#epoch++;
    return { sent: this.#sent, served: this.#served, wasDown: this.health.state === "down" };
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
    // What it has served since is in its count for certain only if it was down in between.
    const least = this.#probedEntries + (mark.wasDown ? mark.served : 0);
    if (counts.entries < least) {
      const level = Math.round((leastOfOthers ?? 0) * this.weight);
      this.#levelling = Math.max(0, level - counts.entries);
    }
    this.#probedEntries = counts.entries;
    this.errors = counts.errors;
    this.#sent -= mark.sent;
    this.#served = 0;
    this.#epoch++;
  }

  /** Counts a connection that is given to it; returns what {@linkcode end} wants back. */
  begin(): number {
    this.leased++;
    this.inFlight++;
    this.#sent++;
    return this.#epoch;
  }

  /** Counts the end of a connection. */
  end(how: LeaseEnd, epoch: number): void {
    this.inFlight--;
    if (how === "failed" || how === "refused") this.failures++;
    if (epoch !== this.#epoch) return;
    if (how === "served") this.#served++;
    // What failed after the connect stays counted: a backend that fails must not look idle.
    if (how === "refused" || how === "unasked") this.#sent--;
  }
}

/**
 * The right to use a backend, counted from `pool.acquire` until it is disposed of. Who uses it tells
 * how far it got, from which follows the backend's latency.
 */
export class Lease implements Disposable {
  /** The backend that was picked. */
  readonly backend: Backend;
  /** What is to be counted at the end. */
  end: LeaseEnd = "asked";
  readonly #epoch: number;
  #held = true;
  /** Since when the client waits for the backend. */
  #sinceMs: number;
  #connectMs = 0;
  /** Was a request sent that is not answered? */
  #owed = false;
  #dropped = false;

  /** Counts at once, so that the next choice sees it. */
  constructor(backend: Backend) {
    this.backend = backend;
    this.#epoch = backend.begin();
    this.#sinceMs = backend.now();
  }

  /** There is a connection. A client that is slow to speak is not waiting from here on. */
  connected(): void {
    const nowMs = this.backend.now();
    this.#connectMs = nowMs - this.#sinceMs;
    this.#sinceMs = nowMs;
  }

  /** The first bytes of the client are on their way. */
  asked(): void {
    this.#sinceMs = this.backend.now();
    this.#owed = true;
  }

  /** The first bytes of the answer are here. */
  answered(): void {
    this.#owed = false;
    const nowMs = this.backend.now();
    this.backend.latency.answered(this.#waitedMs(nowMs), nowMs);
  }

  /** The backend ended before its first byte. That is not to look like a fast answer. */
  dropped(): void {
    this.#dropped = true;
  }

  /** Gives the lease back. A second time does nothing. */
  [Symbol.dispose](): void {
    if (!this.#held) return;
    this.#held = false;
    this.backend.end(this.end, this.#epoch);
    const failed = this.end === "failed" || this.end === "refused" || this.#dropped;
    if (failed || this.#owed) this.#tellNoAnswer(failed ? "failed" : "unanswered");
  }

  #tellNoAnswer(how: "failed" | "unanswered"): void {
    const nowMs = this.backend.now();
    this.backend.latency[how](this.#waitedMs(nowMs), nowMs);
  }

  #waitedMs(nowMs: number): number {
    return this.#connectMs + nowMs - this.#sinceMs;
  }
}
