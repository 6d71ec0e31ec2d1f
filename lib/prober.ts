/**
 * When to probe: every X milliseconds or every R requests, whichever comes first; and backends in
 * doubt (down, or failing just now) sooner than that. What a probe is and what comes of it is the
 * caller's.
 *
 * Invariants: rounds never overlap; at most one starts in {@linkcode ROUND_GAP_MS}; requests that
 * come during a round count toward the next; the data path never waits here, the first round aside.
 */
import type { Clock } from "./clock.ts";

/** The least time between the starts of two rounds, in milliseconds. */
export const ROUND_GAP_MS = 100;

/** What the prober is made of. `T` is a backend. */
export interface ProberOptions<T> {
  /** Whom to probe. */
  readonly backends: readonly T[];
  /** Probes one backend and takes in the result. Never rejects. */
  readonly probe: (backend: T) => Promise<void>;
  /** Is that backend worth another look soon? */
  readonly inDoubt: (backend: T) => boolean;
  /** Are there rounds over all backends, or only looks at those in doubt? */
  readonly rounds: boolean;
  /** X: the time from one round to the next, in milliseconds. */
  readonly intervalMs: number;
  /** R: how many requests call for a round; 0: rounds come by time alone. */
  readonly requests: number;
  /** The source of time. */
  readonly clock: Clock;
}

/** Runs the rounds. */
export class Prober<T> {
  readonly #options: ProberOptions<T>;
  #requests = 0;
  #round: Promise<void> | null = null;
  /** When the last round of any kind started. */
  #startedMs = -Infinity;
  /** When the last round over all backends started. */
  #fullStartedMs = -Infinity;
  /** When the last round of any kind ended. */
  #endedMs = -Infinity;
  #cancelTimer: (() => void) | null = null;
  #doubted: ReadonlySet<T> = new Set();
  #recheckMs = ROUND_GAP_MS;
  #state: "new" | "running" | "stopped" = "new";

  /** Nothing happens before {@linkcode start}. */
  constructor(options: ProberOptions<T>) {
    this.#options = options;
  }

  /** Runs the first round, and from then on by itself. Resolves when that round is over. */
  async start(): Promise<void> {
    if (this.#state !== "new") return;
    this.#state = "running";
    if (this.#options.rounds) await this.#run(this.#options.backends);
    else this.#schedule();
  }

  /** Counts one request. Called for each, so it is cheap. */
  request(): void {
    if (++this.#requests === this.#options.requests) this.#schedule();
  }

  /** Looks again at who is in doubt: a live connection has just failed. */
  doubt(): void {
    this.#schedule();
  }

  /** No more rounds. Resolves when the one under way is over. */
  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#cancelTimer?.();
    await this.#round;
  }

  /** Sets the one timer to the next round; called whenever something changed. */
  #schedule(): void {
    if (this.#round !== null || this.#state !== "running") return;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    const dueMs = Math.min(this.#fullDueMs(), this.#recheckDueMs());
    if (dueMs === Infinity) return;
    const delayMs = Math.max(dueMs, this.#startedMs + ROUND_GAP_MS) - this.#options.clock.now();
    if (delayMs > 0) this.#cancelTimer = this.#options.clock.after(delayMs, () => this.#schedule());
    else this.#runDue();
  }

  #runDue(): void {
    const { backends, inDoubt, clock } = this.#options;
    const full = this.#fullDueMs() <= clock.now();
    this.#run(full ? backends : backends.filter(inDoubt));
  }

  #fullDueMs(): number {
    const { rounds, requests, intervalMs } = this.#options;
    if (!rounds) return Infinity;
    const enough = requests > 0 && this.#requests >= requests;
    return enough ? -Infinity : this.#fullStartedMs + intervalMs;
  }

  /** Those in doubt are looked at again after 100 ms, 200, 400 and so on, up to X. */
  #recheckDueMs(): number {
    const { backends, inDoubt, intervalMs } = this.#options;
    const doubted = new Set(backends.filter(inDoubt));
    if (!doubted.isSubsetOf(this.#doubted)) this.#recheckMs = ROUND_GAP_MS;
    this.#doubted = doubted;
    this.#recheckMs = Math.min(this.#recheckMs, Math.max(intervalMs, ROUND_GAP_MS));
    return doubted.size === 0 ? Infinity : this.#endedMs + this.#recheckMs;
  }

  async #run(backends: readonly T[]): Promise<void> {
    const nowMs = this.#options.clock.now();
    this.#startedMs = nowMs;
    if (backends.length === this.#options.backends.length) {
      this.#fullStartedMs = nowMs;
      this.#requests = 0;
    }
    this.#recheckMs *= 2;
    this.#round = Promise.all(backends.map(this.#options.probe)).then(() => {
      this.#round = null;
      this.#endedMs = this.#options.clock.now();
      this.#schedule();
    });
    await this.#round;
  }
}
