/**
 * The health of one backend as a pure state machine: results of probes and of live connections
 * go in, "it flipped" comes out. No I/O, no clock of its own.
 */

/** May clients be sent there? */
export type HealthState = "ready" | "down";

/** What was seen of a backend. */
export type Observation =
  | {
    readonly ok: true;
    /** Why it is taken to be ready; left out: it was checked. */
    readonly reason?: string;
  }
  | {
    readonly ok: false;
    /** Is one such failure enough? (It refused, say, rather than being slow once.) */
    readonly final: boolean;
    /** What happened, in words that a person can act on. */
    readonly reason: string;
  };

/** How many results in a row it takes. */
export interface HealthOptions {
  /** Failures in a row that take a backend down. At least 1. */
  readonly fall: number;
  /** Successes in a row that bring it back. At least 1. */
  readonly rise: number;
}

/** Why a backend is ready. */
const CHECKED = "it passes its checks";

/** The health of one backend. It starts as down, because nothing is known of it. */
export class Health {
  #options: HealthOptions;
  #state: HealthState = "down";
  #reason = "not probed yet";
  #sinceMs: number;
  #observed = false;
  /** Results in a row that speak against the present state. */
  #contrary = 0;

  /** Starts at a moment of the caller's clock, in milliseconds. */
  constructor(options: HealthOptions, now: number) {
    this.#options = options;
    this.#sinceMs = now;
  }

  /** Whether clients may be sent there. */
  get state(): HealthState {
    return this.#state;
  }

  /** Why it is in that state. */
  get reason(): string {
    return this.#reason;
  }

  /** Since when, on the caller's clock. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** Was anything seen of it yet? */
  get isKnown(): boolean {
    return this.#observed;
  }

  /** Is it worth another look soon: down, or ready with a failure just now? */
  get inDoubt(): boolean {
    return this.#state === "down" || this.#contrary > 0;
  }

  /** Takes over how many results it takes from now on. */
  set(options: HealthOptions): void {
    this.#options = options;
  }

  /** Takes in what was seen; true when the state flipped, or was learnt for the first time. */
  observe(observation: Observation, now: number): boolean {
    const first = !this.#observed;
    this.#observed = true;
    if (observation.ok === (this.#state === "ready")) {
      this.#contrary = 0;
      this.#reason = observation.reason ?? CHECKED;
      return first;
    }
    this.#contrary++;
    if (!first && this.#contrary < this.#needed(observation)) return false;
    this.#state = observation.ok ? "ready" : "down";
    this.#reason = observation.reason ?? CHECKED;
    this.#sinceMs = now;
    this.#contrary = 0;
    return true;
  }

  #needed(observation: Observation): number {
    if (observation.ok) return this.#options.rise;
    return observation.final ? 1 : this.#options.fall;
  }
}
