/**
 * The balancer: the composition root, the only place that wires the parts together.
 *
 * `acceptor` → `waiting_queue` → N × `bridge` → `pool` → `dial` → `tunnel` → `lingering`, and
 * beside it `prober` → `probe` → `pool`.
 */
import { Acceptor } from "./acceptor.ts";
import { type Address, formatAddress } from "./address.ts";
import type { Backend } from "./backend.ts";
import type { BackendSnapshot } from "./backend_snapshot.ts";
import { type Answers, bridge, type BridgeOptions } from "./bridge.ts";
import { Buffers } from "./buffers.ts";
import { Client } from "./client.ts";
import { systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { Deadlines } from "./deadlines.ts";
import { Dialer } from "./dial.ts";
import type { Lease } from "./lease.ts";
import { Lingering } from "./lingering.ts";
import { log } from "./log.ts";
import { systemLookup } from "./lookup.ts";
import { Pool } from "./pool.ts";
import { POLICIES } from "./policy/mod.ts";
import { probe } from "./probe.ts";
import { Prober } from "./prober.ts";
import { type Lookup, Resolver } from "./resolver.ts";
import { Roster } from "./roster.ts";
import { ServerList } from "./server_list.ts";
import { WaitingQueue } from "./waiting_queue.ts";

/** The balancer as it stands. */
export interface BalancerSnapshot {
  /** Clients that a bridge carries. */
  readonly carried: number;
  /** Clients that wait for a bridge. */
  readonly waiting: number;
  /** Clients that have been served or turned away, and have not closed yet. */
  readonly lingering: number;
  /** Clients accepted since the start. */
  readonly accepted: number;
  /** Clients turned away since the start because too many waited, or one for too long. */
  readonly turnedAway: number;
  /** The backends, in the order given. */
  readonly backends: readonly BackendSnapshot[];
}

const ENCODER = new TextEncoder();
const HTTP_ANSWERS: Answers = {
  nobody: ENCODER.encode("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"),
  busy: ENCODER.encode(
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
  ),
};
const NO_ANSWERS: Answers = { nobody: new Uint8Array(0), busy: new Uint8Array(0) };
/** The most clients that may be on their way out at once. */
const LINGERING_MAX = 4096;
/** The least time between two log lines about the same lack of means, in milliseconds. */
const EXHAUSTED_LOG_MS = 5000;

/** A running balancer. */
export class Balancer implements AsyncDisposable {
  /** Resolves when the first round of probes is over and clients are being served. */
  readonly ready: Promise<void>;

  readonly #config: Config;
  readonly #deadlines = new Deadlines(systemClock);
  readonly #buffers = new Buffers();
  readonly #dialer: Dialer;
  readonly #servers: ServerList;
  readonly #pool: Pool;
  readonly #resolver: Resolver;
  readonly #prober: Prober<Backend>;
  readonly #queue: WaitingQueue<Client, Lease | null>;
  readonly #lingering: Lingering;
  readonly #acceptor: Acceptor;
  readonly #bridgeOptions: BridgeOptions;
  readonly #carried = new Roster<Client>();
  readonly #bridges = new Set<Promise<void>>();
  #open = false;
  #accepted = 0;
  #turnedAway = 0;
  #exhaustedLoggedMs = -Infinity;
  #stopping: Promise<void> | null = null;

  /**
   * Listens at once; clients wait until the first round of probes is over.
   * Throws a `BalancerError` when it cannot listen. Names are looked up by `lookup`.
   */
  constructor(config: Config, lookup: Lookup = systemLookup) {
    this.#config = config;
    this.#dialer = new Dialer({
      timeoutMs: config.connectTimeoutMs,
      deadlines: this.#deadlines,
    });
    this.#servers = new ServerList(config.backends, config.listen);
    this.#pool = this.#makePool();
    this.#resolver = this.#makeResolver(lookup);
    this.#prober = this.#makeProber();
    this.#queue = new WaitingQueue({
      lengthMax: config.queueMax,
      timeoutMs: config.queueTimeoutMs,
      deadlines: this.#deadlines,
      admit: (client) => this.#pool.acquire(client),
      onTimeout: (client) => this.#turnAway(client),
    });
    this.#lingering = new Lingering({
      timeoutMs: config.lingerTimeoutMs,
      countMax: LINGERING_MAX,
      deadlines: this.#deadlines,
    });
    this.#bridgeOptions = this.#makeBridgeOptions();
    this.#acceptor = this.#listen();
    this.ready = this.#start();
  }

  /** Where clients come in; the port is the real one. */
  get address(): Address {
    return this.#acceptor.address;
  }

  /** The balancer as it stands. */
  snapshot(): BalancerSnapshot {
    return {
      carried: this.#carried.size,
      waiting: this.#queue.length,
      lingering: this.#lingering.size,
      accepted: this.#accepted,
      turnedAway: this.#turnedAway,
      backends: this.#pool.snapshot(),
    };
  }

  /**
   * Accepts no more, lets what runs finish for `drainTimeoutMs`, then ends the rest. Resolves when
   * everything is closed. A second call joins the first.
   */
  stop(): Promise<void> {
    return this.#stopping ??= this.#stop();
  }

  /** Ends everything now. Resolves when everything is closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    const stopped = this.stop();
    this.#cut();
    await stopped;
  }

  #makeBridgeOptions(): BridgeOptions {
    const config = this.#config;
    return {
      queue: this.#queue,
      pool: this.#pool,
      lingering: this.#lingering,
      answers: this.#answers(),
      dialer: this.#dialer,
      exhaustedTimeoutMs: config.queueTimeoutMs,
      tunnel: {
        http: config.mode === "bridge",
        firstByteTimeoutMs: config.firstByteTimeoutMs,
        idleTimeoutMs: config.idleTimeoutMs,
        lingerTimeoutMs: config.mode === "tcp" ? config.idleTimeoutMs : config.lingerTimeoutMs,
        deadlines: this.#deadlines,
        buffers: this.#buffers,
      },
      deadlines: this.#deadlines,
      clock: systemClock,
      onTake: (client) => {
        this.#carried.add(client);
        this.#prober.request();
      },
      onLeave: (client) => this.#carried.delete(client),
      onWait: (client) => {
        this.#queue.giveBack(client);
        this.#watchWaiting(client);
      },
      onExhausted: (state) => this.#exhausted(state),
      onDefect: (error) => log.error("A defect of this program: {error}", { error: String(error) }),
    };
  }

  #makePool(): Pool {
    const { policy, fall, rise, ejectAfter, slowStartMs } = this.#config;
    const { random } = Math;
    return new Pool({
      backends: this.#servers.backends,
      policy: POLICIES[policy].create({ random }),
      fall,
      rise,
      ejectAfter,
      slowStartMs,
      clock: systemClock,
      random,
      onState: (backend) => this.#stateChanged(backend),
      onGone: ({ name }) => log.info("{name} is gone: its last connection has ended", { name }),
    });
  }

  #makeResolver(lookup: Lookup): Resolver {
    return new Resolver({
      names: this.#servers.names,
      lookup,
      intervalMs: this.#config.resolveMs,
      clock: systemClock,
      random: Math.random,
      onAddresses: (name, addresses) => {
        log.info("{name} is {addresses}", { name, addresses: addresses.join(", ") });
        this.#servers.resolved(name, addresses);
        this.#pool.reconcile(this.#servers.backends);
        if (this.#config.health === "off") this.#pool.trustUnknown();
        this.#prober.doubt();
      },
      onFailure: (name, reason) =>
        log.warning("{name} does not resolve: {reason}", { name, reason }),
      onRecovery: (name) => log.info("{name} resolves again", { name }),
    });
  }

  #makeProber(): Prober<Backend> {
    const { health, healthPath, probeTimeoutMs, intervalMs, requests } = this.#config;
    const kind = health === "off" ? "tcp" : health;
    const options = { kind, path: healthPath, timeoutMs: probeTimeoutMs, clock: systemClock };
    return new Prober({
      backends: () => this.#pool.checked,
      probe: async (backend) => {
        const mark = backend.mark();
        const result = await probe(backend.address, options);
        if (result !== null) this.#pool.probed(backend, result, mark);
      },
      inDoubt: (backend) => backend.inDoubt,
      rounds: health !== "off",
      intervalMs,
      requests,
      random: Math.random,
      clock: systemClock,
    });
  }

  #listen(): Acceptor {
    try {
      return new Acceptor(this.#config.listen, {
        onConn: (conn) => this.#receive(conn),
        onTrouble: (state) => this.#exhausted(state),
        clock: systemClock,
      });
    } catch (error) {
      this.#deadlines[Symbol.dispose]();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const config = this.#config;
    log.info(
      `Listening on ${formatAddress(this.address)}: ${config.mode} mode, ${config.policy}, ` +
        `${config.parallel} bridges, ${healthWords(config)}`,
    );
    await this.#resolver.start();
    if (config.health === "off") this.#pool.trustUnknown();
    await this.#prober.start();
    this.#pool.open();
    this.#open = true;
    while (this.#queue.length > this.#queue.idle && this.#bridges.size < config.parallel) {
      this.#startBridge();
    }
    const counts = { ready: this.#pool.readyCount, all: this.#pool.backends.length };
    const level = counts.ready === 0 ? "warning" : "info";
    log[level]("Serving: {ready} of {all} servers ready", counts);
  }

  /** Takes in a new connection. */
  #receive(conn: Deno.TcpConn): void {
    const client = new Client(conn, this.#deadlines.now, this.#buffers);
    this.#accepted++;
    if (this.#open && this.#queue.idle === 0 && this.#bridges.size < this.#config.parallel) {
      this.#startBridge();
    }
    const place = this.#queue.offer(client);
    if (place === "full") this.#turnAway(client);
    if (place === "waits") this.#watchWaiting(client);
  }

  #startBridge(): void {
    const running = bridge(this.#bridgeOptions);
    this.#bridges.add(running);
    running.finally(() => this.#bridges.delete(running));
  }

  /** A client that hangs up while it waits gives its place up. */
  async #watchWaiting(client: Client): Promise<void> {
    const waits = (): boolean => this.#queue.has(client);
    // In tcp mode a client that never says anything may still wait for what the backend says.
    if (!await client.hangsUp(waits, { mayBeMute: this.#config.mode === "tcp" })) return;
    if (this.#queue.leave(client)) client[Symbol.dispose]();
  }

  #turnAway(client: Client): void {
    this.#turnedAway++;
    this.#lingering.close(client, this.#answers().busy);
  }

  #answers(): Answers {
    return this.#config.mode === "tcp" ? NO_ANSWERS : HTTP_ANSWERS;
  }

  #stateChanged({ name, standing: { state, reason } }: Backend): void {
    if (state === "ready") log.info("{name} is ready", { name });
    else if (state === "down") log.warning("{name} is down: {reason}", { name, reason });
    else log.info("{name} is {state}: {reason}", { name, state, reason });
    if (state === "down") this.#prober.doubt();
    this.#queue.admit(); // Those that wait can be served now, or never.
  }

  /** Something lacks descriptors or ports: what runs comes first, new clients wait outside. */
  #exhausted(state: string): void {
    this.#acceptor.pause();
    const now = systemClock.now();
    if (now - this.#exhaustedLoggedMs < EXHAUSTED_LOG_MS) return;
    this.#exhaustedLoggedMs = now;
    log.error("Cannot take all connections: {state}", { state });
  }

  async #stop(): Promise<void> {
    const { drainTimeoutMs } = this.#config;
    await this.#acceptor.close();
    this.#resolver[Symbol.dispose]();
    await this.ready;
    this.#queue.close();
    const left = this.#left();
    if (left > 0) log.info("Draining: {left} clients left", { left });
    const cancel = systemClock.after(drainTimeoutMs, () => this.#cut());
    await Promise.all([...this.#bridges]);
    await this.#lingering.settled();
    cancel();
    await this.#prober.stop();
    this.#pool[Symbol.dispose]();
    this.#deadlines[Symbol.dispose]();
    log.info("Stopped");
  }

  #left(): number {
    return this.#carried.size + this.#queue.length + this.#lingering.size;
  }

  #cut(): void {
    const left = this.#left();
    if (left > 0) log.warning("Closing {left} clients that are not finished", { left });
    this.#queue.close();
    for (const client of this.#queue.drop()) client[Symbol.dispose]();
    // Connects, tunnels and lingering closes end as if their time were over, and their clients with
    // them: a tunnel that only waits for its backend would not notice that the client is closed.
    this.#deadlines.expireAll();
    for (const client of this.#carried) client[Symbol.dispose]();
  }
}

function healthWords(config: Config): string {
  const { health, healthPath, intervalMs, requests } = config;
  if (health === "off") return "no health checks";
  const what = health === "tcp" ? "connecting" : `${health} at ${healthPath}`;
  const orRequests = requests === 0 ? "" : ` or ${requests} requests`;
  return `health checks by ${what} every ${intervalMs / 1000}s${orRequests}`;
}
