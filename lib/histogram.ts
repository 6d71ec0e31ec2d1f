/**
 * How often a time fell between which bounds, in plain numbers: cheap enough to be kept for every
 * request, and what a scrape or a dashboard reads.
 */

/** The upper bounds of the buckets, in milliseconds; above the last one there is one more bucket. */
export const BOUNDS_MS: readonly number[] = [
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  25,
  50,
  100,
  250,
  500,
  1000,
  2500,
  5000,
  10_000,
  30_000,
  60_000,
];

/** A histogram of times. */
export class Histogram {
  /** How many fell into each bucket: one for each of {@linkcode BOUNDS_MS}, and one above them. */
  readonly counts: Float64Array = new Float64Array(BOUNDS_MS.length + 1);
  /** The sum of all, in milliseconds. */
  sumMs = 0;

  /** How many there were. */
  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  /** Takes one in. */
  observe(ms: number): void {
    let bucket = 0;
    while (bucket < BOUNDS_MS.length && ms > (BOUNDS_MS[bucket] ?? Infinity)) bucket++;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.sumMs += ms;
  }
}

/**
 * The time, in milliseconds, that so large a share of the observations did not exceed, from the
 * counts of a histogram or the difference of two: as if those within a bucket were spread evenly.
 * The last bucket has no upper bound and counts as its lower one. Null where there are none.
 * @param share from 0 to 1: 0.99 for the 99th percentile.
 */
export function quantileMs(counts: ArrayLike<number>, share: number): number | null {
  const all = Array.from(counts).reduce((sum, count) => sum + count, 0);
  if (all === 0) return null;
  const wanted = share * all;
  let below = 0;
  let fromMs = 0;
  for (const [bucket, toMs] of BOUNDS_MS.entries()) {
    const count = counts[bucket] ?? 0;
    if (count > 0 && below + count >= wanted) {
      return fromMs + (toMs - fromMs) * Math.max(0, wanted - below) / count;
    }
    below += count;
    fromMs = toMs;
  }
  return fromMs;
}
