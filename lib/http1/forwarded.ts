/** The elements of a Forwarded header (RFC 7239). Pure; used by `headers.ts`. */

/** What a hop tells of the request that it received; empty where it does not tell. */
export interface HopDescription {
  /** Who sent it. */
  readonly sender: string;
  /** Its Host header. */
  readonly host: string;
  /** `http` or `https`. */
  readonly proto: string;
}

const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;
/** RFC 7239, section 6: an address with or without a port, or a name that tells nobody's address. */
const NODE = /^(?:(?:[\d.]+|\[[\da-f:.]+\])(?::\d{1,5})?|unknown|_[\w.-]+)$/i;
const BARE_IPV6 = /^[\da-f]*:[\da-f]*:[\da-f:.]*$/i;

/**
 * One element, such as `for=192.0.2.1;host="example.com:8080";proto=http`. The sender is an address
 * as a socket tells it.
 */
export function forwardedElement(hop: HopDescription): string {
  return elementOf(hop.sender.includes(":") ? `[${hop.sender}]` : hop.sender, hop);
}

/**
 * The elements that say what X-Forwarded-For, -Host and -Proto said (RFC 7239, section 7.4). Host
 * and proto are those of the request as the first of the senders sent it. Empty where no sender is
 * named.
 */
export function forwardedElements({ sender, host, proto }: HopDescription): string {
  const senders = sender.split(",").map((each) => each.trim()).filter((each) => each !== "");
  const first = { host: firstOf(host), proto: firstOf(proto) };
  return senders
    .map((each, at) => elementOf(nodeOf(each), at === 0 ? first : { host: "", proto: "" }))
    .join(", ");
}

function elementOf(node: string, { host, proto }: Omit<HopDescription, "sender">): string {
  let element = node.includes(":") ? `for="${node}"` : `for=${node}`;
  if (host !== "") element += `;host=${valueOf(host)}`;
  if (proto !== "") element += `;proto=${valueOf(proto)}`;
  return element;
}

/** As RFC 7239 wants it what others wrote in X-Forwarded-For. */
function nodeOf(sender: string): string {
  if (NODE.test(sender)) return sender;
  return BARE_IPV6.test(sender) ? `[${sender}]` : "unknown";
}

/** A token as it is, all else quoted (RFC 7239, section 4). */
function valueOf(text: string): string {
  if (TOKEN.test(text)) return text;
  const isPlain = !text.includes('"') && !text.includes("\\");
  return `"${isPlain ? text : text.replace(/["\\]/g, "\\$&")}"`;
}

function firstOf(list: string): string {
  return list.split(",", 1)[0]?.trim() ?? "";
}
