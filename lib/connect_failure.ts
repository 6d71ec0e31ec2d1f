/**
 * What follows when a backend could not be connected to, for a client or for one of its requests.
 * The same in all modes.
 */
import type { Backend } from "./backend.ts";
import { BalancerError } from "./errors.ts";
import type { Lease } from "./lease.ts";
import type { Pool, PoolClient } from "./pool.ts";

/** Somebody who goes on to another backend when one has failed. */
export interface Failed extends PoolClient {
  /** The backends that have failed it; it does not come back to them. */
  tried: readonly Backend[];
}

/** Who is told of it. */
export interface ConnectFailureOptions {
  /** Where the backend is taken down. */
  readonly pool: Pool;
  /** Called when this process or machine lacks the means to connect, with the reason. */
  readonly onExhausted: (state: string) => void;
}

/**
 * Says so where it matters, and whose fault it was: this machine is `exhausted`, or the backend has
 * `failed` whoever wanted it. Throws what is no failure to connect.
 */
export function connectFailure(
  error: unknown,
  { client, lease }: { readonly client: Failed; readonly lease: Lease },
  { pool, onExhausted }: ConnectFailureOptions,
): "exhausted" | "failed" {
  if (!(error instanceof BalancerError)) throw error;
  if (!error.retryable) {
    lease.unasked();
    onExhausted(error.state);
    return "exhausted";
  }
  lease.refused(error.state);
  if (lease.backend.state !== "down") pool.connectFailed(lease.backend, error.state);
  return failedBy(lease.backend, client);
}

/** That backend has failed it, and is not for it again. */
export function failedBy(backend: Backend, client: Failed): "failed" {
  client.tried = [...client.tried, backend];
  return "failed";
}
