/**
 * What lies between an accepted connection and the backends: one way for whole connections, another
 * for requests. The balancer gives it connections.
 */
import type { Backend } from "./backend.ts";
import type { Buffers } from "./buffers.ts";
import type { Clock } from "./clock.ts";
import type { Config } from "./config.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Journal } from "./journal.ts";
import type { Pool } from "./pool.ts";

/** How many clients are where. */
export interface CarrierSnapshot {
  /** Clients, or in http mode requests, that a bridge carries. */
  readonly carried: number;
  /** Those that wait for a bridge, or for a backend with room. */
  readonly waiting: number;
  /** Clients that have been served or turned away, and have not closed yet. */
  readonly lingering: number;
  /** Those turned away since the start because too many waited, or one for too long. */
  readonly turnedAway: number;
}

/** What a carrier works with. */
export interface CarrierOptions {
  /** All settings. */
  readonly config: Config;
  /** Where backends come from. */
  readonly pool: Pool;
  /** What watches all deadlines. */
  readonly deadlines: Deadlines;
  /** The free list of buffers. */
  readonly buffers: Buffers;
  /** The source of time. */
  readonly clock: Clock;
  /** Is told of each passage that is over. */
  readonly journal: Journal;
  /** Called with each client, or request, that a bridge takes. */
  readonly onRequest: () => void;
  /** Called when this process or machine lacks the means to connect, with the reason. */
  readonly onExhausted: (state: string) => void;
}

/** Carries what clients want to backends. */
export interface Carrier {
  /** How many clients are where right now. */
  snapshot(): CarrierSnapshot;
  /** Takes in a new connection, which is the carrier's from now on. */
  receive(conn: Deno.TcpConn): void;
  /** From now on clients are carried, those first that have come by now. */
  open(): Promise<void>;
  /** Looks who of those that wait can go on: there may be room, or nobody left to wait for. */
  admit(): void;
  /** A backend is not to be sent anything for now: no connection to it is kept for later. */
  dropIdle(backend: Backend): void;
  /** Takes nobody in any more. Resolves when all that came in are closed. */
  drain(): Promise<void>;
  /** Closes all that are still there. */
  cut(): void;
}
