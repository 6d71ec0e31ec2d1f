/**
 * The balancer: the composition root, the only place that wires the parts together.
 *
 * `acceptor` → `carrier` → `waiting_queue` → N × `bridge` → `pool` → `dial` → `tunnel` →
 * `lingering`, and beside it `resolver` → `pool` and `prober` → `probe` → `pool`.
 */
import { Acceptor } from "./acceptor.ts";
import { type Address, formatAddress } from "./address.ts";
import type { Backend } from "./backend.ts";
import type { BackendSnapshot } from "./backend_snapshot.ts";
import { Buffers } from "./buffers.ts";
import type { Carrier, CarrierSnapshot } from "./carrier.ts";
import { systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { ConnectionCarrier } from "./connection_carrier.ts";
import { Deadlines } from "./deadlines.ts";
import { RequestCarrier } from "./http1/request_carrier.ts";
import { Journal, type OnPassage } from "./journal.ts";
import { log } from "./log.ts";
import { systemLookup } from "./lookup.ts";
import { Pool } from "./pool.ts";
import { POLICIES } from "./policy/mod.ts";
import { probe } from "./probe.ts";
import { Prober } from "./prober.ts";
import { type Lookup, Resolver } from "./resolver.ts";
import { ServerList } from "./server_list.ts";

/** The balancer as it stands. */
export interface BalancerSnapshot extends CarrierSnapshot {
  /** Clients accepted since the start. */
  readonly accepted: number;
  /** The backends, in the order given. */
  readonly backends: readonly BackendSnapshot[];
}

/** What a balancer may be given from outside. */
export interface BalancerParts {
  /** What looks names up; the system's resolver where left out. */
  readonly lookup?: Lookup;
  /** Who is told of each passage that is over. */
  readonly onPassage?: OnPassage | null;
}

/** The least time between two log lines about the same lack of means, in milliseconds. */
const EXHAUSTED_LOG_MS = 5000;

/** A running balancer. */
export class Balancer implements AsyncDisposable {
  /** Resolves when the first round of probes is over and clients are being served. */
  readonly ready: Promise<void>;

  readonly #config: Config;
  readonly #deadlines = new Deadlines(systemClock);
  readonly #journal: Journal;
  readonly #servers: ServerList;
  readonly #pool: Pool;
  readonly #resolver: Resolver;
  readonly #prober: Prober<Backend>;
  readonly #carrier: Carrier;
  readonly #acceptor: Acceptor;
  /** Was each name looked up once? */
  #resolved = false;
  #accepted = 0;
  #exhaustedLoggedMs = -Infinity;
  #stopping: Promise<void> | null = null;

  /**
   * Listens at once; clients wait until the first round of probes is over.
   * Throws a `BalancerError` when it cannot listen.
   */
  constructor(config: Config, { lookup = systemLookup, onPassage = null }: BalancerParts = {}) {
    this.#config = config;
    this.#journal = new Journal(systemClock, onPassage);
    this.#servers = new ServerList(config.backends, config.listen);
    this.#pool = this.#makePool();
    this.#resolver = this.#makeResolver(lookup);
    this.#prober = this.#makeProber();
    const CarrierOfMode = config.mode === "http" ? RequestCarrier : ConnectionCarrier;
    this.#carrier = new CarrierOfMode({
      config,
      pool: this.#pool,
      deadlines: this.#deadlines,
      buffers: new Buffers(),
      clock: systemClock,
      journal: this.#journal,
      onRequest: () => this.#prober.request(),
      onExhausted: (state) => this.#exhausted(state),
    });
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
      ...this.#carrier.snapshot(),
      accepted: this.#accepted,
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
    this.#carrier.cut();
    await stopped;
  }

  #makePool(): Pool {
    const { policy, fall, rise, ejectAfter, slowStartMs } = this.#config;
    const { random } = Math;
    return new Pool({
      backends: [],
      policy: POLICIES[policy].create({ random }),
      fall,
      rise,
      ejectAfter,
      slowStartMs,
      clock: systemClock,
      random,
      onState: (backend) => this.#stateChanged(backend),
      onGone: (backend) => {
        this.#carrier.dropIdle(backend);
        log.info("{name} is gone: its last connection has ended", { name: backend.name });
      },
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
        if (this.#resolved) this.#takeServers();
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
        onConn: (conn) => {
          this.#accepted++;
          this.#carrier.receive(conn);
        },
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
    this.#resolved = true;
    this.#takeServers();
    await this.#prober.start();
    this.#pool.open();
    await this.#carrier.open();
    const counts = { ready: this.#pool.readyCount, all: this.#pool.backends.length };
    const level = counts.ready === 0 ? "warning" : "info";
    log[level]("Serving: {ready} of {all} servers ready", counts);
  }

  /** Takes over the servers as their names are known now. */
  #takeServers(): void {
    this.#pool.reconcile(this.#servers.backends);
    if (this.#config.health === "off") this.#pool.trustUnknown();
    this.#prober.doubt();
    this.#carrier.admit(); // A new bound is no change of state, but there may be room.
  }

  #stateChanged(backend: Backend): void {
    const { name, standing: { state, reason } } = backend;
    if (state === "ready") log.info("{name} is ready", { name });
    else if (state === "down") log.warning("{name} is down: {reason}", { name, reason });
    else log.info("{name} is {state}: {reason}", { name, state, reason });
    if (state === "down") this.#prober.doubt();
    if (state !== "ready") this.#carrier.dropIdle(backend);
    this.#carrier.admit(); // Those that wait can be served now, or never.
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
    const cancel = systemClock.after(drainTimeoutMs, () => this.#carrier.cut());
    await this.#carrier.drain();
    cancel();
    await this.#prober.stop();
    this.#pool[Symbol.dispose]();
    this.#deadlines[Symbol.dispose]();
    log.info("Stopped");
  }
}

function healthWords(config: Config): string {
  const { health, healthPath, intervalMs, requests } = config;
  if (health === "off") return "no health checks";
  const what = health === "tcp" ? "connecting" : `${health} at ${healthPath}`;
  const orRequests = requests === 0 ? "" : ` or ${requests} requests`;
  return `health checks by ${what} every ${intervalMs / 1000}s${orRequests}`;
}
