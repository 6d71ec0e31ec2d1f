/** A backend as it stands, for people and tests. Made by the pool. */
import type { Backend, BackendState } from "./backend.ts";

/** A backend as it stands, for people and tests. */
export interface BackendSnapshot {
  /** Its address as text. */
  readonly name: string;
  /** Its share compared with others. */
  readonly weight: number;
  /** The most connections that it is given at once; Infinity: no bound. */
  readonly max: number;
  /** Is it used only when no other is ready? */
  readonly backup: boolean;
  /** May clients be sent there? */
  readonly state: BackendState;
  /** Why. */
  readonly reason: string;
  /** Since when, on the pool's clock, in milliseconds. */
  readonly sinceMs: number;
  /** Its entries as last probed, plus what was sent to it since. */
  readonly entries: number;
  /** Its errors as last probed. */
  readonly errors: number;
  /** Connections that it serves right now. */
  readonly inFlight: number;
  /** Connections that were given to it since the start, failed ones included. */
  readonly leased: number;
  /** Connections that it did not take, or dropped before its first byte. */
  readonly failures: number;
  /** Bytes of ended connections that clients sent to it. */
  readonly bytesUp: number;
  /** Bytes of ended connections that it sent to clients. */
  readonly bytesDown: number;
}

/** A server that is no backend, because its name has no address. */
export interface UnresolvedSnapshot {
  /** Its name and port, as it was given. */
  readonly name: string;
  /** Why. */
  readonly reason: string;
  /** Since when, on the pool's clock, in milliseconds. */
  readonly sinceMs: number;
}

/** How a backend stands right now. */
export function snapshotOf(backend: Backend): BackendSnapshot {
  const { name, weight, max, backup } = backend;
  const { entries, errors, inFlight, leased, failures, bytesUp, bytesDown } = backend;
  return {
    name,
    weight,
    max,
    backup,
    ...backend.standing,
    entries,
    errors,
    inFlight,
    leased,
    failures,
    bytesUp,
    bytesDown,
  };
}
