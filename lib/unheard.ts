/**
 * The clients that have not said anything yet, where it is for the client to speak first. They take no
 * bridge and no place in the queue, so that however many of them there are, they keep nobody waiting.
 * The carrier of connections owns them.
 *
 * Invariant: each that is added is handed out once: as heard, or as gone.
 */
import type { Client } from "./client.ts";
import type { Deadlines, Expiring } from "./deadlines.ts";
import { ENDING, type Ending } from "./ending.ts";
import { type Member, Roster } from "./roster.ts";

/** Who is told, and when. */
export interface UnheardOptions {
  /** How long a client may say nothing, in milliseconds. */
  readonly timeoutMs: number;
  /** What watches the deadline. */
  readonly deadlines: Deadlines;
  /** Called with a client whose first bytes are held. */
  readonly onHeard: (client: Client) => void;
  /** Called with a client that left, or said nothing for too long. */
  readonly onGone: (client: Client, ending: Ending) => void;
}

/** At the end of all, a request that is on its way may still arrive for so long, in milliseconds. */
const LAST_CALL_MS = 1000;

/** One of them, and since when it is silent. */
interface Silent extends Member {
  readonly client: Client;
  readonly sinceMs: number;
}

/** Waits for their first words. */
export class Unheard implements Expiring {
  /** For the deadlines. */
  place: number = -1;
  readonly #options: UnheardOptions;
  readonly #silent = new Roster<Silent>();
  /** When those who are still silent have to go; Infinity: it is not known yet. */
  #lastCallMs = Infinity;
  #settled: PromiseWithResolvers<void> | null = null;

  /** Nobody is here yet. */
  constructor(options: UnheardOptions) {
    this.#options = options;
  }

  /** How many there are. */
  get size(): number {
    return this.#silent.size;
  }

  /** Takes a client over until it is heard, or gone. Never rejects. */
  async add(client: Client): Promise<void> {
    const { deadlines, onHeard } = this.#options;
    const silent: Silent = { place: -1, client, sinceMs: deadlines.now };
    if (this.#silent.size === 0) deadlines.watch(this);
    this.#silent.add(silent);
    try {
      await client.receive();
    } catch {
      return this.#gone(silent, ENDING.leftEarly); // It broke the connection, or was let go.
    }
    if (client.held === 0) return this.#gone(silent, ENDING.leftEarly);
    if (!this.#leave(silent)) return;
    onHeard(client);
    this.#tell();
  }

  /** All have little time left: what is on its way may still arrive. */
  lastCall(): void {
    this.#lastCallMs = Math.min(this.#lastCallMs, this.#options.deadlines.now + LAST_CALL_MS);
  }

  /** Nobody is added any more. Resolves when all are heard or gone. */
  settled(): Promise<void> {
    this.#settled ??= Promise.withResolvers();
    this.#tell();
    return this.#settled.promise;
  }

  /** Lets all of them go, for that reason. */
  drop(ending: Ending): void {
    for (const silent of this.#silent) this.#gone(silent, ending);
  }

  /** When the first of them has been silent for too long. */
  expiresAt(): number {
    let first = Infinity;
    for (const { sinceMs } of this.#silent) first = Math.min(first, sinceMs);
    return Math.min(first + this.#options.timeoutMs, this.#lastCallMs);
  }

  /** Lets go of those whose time is over. */
  expire(): void {
    const { timeoutMs, deadlines: { now } } = this.#options;
    for (const silent of this.#silent) {
      const isLate = Math.min(silent.sinceMs + timeoutMs, this.#lastCallMs) <= now;
      if (isLate) this.#gone(silent, ENDING.headTimeout);
    }
  }

  #gone(silent: Silent, ending: Ending): void {
    if (!this.#leave(silent)) return;
    this.#options.onGone(silent.client, ending);
    this.#tell();
  }

  /** False: it is not here any more. */
  #leave(silent: Silent): boolean {
    const isHere = silent.place !== -1;
    this.#silent.delete(silent);
    if (this.#silent.size === 0) this.#options.deadlines.unwatch(this);
    return isHere;
  }

  #tell(): void {
    if (this.#silent.size === 0) this.#settled?.resolve();
  }
}
