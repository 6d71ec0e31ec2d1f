/**
 * The last minutes in numbers, for the dashboard. Pure: the sampler gives it a reading each second.
 *
 * Bounds: five minutes of totals; a minute of each server, and none of them where there are more
 * servers than a page can show well.
 */
import { Meter, NO_RATES, type Rates, type Sums } from "./meter.ts";

/** How many readings of the totals are kept: five minutes. */
export const TOTALS_MAX = 300;
/** How many readings of each server are kept: a minute. */
export const BACKEND_READINGS_MAX = 60;
/** With more servers than that there is no history of each. */
export const BACKENDS_MAX = 200;

/** The numbers of one server. */
export interface BackendReading extends Sums {
  /** Its address as text. */
  readonly name: string;
  /** Connections, or requests, that it has right now. */
  readonly inFlight: number;
}

/** All numbers at one moment. */
export interface Reading {
  /** When, on a clock that does not go back, in milliseconds. */
  readonly atMs: number;
  /** Passages that are over, whichever server had them. */
  readonly ended: number;
  /** Those that failed their client without a server. */
  readonly failed: number;
  /** Times to the first byte, whichever server it came from: the counts of a histogram. */
  readonly answered: ArrayLike<number>;
  /** Clients, or requests, that are being carried. */
  readonly carried: number;
  /** Those that wait. */
  readonly waiting: number;
  /** The servers. */
  readonly backends: readonly BackendReading[];
}

/** One point of the charts: the last second; its times are over the last five. */
export interface Sample extends Rates {
  /** When, in seconds since 1970. */
  readonly at: number;
  /** Clients, or requests, that were being carried. */
  readonly carried: number;
  /** Those that waited. */
  readonly waiting: number;
}

/** One point of a server: rates over the last five seconds. */
export interface BackendSample extends Rates {
  /** Connections, or requests, that it had. */
  readonly inFlight: number;
}

/** The same in lists, the oldest first: what a page begins with. */
export interface HistoryPicture {
  /** The totals, a list of each number. */
  readonly total: Columns<Sample>;
  /** The servers; none where there are too many. */
  readonly backends: readonly ({ readonly name: string } & Columns<BackendSample>)[];
}

/** A list of each number. */
export type Columns<T> = { readonly [Name in keyof T]: readonly T[Name][] };

interface BackendHistory {
  readonly meter: Meter;
  readonly samples: BackendSample[];
}

/** What is known of the last minutes. */
export class History {
  readonly #epochMs: number;
  readonly #total = new Meter();
  readonly #samples: Sample[] = [];
  readonly #unserved = new Meter();
  #backends: ReadonlyMap<string, BackendHistory> = new Map();
  /** Failures since the start; a sum of its own, because servers go and take theirs along. */
  #failed = 0;

  /** Nothing is known yet. At moment 0 of the readings it was `epochMs` since 1970. */
  constructor(epochMs: number) {
    this.#epochMs = epochMs;
  }

  /** The newest point of the charts; null before the first reading. */
  get newest(): Sample | null {
    return this.#samples.at(-1) ?? null;
  }

  /** All of it, over the last five seconds. */
  get rates(): Rates {
    return this.#total.recent;
  }

  /** What one server does, over the last five seconds. */
  ratesOf(name: string): Rates {
    return this.#backends.get(name)?.meter.recent ?? NO_RATES;
  }

  /** Takes in the numbers of this moment. */
  take(reading: Reading): void {
    const { atMs, ended, answered } = reading;
    this.#takeBackends(reading);
    this.#unserved.take(atMs, { ended: 0, failed: reading.failed, answered: [] });
    this.#failed += this.#lastFailed();
    this.#total.take(atMs, { ended, failed: this.#failed, answered });
    this.#keep(reading);
  }

  /** All that is kept, in lists. */
  picture(): HistoryPicture {
    const backends = [...this.#backends].filter(([, { samples }]) => samples.length > 0);
    return {
      total: {
        at: this.#samples.map(({ at }) => at),
        carried: this.#samples.map(({ carried }) => carried),
        waiting: this.#samples.map(({ waiting }) => waiting),
        ...rateColumns(this.#samples),
      },
      backends: backends.map(([name, { samples }]) => ({
        name,
        inFlight: samples.map(({ inFlight }) => inFlight),
        ...rateColumns(samples),
      })),
    };
  }

  #takeBackends({ atMs, backends }: Reading): void {
    const isFew = backends.length <= BACKENDS_MAX;
    this.#backends = new Map(backends.map((backend) => {
      const known = this.#backends.get(backend.name);
      const { meter, samples } = known ?? { meter: new Meter(), samples: [] };
      meter.take(atMs, backend);
      if (isFew) {
        push(samples, { ...meter.recent, inFlight: backend.inFlight }, BACKEND_READINGS_MAX);
      }
      return [backend.name, { meter, samples: isFew ? samples : [] }];
    }));
  }

  #lastFailed(): number {
    const meters = [this.#unserved, ...[...this.#backends.values()].map(({ meter }) => meter)];
    return meters.reduce((sum, { lastFailed }) => sum + lastFailed, 0);
  }

  #keep({ atMs, carried, waiting }: Reading): void {
    const { perSecond, failuresPerSecond } = this.#total.last;
    const { p50Ms, p99Ms } = this.#total.recent;
    const at = Math.round((this.#epochMs + atMs) / 10) / 100;
    const sample = { at, perSecond, failuresPerSecond, p50Ms, p99Ms, carried, waiting };
    push(this.#samples, sample, TOTALS_MAX);
  }
}

function push<T>(list: T[], value: T, lengthMax: number): void {
  list.push(value);
  if (list.length > lengthMax) list.shift();
}

function rateColumns(samples: readonly Rates[]): Columns<Rates> {
  return {
    perSecond: samples.map(({ perSecond }) => perSecond),
    failuresPerSecond: samples.map(({ failuresPerSecond }) => failuresPerSecond),
    p50Ms: samples.map(({ p50Ms }) => p50Ms),
    p99Ms: samples.map(({ p99Ms }) => p99Ms),
  };
}
