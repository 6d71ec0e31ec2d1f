/**
 * The bridges: N tasks at the most, each of which takes one client after the other whose turn has
 * come, and has it carried. A carrier owns them.
 */
import { log } from "./log.ts";
import type { WaitingQueue } from "./waiting_queue.ts";

/** What bridges work with. `T` is a client, `G` what it needs to go on. */
export interface BridgesOptions<T, G> {
  /** N: how many there may be. */
  readonly countMax: number;
  /** Where clients come from. */
  readonly queue: WaitingQueue<T, G>;
  /** Carries one, to its end or until it has to wait again. */
  readonly carry: (item: T, grant: G) => Promise<void>;
  /** Called with each client that is taken. */
  readonly onTake: (item: T) => void;
  /** Called with whom an error befell that no code here expects: it is to be let go. */
  readonly onDefect: (item: T) => void;
}

/** All bridges of a carrier. They are started as they are needed, and stay. */
export class Bridges<T, G> {
  readonly #options: BridgesOptions<T, G>;
  readonly #running = new Set<Promise<void>>();
  #open = false;

  /** None runs before {@linkcode open}. */
  constructor(options: BridgesOptions<T, G>) {
    this.#options = options;
  }

  /** From now on clients are carried, those first that have come by now. */
  open(): void {
    this.#open = true;
    this.admit();
  }

  /** Sees to it that a bridge is idle for the next client, if there may be one more. */
  prepare(): void {
    if (this.#options.queue.idle === 0) this.#start(1);
  }

  /** Has all taken that can go on now. */
  admit(): void {
    const { queue } = this.#options;
    this.#start(queue.length - queue.idle);
    queue.admit();
  }

  /** Resolves when none runs any more: the queue was closed, and is empty. */
  async settled(): Promise<void> {
    // Those that wait may have others started meanwhile.
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Starts so many, within the bound. */
  #start(count: number): void {
    if (!this.#open) return;
    for (let left = count; left > 0 && this.#running.size < this.#options.countMax; left--) {
      const running = bridge(this.#options);
      this.#running.add(running);
      running.finally(() => this.#running.delete(running));
    }
  }
}

/** Carries clients until the queue is closed and empty. Never rejects. */
async function bridge<T, G>(options: BridgesOptions<T, G>): Promise<void> {
  for (;;) {
    const next = await options.queue.take();
    if (next === null) return;
    const { item, grant } = next;
    options.onTake(item);
    try {
      await options.carry(item, grant);
    } catch (error) {
      log.error("A defect of this program: {error}", { error: String(error) });
      options.onDefect(item);
    }
  }
}
