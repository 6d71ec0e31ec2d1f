/**
 * The HTTP server of the admin port: takes calls in, has them judged, and sends what their routes
 * answer. Made by `admin.ts`, which gives it the routes.
 *
 * Deno.serve speaks HTTP here: calls are few, and what it lacks as a proxy is not needed. It knows no
 * deadline for heads and bodies; those that stay incomplete cost a descriptor each, on a port for
 * operators only.
 *
 * Invariants: each call gets an answer; no error of a route gets any further; the calls that are
 * being answered are bounded, and so are those of them that last; what is answered always is not
 * refused for that, and takes no place.
 */
import { type Address, formatAddress } from "../address.ts";
import type { Clock } from "../clock.ts";
import { log } from "../log.ts";
import { json, makeSafe } from "./answers.ts";
import { Authority } from "./authority.ts";
import { readJsonBody } from "./json_body.ts";
import { Listening } from "./listening.ts";
import { Refusal } from "./refusal.ts";
import { type Route, Router } from "./router.ts";

/** What a server is made of. */
export interface AdminServerOptions {
  /** Where to listen; port 0: any free one. */
  readonly address: Address;
  /** What has to be shown; null: nothing. */
  readonly token: string | null;
  /** All that it answers. */
  readonly routes: readonly Route[];
  /** The source of time. */
  readonly clock: Clock;
}

/** Calls that are being answered at once: all, and those of them that last. */
export const CALLS_MAX = { all: 256, lasting: 64 } as const;
/** The least time between two log lines that others could bring about, in milliseconds. */
const LOG_MS = 5000;
/** What is logged of a path. */
const PATH_CHARACTERS_MAX = 200;
/** How long calls may take to end when it closes, in milliseconds. */
const CLOSE_MS = 500;

/** A running server. */
export class AdminServer implements AsyncDisposable {
  readonly #router: Router;
  readonly #authority: Authority;
  readonly #clock: Clock;
  readonly #listening: Listening;
  readonly #closing = new AbortController();
  /** Those that are being answered. */
  readonly #calls = new Set<Promise<void>>();
  /** How many of them there is a bound for, and how many of these last. */
  readonly #counts = { all: 0, lasting: 0 };
  #troubleLoggedMs = -Infinity;
  #strangerLoggedMs = -Infinity;

  /** Listens from now on. Throws a `BalancerError` if it cannot. */
  constructor(options: AdminServerOptions) {
    this.#router = new Router(options.routes);
    this.#clock = options.clock;
    this.#listening = new Listening(options.address, {
      answer: (request, info) => this.#answer(request, info),
      onTrouble: (state) => this.#troubled(state),
      clock: options.clock,
    });
    this.#authority = new Authority({ address: this.address, token: options.token });
  }

  /** Where it listens; the port is the real one. */
  get address(): Address {
    return this.#listening.address;
  }

  /** Ends what lasts, gives the rest a moment to end, and closes all. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancel = this.#clock.after(CLOSE_MS, resolve);
    await Promise.race([Promise.all(this.#calls), late]);
    cancel();
    await this.#listening[Symbol.asyncDispose]();
  }

  async #answer(request: Request, info: Deno.ServeHandlerInfo): Promise<Response> {
    try {
      const { route, name } = this.#router.find(request);
      this.#authority.check(request, route.access);
      this.#count(info.completed, route);
      const changes = route.access === "operator";
      const body = changes ? await readJsonBody(request, this.#clock) : {};
      const { signal: closing } = this.#closing;
      const answer = await route.handle({ request, name, body, closing });
      if (changes) log.info("Admin port: {call} by {client}", words(request, info));
      return makeSafe(answer);
    } catch (error) {
      if (error instanceof Refusal && error.status === 401) this.#strange(request, info);
      return refuse(error);
    }
  }

  #troubled(state: string): void {
    const now = this.#clock.now();
    if (now - this.#troubleLoggedMs < LOG_MS) return;
    this.#troubleLoggedMs = now;
    log.error("The admin port is out of order and tried again: {state}", { state });
  }

  /** Somebody without the token: it may be that they guess. */
  #strange(request: Request, info: Deno.ServeHandlerInfo): void {
    const now = this.#clock.now();
    if (now - this.#strangerLoggedMs < LOG_MS) return;
    this.#strangerLoggedMs = now;
    log.warning(
      "Admin port: {call} by {client} was refused for lack of the token",
      words(request, info),
    );
  }

  /** Counts a call until its answer is sent, or its client is gone. */
  #count(completed: Promise<void>, { lasting = false, always = false }: Route): void {
    const counts = this.#counts;
    const isFull = counts.all >= CALLS_MAX.all || (lasting && counts.lasting >= CALLS_MAX.lasting);
    if (isFull && !always) {
      throw new Refusal(503, "too many calls at once", { "retry-after": "1" });
    }
    const count = (change: 1 | -1): void => {
      if (!always) counts.all += change;
      if (lasting) counts.lasting += change;
    };
    const over = (): void => {
      this.#calls.delete(call);
      count(-1);
    };
    count(1);
    const call: Promise<void> = completed.then(over, over); // Rejected: the client is gone.
    this.#calls.add(call);
  }
}

/** What was called and by whom, for the log. The path is still encoded, and so harmless there. */
function words(
  { method, url }: Request,
  { remoteAddr }: Deno.ServeHandlerInfo,
): { readonly call: string; readonly client: string } {
  const { hostname, port } = remoteAddr as Deno.NetAddr; // It listens on nothing but TCP.
  const path = new URL(url).pathname.slice(0, PATH_CHARACTERS_MAX);
  return { call: `${method} ${path}`, client: formatAddress({ hostname, port }) };
}

function refuse(error: unknown): Response {
  if (error instanceof Refusal) {
    const { status, message, headers } = error;
    return makeSafe(json({ error: message }, { status, headers }));
  }
  log.error("A call to the admin port failed: {error}", { error });
  return makeSafe(json({ error: "the balancer failed at this; its log says why" }, {
    status: 500,
  }));
}
