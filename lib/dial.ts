/** Connects to backends under a deadline. Used by the bridges. */
import { type Address, formatAddress } from "./address.ts";
import type { BackendState } from "./backend.ts";
import type { Deadlines, Expiring } from "./deadlines.ts";
import { BalancerError, type ErrorCode, socketFailure } from "./errors.ts";

/** How long a connect may take, and by which sweep. */
export interface DialerOptions {
  /** The deadline of a connect, in milliseconds. */
  readonly timeoutMs: number;
  /** What watches it. */
  readonly deadlines: Deadlines;
}

/** Whom to connect to. */
export interface DialTarget {
  /** Where it listens. */
  readonly address: Address;
  /** While it is down, nobody waits for it. */
  readonly state: BackendState;
}

/** Makes connections. */
export class Dialer {
  /** The deadline of a connect, in milliseconds. */
  readonly timeoutMs: number;
  readonly #deadlines: Deadlines;

  /** One for all bridges. */
  constructor(options: DialerOptions) {
    this.timeoutMs = options.timeoutMs;
    this.#deadlines = options.deadlines;
  }

  /**
   * Connects; the caller owns the connection from then on. Gives up as soon as the backend is known
   * to be down: with many clients at once, each would wait out its own deadline. Rejects with a
   * {@linkcode BalancerError}: side `internal` when this process or machine has no means left,
   * else side `backend` and retryable.
   */
  async dial(target: DialTarget): Promise<Deno.TcpConn> {
    const { address } = target;
    const { hostname, port } = address;
    const attempt = new Attempt(target, this.#deadlines.now + this.timeoutMs);
    this.#deadlines.watch(attempt);
    try {
      const conn = await Deno.connect({ hostname, port, signal: attempt.signal });
      if (!isItself(conn)) return conn;
      conn.close();
      throw new Deno.errors.ConnectionRefused();
    } catch (error) {
      if (!attempt.expired) throw failure(address, ...describe(error, address), error);
      const late = `no connection within ${this.timeoutMs / 1000}s`;
      throw failure(address, "timeout", attempt.isMoot ? "it is down" : late, error);
    } finally {
      this.#deadlines.unwatch(attempt);
    }
  }
}

/**
 * A connect to a dead port of this machine may meet itself, if the kernel picks that very port
 * for this end. It counts as refused.
 */
export function isItself(conn: Deno.TcpConn): boolean {
  const { localAddr, remoteAddr } = conn;
  return localAddr.port === remoteAddr.port && localAddr.hostname === remoteAddr.hostname;
}

class Attempt implements Expiring {
  place: number = -1;
  /** Was it given up because the backend is down? */
  isMoot = false;
  readonly #target: DialTarget;
  readonly #expiresAtMs: number;
  readonly #abort = new AbortController();

  constructor(target: DialTarget, expiresAtMs: number) {
    this.#target = target;
    this.#expiresAtMs = expiresAtMs;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get expired(): boolean {
    return this.#abort.signal.aborted;
  }

  expiresAt(): number {
    return this.#target.state === "down" ? -Infinity : this.#expiresAtMs;
  }

  expire(): void {
    this.isMoot = this.#target.state === "down";
    this.#abort.abort();
  }
}

function describe(error: unknown, address: Address): [ErrorCode, string] {
  const { code, state } = socketFailure(error, address);
  return [code, state];
}

function failure(
  address: Address,
  code: ErrorCode,
  state: string,
  cause: unknown,
): BalancerError {
  const internal = code === "exhausted";
  return new BalancerError({
    action: `Cannot connect to ${formatAddress(address)}`,
    state,
    code,
    side: internal ? "internal" : "backend",
    retryable: !internal,
    cause,
  });
}
