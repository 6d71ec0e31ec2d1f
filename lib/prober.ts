/**
 * When to probe: every X milliseconds or every R requests, whichever comes first; and backends in
 * doubt (down, or failing just now) sooner than that. What a probe is and what comes of it is the
 * caller's.
 *
 * Nothing happens in step. X varies a little from round to round, so that several balancers do not
 * meet at the same backends for ever; and the probes of a round are spread, the more backends the
 * wider, over a tenth of X at most. Where somebody waits (those in doubt, the round that R requests
 * called for, the first one, which holds the clients of the start), that is no longer than the least
 * pause between two rounds; else it may be a second, and no more, because a doubt that comes meanwhile
 * waits for the end of the round.
 *
 * Invariants: rounds never overlap; at most one starts in {@linkcode ROUND_GAP_MS}; requests that
 * come during a round count toward the next, and backends that are added wait for it; the data path
 * never waits here, the first round aside.
 */
import type { Clock } from "./clock.ts";
import { ProbeRound, spreadMs } from "./probe_round.ts";

/** The least time between the starts of two rounds, in milliseconds; with many backends it is more. */
export const ROUND_GAP_MS = 100;

/** How far the time to the next round is from X, at most, as a share of X. */
const JITTER = 0.1;
/** The share of X over which the probes of a round are spread, at most. */
const SPREAD_SHARE = 0.1;
/** Over how long they are spread at most where nobody waits for the result, in milliseconds. */
const PATIENCE_MS = 1000;

/** What the prober is made of. `T` is a backend. */
export interface ProberOptions<T> {
  /** Whom to probe, as of now: read anew for each round, and before each probe that had to wait. */
  readonly backends: () => readonly T[];
  /** Probes one backend and takes in the result. Never rejects. */
  readonly probe: (backend: T) => Promise<void>;
  /** Is that backend worth another look soon? */
  readonly inDoubt: (backend: T) => boolean;
  /** Are there rounds over all backends, or only looks at those in doubt? */
  readonly rounds: boolean;
  /** X: the time from one round to the next, in milliseconds, give or take a tenth. */
  readonly intervalMs: number;
  /** R: how many requests call for a round; 0: rounds come by time alone. */
  readonly requests: number;
  /** Numbers from 0 to just under 1, such as `Math.random`. With 0.5, X is exactly X. */
  readonly random: () => number;
  /** The source of time. */
  readonly clock: Clock;
}

/** Runs the rounds. */
export class Prober<T> {
  readonly #options: ProberOptions<T>;
  #requests = 0;
  #round: ProbeRound<T> | null = null;
  /** X as drawn for the time after the last round over all backends. */
  #intervalMs: number;
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
    this.#intervalMs = options.intervalMs;
  }

  /** Runs the first round, and from then on by itself. Resolves when that round is over. */
  async start(): Promise<void> {
    if (this.#state !== "new") return;
    this.#state = "running";
    if (this.#options.rounds) await this.#run(this.#options.backends());
    else this.#schedule();
  }

  /** Counts one request. Called for each, so it is cheap. */
  request(): void {
    if (++this.#requests === this.#options.requests) this.#schedule();
  }

  /**
   * Looks again at who is in doubt: a live connection has just failed, or backends were added.
   * Whoever was not in doubt before is probed within {@linkcode ROUND_GAP_MS} and the spread, counted
   * from now or from the end of the round under way.
   */
  doubt(): void {
    this.#schedule();
  }

  /** No more rounds and probes. Resolves when the probes under way are over. */
  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#cancelTimer?.();
    await this.#round?.stop();
  }

  /** Sets the one timer to the next round; called whenever something changed. */
  #schedule(): void {
    if (this.#round !== null || this.#state !== "running") return;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    const dueMs = Math.min(this.#fullDueMs(), this.#recheckDueMs());
    if (dueMs === Infinity) return;
    const delayMs = Math.max(dueMs, this.#startedMs + this.#gapMs()) - this.#options.clock.now();
    if (delayMs > 0) this.#cancelTimer = this.#options.clock.after(delayMs, () => this.#schedule());
    else this.#runDue();
  }

  #runDue(): void {
    const { inDoubt, clock } = this.#options;
    const backends = this.#options.backends();
    const full = this.#fullDueMs() <= clock.now();
    this.#run(full ? backends : backends.filter(inDoubt));
  }

  /** A millisecond for each backend, so that there are no more probes than a thousand a second. */
  #gapMs(): number {
    return Math.max(ROUND_GAP_MS, this.#options.backends().length);
  }

  /** When the next round over all is due. -Infinity: it is the first, or R requests call for it. */
  #fullDueMs(): number {
    const { rounds, requests } = this.#options;
    if (!rounds) return Infinity;
    const enough = requests > 0 && this.#requests >= requests;
    return enough ? -Infinity : this.#fullStartedMs + this.#intervalMs;
  }

  /** Those in doubt are looked at again after 100 ms, 200, 400 and so on, up to X. */
  #recheckDueMs(): number {
    const { backends, inDoubt } = this.#options;
    const doubted = new Set(backends().filter(inDoubt));
    if (!doubted.isSubsetOf(this.#doubted)) this.#recheckMs = ROUND_GAP_MS;
    this.#doubted = doubted;
    this.#recheckMs = Math.min(this.#recheckMs, Math.max(this.#intervalMs, ROUND_GAP_MS));
    return doubted.size === 0 ? Infinity : this.#endedMs + this.#recheckMs;
  }

  async #run(backends: readonly T[]): Promise<void> {
    const { probe, random, clock } = this.#options;
    // Before the count begins anew: what the round is for decides how far it is spread.
    this.#round = new ProbeRound({
      backends,
      probe,
      spreadMs: this.#spread(backends),
      isWanted: (backend) => this.#options.backends().includes(backend),
      random,
      clock,
    });
    this.#startedMs = clock.now();
    if (backends.length === this.#options.backends().length) this.#beginFull();
    this.#recheckMs *= 2;
    await this.#round.run();
    this.#round = null;
    this.#endedMs = clock.now();
    this.#schedule();
  }

  /** Begins to count anew toward the next round over all. */
  #beginFull(): void {
    const { intervalMs, random } = this.#options;
    this.#fullStartedMs = this.#startedMs;
    this.#intervalMs = intervalMs * (1 + JITTER * (2 * random() - 1));
    this.#requests = 0;
  }

  /** Over how long the probe of each is spread: those in doubt by their own number, and not for long. */
  #spread(backends: readonly T[]): (backend: T) => number {
    const { inDoubt, intervalMs } = this.#options;
    const limitMs = SPREAD_SHARE * intervalMs;
    const soonMs = Math.min(ROUND_GAP_MS, limitMs);
    const laterMs = this.#fullDueMs() === -Infinity ? soonMs : Math.min(PATIENCE_MS, limitMs);
    const doubtedMs = spreadMs(backends.filter(inDoubt).length, soonMs);
    const othersMs = spreadMs(backends.length, laterMs);
    return (backend) => inDoubt(backend) ? doubtedMs : othersMs;
  }
}
