/**
 * The servers as they were given, and the backends that they are: an address is one backend, a name
 * as many as it has addresses. Pure; the balancer tells it what names resolve to, and people what they
 * want changed by hand.
 */
import { type Address, formatAddress, isName, isSame } from "./address.ts";
import type { BackendSettings } from "./backend.ts";
import type { Steered, WantedBackend } from "./pool.ts";

/** A server as it was given, and what people have changed since. */
interface Server {
  settings: BackendSettings;
  /** The weights of single addresses of a name that were set by hand. */
  readonly weights: Map<string, number>;
  /** What it was steered to by hand, with all of its addresses. */
  steered: Steered | null;
}

/** The servers, and what is known of their names. */
export class ServerList {
  /** By their names, in the order given. */
  #servers: ReadonlyMap<string, Server> = new Map();
  #listen: Address;
  readonly #addresses = new Map<string, readonly string[]>();

  /** Takes the servers in the order given, and the balancer's own address, which is none. */
  constructor(servers: readonly BackendSettings[], listen: Address) {
    this.#listen = listen;
    this.replace(servers, listen);
  }

  /** The servers as they were given, or changed since. */
  get servers(): readonly BackendSettings[] {
    return [...this.#servers.values()].map(({ settings }) => settings);
  }

  /** The names that have to be resolved; some may come twice. */
  get names(): readonly string[] {
    return namesOf(this.servers);
  }

  /**
   * Takes in all addresses of a name. IPv6 counts only where there is nothing else: a server with
   * addresses of both kinds is not to be two backends.
   */
  resolved(name: string, addresses: readonly string[]): void {
    const ipv4 = addresses.filter((address) => !address.includes(":"));
    this.#addresses.set(name, ipv4.length > 0 ? ipv4 : addresses);
  }

  /** The backends, in the order of their servers. */
  get backends(): readonly WantedBackend[] {
    return [...this.#servers.values()].flatMap((server) => this.#backendsOf(server));
  }

  /** The servers that are no backend, because nothing is known that their names lead to. */
  get unresolved(): readonly Address[] {
    return [...this.#servers.values()]
      .filter((server) => this.#backendsOf(server).length === 0)
      .map(({ settings }) => settings.address);
  }

  /** The names of the backends that a server is; null: there is no such server. */
  backendNames(server: string): readonly string[] | null {
    const found = this.#servers.get(server);
    if (found === undefined) return null;
    return this.#backendsOf(found).map(({ address }) => formatAddress(address));
  }

  /** The name of the first server that has a backend of that name; null: there is none. */
  serverOf(backend: string): string | null {
    const names = [...this.#servers.keys()];
    return names.find((name) => this.backendNames(name)?.includes(backend)) ?? null;
  }

  /**
   * Takes over a whole new list. Of servers that stay, what they are steered to stays; weights that
   * were set by hand do not. What is known of names that are no longer needed is forgotten.
   */
  replace(servers: readonly BackendSettings[], listen: Address): void {
    const before = this.#servers;
    this.#listen = listen;
    this.#servers = new Map(servers.map((settings): [string, Server] => {
      const name = formatAddress(settings.address);
      const steered = before.get(name)?.steered ?? null;
      return [name, { settings, weights: new Map(), steered }];
    }));
    this.#forgetNames();
  }

  /** Takes one more server in, behind the others. There must be none of its name. */
  add(settings: BackendSettings): void {
    const server: Server = { settings, weights: new Map(), steered: null };
    this.#servers = new Map([...this.#servers, [formatAddress(settings.address), server]]);
  }

  /** Lets a server go. Harmless when it is not there. */
  remove(server: string): void {
    this.#servers = new Map([...this.#servers].filter(([name]) => name !== server));
    this.#forgetNames();
  }

  /** Sets the weight of a server, with all of its addresses, or of one backend of a server. */
  setWeight(name: string, weight: number): void {
    const server = this.#servers.get(name);
    if (server === undefined) {
      this.#servers.get(this.serverOf(name) ?? "")?.weights.set(name, weight);
    } else {
      server.settings = Object.freeze({ ...server.settings, weight });
      server.weights.clear();
    }
  }

  /** Steers a server, and whoever its name will resolve to. Harmless when it is not there. */
  steer(name: string, steered: Steered | null): void {
    const server = this.#servers.get(name);
    if (server !== undefined) server.steered = steered;
  }

  #backendsOf({ settings, weights, steered }: Server): readonly WantedBackend[] {
    const { hostname, port } = settings.address;
    const plain: WantedBackend = steered === null ? settings : { ...settings, steered };
    if (!isResolved(hostname)) return [plain];
    return (this.#addresses.get(hostname) ?? [])
      .map((each) => ({ hostname: each, port }))
      .filter((address) => !isSame(address, this.#listen))
      .map((address) => {
        const weight = weights.get(formatAddress(address)) ?? settings.weight;
        return { ...plain, address, weight };
      });
  }

  #forgetNames(): void {
    const needed = new Set(this.names);
    for (const name of this.#addresses.keys()) {
      if (!needed.has(name)) this.#addresses.delete(name);
    }
  }
}

/** The names among the hosts of servers that have to be resolved; some may come twice. */
export function namesOf(servers: readonly BackendSettings[]): readonly string[] {
  return servers.map(({ address }) => address.hostname).filter(isResolved);
}

/**
 * Is that host to be resolved? `localhost` is not: it is this machine, with one server behind that
 * port, wherever that listens; each connect finds it.
 */
function isResolved(hostname: string): boolean {
  return isName(hostname) && hostname !== "localhost";
}
