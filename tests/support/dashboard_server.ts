/**
 * The dashboard on a port of its own, in front of servers that do what a test says: the states,
 * journal and histograms are the real ones, only the traffic is made up.
 */
import { Dashboard } from "../../lib/admin/dashboard.ts";
import type { UnresolvedStatus } from "../../lib/admin/status.ts";
import { formatAddress } from "../../lib/address.ts";
import type { Backend, BackendSettings } from "../../lib/backend.ts";
import { snapshotOf } from "../../lib/backend_snapshot.ts";
import { systemClock } from "../../lib/clock.ts";
import { ENDING, type Ending } from "../../lib/ending.ts";
import { Journal } from "../../lib/journal.ts";
import { Passage } from "../../lib/passage.ts";
import { leaseOf, makeBackend } from "./backends.ts";

/** What one is made of. */
export interface DashboardServerOptions {
  /** How many servers there are. */
  readonly backends?: number;
  /** What has to be shown; null: nothing. */
  readonly token?: string | null;
  /** Must it be shown for the events too, as on an address that other machines reach? */
  readonly guardsEvents?: boolean;
  /** Where to listen; 0: anywhere. */
  readonly port?: number;
}

/** A call that was to change something. */
export interface SteeringCall {
  /** Such as `drain`. */
  readonly action: string;
  /** Of which server. */
  readonly name: string;
  /** What was sent. */
  readonly body: Readonly<Record<string, unknown>>;
  /** As what. */
  readonly contentType: string | null;
}

const FIRST_PORT = 9001;
const CLIENT: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 50_000 };

/** A dashboard that can be opened. */
export class DashboardServer implements AsyncDisposable {
  /** The servers; a test may take some away, or add some. */
  backends: Backend[];
  /** What the next call that changes something is told; null: it is done. */
  refusal: { readonly status: number; readonly error: string } | null = null;
  /** Clients that wait, and those that were turned away. */
  clients = { waiting: 0, turnedAway: 0 };
  /** Servers whose names have no address. */
  unresolved: readonly UnresolvedStatus[] = [];
  /** The calls that were to change something. */
  readonly calls: SteeringCall[] = [];
  /** What the dashboard is. */
  readonly dashboard: Dashboard;
  readonly #journal = new Journal(systemClock);
  readonly #options: DashboardServerOptions;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  /** All servers are ready. */
  constructor(options: DashboardServerOptions = {}) {
    const { backends = 3, port = 0 } = options;
    this.#options = options;
    this.backends = Array.from({ length: backends }, (_, place) => this.make(place));
    this.dashboard = new Dashboard({
      status: () => this.#status(),
      numbers: () => ({
        journal: this.#journal,
        backends: this.backends,
        snapshot: () => ({ carried: this.#carried, ...this.clients }),
      }),
      clock: systemClock,
      epochNow: Date.now,
    });
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port, onListen: () => {} },
      (request) => this.#answer(request),
    );
  }

  /** Where the page is. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/`;
  }

  /** A server that is ready, and is not among the others yet. */
  make(place: number, settings: Partial<BackendSettings> = {}): Backend {
    const backend = makeBackend({
      address: { hostname: "127.0.0.1", port: FIRST_PORT + place },
      order: place,
      now: systemClock.now,
      ...settings,
    });
    backend.observe({ ok: true });
    return backend;
  }

  /** Takes a server down. */
  fail(backend: Backend, reason: string): void {
    backend.observe({ ok: false, final: true, reason });
    this.dashboard.changed();
  }

  /** Brings it back. */
  recover(backend: Backend): void {
    backend.observe({ ok: true });
    this.dashboard.changed();
  }

  /** A client comes, is given to that server, and is answered after that time. */
  serve(backend: Backend, answerMs: number, ending: Ending = ENDING.served): void {
    const nowMs = systemClock.now();
    const passage = new Passage(CLIENT, nowMs - answerMs);
    using lease = leaseOf(backend);
    passage.leased(lease);
    if (ending === ENDING.served) lease.answered();
    passage.end(ending);
    backend.bytesUp += 420;
    backend.bytesDown += 18_300;
    this.#journal.ended(passage);
  }

  /** Ends the events, and then the server. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.dashboard[Symbol.dispose]();
    await this.#server.shutdown();
  }

  get #carried(): number {
    return this.backends.reduce((all, { inFlight }) => all + inFlight, 0);
  }

  #status(): object {
    const nowMs = systemClock.now();
    const epochMs = Date.now() - nowMs;
    const { history } = this.dashboard;
    return {
      schema: 1,
      version: "0.1.0",
      state: "serving",
      mode: "http",
      policy: "least-entries",
      listen: formatAddress({ hostname: "0.0.0.0", port: 8080 }),
      startedAt: new Date(epochMs).toISOString(),
      uptimeSeconds: nowMs / 1000,
      clients: { accepted: 0, carried: this.#carried, lingering: 0, ...this.clients },
      total: history.rates,
      unresolved: this.unresolved,
      backends: this.backends.map(snapshotOf).map(({ sinceMs, max, ...snapshot }) => ({
        ...snapshot,
        ...history.ratesOf(snapshot.name),
        since: new Date(epochMs + sinceMs).toISOString(),
        max: max === Infinity ? null : max,
      })),
    };
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const route = this.dashboard.routes.find(({ path }) => path === pathname);
    const isGuarded = route === undefined ||
      (route.access === "reader" && this.#options.guardsEvents === true);
    if (isGuarded && !this.#shows(request)) return refused(401, "the token is missing or wrong");
    return route === undefined ? await this.#steer(request) : route.handle({ request });
  }

  #shows({ headers }: Request): boolean {
    const { token = null } = this.#options;
    return token === null || headers.get("authorization") === `Bearer ${token}`;
  }

  async #steer(request: Request): Promise<Response> {
    const [, list, name = "", action = ""] = new URL(request.url).pathname.split("/")
      .map(decodeURIComponent);
    const backend = this.backends.find((each) => each.name === name);
    if (list !== "backends" || backend === undefined) return refused(404, "no such path");
    const body = await request.json();
    this.calls.push({ action, name, body, contentType: request.headers.get("content-type") });
    if (this.refusal !== null) return refused(this.refusal.status, this.refusal.error);
    if (action === "drain") backend.steer("draining", "by hand");
    if (action === "disable") backend.steer("disabled", "by hand");
    if (action === "enable") backend.steer("enabled");
    if (action === "weight") backend.weight = body.weight;
    this.dashboard.changed();
    return Response.json({});
  }
}

function refused(status: number, error: string): Response {
  return Response.json({ error }, { status });
}
