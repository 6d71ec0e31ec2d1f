/**
 * One backend: its address, its health, its counters; and the lease, the right to use it.
 * Only the pool changes it.
 */
import { type Address, formatAddress } from "./address.ts";
import { Health, type HealthOptions } from "./health.ts";
import type { Candidate } from "./policy/mod.ts";

/** The moment when a probe set out. */
export interface CountMark {
  /** Sent to the backend since its count was last asked for; it is in the new count. */
  readonly sent: number;
  /** What of that it has served. */
  readonly served: number;
  /** Was it down? */
  readonly wasDown: boolean;
}

/** A server that clients are sent to. */
export class Backend implements Candidate {
  /** Where it listens. */
  readonly address: Address;
  /** Its address as text, for logs. */
  readonly name: string;
  /** Its place on the command line, from 0. */
  readonly order: number;
  /** Its share compared with others. */
  readonly weight = 1;
  /** Whether clients may be sent there. */
  readonly health: Health;

  /** Errors as last probed. */
  errors = 0;
  /** Connections that were given to it and have not ended. */
  inFlight = 0;
  /** Connections that were given to it since the start, failed ones included. */
  leased = 0;
  /** Connections that it did not take, or dropped before its first byte. */
  failures = 0;

  #probedEntries = -1;
  /** Added to its own count after a restart, so that it does not draw all traffic. */
  #levelling = 0;
  /** Since its count was last asked for: what was sent to it, and what of that it has served. */
  #sent = 0;
  #served = 0;

  /** A backend of which nothing is known yet. */
  constructor(address: Address, order: number, options: HealthOptions, now: number) {
    this.address = address;
    this.name = formatAddress(address);
    this.order = order;
    this.health = new Health(options, now);
  }

  /** Its entries as last probed, plus what was sent to it since. */
  get entries(): number {
    return Math.max(0, this.#probedEntries) + this.#levelling + this.#sent;
  }

  /** What {@linkcode counted} needs to know about the moment when a probe set out. */
  mark(): CountMark {
    return { sent: this.#sent, served: this.#served, wasDown: this.health.state === "down" };
  }

  /**
   * Takes in the counts that a probe brought back. A count that went backwards is a restart: the
   * backend goes on level with the least of the others.
   * @param leastOfOthers the fewest {@linkcode entries} among the others that are ready, or null.
   */
  counted(
    counts: { readonly entries: number; readonly errors: number },
    mark: CountMark,
    leastOfOthers: number | null,
  ): void {
    // What it has served since is in its count for certain only if it was down in between.
    const least = this.#probedEntries + (mark.wasDown ? mark.served : 0);
    if (counts.entries < least) {
      this.#levelling = Math.max(0, (leastOfOthers ?? 0) - counts.entries);
    }
    this.#probedEntries = counts.entries;
    this.errors = counts.errors;
    this.#sent -= mark.sent;
    this.#served -= mark.served;
  }

  /** Counts a connection that is given to it. */
  begin(): void {
    this.leased++;
    this.inFlight++;
    this.#sent++;
  }

  /** Counts the end of a connection; `served` is false if the backend did not take it. */
  end(served: boolean): void {
    this.inFlight--;
    if (served) {
      this.#served++;
      return;
    }
    this.failures++;
    this.#sent = Math.max(0, this.#sent - 1);
  }
}

/** The right to use a backend, counted from `pool.acquire` until it is disposed of. */
export class Lease implements Disposable {
  /** The backend that was picked. */
  readonly backend: Backend;
  #served = true;
  #held = true;

  /** Counts at once, so that the next choice sees it. */
  constructor(backend: Backend) {
    this.backend = backend;
    backend.begin();
  }

  /** Says that the backend did not serve: it took no connection, or gave no answer. */
  failed(): void {
    this.#served = false;
  }

  /** Gives the lease back. A second time does nothing. */
  [Symbol.dispose](): void {
    if (!this.#held) return;
    this.#held = false;
    this.backend.end(this.#served);
  }
}
