/**
 * Steering: what people do to the servers of a running balancer by hand. The balancer owns it, and is
 * told when the list of servers has changed.
 *
 * A server goes by the name that it was given by, which stands for all addresses of a DNS name, or by
 * that of one of its backends. Nothing is changed where an error is thrown.
 */
import { type Address, formatAddress, isSame, parseAddress } from "./address.ts";
import type { Backend, BackendSettings } from "./backend.ts";
import { LOCAL_HOSTNAME, WEIGHT } from "./backend_argument.ts";
import { quoted } from "./config_error.ts";
import { BACKENDS_MAX } from "./config.ts";
import { SteeringError, type SteeringErrorKind } from "./errors.ts";
import { log } from "./log.ts";
import type { Pool, Steer } from "./pool.ts";
import type { ServerList } from "./server_list.ts";

/** What steering works with. */
export interface SteeringOptions {
  /** The servers as they were given. */
  readonly servers: ServerList;
  /** The backends. */
  readonly pool: Pool;
  /** Where the balancer itself listens: no server can be there. */
  readonly own: () => readonly Address[];
  /** Called when the list of servers has changed. */
  readonly onServers: () => void;
}

/** Of names that may have been meant, no more than this are told. */
const NEAREST_MAX = 3;

/** What is said of a backend that was steered, where nobody gave a reason. */
const REASONS: Readonly<Record<Steer, string>> = {
  draining: "drained by hand",
  disabled: "disabled by hand",
  enabled: "enabled by hand",
};

/** Changes servers by hand. */
export class Steering {
  readonly #options: SteeringOptions;

  /** Nothing has been changed yet. */
  constructor(options: SteeringOptions) {
    this.#options = options;
  }

  /**
   * Takes one more server in; it is used once it was seen to work.
   * @throws {SteeringError} it is there already, it is the balancer itself, or there are too many.
   */
  add(settings: BackendSettings): void {
    const { servers, own, onServers } = this.#options;
    const name = formatAddress(settings.address);
    const refuse = refusal(`Cannot add ${name}`);
    if (servers.backendNames(name) !== null) throw refuse("conflict", "it is there already");
    if (own().some((each) => isSame(settings.address, each))) {
      throw refuse("invalid", "it is this balancer itself; expected another port");
    }
    if (servers.servers.length >= BACKENDS_MAX) {
      throw refuse("conflict", `there are ${BACKENDS_MAX} servers already, the most that can be`);
    }
    checkWeight(settings.weight, refuse);
    servers.add(settings);
    log.info("{name} was added by hand", { name });
    onServers();
  }

  /**
   * Lets a server go: it drains, and is gone after its last connection.
   * @throws {SteeringError} there is none of that name, or it is the last one, or only one address of
   * a name, which would come back.
   */
  remove(server: Address | string): void {
    const { servers, onServers } = this.#options;
    const name = nameOf(server);
    const refuse = refusal(`Cannot remove ${name}`);
    if (servers.backendNames(name) === null) {
      const parent = servers.serverOf(name);
      if (parent === null) throw refuse("unknown", this.#unknown(name));
      throw refuse("conflict", `it is an address of ${parent}; remove that, or drain this one`);
    }
    if (servers.servers.length === 1) throw refuse("conflict", "it is the last server");
    servers.remove(name);
    log.info("{name} was removed by hand", { name });
    onServers();
  }

  /**
   * Sets a server's share. It holds until the configuration is loaded again.
   * @throws {SteeringError} there is none of that name, or no server can have that weight.
   */
  setWeight(server: Address | string, weight: number): void {
    const { servers, onServers } = this.#options;
    const name = nameOf(server);
    const refuse = refusal(`Cannot set the weight of ${name}`);
    checkWeight(weight, refuse);
    this.#backends(name, refuse);
    servers.setWeight(name, weight);
    log.info("{name} has a weight of {weight}, set by hand", { name, weight });
    onServers();
  }

  /**
   * Takes a server out of use, or puts it back. `draining`: it gets no new clients; `disabled`: nor is
   * it checked; `enabled`: its checks decide again. It holds for as long as the server is there.
   * @throws {SteeringError} there is none of that name.
   */
  steer(server: Address | string, to: Steer, reason: string = REASONS[to]): void {
    const { servers, pool } = this.#options;
    const name = nameOf(server);
    const backends = this.#backends(name, refusal(`Cannot steer ${name}`));
    servers.steer(name, to === "enabled" ? null : { to, reason });
    // Else the change of state is logged.
    if (to === "enabled" || backends.length === 0) log.info("{name}: {reason}", { name, reason });
    for (const backend of backends) pool.steer(backend, to, reason);
  }

  /** The backends that go by a name: none where a DNS name does not resolve. */
  #backends(name: string, refuse: Refusal): readonly Backend[] {
    const { servers, pool } = this.#options;
    const ofServer = servers.backendNames(name);
    if (ofServer === null && servers.serverOf(name) === null) {
      const isLeaving = pool.backends.some((each) => each.name === name);
      throw isLeaving
        ? refuse("conflict", "it was removed, and ends its last connections")
        : refuse("unknown", this.#unknown(name));
    }
    const names = new Set(ofServer ?? [name]);
    return pool.backends.filter((each) => names.has(each.name));
  }

  /** What is said of a name that there is not, with those that may have been meant. */
  #unknown(name: string): string {
    const { servers, pool } = this.#options;
    const names = servers.servers.map(({ address }) => formatAddress(address));
    const known = new Set([...names, ...pool.backends.map((each) => each.name)]);
    const port = portOf(name);
    const meant = [...known].filter((each) => portOf(each) === port).slice(0, NEAREST_MAX);
    const hint = meant.length === 0 ? "" : `; did you mean ${meant.join(" or ")}?`;
    return `there is no such server${hint}`;
  }
}

type Refusal = (kind: SteeringErrorKind, state: string) => SteeringError;

function refusal(action: string): Refusal {
  return (kind, state) => new SteeringError(kind, { action, state });
}

function checkWeight(weight: number, refuse: Refusal): void {
  const { min, max } = WEIGHT;
  if (Number.isInteger(weight) && weight >= min && weight <= max) return;
  throw refuse("invalid", `its weight is ${weight}; expected a whole number from ${min} to ${max}`);
}

/** A name as it stands everywhere: `1234` is a port of this machine, as on the command line. */
function nameOf(server: Address | string): string {
  if (typeof server !== "string") return formatAddress(server);
  try {
    return formatAddress(parseAddress(server, { defaultHostname: LOCAL_HOSTNAME, portMin: 1 }));
  } catch {
    return quoted(server); // There is no server of such a name, which is for the caller to say.
  }
}

/** The port of a name, behind its last colon: it is what most names are known by. */
function portOf(name: string): string {
  return name.slice(name.lastIndexOf(":") + 1);
}
