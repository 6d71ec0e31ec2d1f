/**
 * Rates from sums that only grow: what happened in the last second, and in the last few. Pure. The
 * history keeps one for each server and one for all.
 */
import { quantileMs } from "../histogram.ts";

/** Sums since the start, of one server or of all. */
export interface Sums {
  /** Passages that are over. */
  readonly ended: number;
  /** Those of them that failed their client, through no fault of its own. */
  readonly failed: number;
  /** Times to the first byte: the counts of a histogram. */
  readonly answered: ArrayLike<number>;
}

/** How much there is of what, each second, and how long it takes. */
export interface Rates {
  /** Passages that end in a second. */
  readonly perSecond: number;
  /** Those of them that fail their client, through no fault of its own. */
  readonly failuresPerSecond: number;
  /** The time to the first byte that half of them do not exceed; null: there were none. */
  readonly p50Ms: number | null;
  /** The same for 99 of a hundred. */
  readonly p99Ms: number | null;
}

/** What is known before there are two readings, and of a server that is not known. */
export const NO_RATES: Rates = { perSecond: 0, failuresPerSecond: 0, p50Ms: null, p99Ms: null };

/** Over how many readings rates go that are to be read, so that they do not flicker. */
const RECENT = 5;

interface Mark extends Sums {
  readonly atMs: number;
}

/** The last few readings of growing sums. */
export class Meter {
  /** The oldest first. */
  #marks: readonly Mark[] = [];

  /** Takes in a reading. Sums below those before are of something new: what was known is dropped. */
  take(atMs: number, { ended, failed, answered }: Sums): void {
    const newest = this.#marks.at(-1);
    const isNew = newest !== undefined && (ended < newest.ended || failed < newest.failed);
    const kept = isNew ? [] : this.#marks.slice(-RECENT);
    this.#marks = [...kept, { atMs, ended, failed, answered: Float64Array.from(answered) }];
  }

  /** Since the reading before the newest: about a second. */
  get last(): Rates {
    return between(this.#marks.at(-2), this.#marks.at(-1));
  }

  /** Over the last five readings: about five seconds. */
  get recent(): Rates {
    return between(this.#marks[0], this.#marks.at(-1));
  }

  /** How many failed since the reading before the newest. */
  get lastFailed(): number {
    const [before, newest] = [this.#marks.at(-2), this.#marks.at(-1)];
    return before === undefined || newest === undefined ? 0 : newest.failed - before.failed;
  }
}

function between(from: Mark | undefined, to: Mark | undefined): Rates {
  if (from === undefined || to === undefined || to.atMs <= from.atMs) return NO_RATES;
  const seconds = (to.atMs - from.atMs) / 1000;
  const answered = to.answered.length === from.answered.length
    ? Array.from(to.answered, (count, bucket) => count - (from.answered[bucket] ?? 0))
    : [];
  return {
    perSecond: rounded((to.ended - from.ended) / seconds),
    failuresPerSecond: rounded((to.failed - from.failed) / seconds),
    p50Ms: roundedOrNull(quantileMs(answered, 0.5)),
    p99Ms: roundedOrNull(quantileMs(answered, 0.99)),
  };
}

function roundedOrNull(value: number | null): number | null {
  return value === null ? null : rounded(value);
}

/** To two places, which is more than anybody reads: it is sent each second. */
function rounded(value: number): number {
  return Math.round(100 * value) / 100;
}
