/**
 * How many entries a backend has: as it counted itself when it was last probed, plus what was sent
 * to it that is not in that count. The load of a backend as `least-entries` sees it. Pure; used by
 * the backend.
 *
 * What has not ended when a probe sets out is taken not to be in its count: most servers count what
 * they have answered. One that counts earlier looks a little busier than it is, by what it has in
 * flight, which is no lie.
 */

import type { LeaseEnd } from "./lease.ts";

/** The moment when a probe set out. */
export interface CountMark {
  /** Sent to the backend since its count was last read, and ended: it is in the new count. */
  readonly sent: number;
  /** What of that it has served, for certain after its count was last read. */
  readonly served: number;
  /** Was it down? */
  readonly wasDown: boolean;
}

/** The count of one backend. */
export class EntryCount {
  #probed = -1;
  /** Added to its own count, so that a restart, an absence or failures do not draw all traffic. */
  #levelling = 0;
  /** What was sent to it that is not in its count. */
  #sent = 0;
  /** What of that has not ended. */
  #inFlight = 0;
  /** What was sent to it, and served, since its count was last read. */
  #served = 0;
  /** Grows with each mark and each count: what was sent in an earlier one may be in the count. */
  #epoch = 0;

  /** As last probed, plus what was sent since. */
  get entries(): number {
    return Math.max(0, this.#probed) + this.#levelling + this.#sent;
  }

  /** What {@linkcode counted} needs to know about the moment when a probe set out. */
  mark(wasDown: boolean): CountMark {
    this.#epoch++;
    return { sent: this.#sent - this.#inFlight, served: this.#served, wasDown };
  }

  /**
   * Takes in the count that a probe brought back. One that went backwards is a restart: it goes on
   * at `level`.
   */
  counted(entries: number, mark: CountMark, level: number): void {
    // What it has served since is in its count for certain only if it was down in between.
    const least = this.#probed + (mark.wasDown ? mark.served : 0);
    if (entries < least) this.#levelling = Math.max(0, level - entries);
    this.#probed = entries;
    this.#sent -= mark.sent;
    this.#served = 0;
    this.#epoch++;
  }

  /** Goes on at that level if it is below it. */
  raise(level: number): void {
    this.#levelling += Math.max(0, level - this.entries);
  }

  /** Counts what is sent to it; returns what {@linkcode ended} wants back. */
  begin(): number {
    this.#sent++;
    this.#inFlight++;
    return this.#epoch;
  }

  /** Takes in the end of what was sent then. */
  ended(how: LeaseEnd, epoch: number): void {
    this.#inFlight--;
    if (how === "served" && epoch === this.#epoch) this.#served++;
    if (how === "refused" || how === "unasked" || how === "failed") this.#sent--;
    // A backend that fails must not look idle, and many do not count what they fail.
    if (how === "failed") this.#levelling++;
  }
}
