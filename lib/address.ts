/** Host and port, as typed on the command line and as printed everywhere. Pure. */

/** Where to listen or to connect. */
export interface Address {
  /** A name, an IPv4 address, or an IPv6 address without brackets. */
  readonly hostname: string;
  /** 0 to 65535; 0 only where a free port may be chosen. */
  readonly port: number;
}

/** How {@linkcode parseAddress} fills in and limits what it reads. */
export interface ParseAddressOptions {
  /** The host of a lone port number. */
  readonly defaultHostname: string;
  /** The smallest port allowed: 1, or 0 where the system may choose. */
  readonly portMin: 0 | 1;
}

const PORT_MAX = 65_535;
const NAME = /^(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?$/i;
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
const IPV6_LETTERS = /^[0-9a-f:.]+$/i;

/**
 * Reads `8080`, `host:8080`, `127.0.0.1:8080` or `[::1]:8080`.
 * Throws a `RangeError` that says what was expected.
 */
export function parseAddress(text: string, options: ParseAddressOptions): Address {
  const match = /^(?:\[(?<ipv6>[^\]]*)\]:|(?<host>[^:]*):)?(?<port>\d{1,5})$/.exec(text);
  const port = Number(match?.groups?.["port"] ?? NaN);
  if (!(port >= options.portMin && port <= PORT_MAX)) throw unreadable(options.portMin);
  const ipv6 = match?.groups?.["ipv6"];
  const host = match?.groups?.["host"];
  if (ipv6 !== undefined && !isIpv6(ipv6)) throw unreadable(options.portMin);
  if (host !== undefined && !isHost(host)) throw unreadable(options.portMin);
  return { hostname: ipv6 ?? host ?? options.defaultHostname, port };
}

/** Prints an address the way it can be typed: `127.0.0.1:80`, `[::1]:80`. */
export function formatAddress(address: Address): string {
  const { hostname, port } = address;
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/** By which addresses of this machine a listener at another one is found. */
const LOCAL: Readonly<Record<string, readonly string[]>> = {
  "127.0.0.1": ["127.0.0.1", "localhost"],
  localhost: ["127.0.0.1", "localhost", "::1"],
  "::1": ["::1", "localhost"],
  "0.0.0.0": ["0.0.0.0", "127.0.0.1", "localhost"],
  "::": ["::", "0.0.0.0", "127.0.0.1", "localhost", "::1"],
};

/** Is that where a listener at the second address would be found? */
export function isSame(address: Address, listen: Address): boolean {
  const hostname = plainIp(address.hostname);
  // All of 127.0.0.0/8 is this machine (RFC 1122, section 3.2.1.3).
  const isFound = (LOCAL[listen.hostname] ?? [listen.hostname]).includes(hostname) ||
    (isEverywhere(listen) && !isName(hostname) && hostname.startsWith("127."));
  return address.port === listen.port && isFound;
}

/** Would the system refuse a listener at one of them while there is one at the other? */
export function overlap(one: Address, other: Address): boolean {
  if (one.port !== other.port) return false;
  return isEverywhere(one) || isEverywhere(other) || isSame(one, other);
}

/**
 * Where a listener at that address is found from this machine. What listens everywhere is found at
 * loopback, which every system takes for that; not every system connects to 0.0.0.0 or `::`.
 */
export function foundAt(listen: Address): Address {
  if (!isEverywhere(listen)) return listen;
  return { ...listen, hostname: listen.hostname === "::" ? "::1" : "127.0.0.1" };
}

function isEverywhere({ hostname }: Address): boolean {
  return hostname === "::" || hostname === "0.0.0.0";
}

/**
 * Is that this machine, reached by nobody but itself: `localhost`, 127.0.0.0/8 or `::1` (RFC 1122,
 * section 3.2.1.3; RFC 4291, section 2.5.3; RFC 6761, section 6.3)?
 */
export function isLoopback(hostname: string): boolean {
  const plain = plainIp(hostname.toLowerCase());
  return plain === "localhost" || plain === "::1" || (IPV4.test(plain) && plain.startsWith("127."));
}

/** Is that host a name, which has to be resolved, and not an address already? */
export function isName(hostname: string): boolean {
  return !hostname.includes(":") && !IPV4.test(hostname);
}

/** Is that an IPv6 address, without brackets? */
export function isIpv6(text: string): boolean {
  return IPV6_LETTERS.test(text) && text.includes(":") && URL.canParse(`http://[${text}]/`);
}

/**
 * An address as sockets tell it, written in one way only: an IPv4 address is written as one, even
 * where it came in by a socket for IPv6, as `::ffff:127.0.0.1` (RFC 4291, section 2.5.5.2).
 */
export function plainIp(ip: string): string {
  return ip.startsWith("::ffff:") && ip.includes(".") ? ip.slice("::ffff:".length) : ip;
}

/**
 * The same text for the same host, however it is written: in capitals or not, and an IPv6 address with
 * or without its zeros, or with an IPv4 address inside.
 */
export function canonicalHost(hostname: string): string {
  if (!isIpv6(hostname)) return hostname.toLowerCase();
  const canonical = new URL(`http://[${hostname}]/`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical) ?? [];
  if (high === undefined || low === undefined) return canonical;
  return [high, low].flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  }).join(".");
}

function isHost(text: string): boolean {
  return /^[\d.]+$/.test(text) ? IPV4.test(text) : text.length <= 253 && NAME.test(text);
}

function unreadable(portMin: number): RangeError {
  return new RangeError(`expected a port (${portMin} to ${PORT_MAX}), host:port or [ipv6]:port`);
}
