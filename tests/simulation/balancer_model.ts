/**
 * The balancer in virtual time: the real pool with its backends, leases and policies, and the real
 * prober, before simulated servers. What is simulated of it stands here and nowhere else: connects,
 * probes, and what `bridge.ts` does with a client that sends one GET.
 *
 * There is always a free bridge: what is compared is where clients are sent, not how they queue.
 */
import type { Backend } from "../../lib/backend.ts";
import { type Config, makeConfig } from "../../lib/config.ts";
import type { Setting } from "../../lib/options.ts";
import type { Lease } from "../../lib/lease.ts";
import { POLICIES, type PolicyName } from "../../lib/policy/mod.ts";
import { Pool, type PoolClient } from "../../lib/pool.ts";
import { Prober } from "../../lib/prober.ts";
import { settle } from "../support/fake_clock.ts";
import type { Random } from "../support/random.ts";
import type { RequestModel, ServerModel } from "./server_model.ts";
import type { Timeline } from "./timeline.ts";

/** A client with one request. */
export interface ClientModel extends PoolClient {
  /** When it came, in milliseconds. */
  readonly arrivedMs: number;
  /** How long its request takes, compared with the average. */
  readonly work: number;
  /** Backends that have failed it. */
  readonly tried: Backend[];
}

/** What the balancer is made of. */
export interface BalancerModelOptions {
  /** The servers, in the order given. */
  readonly servers: readonly ServerModel[];
  /** How it chooses. */
  readonly policy: PolicyName;
  /** What it is told besides. */
  readonly settings: Readonly<Partial<Record<Setting, string>>>;
  /** What the policy draws from. */
  readonly random: Random;
  /** The time. */
  readonly timeline: Timeline;
  /** Called when a client is given to the server of that place. */
  readonly onTry: (order: number) => void;
  /** Called when a client has its answer, or was told that nobody can serve it. */
  readonly onEnd: (client: ClientModel, how: "served" | "error") => void;
}

/** A connect, a refusal or the answer to a probe takes this long, in milliseconds. */
const ROUND_TRIP_MS = 1;
const REFUSED = { ok: false, final: true, reason: "connection refused" } as const;

/** A balancer. */
export class BalancerModel {
  readonly #options: BalancerModelOptions;
  readonly #config: Config;
  readonly #pool: Pool;
  readonly #prober: Prober<Backend>;

  /** Nothing happens before {@linkcode start}. */
  constructor(options: BalancerModelOptions) {
    this.#options = options;
    this.#config = makeConfig({
      listen: "8080",
      backends: options.servers.map(({ weight }, at) => `10.0.0.1:${8001 + at},weight=${weight}`),
      settings: { ...options.settings, policy: options.policy },
    });
    this.#pool = this.#makePool();
    this.#prober = this.#makeProber();
  }

  /** Resolves when the first round of probes is over. */
  async start(): Promise<void> {
    let started = false;
    this.#prober.start().then(() => started = true);
    await this.#options.timeline.runWhile(() => !started);
    this.#pool.open();
  }

  /** Takes in a new client. */
  take(client: ClientModel): void {
    this.#prober.request();
    this.#attempt(client);
  }

  #makePool(): Pool {
    const { random, timeline } = this.#options;
    const { backends, policy, fall, rise, ejectAfter, slowStartMs } = this.#config;
    return new Pool({
      backends,
      policy: POLICIES[policy].create({ random: () => random.next() }),
      fall,
      rise,
      ejectAfter,
      slowStartMs,
      clock: timeline,
      random: () => random.next(),
      onState: ({ state }) => {
        if (state === "down") this.#prober.doubt();
      },
      onGone: () => {},
    });
  }

  #makeProber(): Prober<Backend> {
    const { intervalMs, requests } = this.#config;
    return new Prober({
      backends: () => this.#pool.checked,
      probe: (backend) => this.#probe(backend),
      inDoubt: (backend) => backend.inDoubt,
      rounds: true,
      intervalMs,
      requests,
      clock: this.#options.timeline,
      random: () => this.#options.random.next(),
    });
  }

  async #probe(backend: Backend): Promise<void> {
    const mark = backend.mark();
    const server = this.#serverOf(backend);
    await this.#roundTrip();
    if (!server.listens) return this.#pool.probed(backend, REFUSED, mark);
    await this.#roundTrip();
    const counts = { entries: server.entries, errors: 0 };
    this.#pool.probed(backend, { ok: true, counts }, mark);
  }

  #roundTrip(): Promise<void> {
    return new Promise((resolve) => {
      this.#options.timeline.after(ROUND_TRIP_MS, () => {
        resolve();
        return settle();
      });
    });
  }

  #attempt(client: ClientModel): void {
    const lease = this.#pool.acquire(client);
    if (lease === "wait") throw new Error("Cannot go on: no server here has a bound");
    if (lease === null) return this.#options.onEnd(client, "error");
    if (client.tried.includes(lease.backend)) {
      throw new Error(`Cannot go on: ${lease.backend.name} is offered again to whom it has failed`);
    }
    this.#options.onTry(lease.backend.order);
    this.#options.timeline.after(ROUND_TRIP_MS, () => {
      if (this.#serverOf(lease.backend).listens) this.#ask(client, lease);
      else this.#refused(client, lease);
    });
  }

  #refused(client: ClientModel, lease: Lease): void {
    const { backend } = lease;
    lease.refused(REFUSED.reason);
    if (backend.state !== "down") this.#pool.connectFailed(backend, REFUSED.reason);
    lease[Symbol.dispose]();
    this.#attemptAgain(client, lease);
  }

  #ask(client: ClientModel, lease: Lease): void {
    const { timeline, onEnd } = this.#options;
    const server = this.#serverOf(lease.backend);
    const request: RequestModel = {
      work: client.work,
      answered: () => {
        cancel();
        lease.answered();
        lease[Symbol.dispose]();
        onEnd(client, "served");
      },
      dropped: () => {
        cancel();
        lease.dropped("connection ended");
        lease[Symbol.dispose]();
        this.#attemptAgain(client, lease);
      },
    };
    const cancel = timeline.after(this.#config.firstByteTimeoutMs, () => {
      server.leave(request);
      lease.dropped("no first byte");
      lease[Symbol.dispose]();
      onEnd(client, "error");
    });
    lease.connected();
    lease.asked();
    server.take(request);
  }

  #attemptAgain(client: ClientModel, { backend }: Lease): void {
    client.tried.push(backend);
    this.#attempt(client);
  }

  #serverOf({ order }: Backend): ServerModel {
    const server = this.#options.servers[order];
    if (server === undefined) throw new RangeError(`Cannot find the server: no place ${order}`);
    return server;
  }
}
