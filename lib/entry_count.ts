/**
 * How many entries a backend has: as it counted itself when it was last probed, plus what was sent
 * to it since. The load of a backend as `least-entries` sees it. Pure; used by the backend.
 */

/** The moment when a probe set out. */
export interface CountMark {
  /** Sent to the backend since its count was last read; it is in the new count. */
  readonly sent: number;
  /** What of that it has served, for certain after its count was last read. */
  readonly served: number;
  /** Was it down? */
  readonly wasDown: boolean;
}

/** The count of one backend. */
export class EntryCount {
  #probed = -1;
  /** Added to its own count after a restart or an absence, so that it does not draw all traffic. */
  #levelling = 0;
  /** Since its count was last read: what was sent to it, and what of that it has served. */
  #sent = 0;
  #served = 0;
  /** Grows with each mark and each count: what was sent in an earlier one is settled by the counts. */
  #epoch = 0;

  /** As last probed, plus what was sent since. */
  get entries(): number {
    return Math.max(0, this.#probed) + this.#levelling + this.#sent;
  }

  /** What {@linkcode counted} needs to know about the moment when a probe set out. */
  mark(wasDown: boolean): CountMark {
    this.#epoch++;
    return { sent: this.#sent, served: this.#served, wasDown };
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

  /** Counts what is sent to it; returns what {@linkcode served} and {@linkcode unsent} want back. */
  sent(): number {
    this.#sent++;
    return this.#epoch;
  }

  /** It has served what was sent then. */
  served(epoch: number): void {
    if (epoch === this.#epoch) this.#served++;
  }

  /** What was counted as sent then never was. */
  unsent(epoch: number): void {
    if (epoch === this.#epoch) this.#sent--;
  }
}
