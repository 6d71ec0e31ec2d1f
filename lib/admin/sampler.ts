/**
 * Reads the balancer's plain numbers once a second, and keeps the history of them. One timer, from
 * the admin port's opening to its end; the data path knows nothing of it.
 */
import type { Backend } from "../backend.ts";
import type { CarrierSnapshot } from "../carrier.ts";
import type { Clock } from "../clock.ts";
import { ENDING } from "../ending.ts";
import type { Journal } from "../journal.ts";
import { History, type Reading } from "./history.ts";

const EVERY_MS = 1000;

/** The endings that fail a client through no fault of its own, by their place. */
const FAILED: readonly number[] = [
  ENDING.unanswered,
  ENDING.backendBroke,
  ENDING.badAnswer,
  ENDING.nobody,
  ENDING.queueFull,
  ENDING.queueTimeout,
  ENDING.exhausted,
  ENDING.firstByteTimeout,
  ENDING.drainTimeout,
  ENDING.defect,
].map(({ place }) => place);

/** Where the numbers are; a balancer is one. */
export interface Numbers {
  /** The sums over all passages. */
  readonly journal: Pick<Journal, "answered" | "endings" | "lasted">;
  /** The servers as they are now. */
  readonly backends: readonly Pick<Backend, "name" | "answered" | "endings" | "inFlight">[];
  /** How many clients are where. */
  snapshot(): Pick<CarrierSnapshot, "carried" | "waiting">;
}

/** What a sampler works with. */
export interface SamplerOptions {
  /** Where they are; null: there is no balancer yet. */
  readonly numbers: () => Numbers | null;
  /** Called when a second has passed, and the history knows of it. */
  readonly onSample: () => void;
  /** The source of time. */
  readonly clock: Clock;
  /** What time it is, in milliseconds since 1970. */
  readonly epochNow: () => number;
}

/** Takes samples until it is disposed of. */
export class Sampler implements Disposable {
  /** The last minutes. */
  readonly history: History;
  readonly #options: SamplerOptions;
  /** Cancels the next one. */
  #cancel: () => void = () => {};

  /** Takes the first one at once. */
  constructor(options: SamplerOptions) {
    this.#options = options;
    this.history = new History(options.epochNow() - options.clock.now());
    this.#sample();
    this.#wait();
  }

  /** There is no next one. */
  [Symbol.dispose](): void {
    this.#cancel();
  }

  #wait(): void {
    this.#cancel = this.#options.clock.after(EVERY_MS, () => {
      this.#sample();
      this.#wait();
      this.#options.onSample();
    });
  }

  #sample(): void {
    const { numbers, clock } = this.#options;
    const source = numbers();
    if (source !== null) this.history.take(readingOf(source, clock.now()));
  }
}

function readingOf(source: Numbers, atMs: number): Reading {
  const { journal, backends } = source;
  const { carried, waiting } = source.snapshot();
  return {
    atMs,
    carried,
    waiting,
    ended: journal.lasted.count,
    failed: failedOf(journal.endings),
    answered: journal.answered.counts,
    backends: backends.map(({ name, endings, answered, inFlight }) => ({
      name,
      inFlight,
      ended: sum(endings),
      failed: failedOf(endings),
      answered: answered.counts,
    })),
  };
}

function failedOf(endings: Float64Array): number {
  return FAILED.reduce((all, place) => all + (endings[place] ?? 0), 0);
}

function sum(counts: Float64Array): number {
  return counts.reduce((all, count) => all + count, 0);
}
