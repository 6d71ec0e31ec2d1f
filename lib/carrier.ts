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

/** Connections to backends that are kept from one request to the next, and requests sent again. */
export interface RequestCarrierSnapshot {
  /** Connections to backends that are kept and carry nothing right now. */
  readonly idle: number;
  /** Connections to backends that were opened since the start. */
  readonly opened: number;
  /** Kept connections that were given a request since the start. */
  readonly reused: number;
  /** Of those the ones that the backend had given up, so that the request had to be sent anew. */
  readonly stale: number;
  /** Kept connections that the backend ended before there was a request for them. */
  readonly lost: number;
  /** Requests that were sent again since the start, within the budget for that. */
  readonly retries: number;
  /** Those that were not, because too many were sent again already. */
  readonly retriesRefused: number;
}

/** How many clients are where. */
export interface CarrierSnapshot {
  /** Connections of clients that are open. */
  readonly clients: number;
  /** Clients, or in http mode requests, that a bridge carries. */
  readonly carried: number;
  /** Those that wait for a bridge, or for a backend with room. */
  readonly waiting: number;
  /** Clients that have been served or turned away, and have not closed yet. */
  readonly lingering: number;
  /** Those turned away since the start because too many waited, or one for too long. */
  readonly turnedAway: number;
  /** What there is only in http mode; else null. */
  readonly http: RequestCarrierSnapshot | null;
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
  /** What cookies are signed with where no key is set: the same for all carriers of a balancer. */
  readonly randomKey: Uint8Array;
  /** Called with each client, or request, that a bridge takes. */
  readonly onRequest: () => void;
  /** Called when this process or machine lacks the means to connect, with the reason. */
  readonly onExhausted: (state: string) => void;
}

/** Carries what clients want to backends. */
export interface Carrier {
  /** How many clients are not closed yet. */
  readonly left: number;
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
  /**
   * Nobody will come in any more: those that are here go on as ever, and are let go where that costs
   * them nothing. Resolves when all of them are closed. It may still be drained or cut.
   */
  retire(): Promise<void>;
  /** Takes nobody in any more. Resolves when all that came in are closed. */
  drain(): Promise<void>;
  /** Closes all that are still there. */
  cut(): void;
}

/**
 * Several carriers as one. One that is gone has nobody any more, so only what it counted since the
 * start is left of it.
 */
export function sumOf(snapshots: readonly CarrierSnapshot[]): CarrierSnapshot {
  const https = snapshots.flatMap(({ http }) => http ?? []);
  return {
    clients: sum(snapshots, ({ clients }) => clients),
    carried: sum(snapshots, ({ carried }) => carried),
    waiting: sum(snapshots, ({ waiting }) => waiting),
    lingering: sum(snapshots, ({ lingering }) => lingering),
    turnedAway: sum(snapshots, ({ turnedAway }) => turnedAway),
    http: https.length === 0 ? null : {
      idle: sum(https, ({ idle }) => idle),
      opened: sum(https, ({ opened }) => opened),
      reused: sum(https, ({ reused }) => reused),
      stale: sum(https, ({ stale }) => stale),
      lost: sum(https, ({ lost }) => lost),
      retries: sum(https, ({ retries }) => retries),
      retriesRefused: sum(https, ({ retriesRefused }) => retriesRefused),
    },
  };
}

function sum<T>(list: readonly T[], numberOf: (each: T) => number): number {
  return list.reduce((all, each) => all + numberOf(each), 0);
}
