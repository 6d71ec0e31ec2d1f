/** What a scenario is: one way to attack the balancer, and what it found. */
import type { Random } from "../support/random.ts";
import type { VitalSigns } from "./vital_signs.ts";

/** What a scenario is given. */
export interface ScenarioOptions {
  /** How long it may attack, in seconds; starting and recovering come on top of that. */
  readonly seconds: number;
  /** Is it the short form? */
  readonly isShort: boolean;
  /** Its own seeded source of random numbers. */
  readonly random: Random;
  /** What is disposed of when the scenario is over, or is interrupted. */
  readonly stack: AsyncDisposableStack;
  /** Tells whoever waits what goes on. */
  readonly progress: (line: string) => void;
}

/** One row of the report. */
export interface Finding {
  /** What was attacked, and how. */
  readonly title: string;
  /** The load that was held. */
  readonly load: string;
  /** The faults that were injected. */
  readonly faults: string;
  /** The requests of good clients that were lost, and how many of them are explained. */
  readonly lost: string;
  /** Before, and after everything was over. */
  readonly vitals: { readonly before: VitalSigns; readonly after: VitalSigns } | null;
  /** Which promises were broken, in clear words; none: all were kept. */
  readonly broken: readonly string[];
  /** What else is worth knowing, a line each. */
  readonly notes: readonly string[];
}

/** A scenario that cannot be run here, and why. */
export class Skipped extends Error {
  /** Always the same. */
  override readonly name = "Skipped";
}

/** One way to attack. */
export interface Scenario {
  /** What `--only` calls it. */
  readonly name: string;
  /** What it does, in a line. */
  readonly help: string;
  /** Its share of `--seconds`. */
  readonly share: number;
  /** Attacks. Throws {@linkcode Skipped} where it cannot be done. */
  readonly run: (options: ScenarioOptions) => Promise<readonly Finding[]>;
}
