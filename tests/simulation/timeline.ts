/**
 * Virtual time: what is to happen, in the order of its moments. A clock for everything simulated,
 * the real parts of the balancer included; nothing here waits for real time.
 */
import type { Clock } from "../../lib/clock.ts";

/** What happens. One that lets promises go on returns a promise for the time when they have. */
export type Happening = () => void | Promise<void>;

interface Event {
  readonly atMs: number;
  /** Those of the same moment happen in the order of their making. */
  readonly made: number;
  /** Null when it was called off. */
  happening: Happening | null;
}

/** A queue of events: a binary heap. */
export class Timeline implements Clock {
  #nowMs = 0;
  #made = 0;
  readonly #heap: Event[] = [];

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, happening: Happening): () => void {
    const event: Event = { atMs: this.#nowMs + delayMs, made: this.#made++, happening };
    this.#insert(event);
    return () => {
      event.happening = null;
    };
  }

  /** Lets one event happen after the other for as long as that is wanted. */
  async runWhile(wanted: () => boolean): Promise<void> {
    while (wanted()) {
      const event = this.#takeFirst();
      if (event === undefined) throw new RangeError("Cannot go on: nothing is to happen any more");
      if (event.happening === null) continue;
      this.#nowMs = event.atMs;
      const settled = event.happening();
      if (settled !== undefined) await settled;
    }
  }

  #insert(event: Event): void {
    let place = this.#heap.length;
    while (place > 0) {
      const parentPlace = (place - 1) >> 1;
      const parent = this.#heap[parentPlace];
      if (parent === undefined || isBefore(parent, event)) break;
      this.#heap[place] = parent;
      place = parentPlace;
    }
    this.#heap[place] = event;
  }

  #takeFirst(): Event | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (last !== undefined && last !== first) this.#sink(last);
    return first;
  }

  /** Puts an event at the top, and lets earlier ones rise past it. */
  #sink(event: Event): void {
    let place = 0;
    for (;;) {
      const childPlace = this.#earlierChild(place);
      const child = this.#heap[childPlace];
      if (child === undefined || isBefore(event, child)) break;
      this.#heap[place] = child;
      place = childPlace;
    }
    this.#heap[place] = event;
  }

  #earlierChild(place: number): number {
    const left = this.#heap[2 * place + 1];
    const right = this.#heap[2 * place + 2];
    const isRight = left !== undefined && right !== undefined && isBefore(right, left);
    return 2 * place + (isRight ? 2 : 1);
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.atMs !== other.atMs ? one.atMs < other.atMs : one.made < other.made;
}
