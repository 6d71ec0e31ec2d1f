/**
 * The request carrier: http mode's way from an accepted connection to backends. It runs a session
 * for each client, lets their requests wait in the queue, and has N bridges carry one request after
 * the other to the backend that the policy picks for it.
 *
 * Invariants: N bounds the requests that are carried, not the clients; each request that is handed
 * out is settled; each connection to a backend is kept for the next request or closed.
 */
import type { Backend } from "../backend.ts";
import { Bridges } from "../bridge.ts";
import type { Carrier, CarrierOptions, CarrierSnapshot } from "../carrier.ts";
import { AHEAD_BYTES_MAX } from "../client.ts";
import { GrowingPause } from "../clock.ts";
import { connectFailure, failedBy } from "../connect_failure.ts";
import { Dialer } from "../dial.ts";
import { ENDING, type Ending } from "../ending.ts";
import type { Lease } from "../lease.ts";
import { Lingering } from "../lingering.ts";
import { Roster } from "../roster.ts";
import { WaitingQueue } from "../waiting_queue.ts";
import { BackendConnection } from "./backend_connection.ts";
import type { ClientRequest } from "./client_request.ts";
import { loadZlib, type Zlib } from "./compressor.ts";
import { DateHeader } from "./date_header.ts";
import { Exchange, type ExchangeEnd, type ExchangeOptions } from "./exchange.ts";
import { IdleConnections, keepAliveTimeoutMs } from "./idle_connections.ts";
import { RetryBudget } from "./retry_budget.ts";
import { Session, type SessionOptions } from "./session.ts";
import { Sticky } from "./sticky.ts";

/** What came of one try: settled; or the backend failed it; or this machine is out of means. */
type Outcome = "settled" | "failed" | "exhausted";

/** Carries requests. */
export class RequestCarrier implements Carrier {
  readonly #options: CarrierOptions;
  readonly #queue: WaitingQueue<ClientRequest, Lease | null>;
  readonly #lingering: Lingering;
  readonly #dialer: Dialer;
  readonly #idle: IdleConnections<BackendConnection>;
  readonly #retries: RetryBudget;
  readonly #sessionOptions: SessionOptions;
  readonly #exchangeOptions: ExchangeOptions;
  readonly #sessions = new Roster<Session>();
  readonly #carried = new Roster<ClientRequest>();
  readonly #bridges: Bridges<ClientRequest, Lease | null>;
  #sticky: Sticky | null = null;
  #zlib: Zlib | null = null;
  #turnedAway = 0;
  #opened = 0;
  #stale = 0;
  #draining = false;
  /** Resolves when everything is closed; null: nobody has asked for the end. */
  #ending: Promise<void> | null = null;
  readonly #empty = Promise.withResolvers<void>();

  /** Requests wait until {@linkcode open}. */
  constructor(options: CarrierOptions) {
    const { config, pool, deadlines, buffers, clock, journal } = options;
    this.#options = options;
    this.#queue = new WaitingQueue({
      lengthMax: config.queueMax,
      timeoutMs: config.queueTimeoutMs,
      deadlines,
      admit: (request) => {
        request.prefers = this.#sticky?.backendOf(request.head.headers, pool.backends) ?? null;
        return pool.acquire(request);
      },
      onTimeout: (request) => this.#turnAway(request, ENDING.queueTimeout),
    });
    this.#lingering = new Lingering({
      timeoutMs: config.lingerTimeoutMs,
      deadlines,
    });
    this.#dialer = new Dialer({ timeoutMs: config.connectTimeoutMs, deadlines });
    this.#idle = new IdleConnections({ timeoutMs: config.backendKeepAliveMs, deadlines });
    this.#retries = new RetryBudget(() => deadlines.now);
    this.#bridges = this.#makeBridges();
    const date = new DateHeader(Date.now);
    this.#sessionOptions = {
      headTimeoutMs: config.headTimeoutMs,
      keepAliveTimeoutMs: config.keepAliveTimeoutMs,
      isTrusted: (ip) => config.trustProxy.isTrusted(ip),
      deadlines,
      buffers,
      clock,
      date,
      journal,
      onRequest: (request) => this.#take(request),
      onSettled: (request) => {
        this.#carried.delete(request);
        journal.ended(request.passage);
      },
      onLeave: (session, lastBytes) => this.#leave(session, lastBytes),
    };
    this.#exchangeOptions = {
      firstByteTimeoutMs: config.firstByteTimeoutMs,
      idleTimeoutMs: config.idleTimeoutMs,
      upgradedIdleTimeoutMs: config.upgradedIdleTimeoutMs,
      lingerTimeoutMs: config.lingerTimeoutMs,
      defaultHost: "localhost",
      date,
      deadlines,
      buffers,
    };
  }

  /** How many clients are not closed yet. */
  get left(): number {
    return this.#sessions.size + this.#lingering.size;
  }

  /** How many requests and clients are where right now. */
  snapshot(): CarrierSnapshot {
    return {
      clients: this.#sessions.size + this.#lingering.size,
      carried: this.#carried.size,
      waiting: this.#queue.length,
      lingering: this.#lingering.size,
      turnedAway: this.#turnedAway,
      http: {
        idle: this.#idle.size,
        opened: this.#opened,
        reused: this.#idle.reused,
        stale: this.#stale,
        lost: this.#idle.lost,
        retries: this.#retries.taken,
        retriesRefused: this.#retries.refused,
      },
    };
  }

  /** Takes in a new connection, which is the carrier's from now on. */
  receive(conn: Deno.TcpConn): void {
    let session: Session;
    try {
      session = new Session(conn, this.#sessionOptions);
    } catch {
      return conn[Symbol.dispose](); // It broke the connection before it was taken in.
    }
    this.#sessions.add(session);
    session.run();
    if (this.#draining) session.drain();
  }

  /** From now on requests are carried, those first that have come by now. */
  async open(): Promise<void> {
    const { randomKey, config: { sticky, stickyKey, compress } } = this.#options;
    if (sticky !== null) {
      const key = stickyKey === null ? randomKey : new TextEncoder().encode(stickyKey);
      this.#sticky = await Sticky.create({ name: sticky, key });
    }
    if (compress === "on") this.#zlib = await loadZlib();
    this.#bridges.open();
  }

  /** Looks which of the requests that wait can go on. */
  admit(): void {
    this.#bridges.admit();
  }

  /** A backend is not to be used for now: nothing is kept of it. */
  dropIdle(backend: Backend): void {
    this.#idle.drop(backend);
  }

  /**
   * Each client is told with its next answer that it is the last; one that does not ask again goes when
   * its time is over. Resolves when all clients are closed.
   */
  retire(): Promise<void> {
    for (const session of this.#sessions) session.retire();
    return this.#end();
  }

  /** Takes no further requests than those under way. Resolves when all clients are closed. */
  drain(): Promise<void> {
    this.#draining = true;
    for (const session of this.#sessions) session.drain();
    return this.#end();
  }

  /** Closes all that are still there. */
  cut(): void {
    for (const request of this.#queue.drop()) request.settle("cut", ENDING.drainTimeout);
    for (const { passage } of this.#carried) passage.end(ENDING.drainTimeout);
    this.#options.deadlines.expireAll();
    for (const session of this.#sessions) session[Symbol.dispose]();
  }

  #end(): Promise<void> {
    return this.#ending ??= this.#settle();
  }

  async #settle(): Promise<void> {
    if (this.#sessions.size > 0) await this.#empty.promise;
    this.#queue.close();
    await this.#bridges.settled();
    await this.#lingering.settled();
    this.#idle[Symbol.dispose]();
  }

  #take(request: ClientRequest): void {
    this.#bridges.prepare();
    const place = this.#queue.offer(request);
    if (place === "full") this.#turnAway(request, ENDING.queueFull);
    if (place === "waits") this.#watchWaiting(request);
  }

  #makeBridges(): Bridges<ClientRequest, Lease | null> {
    return new Bridges({
      countMax: this.#options.config.parallel,
      queue: this.#queue,
      carry: (request, lease) => this.#carry(request, lease),
      onTake: (request) => {
        this.#carried.add(request);
        if (request.passage.attempts > 0) return; // It had to wait again.
        this.#retries.request();
        this.#options.onRequest();
      },
      onDefect: (request) => request.settle("cut", ENDING.defect),
    });
  }

  /** A client that breaks its connection while its request waits gives the place up. */
  async #watchWaiting(request: ClientRequest): Promise<void> {
    const { reader } = request.session;
    try {
      while (this.#queue.has(request) && !reader.ended && reader.held < AHEAD_BYTES_MAX) {
        await reader.fill();
      }
    } catch {
      if (this.#queue.leave(request)) request.settle("cut", ENDING.leftEarly);
    }
  }

  #turnAway(request: ClientRequest, ending: Ending): void {
    this.#turnedAway++;
    request.settle(503, ending);
  }

  #leave(session: Session, lastBytes: Uint8Array): void {
    this.#sessions.delete(session);
    this.#lingering.close(session, lastBytes);
    if (this.#sessions.size === 0 && this.#ending !== null) this.#empty.resolve();
  }

  async #carry(request: ClientRequest, first: Lease | null): Promise<void> {
    const { pool, clock, deadlines, config } = this.#options;
    const startedMs = deadlines.now;
    let lease: Lease | "wait" | null = first;
    let exhausted: GrowingPause | null = null;
    for (;;) {
      if (lease === null) {
        // Nobody is there, or nobody is left that has not failed it (RFC 9110, 15.6.3 and 15.6.4).
        const { tried, passage } = request;
        return request.settle(tried.length > 0 ? 502 : 503, passage.unserved);
      }
      if (lease === "wait") {
        this.#carried.delete(request);
        this.#queue.giveBack(request);
        this.#watchWaiting(request);
        return;
      }
      const outcome = await this.#attempt(request, lease);
      if (outcome === "settled") return;
      this.#bridges.admit(); // There is room where the lease was.
      if (outcome === "exhausted") {
        if (deadlines.now - startedMs >= config.queueTimeoutMs) {
          return this.#turnAway(request, ENDING.exhausted);
        }
        exhausted ??= new GrowingPause(clock);
        await exhausted.wait();
      }
      if (request.session.closed) return request.settle("cut", ENDING.leftEarly);
      lease = pool.acquire(request);
    }
  }

  async #attempt(request: ClientRequest, given: Lease): Promise<Outcome> {
    using lease = given;
    const { backend } = lease;
    request.passage.leased(lease);
    for (let kept = this.#idle.take(backend);; kept = null) {
      let connection = kept;
      try {
        if (connection === null) {
          connection = await this.#connect(backend);
          lease.connected();
        }
      } catch (error) {
        return connectFailure(error, { client: request, lease }, this.#options);
      }
      const exchange = this.#begin(request, { lease, connection });
      const end = await exchange.run();
      this.#putAway(exchange, { request, backend, connection });
      // A connection that the backend gave up while it was idle is no failure of the backend.
      const isStale = kept !== null && end === "unanswered";
      if (!isStale) return this.#judge(request, { lease, exchange, end });
      this.#stale++;
      if (!request.isRepeatable) {
        request.settle(502, ENDING.unanswered);
        return "settled";
      }
      lease.restart();
    }
  }

  async #connect(backend: Backend): Promise<BackendConnection> {
    const conn = await this.#dialer.dial(backend);
    conn.setNoDelay(true);
    this.#opened++;
    return new BackendConnection(conn, this.#options.buffers);
  }

  #begin(
    request: ClientRequest,
    { lease, connection }: { lease: Lease; connection: BackendConnection },
  ): Exchange {
    const { backend } = lease;
    const cookie = request.prefers === backend
      ? null
      : this.#sticky?.setCookieHeader(backend, { secure: false }) ?? null;
    const ends = { request, connection, observer: lease, cookie, zlib: this.#zlib };
    return new Exchange(ends, this.#exchangeOptions);
  }

  /** Behind an exchange: counts what was carried, and keeps the connection for the next, or closes it. */
  #putAway(
    exchange: Exchange,
    { request, backend, connection }: {
      request: ClientRequest;
      backend: Backend;
      connection: BackendConnection;
    },
  ): void {
    const { passage } = request;
    const { bytesUp, bytesDown } = exchange;
    passage.bytesUp += bytesUp;
    passage.bytesDown += bytesDown;
    backend.bytesUp += bytesUp;
    backend.bytesDown += bytesDown;
    if (!exchange.keepsBackend) return connection[Symbol.dispose]();
    const timeoutMs = keepAliveTimeoutMs(exchange.keepAliveHeaders);
    this.#idle.keep(backend, connection, { timeoutMs });
  }

  /** What follows from the end of an exchange, for the client and for the backend. */
  #judge(
    request: ClientRequest,
    { lease, exchange, end }: { lease: Lease; exchange: Exchange; end: ExchangeEnd },
  ): Outcome {
    switch (end) {
      case "answered":
        request.settle(exchange.keepsClient ? "keep" : "end", ENDING.served);
        break;
      case "unanswered":
        // Backends close on those who never finish a request: that is no failure of theirs.
        if (!exchange.wasOwed) lease.dropped(exchange.reason);
        failedBy(lease.backend, request);
        if (request.isRepeatable && this.#options.pool.offers(request) && this.#retries.take()) {
          return "failed";
        }
        request.settle(502, ENDING.unanswered);
        break;
      case "silent":
        lease.dropped(exchange.reason);
        request.settle(504, ENDING.firstByteTimeout);
        break;
      case "malformed":
        lease.dropped(exchange.reason);
        request.settle(502, ENDING.badAnswer);
        break;
      case "slow client":
        request.settle(408, ENDING.idleTimeout);
        break;
      case "bad client":
        request.settle(400, ENDING.badRequest);
        break;
      case "gone":
        request.settle("cut", exchange.answered ? ENDING.clientBroke : ENDING.leftEarly);
        break;
      case "cut":
        request.settle("cut", ENDING.backendBroke);
    }
    return "settled";
  }
}
