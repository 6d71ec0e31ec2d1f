/** The calls that look at single servers and steer them, as routes of the admin port. */
import { type Address, formatAddress, isName, parseAddress } from "../address.ts";
import { LOCAL_HOSTNAME, parseBackend, WEIGHT } from "../backend_argument.ts";
import { ConfigError, quoted } from "../config_error.ts";
import { BalancerError, SteeringError, type SteeringErrorKind } from "../errors.ts";
import { type AnswerOptions, json } from "./answers.ts";
import { Refusal } from "./refusal.ts";
import type { Call, Route } from "./router.ts";
import {
  type BackendSource,
  type BackendStatus,
  backendStatus,
  unresolvedStatus,
} from "./status.ts";
import type { Steerable } from "./steerable.ts";

/** What steering works with. */
export interface SteeringOptions extends BackendSource {
  /** The balancer; null: it is not there yet. */
  readonly balancer: () => Steerable | null;
  /** Reads the configuration again and takes it over; resolves to what has changed, in words. */
  readonly reload: () => Promise<string>;
}

/** What a call that steers a server is answered with. */
export interface SteeringAnswer {
  /** The server. */
  readonly name: string;
  /**
   * The connections, or in http mode requests, that it still has; null: its name has to be looked up
   * and may stand for several, which GET /backends lists by their addresses.
   */
  readonly left: number | null;
  /** How it stands; null: it is gone, or its name stands for others. */
  readonly backend: BackendStatus | null;
}

/** What POST /reload is answered with. */
export interface ReloadAnswer {
  /** It was. */
  readonly reloaded: true;
  /** What has changed, in one line for people, as the log has it. */
  readonly changes: string;
}

/** The longest reason that can be given for taking a server out, in characters. */
const REASON_CHARACTERS_MAX = 200;

const STATUS: Readonly<Record<SteeringErrorKind, number>> = {
  unknown: 404,
  conflict: 409,
  invalid: 400,
};

/** The words for a way to steer: of the call, and of what was done. */
const WAYS = {
  drain: { to: "draining", done: "drained" },
  disable: { to: "disabled", done: "disabled" },
  enable: { to: "enabled", done: "enabled" },
} as const;

/** All calls that are about servers, and the one that reads the configuration again. */
export function steeringRoutes(options: SteeringOptions): readonly Route[] {
  const steering = new Steering(options);
  const ways = Object.keys(WAYS) as (keyof typeof WAYS)[];
  return [
    { method: "GET", path: "/backends", access: "reader", handle: () => steering.list() },
    { method: "GET", path: "/backends/:name", access: "reader", handle: (c) => steering.get(c) },
    { method: "POST", path: "/backends", access: "operator", handle: (c) => steering.add(c) },
    {
      method: "DELETE",
      path: "/backends/:name",
      access: "operator",
      handle: (call) => steering.remove(call),
    },
    ...ways.map((way): Route => ({
      method: "POST",
      path: `/backends/:name/${way}`,
      access: "operator",
      handle: (call) => steering.steer(call, way),
    })),
    {
      method: "POST",
      path: "/backends/:name/weight",
      access: "operator",
      handle: (call) => steering.weigh(call),
    },
    { method: "POST", path: "/reload", access: "operator", handle: (c) => steering.reload(c) },
  ];
}

class Steering {
  readonly #options: SteeringOptions;

  constructor(options: SteeringOptions) {
    this.#options = options;
  }

  list(): Response {
    const { backends = [], unresolved = [] } = this.#options.balancer()?.snapshot() ?? {};
    return json({
      backends: backends.map((each) => backendStatus(each, this.#options)),
      unresolved: unresolved.map((each) => unresolvedStatus(each, this.#options)),
    });
  }

  get({ name: given }: Call): Response {
    const name = nameOf(given);
    const found = this.#find(name);
    if (found !== null) return json(found);
    const { unresolved = [] } = this.#options.balancer()?.snapshot() ?? {};
    const reason = unresolved.find((each) => each.name === name)?.reason;
    const state = reason === undefined ? "is not among the servers" : `does not resolve: ${reason}`;
    throw new Refusal(404, `${quoted(given)} ${state}`);
  }

  add({ body }: Call): Response {
    const { server } = fields(body, ["server"]);
    if (typeof server !== "string") {
      throw new Refusal(400, 'server: expected text, as in {"server":"10.0.0.3:80,weight=2"}');
    }
    const settings = refusing(400, () => parseBackend(server), `server ${quoted(server)}: `);
    const name = formatAddress(settings.address);
    steering(() => this.#balancer.addServer(settings));
    return this.#answer(name, { status: 201 });
  }

  remove({ name: given, body }: Call): Response {
    fields(body, []);
    const name = nameOf(given);
    steering(() => this.#balancer.removeServer(name));
    return this.#answer(name);
  }

  steer({ name: given, body }: Call, way: keyof typeof WAYS): Response {
    const { to, done } = WAYS[way];
    const { reason } = fields(body, way === "enable" ? [] : ["reason"]);
    const name = nameOf(given);
    const words = `${done} over the admin port${
      reason === undefined ? "" : `: ${reasonOf(reason)}`
    }`;
    steering(() => this.#balancer.steer(name, to, words));
    return this.#answer(name);
  }

  weigh({ name: given, body }: Call): Response {
    const { weight } = fields(body, ["weight"]);
    const name = nameOf(given);
    if (
      typeof weight !== "number" || !Number.isInteger(weight) ||
      weight < WEIGHT.min || weight > WEIGHT.max
    ) {
      throw new Refusal(400, `weight: expected a whole number from ${WEIGHT.min} to ${WEIGHT.max}`);
    }
    steering(() => this.#balancer.setWeight(name, weight));
    return this.#answer(name);
  }

  async reload({ body }: Call): Promise<Response> {
    fields(body, []);
    void this.#balancer; // While there is none, this is refused.
    try {
      const answer: ReloadAnswer = { reloaded: true, changes: await this.#options.reload() };
      return json(answer);
    } catch (error) {
      const isKnown = error instanceof ConfigError || error instanceof BalancerError;
      if (!isKnown) throw refusalOf(error);
      throw new Refusal(409, `nothing was changed: ${error.message}`);
    }
  }

  get #balancer(): Steerable {
    const balancer = this.#options.balancer();
    if (balancer !== null) return balancer;
    throw new Refusal(503, "the balancer is only starting", { "retry-after": "1" });
  }

  #find(name: string): BackendStatus | null {
    const backends = this.#options.balancer()?.snapshot().backends ?? [];
    const found = backends.find((each) => each.name === name);
    return found === undefined ? null : backendStatus(found, this.#options);
  }

  #answer(name: string, options: AnswerOptions = {}): Response {
    const backend = this.#find(name);
    const none = standsForOthers(addressOf(name)) ? null : 0;
    const answer: SteeringAnswer = { name, left: backend?.inFlight ?? none, backend };
    return json(answer, options);
  }
}

/** A name as typed: like a SERVER of the command line, `9001` is a port of this machine. */
function nameOf(text: string): string {
  const read = (): string => formatAddress(addressOf(text));
  return refusing(404, read, `${quoted(text)} is no server: `);
}

function addressOf(name: string): Address {
  return parseAddress(name, { defaultHostname: LOCAL_HOSTNAME, portMin: 1 });
}

/** Is that a name that has to be looked up, and so no backend itself? */
function standsForOthers({ hostname }: Address): boolean {
  return isName(hostname) && hostname !== "localhost";
}

/** The body, if nothing else is in it than those fields. */
function fields(
  body: Call["body"],
  known: readonly string[],
): Readonly<Record<string, unknown>> {
  const other = Object.keys(body).find((key) => !known.includes(key));
  if (other === undefined) return body;
  const expected = known.length === 0 ? "no field at all" : known.join(", ");
  throw new Refusal(400, `${quoted(other)}: unknown field; expected ${expected}`);
}

/** A reason as people may give it, which comes into the log. */
function reasonOf(reason: unknown): string {
  const isText = typeof reason === "string" && reason.length <= REASON_CHARACTERS_MAX &&
    !/\p{Cc}/u.test(reason) && reason.trim() !== "";
  if (isText) return reason;
  throw new Refusal(
    400,
    `reason: expected text of up to ${REASON_CHARACTERS_MAX} characters in one line`,
  );
}

/** Has something read; what is wrong with it becomes a refusal. */
function refusing<T>(status: number, read: () => T, before: string): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new Refusal(status, `${before}${error.message}`);
  }
}

/** Has something done; what stands in its way becomes a refusal. */
function steering(act: () => void): void {
  try {
    act();
  } catch (error) {
    throw refusalOf(error);
  }
}

function refusalOf(error: unknown): unknown {
  return error instanceof SteeringError ? new Refusal(STATUS[error.kind], error.message) : error;
}
