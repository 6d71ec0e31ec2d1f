/**
 * A bridge: takes one client after the other whose turn has come, and has each carried. N of them
 * run at the most; the carrier starts them.
 */
import type { WaitingQueue } from "./waiting_queue.ts";

/** What a bridge works with; the same for all. `T` is a client, `G` what it needs to go on. */
export interface BridgeOptions<T, G> {
  /** Where clients come from. */
  readonly queue: WaitingQueue<T, G>;
  /** Carries one. */
  readonly carry: (item: T, grant: G) => Promise<void>;
  /** Called with each client that is taken. */
  readonly onTake: (item: T) => void;
  /** Called when it is let go. */
  readonly onLeave: (item: T) => void;
  /** Called with an error that no code here expects, and whose it was; the bridge goes on. */
  readonly onDefect: (error: unknown, item: T) => void;
}

/** Carries clients until the queue is closed and empty. Never rejects. */
export async function bridge<T, G>(options: BridgeOptions<T, G>): Promise<void> {
  for (;;) {
    const next = await options.queue.take();
    if (next === null) return;
    const { item, grant } = next;
    options.onTake(item);
    try {
      await options.carry(item, grant);
    } catch (error) {
      options.onDefect(error, item);
    } finally {
      options.onLeave(item);
    }
  }
}
