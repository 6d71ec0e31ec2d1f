/**
 * The journal: what became of all passages, in plain numbers, and the access log's source. Carriers
 * tell it of each passage that is over; whoever shows numbers reads them here.
 */
import type { Clock } from "./clock.ts";
import { ENDING, ENDINGS } from "./ending.ts";
import { Histogram } from "./histogram.ts";
import type { Passage } from "./passage.ts";

/** Who is told of each passage that is over, and when that was, on the journal's clock. */
export type OnPassage = (passage: Passage, endedMs: number) => void;

/** The sums over all passages. */
export class Journal {
  /** How many ended in which way without a backend, by the place of the ending; see `Backend.endings`. */
  readonly endings: Float64Array = new Float64Array(ENDINGS.length);
  /** The same of clients in http mode that ended without a request: who did not ask, or not again. */
  readonly idleEndings: Float64Array = new Float64Array(ENDINGS.length);
  /** From the arrival until a backend was found. */
  readonly waited: Histogram = new Histogram();
  /** How long connecting took, where it had to be done. */
  readonly connected: Histogram = new Histogram();
  /** From the arrival to the first byte of the answer. */
  readonly answered: Histogram = new Histogram();
  /** From the arrival to the end. */
  readonly lasted: Histogram = new Histogram();
  /** Backends tried beyond the first of each passage. */
  failovers = 0;
  readonly #clock: Clock;
  readonly #onPassage: OnPassage | null;

  /** Nothing has happened yet. */
  constructor(clock: Clock, onPassage: OnPassage | null = null) {
    this.#clock = clock;
    this.#onPassage = onPassage;
  }

  /** Takes in a passage that is over; to be called once for each. Returns when that is, on the clock. */
  ended(passage: Passage): number {
    const nowMs = this.#clock.now();
    const { backend, arrivedMs, attempts, connectMs, answeredMs } = passage;
    if (attempts > 0) this.waited.observe(passage.leasedMs - arrivedMs);
    if (attempts > 1) this.failovers += attempts - 1;
    if (connectMs > 0) this.connected.observe(connectMs);
    if (answeredMs > 0) {
      this.answered.observe(answeredMs - arrivedMs);
      backend?.answered.observe(answeredMs - arrivedMs);
    }
    this.lasted.observe(nowMs - arrivedMs);
    count(backend?.endings ?? this.endings, passage);
    this.#onPassage?.(passage, nowMs);
    return nowMs;
  }

  /** The same for a client who asked for nothing: it counts by itself, and its time is no measure. */
  unasked(passage: Passage): void {
    count(this.idleEndings, passage);
    this.#onPassage?.(passage, this.#clock.now());
  }
}

function count(endings: Float64Array, { ending }: Passage): void {
  const { place } = ending ?? ENDING.defect;
  endings[place] = (endings[place] ?? 0) + 1;
}
