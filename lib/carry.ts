/**
 * Carries one client to a backend: a lease on the one that the policy picks; a connection to it; a
 * tunnel. What fails before the answer begins moves on to the next untried backend; when none is
 * left the client is told so. Called by a bridge.
 *
 * Every path ends with the client through, and seen out by who called, or back in the queue.
 */
import type { Client } from "./client.ts";
import { type Clock, GrowingPause } from "./clock.ts";
import { connectFailure, failedBy } from "./connect_failure.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Dialer } from "./dial.ts";
import { ENDING, type Ending } from "./ending.ts";
import type { Lease } from "./lease.ts";
import type { Pool } from "./pool.ts";
import { Tunnel, type TunnelOptions } from "./tunnel.ts";

/** What carrying works with; the same for all clients. */
export interface CarryOptions {
  /** Called when there may be room for those that wait. */
  readonly onRoom: () => void;
  /** Where backends come from. */
  readonly pool: Pool;
  /** What connects to backends. */
  readonly dialer: Dialer;
  /** How long a client waits while this machine lacks the means to connect, in milliseconds. */
  readonly exhaustedTimeoutMs: number;
  /** For the tunnels. */
  readonly tunnel: TunnelOptions;
  /** What watches all deadlines. */
  readonly deadlines: Deadlines;
  /** The source of time. */
  readonly clock: Clock;
  /** Called with a client for whom no backend has room now; it is no longer this bridge's. */
  readonly onWait: (client: Client) => void;
  /** Called with a client that is through, and how that came about: it is to be seen out. */
  readonly onEnd: (client: Client, ending: Ending) => void;
  /** Called when this process or machine lacks the means to connect, with the reason. */
  readonly onExhausted: (state: string) => void;
}

/** Carries a client, for whom there is that lease; null: nobody can serve it. */
export async function carry(
  client: Client,
  first: Lease | null,
  options: CarryOptions,
): Promise<void> {
  const { pool, onRoom, onEnd, clock } = options;
  let lease: Lease | "wait" | null = first;
  let exhausted: GrowingPause | null = null;
  for (;;) {
    if (lease === null) {
      client.passage.end(client.passage.unserved);
      return onEnd(client, ENDING.nobody);
    }
    if (lease === "wait") return options.onWait(client);
    const outcome = await attempt(client, lease, options);
    if (typeof outcome === "object") return onEnd(client, outcome);
    onRoom(); // Where the lease was.
    if (outcome === "exhausted") {
      if (hasWaitedTooLong(client, options)) return onEnd(client, ENDING.exhausted);
      exhausted ??= new GrowingPause(clock);
      await exhausted.wait();
    }
    if (client.closed) return onEnd(client, ENDING.drainTimeout);
    lease = pool.acquire(client);
  }
}

/**
 * What became of one try: the client was carried to its ending; this machine is `exhausted`; or the
 * backend `failed` the client, who does not come back to it.
 */
type Outcome = Ending | "exhausted" | "failed";

async function attempt(client: Client, given: Lease, options: CarryOptions): Promise<Outcome> {
  using lease = given;
  const { backend } = lease;
  const { passage } = client;
  passage.leased(lease);
  let conn: Deno.TcpConn;
  try {
    conn = await options.dialer.dial(backend);
  } catch (error) {
    if (client.closed) return ENDING.drainTimeout;
    return connectFailure(error, { client, lease }, options);
  }
  lease.connected();
  const tunnel = new Tunnel({ client, backend: conn, observer: lease }, options.tunnel);
  const end = await tunnel.run();
  backend.bytesUp += tunnel.bytesUp;
  backend.bytesDown += tunnel.bytesDown;
  passage.bytesUp += tunnel.bytesUp;
  passage.bytesDown += tunnel.bytesDown;
  return end === "ended" ? failedBy(backend, client) : end;
}

function hasWaitedTooLong(client: Client, options: CarryOptions): boolean {
  return options.deadlines.now - client.arrivedMs >= options.exhaustedTimeoutMs;
}
