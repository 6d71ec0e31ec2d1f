/**
 * The ejection of one backend by what its live clients see of it, as a pure state machine: clients
 * served and failed go in, "it is due" comes out. The pool asks, and decides, for it alone knows
 * whether others are ready. No I/O, no clock, no timer.
 *
 * Invariants: a client sent before the end of the last ejection tells of the time before it, and
 * counts neither for nor against the backend; an ejection ends by time or by the pool, by no client.
 */

/** How long ejections are meant to last, the first and the longest, in milliseconds. */
const EJECTION_MS = { first: 10_000, most: 300_000 } as const;
/** Up to this part is added or taken: backends are not to return, nor balancers to act, in step. */
const JITTER = 0.2;

/** When and how to eject. */
export interface EjectionOptions {
  /** Clients failed in a row that make a backend due for ejection; 0: none ever does. */
  readonly failuresMax: number;
  /** Numbers from 0 to just under 1, such as `Math.random`. */
  readonly random: () => number;
}

/** Whether one backend is ejected, and for how long. */
export class Ejection {
  readonly #random: () => number;
  #failuresMax: number;
  /** Clients failed in a row. Goes on over an ejection: only a client that is served ends it. */
  #failures = 0;
  /** How the last of them failed. */
  #failure = "";
  #untilMs = Infinity;
  /** Clients sent from then on count. While it is ejected: none. */
  #countsFromMs = -Infinity;
  /** How long the last ejection was to last. One cut short asks no less of the backend. */
  #lengthMs = 0;
  #nextMs: number = EJECTION_MS.first;
  /** Did it fail its checks since it was ejected? */
  #failedChecks = false;

  /** Not ejected, and with no failure yet. */
  constructor(options: EjectionOptions) {
    this.#random = options.random;
    this.#failuresMax = options.failuresMax;
  }

  /** Is it ejected? It stays so until {@linkcode end}. */
  get ejected(): boolean {
    return this.#untilMs !== Infinity;
  }

  /** When the ejection is over, in milliseconds; Infinity: there is none. */
  get untilMs(): number {
    return this.#untilMs;
  }

  /** Why it is ejected, and for how long from now; empty when it is not. */
  reason(nowMs: number): string {
    if (!this.ejected) return "";
    const clients = this.#failures === 1 ? "a client" : `${this.#failures} clients in a row`;
    const seconds = Math.max(0, Math.ceil((this.#untilMs - nowMs) / 1000));
    return `failed ${clients} (${this.#failure}); back in ${seconds}s`;
  }

  /** Takes over how many failures in a row make it due from now on; 0: none do. */
  set(failuresMax: number): void {
    this.#failuresMax = failuresMax;
  }

  /**
   * Takes in that it began to answer a client. Called for each, so it is cheap.
   * @param sentMs when that client was sent there.
   */
  served(sentMs: number): void {
    if (sentMs >= this.#countsFromMs) this.#failures = 0;
  }

  /**
   * Takes in that it failed a client: did not take it, or ended or was silent before its first byte.
   * True: it is due for ejection. If it is not ejected then, it is due at each further failure until
   * a client is served; after its return too, so that one client finds out that nothing is better,
   * and not as many as the first time.
   * @param reason how, in a few words.
   * @param sentMs when that client was sent there.
   */
  failed(reason: string, sentMs: number): boolean {
    if (sentMs < this.#countsFromMs) return false;
    const wellMs = sentMs - this.#countsFromMs;
    // Without a client served since its return it was not well but idle.
    if (this.#failures === 0 && wellMs >= this.#lengthMs) this.#nextMs = EJECTION_MS.first;
    this.#failures++;
    this.#failure = reason;
    return this.#failuresMax > 0 && this.#failures >= this.#failuresMax;
  }

  /**
   * Ejects a backend that is due: for 10 seconds give or take 2, then for twice as long each time,
   * up to 5 minutes give or take 1. That begins anew once the backend has served clients, without
   * another row of failures, for as long as its last ejection was to last. Does nothing when it is
   * ejected already.
   */
  eject(nowMs: number): void {
    if (this.ejected) return;
    this.#lengthMs = this.#nextMs * (1 + JITTER * (2 * this.#random() - 1));
    this.#nextMs = Math.min(2 * this.#nextMs, EJECTION_MS.most);
    this.#untilMs = nowMs + this.#lengthMs;
    this.#countsFromMs = Infinity;
  }

  /**
   * Takes in a check. True: it failed its checks since it was ejected and passes them again, so it
   * has been mended or started anew, and what was held against it is no longer true. (One that
   * passes them all the while is not better than it was.)
   */
  checked(passes: boolean): boolean {
    const mended = passes && this.#failedChecks;
    this.#failedChecks = this.ejected && !passes;
    return mended;
  }

  /** Ends the ejection: its time is over, it is mended, or nobody else is ready. */
  end(nowMs: number): void {
    if (!this.ejected) return;
    this.#untilMs = Infinity;
    this.#failedChecks = false;
    this.#countsFromMs = nowMs;
  }
}
