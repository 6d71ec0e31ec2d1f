/**
 * The acceptor: listens, accepts, and hands each connection over at once. The balancer owns it.
 *
 * Invariants: only closing ends the loop (`for await` over a listener would end for good when a
 * client resets before it is accepted, or when descriptors run out); it never spins.
 */
import { type Address, formatAddress } from "./address.ts";
import { type Clock, oneTurn } from "./clock.ts";
import { BalancerError, type SocketFailure, socketFailure } from "./errors.ts";

/** What an acceptor works with. */
export interface AcceptorOptions {
  /** Called with each connection, which is the callee's from then on. */
  readonly onConn: (conn: Deno.TcpConn) => void;
  /** Called when connections cannot be accepted, mostly for lack of means, with the reason. */
  readonly onTrouble: (state: string) => void;
  /** The source of time. */
  readonly clock: Clock;
}

/** Connections that the kernel may hold for us; it allows no more than `net.core.somaxconn`. */
const BACKLOG = 4096;
/** Pauses while descriptors are gone: the first and the longest, in milliseconds. */
const PAUSE_MS = { first: 50, most: 1000 } as const;
/** It closes when nobody came for so many turns of the event loop, and after so many in any case. */
const LAST_TURNS = { quiet: 2, most: 100 } as const;
/** After this many failures in a row, whatever they are, it pauses too. */
const FAILURES_MAX = 100;

/** Listens on one address. */
export class Acceptor {
  /** Where it listens; the port is the real one. */
  readonly address: Address;
  readonly #listener: Deno.TcpListener;
  readonly #options: AcceptorOptions;
  readonly #closed = Promise.withResolvers<void>();
  #done: Promise<void>;
  #pauseMs: number = PAUSE_MS.first;
  #paused = false;
  #accepted = 0;
  /** Failures in a row. */
  #failures = 0;

  /** Listens and accepts from now on. Throws a {@linkcode BalancerError} if it cannot. */
  constructor(address: Address, options: AcceptorOptions) {
    this.#options = options;
    this.#listener = listen(address);
    const { hostname, port } = this.#listener.addr;
    this.address = { hostname, port };
    this.#done = this.#accept();
  }

  /** Lets the next connections wait a little, because something else needs descriptors first. */
  pause(): void {
    this.#paused = true;
  }

  /**
   * Accepts those that have connected by now, whom closing would reset, and no more. Resolves when the
   * address is free again.
   */
  async close(): Promise<void> {
    await this.#acceptLast();
    this.#closed.resolve();
    this.#listener[Symbol.dispose]();
    await this.#done;
  }

  async #acceptLast(): Promise<void> {
    let quiet = 0;
    for (let turn = 0; turn < LAST_TURNS.most && quiet < LAST_TURNS.quiet; turn++) {
      const before = this.#accepted;
      await oneTurn(this.#options.clock);
      quiet = this.#accepted === before ? quiet + 1 : 0;
    }
  }

  async #accept(): Promise<void> {
    for (;;) {
      if (this.#paused) await this.#rest();
      const conn = await this.#next();
      if (conn === "closed") return;
      if (conn !== "failed") this.#options.onConn(conn);
    }
  }

  async #next(): Promise<Deno.TcpConn | "closed" | "failed"> {
    try {
      const conn = await this.#listener.accept();
      this.#accepted++;
      this.#failures = 0;
      this.#pauseMs = PAUSE_MS.first;
      return conn;
    } catch (error) {
      if (error instanceof Deno.errors.BadResource) return "closed";
      if (error instanceof Deno.errors.Interrupted) return "closed";
      const { code, state } = socketFailure(error);
      // Anything but exhaustion is a client that was gone before it was accepted, unless it goes on.
      this.#paused = code === "exhausted" || ++this.#failures % FAILURES_MAX === 0;
      if (this.#paused) this.#options.onTrouble(state);
      return "failed";
    }
  }

  async #rest(): Promise<void> {
    this.#paused = false;
    const rested = Promise.withResolvers<void>();
    const cancel = this.#options.clock.after(this.#pauseMs, rested.resolve);
    this.#pauseMs = Math.min(2 * this.#pauseMs, PAUSE_MS.most);
    await Promise.race([rested.promise, this.#closed.promise]);
    cancel();
  }
}

function listen(address: Address): Deno.TcpListener {
  try {
    return Deno.listen({ ...address, tcpBacklog: BACKLOG });
  } catch (error) {
    if (address.hostname === "::" && hasNoIpv6(error)) {
      return listen({ hostname: "0.0.0.0", port: address.port });
    }
    throw listenError(address, error);
  }
}

/** What to say of that error when listening on that address failed. */
export function listenError(address: Address, error: unknown): BalancerError {
  const failure = socketFailure(error);
  return new BalancerError({
    action: `Cannot listen on ${formatAddress(address)}`,
    state: listenState(address, error, failure),
    code: failure.code,
    side: "internal",
    cause: error,
  });
}

function hasNoIpv6(error: unknown): boolean {
  return error instanceof Deno.errors.AddrNotAvailable ||
    (error instanceof Error && error.message.includes("os error 97"));
}

function listenState(address: Address, error: unknown, failure: SocketFailure): string {
  if (error instanceof Deno.errors.AddrInUse) return "another program listens there already";
  if (error instanceof Deno.errors.AddrNotAvailable) return "not an address of this machine";
  if (error instanceof Deno.errors.PermissionDenied && address.port < 1024) {
    return `${failure.state} (ports below 1024 need root or CAP_NET_BIND_SERVICE)`;
  }
  return failure.state;
}
