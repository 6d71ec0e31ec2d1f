/**
 * One round of probes, side by side: neither all in the same instant nor too many at once. Whom to
 * probe and when a round begins is the prober's.
 *
 * Invariants: nobody is probed twice; no more than {@linkcode PROBES_MAX} run at once; there is one
 * timer at most, and none once the round is over.
 */
import type { Clock } from "./clock.ts";

/**
 * How many probes run at once. Each takes a descriptor, and a quarter of the 1024 that a process is
 * commonly granted leaves the clients theirs; with 10 ms for a probe it is still 25,000 in a second.
 */
export const PROBES_MAX = 256;

/** So many are no herd: they are probed at once, without a timer. */
const HANDFUL = 10;
/** For each one more the probes are spread over so much longer, in milliseconds. */
const STEP_MS = 1;

/** Over how long the starts of so many probes are spread, in milliseconds: `limitMs` at most. */
export function spreadMs(count: number, limitMs: number): number {
  return Math.min(limitMs, Math.max(0, count - HANDFUL) * STEP_MS);
}

/** What a round is made of. `T` is a backend. */
export interface ProbeRoundOptions<T> {
  /** Whom to probe, each once. */
  readonly backends: readonly T[];
  /** Probes one backend and takes in the result; soon over when its signal is aborted. Never rejects. */
  readonly probe: (backend: T, signal: AbortSignal) => Promise<void>;
  /** Over how long the start of that backend's probe is spread, in milliseconds. */
  readonly spreadMs: (backend: T) => number;
  /** Is that backend still to be probed, now that its turn has come? */
  readonly isWanted: (backend: T) => boolean;
  /** Numbers from 0 to just under 1, such as `Math.random`. */
  readonly random: () => number;
  /** The source of time. */
  readonly clock: Clock;
}

/** When the probe of a backend is to start. */
interface Turn<T> {
  readonly backend: T;
  readonly dueMs: number;
}

/** A round that runs once. */
export class ProbeRound<T> {
  readonly #options: ProbeRoundOptions<T>;
  /** Those to come, the next one last. */
  readonly #turns: Turn<T>[];
  readonly #end: PromiseWithResolvers<void> = Promise.withResolvers();
  /** What ends the probes under way. */
  readonly #running = new Map<T, AbortController>();
  #cancelTimer: (() => void) | null = null;

  /** Draws who is to start when, counted from now. */
  constructor(options: ProbeRoundOptions<T>) {
    this.#options = options;
    const { backends, random, clock } = options;
    const nowMs = clock.now();
    this.#turns = backends
      .map((backend) => ({ backend, dueMs: nowMs + random() * options.spreadMs(backend) }))
      .sort((one, other) => one.dueMs - other.dueMs)
      .reverse();
  }

  /** Starts each probe in its turn. Resolves when the last one is over. */
  run(): Promise<void> {
    this.#startDue();
    return this.#end.promise;
  }

  /** Starts no more probes and drops those under way. Resolves when they are over. */
  stop(): Promise<void> {
    this.#turns.length = 0;
    for (const abort of this.#running.values()) abort.abort();
    this.#startDue();
    return this.#end.promise;
  }

  /** Drops the probes of those that are not wanted any more: nobody is to wait for them. */
  dropAllBut(wanted: ReadonlySet<T>): void {
    for (const [backend, abort] of this.#running) {
      if (!wanted.has(backend)) abort.abort();
    }
  }

  /** Starts those whose turn it is; called whenever time has passed or a probe has ended. */
  #startDue(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    const nowMs = this.#options.clock.now();
    let next = this.#turns.at(-1);
    while (next !== undefined && next.dueMs <= nowMs && this.#running.size < PROBES_MAX) {
      this.#turns.pop();
      this.#start(next.backend);
      next = this.#turns.at(-1);
    }
    if (next !== undefined && next.dueMs > nowMs) this.#wake(next.dueMs - nowMs);
    else if (next === undefined && this.#running.size === 0) this.#end.resolve();
  }

  #wake(delayMs: number): void {
    this.#cancelTimer = this.#options.clock.after(delayMs, () => this.#startDue());
  }

  async #start(backend: T): Promise<void> {
    const { isWanted, probe } = this.#options;
    if (!isWanted(backend)) return;
    const abort = new AbortController();
    this.#running.set(backend, abort);
    await probe(backend, abort.signal);
    this.#running.delete(backend);
    this.#startDue();
  }
}
