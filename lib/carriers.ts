/**
 * The carriers: the one that takes new clients in, and those before it, each of which carries what it
 * has to its end under the settings that it began with. The balancer owns them.
 *
 * Invariants: a former carrier takes nobody in and is let go when its last client is; none is let go
 * before, so there are never more of them than clients; counts since the start outlive the carriers.
 */
import type { Backend } from "./backend.ts";
import { type Carrier, type CarrierSnapshot, sumOf } from "./carrier.ts";
import type { Clock } from "./clock.ts";
import { countDown } from "./countdown.ts";
import { log } from "./log.ts";

/** How to see everybody out. */
export interface DrainOptions {
  /** How long they may take, in milliseconds; then they are closed. */
  readonly timeoutMs: number;
  /** The source of time. */
  readonly clock: Clock;
}

/** All carriers of a balancer. */
export class Carriers {
  #current: Carrier;
  readonly #former = new Set<Carrier>();
  /** What those counted that are gone. */
  #gone: CarrierSnapshot | null = null;

  /** Begins with that one. */
  constructor(first: Carrier) {
    this.#current = first;
  }

  /** How many clients are not closed yet. */
  get left(): number {
    return this.#all.reduce((sum, { left }) => sum + left, 0);
  }

  /** How many clients are where right now, in all carriers. */
  snapshot(): CarrierSnapshot {
    const snapshots = this.#all.map((carrier) => carrier.snapshot());
    return sumOf(this.#gone === null ? snapshots : [this.#gone, ...snapshots]);
  }

  /** Takes in a new connection, which is the current carrier's from now on. */
  receive(conn: Deno.TcpConn): void {
    this.#current.receive(conn);
  }

  /** From now on clients are carried. */
  open(): Promise<void> {
    return this.#current.open();
  }

  /** Gives new clients to another carrier, which is open. Those before it go on where they are. */
  replace(next: Carrier): void {
    const former = this.#current;
    this.#current = next;
    this.#former.add(former);
    this.#letGo(former);
  }

  /** Looks who of those that wait can go on, those who came first before the others. */
  admit(): void {
    for (const carrier of this.#all) carrier.admit();
  }

  /** There is room for one more client. A carrier sees to its own; others cannot know of it. */
  roomCame(): void {
    if (this.#former.size > 0) this.admit();
  }

  /** A backend is not to be sent anything for now: no connection to it is kept for later. */
  dropIdle(backend: Backend): void {
    for (const carrier of this.#all) carrier.dropIdle(backend);
  }

  /** From now on each client, those to come too, is told with its next answer that it is the last. */
  announceEnd(): void {
    for (const carrier of this.#all) carrier.announceEnd();
  }

  /** Takes nobody in any more. Resolves when all that came in are closed. */
  async drain({ timeoutMs, clock }: DrainOptions): Promise<void> {
    const cancelCut = clock.after(timeoutMs, () => this.cut());
    const stopTelling = countDown(timeoutMs, {
      clock,
      tell: (seconds) => {
        const { left } = this;
        if (left === 0) return;
        log.info("Draining: {clients} left, {seconds}s until they are closed", {
          clients: left === 1 ? "1 client" : `${left} clients`,
          seconds,
        });
      },
    });
    await Promise.all(this.#all.map((carrier) => carrier.drain()));
    stopTelling();
    cancelCut();
  }

  /** Closes all that are still there. */
  cut(): void {
    const { left } = this;
    const clients = left === 1 ? "1 client that is" : `${left} clients that are`;
    if (left > 0) log.warning("Closing {clients} not finished", { clients });
    for (const carrier of this.#all) carrier.cut();
  }

  /** The oldest first. */
  get #all(): readonly Carrier[] {
    return [...this.#former, this.#current];
  }

  /** Lets a carrier go when it is empty. Never rejects. */
  async #letGo(former: Carrier): Promise<void> {
    await former.retire();
    const left = former.snapshot();
    this.#gone = this.#gone === null ? left : sumOf([this.#gone, left]);
    this.#former.delete(former);
  }
}
