/**
 * The servers as they were given, and the backends that they are: an address is one backend, a name
 * as many as it has addresses. Pure; the balancer tells it what names resolve to.
 */
import { type Address, isName, isSame } from "./address.ts";
import type { BackendSettings } from "./backend.ts";

/** The servers, and what is known of their names. */
export class ServerList {
  readonly #servers: readonly BackendSettings[];
  readonly #listen: Address;
  readonly #addresses = new Map<string, readonly string[]>();

  /** Takes the servers in the order given, and the balancer's own address, which is none. */
  constructor(servers: readonly BackendSettings[], listen: Address) {
    this.#servers = servers;
    this.#listen = listen;
  }

  /** The names that have to be resolved; some may come twice. */
  get names(): readonly string[] {
    return this.#servers.map(({ address }) => address.hostname).filter(isResolved);
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
  get backends(): readonly BackendSettings[] {
    return this.#servers.flatMap((server) => this.#backendsOf(server));
  }

  #backendsOf(server: BackendSettings): readonly BackendSettings[] {
    const { hostname, port } = server.address;
    if (!isResolved(hostname)) return [server];
    return (this.#addresses.get(hostname) ?? [])
      .map((each) => ({ ...server, address: { hostname: each, port } }))
      .filter(({ address }) => !isSame(address, this.#listen));
  }
}

/**
 * Is that host to be resolved? `localhost` is not: it is this machine, with one server behind that
 * port, wherever that listens; each connect finds it.
 */
function isResolved(hostname: string): boolean {
  return isName(hostname) && hostname !== "localhost";
}
