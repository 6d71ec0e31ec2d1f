/**
 * The admin port: where a running balancer is looked at and steered. Composed here of its parts, each
 * a list of routes; started by the program before there is a balancer, closed after it, so that it
 * tells how things stand all along.
 */
import { type Address, formatAddress } from "../address.ts";
import { systemClock } from "../clock.ts";
import type { Config } from "../config.ts";
import { log } from "../log.ts";
import { json, text } from "./answers.ts";
import { Dashboard } from "./dashboard.ts";
import type { Numbers } from "./sampler.ts";
import { Metrics, type MetricsParts, type MetricsSource } from "./metrics.ts";
import { Refusal } from "./refusal.ts";
import type { Route } from "./router.ts";
import { AdminServer } from "./server.ts";
import { type Status, statusOf, whyNotReady } from "./status.ts";
import type { Steerable } from "./steerable.ts";
import { steeringRoutes } from "./steering.ts";
import { WallClock } from "./wall_clock.ts";

/** What an admin port is made of. */
export interface AdminOptions extends MetricsParts {
  /** The settings that the program was started with. */
  readonly config: Config;
  /** Where to listen; port 0: any free one. */
  readonly address: Address;
  /** The version of the program. */
  readonly version: string;
  /** Reads the configuration again and takes it over; resolves to what has changed, in words. */
  readonly reload: () => Promise<string>;
}

/** The balancer that an admin port is about. */
export type Administered = Steerable & MetricsSource & Numbers;

/** Calls that tell whether it is alive. */
const HEALTH = { method: "GET", access: "anyone", always: true } as const;

/** A running admin port. */
export class Admin implements AsyncDisposable {
  readonly #options: AdminOptions;
  readonly #startedMs = systemClock.now();
  readonly #wallClock = new WallClock(systemClock);
  readonly #server: AdminServer;
  readonly #dashboard: Dashboard;
  #balancer: Administered | null = null;
  #metrics: Metrics | null = null;

  /** Listens from now on, and says that all is starting. Throws a `BalancerError` if it cannot. */
  constructor(options: AdminOptions) {
    this.#options = options;
    const { address, config: { adminToken: token } } = options;
    this.#dashboard = new Dashboard({
      status: () => this.#status(),
      numbers: () => this.#balancer,
      clock: systemClock,
      epochNow: Date.now,
    });
    this.#server = new AdminServer({ address, token, routes: this.#routes(), clock: systemClock });
    log.info("Admin port: {url}", {
      url: `http://${formatAddress(this.address)}/`,
    });
  }

  /** Where it listens; the port is the real one. */
  get address(): Address {
    return this.#server.address;
  }

  /** From now on it is about that balancer. */
  attach(balancer: Administered): void {
    this.#balancer = balancer;
    this.#metrics = new Metrics(balancer, this.#options);
  }

  /** The state, the weight or the list of servers is another: open pages are to show it at once. */
  changed(): void {
    this.#dashboard.changed();
  }

  /** Closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#dashboard[Symbol.dispose](); // Else the server would wait for open pages.
    await this.#server[Symbol.asyncDispose]();
  }

  /** Each part of the admin port, as routes. */
  #routes(): readonly Route[] {
    const { reload } = this.#options;
    const { iso } = this.#wallClock;
    const { history } = this.#dashboard;
    return [
      { ...HEALTH, path: "/healthz", handle: () => text("ok") },
      { ...HEALTH, path: "/readyz", handle: () => this.#ready() },
      { method: "GET", path: "/status", access: "reader", handle: () => json(this.#status()) },
      { method: "GET", path: "/metrics", access: "reader", handle: () => this.#scraped() },
      ...this.#dashboard.routes,
      ...steeringRoutes({ balancer: () => this.#balancer, reload, iso, history }),
    ];
  }

  #ready(): Response {
    const reason = whyNotReady(this.#balancer);
    return reason === null ? text("ready") : text(reason, { status: 503 });
  }

  async #scraped(): Promise<Response> {
    const metrics = this.#metrics;
    if (metrics === null) throw new Refusal(503, "the balancer is only starting");
    return new Response(await metrics.text(), { headers: { "content-type": metrics.contentType } });
  }

  #status(): Status {
    const { config, version } = this.#options;
    const { iso } = this.#wallClock;
    const { history } = this.#dashboard;
    const nowMs = systemClock.now();
    const [balancer, startedMs] = [this.#balancer, this.#startedMs];
    return statusOf({ config, version, balancer, startedMs, nowMs, iso, history });
  }
}
