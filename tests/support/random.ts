/** A seeded source of random numbers: a test that fails fails again. */

/** Tommy Ettinger's mulberry32: 32 bits of state, good enough to mix up a test. */
export class Random {
  #state: number;

  /** The same seed gives the same numbers. */
  constructor(seed: number) {
    this.#state = seed;
  }

  /** From 0 to just under 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number; both bounds can come. */
  integer(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  /** True that often. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    const picked = list.at(this.integer(0, list.length - 1));
    if (picked === undefined) throw new RangeError("Cannot pick: the list is empty");
    return picked;
  }
}
