/**
 * What a request is for: the forms of a target (RFC 9112, section 3.2), and the value of Host. Pure;
 * asked by the parser of heads.
 */

/** A target as it is sent to a backend. */
export interface RequestTarget {
  /** A path with its query, or `*`. */
  readonly target: string;
  /** The host, and port if given, that it named; null where it named none. */
  readonly authority: string | null;
}

const PORT_MAX = 65_535;
const ABSOLUTE_FORM = /^https?:\/\/(?<authority>[^/?]*)(?<path>[^?]*)(?<query>.*)$/i;
/** Nearly all there are: found out at little cost. */
const PLAIN_HOST = /^[\w.-]+(?::\d{1,4})?$/;
const HOST =
  /^(?:(?:[\w.~!$&'()*+,;=-]|%[\da-f]{2})+|(?<ipv6>\[[\da-f:.]+\]))(?::(?<port>\d{0,5}))?$/i;

/**
 * Reads a target in any of its forms; null: it is none that this method has. A full URL is taken
 * apart into the path, which is all that a server is to be sent (section 3.2.1), and the authority.
 * One with a user's name is refused (RFC 9110, section 4.2.4).
 */
export function readTarget(method: string, target: string): RequestTarget | null {
  if (target.startsWith("/")) return { target, authority: null };
  if (target === "*") return method === "OPTIONS" ? { target, authority: null } : null;
  const { authority = "", path = "", query = "" } = ABSOLUTE_FORM.exec(target)?.groups ?? {};
  if (authority === "" || !isHost(authority)) return null;
  if (path !== "") return { target: path + query, authority };
  // Section 3.2.4: this is how a client asks for `*` by way of others.
  return { target: method === "OPTIONS" && query === "" ? "*" : `/${query}`, authority };
}

/** A name has 253 characters at the most (RFC 1035, section 2.3.4), and there may be a port. */
const HOST_CHARACTERS_MAX = 260;

/**
 * Is that a value of Host: a name or an address, and perhaps a port (RFC 9110, section 7.2)? It is
 * empty where a client has nothing to name (RFC 9112, section 3.2).
 */
export function isHost(value: string): boolean {
  if (value.length > HOST_CHARACTERS_MAX) return false;
  if (value === "" || PLAIN_HOST.test(value)) return true;
  const { ipv6, port = "" } = HOST.exec(value)?.groups ?? { port: "none" };
  return Number(port) <= PORT_MAX && (ipv6 === undefined || URL.canParse(`http://${ipv6}/`));
}
