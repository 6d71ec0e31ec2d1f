/**
 * Strikes origins at random, from a seed, for a time. Always at least one is left that is healthy, and
 * that every balancer has known to be ready for a while.
 */
import type { Random } from "../support/random.ts";
import { FAULT_NAMES, type FaultName } from "./fault.ts";
import type { OriginProcess } from "./origin_process.ts";

/** Whom to strike, and what decides whether one may be. */
export interface StrikingOptions {
  /** Those that can be struck. */
  readonly origins: readonly OriginProcess[];
  /** Does every balancer take that origin for ready? */
  readonly isReady: (origin: OriginProcess) => boolean;
  /** The seeded source. */
  readonly random: Random;
}

/** From one strike to the next, in milliseconds. */
const PAUSE_MS = { min: 100, max: 700 } as const;
/** How long one lasts, in milliseconds. */
const LENGTH_MS = { min: 300, max: 4500 } as const;
/** An origin that was ready for so long is one that can be left alone with everybody. */
const STEADY_MS = 500;
const LOOK_EVERY_MS = 50;

/** Strikes for so many seconds; all origins are well when this resolves. */
export async function strikeAtRandom(seconds: number, options: StrikingOptions): Promise<void> {
  const { origins, random } = options;
  const untilMs = performance.now() + 1000 * seconds;
  const steady = new Steady(options);
  const healing = new Set<Promise<void>>();
  const bag: FaultName[] = [];
  while (performance.now() < untilMs) {
    await steady.pause(random.integer(PAUSE_MS.min, PAUSE_MS.max));
    const origin = random.pick(origins);
    if (origin.struck !== null || !steady.hasOtherThan(origin)) continue;
    const lengthMs = random.integer(LENGTH_MS.min, LENGTH_MS.max);
    // Each fault comes once before any comes again, so that a short run knows them all.
    if (bag.length === 0) bag.push(...FAULT_NAMES);
    const [fault] = bag.splice(random.integer(0, bag.length - 1), 1) as [FaultName];
    await origin.strike(fault, { healthToo: random.chance(0.5) });
    const healed = healAfter(origin, lengthMs);
    healing.add(healed);
    healed.finally(() => healing.delete(healed));
  }
  await Promise.all(healing);
}

async function healAfter(origin: OriginProcess, lengthMs: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, lengthMs));
  await origin.heal();
}

/** Since when each origin has been healthy and ready. */
class Steady {
  readonly #options: StrikingOptions;
  readonly #sinceMs = new Map<OriginProcess, number>();

  constructor(options: StrikingOptions) {
    this.#options = options;
  }

  /** Is there another one, healthy and ready for long enough? */
  hasOtherThan(struck: OriginProcess): boolean {
    const nowMs = performance.now();
    this.#look(nowMs);
    return [...this.#sinceMs].some(([origin, sinceMs]) =>
      origin !== struck && nowMs - sinceMs >= STEADY_MS
    );
  }

  /** Waits, and keeps looking. */
  async pause(milliseconds: number): Promise<void> {
    const untilMs = performance.now() + milliseconds;
    while (performance.now() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
      this.#look(performance.now());
    }
  }

  #look(nowMs: number): void {
    for (const origin of this.#options.origins) {
      if (origin.struck !== null || !this.#options.isReady(origin)) this.#sinceMs.delete(origin);
      else if (!this.#sinceMs.has(origin)) this.#sinceMs.set(origin, nowMs);
    }
  }
}
