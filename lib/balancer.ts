/**
 * The balancer: the composition root, the only place that wires the parts together, and changes them
 * while they run.
 *
 * `acceptor` → `carrier` → `waiting_queue` → N × `bridge` → `pool` → `dial` → `tunnel` →
 * `lingering`, and beside it `resolver` → `pool` and `prober` → `probe` → `pool`.
 */
import { Acceptor } from "./acceptor.ts";
import { type Address, formatAddress, isSame, overlap } from "./address.ts";
import type { Backend, BackendSettings, BackendTuning } from "./backend.ts";
import type { BackendSnapshot, UnresolvedSnapshot } from "./backend_snapshot.ts";
import { Buffers } from "./buffers.ts";
import type { Carrier, CarrierSnapshot } from "./carrier.ts";
import { Carriers } from "./carriers.ts";
import { systemClock } from "./clock.ts";
import { ConfigError } from "./config_error.ts";
import { type Config, wrongBackends } from "./config.ts";
import { OPTIONS } from "./options.ts";
import { ConfigChanges } from "./config_changes.ts";
import { ConnectionCarrier } from "./connection_carrier.ts";
import { countDown } from "./countdown.ts";
import { Deadlines } from "./deadlines.ts";
import { SteeringError } from "./errors.ts";
import type { Histogram } from "./histogram.ts";
import { RequestCarrier } from "./http1/request_carrier.ts";
import { Journal, type OnPassage } from "./journal.ts";
import { log } from "./log.ts";
import { systemLookup } from "./lookup.ts";
import { POLICIES, type Policy } from "./policy/mod.ts";
import { Pool, type Steer } from "./pool.ts";
import { probe } from "./probe.ts";
import { Prober } from "./prober.ts";
import { type Lookup, Resolver } from "./resolver.ts";
import { namesOf, ServerList } from "./server_list.ts";
import { Steering } from "./steering.ts";

/** What the balancer itself does: it waits for the first checks, it serves, or it is being stopped. */
export type BalancerState = "starting" | "serving" | "draining";

/** The balancer as it stands. */
export interface BalancerSnapshot extends CarrierSnapshot {
  /** What it does. While it drains it may still accept. */
  readonly state: BalancerState;
  /** How long it has run, in milliseconds. */
  readonly uptimeMs: number;
  /** Clients accepted since the start. */
  readonly accepted: number;
  /** How often there were no means to accept or to connect: descriptors, ports. */
  readonly exhaustions: { readonly accept: number; readonly connect: number };
  /** How many backends may be used right now. */
  readonly readyCount: number;
  /** The backends, in the order given. */
  readonly backends: readonly BackendSnapshot[];
  /** The servers whose names have no address, in the order given. */
  readonly unresolved: readonly UnresolvedSnapshot[];
}

/** What a balancer may be given from outside. */
export interface BalancerParts {
  /** What looks names up; the system's resolver where left out. */
  readonly lookup?: Lookup;
  /** Who is told of each passage that is over. */
  readonly onPassage?: OnPassage | null;
  /** Where its admin port is, if it has one. */
  readonly admin?: Address | null;
  /** Called when the state of a backend is another, or the list of servers, or their settings. */
  readonly onChange?: () => void;
}

/** What a reload makes before it changes anything. */
interface Prepared {
  /** What is new in it. */
  readonly changes: ConfigChanges;
  /** Listens at another address; null: the address stays. */
  readonly acceptor: Acceptor | null;
  /** Carries clients by other settings; null: the settings stay. */
  readonly carrier: Carrier | null;
}

/** The least time between two log lines about the same lack of means, in milliseconds. */
const EXHAUSTED_LOG_MS = 5000;
/** RFC 2104 section 3 wants 32 bytes or more. */
const KEY_BYTES = 32;

/** A running balancer. */
export class Balancer implements AsyncDisposable {
  /** Resolves when the first round of probes is over and clients are being served. */
  readonly ready: Promise<void>;
  /** The sums over all connections, or requests. */
  readonly journal: Journal;

  #config: Config;
  readonly #onChange: () => void;
  readonly #admin: Address | null;
  readonly #startedMs = systemClock.now();
  readonly #deadlines = new Deadlines(systemClock);
  readonly #buffers = new Buffers();
  readonly #randomKey = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
  readonly #servers: ServerList;
  readonly #pool: Pool;
  readonly #resolver: Resolver;
  #prober: Prober<Backend>;
  readonly #carriers: Carriers;
  #acceptor: Acceptor;
  readonly #steering: Steering;
  #state: BalancerState = "starting";
  /** Was each name looked up once? */
  #resolved = false;
  #accepted = 0;
  readonly #exhaustions = { accept: 0, connect: 0 };
  #exhaustedLoggedMs = -Infinity;
  /** The reload under way; resolves, whatever comes of it, when the next one may begin. */
  #reloading: Promise<void> | null = null;
  #stopping: Promise<void> | null = null;
  /** Resolves when it is to stop, for those who wait for something that may take long. */
  readonly #stopAsked = Promise.withResolvers<void>();
  /** Resolves when the probes of all former probers are over. */
  #probersGone: Promise<unknown> = Promise.resolve();
  /** Is everything to end now? */
  #isCut = false;
  /** Ends the time for which it goes on accepting, before its end. */
  #endDelay = (): void => {};

  /**
   * Listens at once; clients wait until the first round of probes is over.
   * Throws a `BalancerError` when it cannot listen.
   */
  constructor(config: Config, parts: BalancerParts = {}) {
    const { lookup = systemLookup, onPassage = null, onChange = (): void => {} } = parts;
    this.#admin = parts.admin ?? null;
    this.#config = config;
    this.#onChange = onChange;
    this.journal = new Journal(systemClock, onPassage);
    this.#servers = new ServerList(config.backends, config.listen);
    this.#pool = this.#makePool();
    this.#resolver = this.#makeResolver(lookup);
    this.#prober = this.#makeProber();
    this.#carriers = new Carriers(this.#makeCarrier(config));
    this.#steering = new Steering({
      servers: this.#servers,
      pool: this.#pool,
      own: () => this.#own,
      onServers: () => this.#serversChanged(),
    });
    try {
      this.#acceptor = this.#listen(config.listen);
    } catch (error) {
      this.#deadlines[Symbol.dispose]();
      throw error;
    }
    this.ready = this.#start();
  }

  /** Where clients come in; the port is the real one. */
  get address(): Address {
    return this.#acceptor.address;
  }

  /** The settings. */
  get config(): Config {
    return this.#config;
  }

  /** The backends, in the order given; behind them those that were removed and still serve. */
  get backends(): readonly Backend[] {
    return this.#pool.backends;
  }

  /** How late the sweep of the deadlines came. */
  get delays(): Histogram {
    return this.#deadlines.delays;
  }

  /** Where this process listens. */
  get #own(): readonly Address[] {
    return this.#admin === null ? [this.address] : [this.address, this.#admin];
  }

  /** The balancer as it stands. */
  snapshot(): BalancerSnapshot {
    return {
      ...this.#carriers.snapshot(),
      state: this.#state,
      uptimeMs: systemClock.now() - this.#startedMs,
      accepted: this.#accepted,
      exhaustions: { ...this.#exhaustions },
      readyCount: this.#pool.readyCount,
      backends: this.#pool.snapshot(),
      unresolved: this.#unresolved(),
    };
  }

  /**
   * Takes over a whole new configuration; resolves when it is in force. Clients that are here are
   * carried to their end under the settings that they came under. Servers that stay keep what is
   * known of them and what they are steered to; new ones are checked before they are used; the others
   * drain. Reloads come one after the other; during the start they wait for its end.
   *
   * Resolves to what has changed, in one line for people. Nothing is changed where it rejects.
   * @throws {ConfigError} it cannot be taken over while this balancer runs.
   * @throws {BalancerError} it cannot listen at the new address.
   * @throws {SteeringError} the balancer is being stopped.
   */
  async reload(config: Config): Promise<string> {
    while (this.#reloading !== null) await this.#reloading;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#reloading = promise;
    try {
      await Promise.race([this.ready, this.#stopAsked.promise]);
      const prepared = await this.#prepare(config);
      await this.#takeOver(config, prepared);
      return String(prepared.changes);
    } finally {
      this.#reloading = null;
      resolve();
    }
  }

  /**
   * Takes one more server in, until the next reload; it is used once it was seen to work.
   * @throws {SteeringError} it is there already, it is the balancer itself, or there are too many.
   */
  addServer(settings: BackendSettings): void {
    this.#checkMayChange(`Cannot add ${formatAddress(settings.address)}`);
    this.#steering.add(settings);
  }

  /**
   * Lets a server go, until the next reload: it drains, and is gone after its last connection.
   * @throws {SteeringError} there is none of that name, it is the last one, or an address of a name.
   */
  removeServer(server: Address | string): void {
    this.#checkMayChange("Cannot remove a server");
    this.#steering.remove(server);
  }

  /**
   * Sets a server's share, until the next reload.
   * @throws {SteeringError} there is none of that name, or no server can have that weight.
   */
  setWeight(server: Address | string, weight: number): void {
    this.#steering.setWeight(server, weight);
  }

  /**
   * Takes a server out of use by hand, or puts it back. A name stands for all of its addresses.
   * @throws {SteeringError} there is none of that name.
   */
  steer(server: Address | string, to: Steer, reason?: string): void {
    this.#steering.steer(server, to, reason);
  }

  /**
   * Goes on for `drainDelayMs`, accepts no more, lets what runs finish for `drainTimeoutMs`, then ends
   * the rest; a start or a reload under way too. Resolves when everything is closed. A second call joins
   * the first.
   */
  stop(): Promise<void> {
    this.#stopAsked.resolve();
    return this.#stopping ??= this.#stop();
  }

  /** Ends everything now. Resolves when everything is closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isCut = true;
    this.#endDelay();
    const stopped = this.stop();
    this.#carriers.cut();
    await stopped;
  }

  #unresolved(): readonly UnresolvedSnapshot[] {
    return this.#servers.unresolved.map((address) => {
      const own = { reason: "its name leads to this balancer itself", sinceMs: this.#startedMs };
      const found = this.#resolver.unresolved(address.hostname) ?? own;
      return { name: formatAddress(address), ...found };
    });
  }

  #makePool(): Pool {
    return new Pool({
      ...tuningOf(this.#config),
      backends: [],
      policy: policyOf(this.#config),
      clock: systemClock,
      random: Math.random,
      onState: (backend) => this.#stateChanged(backend),
      onGone: (backend) => {
        this.#carriers.dropIdle(backend);
        log.info("{name} is gone: its last connection has ended", { name: backend.name });
        this.#onChange();
      },
      onRoom: () => this.#carriers.roomCame(),
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
      onFailure: (name, reason) => {
        log.warning("{name} does not resolve: {reason}", { name, reason });
        this.#onChange();
      },
      onRecovery: (name) => log.info("{name} resolves again", { name }),
    });
  }

  #makeProber(): Prober<Backend> {
    const { health, healthPath, probeTimeoutMs, intervalMs, requests } = this.#config;
    const kind = health === "off" ? "tcp" : health;
    const options = { kind, path: healthPath, timeoutMs: probeTimeoutMs, clock: systemClock };
    const prober: Prober<Backend> = new Prober({
      backends: () => this.#pool.checked,
      probe: async (backend, signal) => {
        const mark = backend.mark();
        const startedMs = systemClock.now();
        const result = await probe(backend.address, { ...options, signal });
        // What a probe under former settings finds out late tells nothing of the present ones.
        if (result === null || this.#prober !== prober) return;
        backend.probes.ended(result.ok, systemClock.now() - startedMs);
        this.#pool.probed(backend, result, mark);
      },
      inDoubt: (backend) => backend.inDoubt,
      rounds: health !== "off",
      intervalMs,
      requests,
      random: Math.random,
      clock: systemClock,
    });
    return prober;
  }

  #makeCarrier(config: Config): Carrier {
    const CarrierOfMode = config.mode === "http" ? RequestCarrier : ConnectionCarrier;
    return new CarrierOfMode({
      config,
      pool: this.#pool,
      deadlines: this.#deadlines,
      buffers: this.#buffers,
      clock: systemClock,
      journal: this.journal,
      randomKey: this.#randomKey,
      onRequest: () => this.#prober.request(),
      onExhausted: (state) => this.#exhausted("connect", state),
    });
  }

  #listen(address: Address): Acceptor {
    return new Acceptor(address, {
      onConn: (conn) => {
        this.#accepted++;
        this.#carriers.receive(conn);
      },
      onTrouble: (state) => this.#exhausted("accept", state),
      clock: systemClock,
    });
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
    await this.#carriers.open();
    if (this.#state !== "starting") return;
    this.#state = "serving";
    const all = this.#pool.backends.length + this.#servers.unresolved.length;
    const counts = { ready: this.#pool.readyCount, all };
    const level = counts.ready === 0 ? "warning" : "info";
    log[level]("Serving: {ready} of {all} servers ready", counts);
  }

  /**
   * Makes what may fail or take time; nothing is changed yet but that new names are known, and that
   * clients may come to the new address already.
   */
  async #prepare(config: Config): Promise<Prepared> {
    this.#checkMayReload();
    const before = { ...this.#config, backends: this.#servers.servers };
    const changes = new ConfigChanges(before, config);
    for (const setting of changes.refused) {
      throw new ConfigError(
        `--${OPTIONS[setting].name}`,
        "cannot change while the balancer runs; expected what it was started with, or a restart",
      );
    }
    const acceptor = changes.listen ? this.#listenElsewhere(config.listen) : null;
    try {
      const { address: listen } = acceptor ?? this.#acceptor;
      for (const error of wrongBackends({ listen, backends: config.backends })) throw error;
      for (const { address } of config.backends) this.#checkIsNotAdmin(address);
      const carrier = changes.concern("carrier") ? this.#makeCarrier(config) : null;
      const opened = Promise.all([carrier?.open(), this.#resolver.add(namesOf(config.backends))]);
      await Promise.race([opened, this.#stopAsked.promise]);
      this.#checkMayReload();
      return { changes, acceptor, carrier };
    } catch (error) {
      this.#resolver.keep(this.#servers.names, { intervalMs: this.#config.resolveMs });
      await acceptor?.close();
      throw error;
    }
  }

  /** Puts a configuration in force, in one step. Resolves when the former address is free. */
  async #takeOver(config: Config, { changes, acceptor, carrier }: Prepared): Promise<void> {
    const former = { acceptor: this.#acceptor, prober: this.#prober, config: this.#config };
    this.#config = config;
    if (acceptor !== null) this.#acceptor = acceptor;
    this.#servers.replace(config.backends, this.address);
    this.#resolver.keep(this.#servers.names, { intervalMs: config.resolveMs });
    const isSamePolicy = config.policy === former.config.policy;
    if (changes.concern("pool")) {
      this.#pool.tune(tuningOf(config), isSamePolicy ? null : policyOf(config));
    }
    if (changes.concern("prober")) this.#prober = this.#makeProber();
    if (carrier !== null) this.#carriers.replace(carrier);
    log.info("Reloaded: {changes}", { changes: String(changes) });
    this.#takeServers();
    this.#carriers.admit();
    if (this.#prober !== former.prober) {
      this.#prober.start();
      this.#probersGone = Promise.all([this.#probersGone, former.prober.stop()]);
    }
    if (acceptor !== null) {
      log.info("Listening on {address}, no longer on {former}", {
        address: formatAddress(this.address),
        former: formatAddress(former.acceptor.address),
      });
      await former.acceptor.close();
    }
  }

  /** Listens at another address beside the present one; null: it is the present one. */
  #listenElsewhere(listen: Address): Acceptor | null {
    const address = formatAddress(this.address);
    if (formatAddress(listen) === address) return null;
    if (overlap(listen, this.address)) {
      throw new ConfigError(
        `PORT ${formatAddress(listen)}`,
        `cannot be opened while this balancer listens on ${address}; ` +
          "expected another port, or a restart",
      );
    }
    return this.#listen(listen);
  }

  /** Where --admin says 0, the port is not known before it runs. */
  #checkIsNotAdmin(address: Address): void {
    if (this.#admin === null || !isSame(address, this.#admin)) return;
    throw new ConfigError(
      `SERVER ${formatAddress(address)}`,
      "is this balancer's admin port; expected another",
    );
  }

  #checkMayReload(): void {
    if (this.#stopping === null) return;
    throw new SteeringError("conflict", {
      action: "Cannot reload",
      state: "the balancer is being stopped",
    });
  }

  /** The list of servers is not changed by hand while a new one is on its way. */
  #checkMayChange(action: string): void {
    if (this.#reloading === null) return;
    throw new SteeringError("conflict", { action, state: "a reload is under way" });
  }

  #serversChanged(): void {
    const { names } = this.#servers;
    this.#resolver.add(names);
    this.#resolver.keep(names, { intervalMs: this.#config.resolveMs });
    if (this.#resolved) this.#takeServers();
  }

  /** Takes over the servers as their names are known now. */
  #takeServers(): void {
    this.#pool.reconcile(this.#servers.backends);
    if (this.#config.health === "off") this.#pool.trustUnknown();
    this.#prober.changed(this.#pool.wanted);
    this.#carriers.admit(); // A new bound is no change of state, but there may be room.
    this.#onChange();
  }

  #stateChanged(backend: Backend): void {
    const { name, standing: { state, reason } } = backend;
    if (state === "ready") log.info("{name} is ready", { name });
    else if (state === "down") log.warning("{name} is down: {reason}", { name, reason });
    else log.info("{name} is {state}: {reason}", { name, state, reason });
    if (state === "down") this.#prober.doubt();
    if (state !== "ready") this.#carriers.dropIdle(backend);
    this.#carriers.admit(); // Those that wait can be served now, or never.
    this.#onChange();
  }

  /** Something lacks descriptors or ports: what runs comes first, new clients wait outside. */
  #exhausted(at: "accept" | "connect", state: string): void {
    this.#exhaustions[at]++;
    this.#acceptor.pause();
    const now = systemClock.now();
    if (now - this.#exhaustedLoggedMs < EXHAUSTED_LOG_MS) return;
    this.#exhaustedLoggedMs = now;
    log.error("Cannot take all connections: {state}", { state });
  }

  async #stop(): Promise<void> {
    this.#state = "draining";
    const { drainDelayMs, drainTimeoutMs } = this.#config;
    if (drainDelayMs > 0 && !this.#isCut) await this.#goOn(drainDelayMs);
    await this.#reloading;
    await this.#acceptor.close();
    const timeoutMs = this.#isCut ? 0 : drainTimeoutMs;
    await this.#carriers.drain({ timeoutMs, clock: systemClock });
    const probersGone = Promise.all([this.#prober.stop(), this.#probersGone]);
    this.#resolver[Symbol.dispose]();
    await Promise.all([probersGone, this.ready]);
    this.#pool[Symbol.dispose]();
    this.#deadlines[Symbol.dispose]();
    log.info("Stopped");
  }

  /** Goes on for a while, until whoever sends clients here has noticed that it will not. */
  async #goOn(delayMs: number): Promise<void> {
    this.#carriers.announceEnd();
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = systemClock.after(delayMs, resolve);
    this.#endDelay = resolve;
    const stopTelling = countDown(delayMs, {
      clock: systemClock,
      tell: (seconds) => {
        const { left } = this.#carriers;
        const words = "Draining: accepting clients for another {seconds}s, {left} here now";
        log.info(words, { seconds, left });
      },
    });
    await promise;
    stopTelling();
    cancel();
  }
}

function tuningOf({ fall, rise, ejectAfter, slowStartMs }: Config): BackendTuning {
  return { fall, rise, ejectAfter, slowStartMs };
}

function policyOf({ policy }: Config): Policy {
  return POLICIES[policy].create({ random: Math.random });
}

function healthWords(config: Config): string {
  const { health, healthPath, intervalMs, requests } = config;
  if (health === "off") return "no health checks";
  const what = health === "tcp" ? "connecting" : `${health} at ${healthPath}`;
  const orRequests = requests === 0 ? "" : ` or ${requests} requests`;
  return `health checks by ${what} every ${intervalMs / 1000}s${orRequests}`;
}
