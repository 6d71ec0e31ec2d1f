/**
 * Whom to believe what they say of those before them: addresses and blocks of addresses, as typed.
 * Pure; asked once for each client.
 */
import { isIpv6, isName } from "../address.ts";
import { parseWholeNumber } from "../whole_number.ts";

/** Proxies whose X-Forwarded headers are believed. */
export interface Trusted {
  /** The list as it was typed, but for blanks behind commas. */
  readonly text: string;
  /** Is that address one of them? A text that is no address is not. */
  isTrusted(ip: string): boolean;
}

/** An IP address as one number. */
interface Ip {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

/** All addresses that are the same but for their last bits. */
interface Block {
  readonly bits: 32 | 128;
  /** So many last bits may differ. */
  readonly free: bigint;
  /** The bits before those. */
  readonly prefix: bigint;
}

/** Words that stand for several blocks. */
const WORDS: ReadonlyMap<string, readonly string[]> = new Map([
  // RFC 1122, section 3.2.1.3; RFC 4291, section 2.5.3.
  ["loopback", ["127.0.0.0/8", "::1"]],
  // RFC 1918, section 3; RFC 4193, section 3.1.
  ["private", ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]],
]);

/** What stands before the last 32 bits of a mapped IPv4 address (RFC 4291, section 2.5.5.2). */
const MAPPED_PREFIX = 0xffffn;
const IPV4_MASK = 0xffff_ffffn;

/**
 * Reads addresses, blocks (RFC 4632, section 3.1; RFC 4291, section 2.3) and the words `loopback`
 * and `private`, with commas between them, and maybe blanks behind those. IPv4 addresses are the same with `::ffff:` before them,
 * in the list and of a client; wider blocks of IPv6, such as `::/0`, hold no IPv4 address. Throws a
 * `RangeError` that says what was expected.
 */
export function parseTrusted(text: string): Trusted {
  const parts = text.split(/, */);
  const blocks = parts.flatMap((each) => (WORDS.get(each) ?? [each]).map(parseBlock));
  return {
    text: parts.join(),
    isTrusted(client): boolean {
      const ip = readIp(client);
      if (ip === null) return false;
      const { bits, value } = plain(ip);
      return blocks.some((block) => block.bits === bits && block.prefix === value >> block.free);
    },
  };
}

function parseBlock(text: string): Block {
  const [, address = "", length] = /^([^/]*)(?:\/(.*))?$/s.exec(text) ?? [];
  const ip = readIp(address);
  if (ip === null) {
    throw unreadable(text, "expected an IP address, a block as 10.0.0.0/8, loopback or private");
  }
  const free = BigInt(length === undefined ? 0 : ip.bits - parseLength(text, ip.bits));
  if (ip.value >> free << free !== ip.value) {
    throw unreadable(text, `expected no more bits set than the first ${length}`);
  }
  const { bits, value } = free <= 32n ? plain(ip) : ip;
  return { bits, free, prefix: value >> free };
}

/** The number behind the slash of a block. */
function parseLength(text: string, max: number): number {
  try {
    return parseWholeNumber(text.slice(text.indexOf("/") + 1), { min: 0, max });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw unreadable(text, `behind the slash: ${error.message}`);
  }
}

/** Null where it is none. */
function readIp(text: string): Ip | null {
  if (isIpv6(text)) return { bits: 128, value: ipv6Value(text) };
  if (text.includes(":") || isName(text)) return null;
  return { bits: 32, value: text.split(".").reduce((sum, part) => sum << 8n | BigInt(part), 0n) };
}

function ipv6Value(text: string): bigint {
  // As a URL shows it: eight groups in hexadecimal, or fewer around "::".
  const canonical = new URL(`http://[${text}]/`).hostname.slice(1, -1);
  const [before, behind] = canonical.split("::").map((part) => part === "" ? [] : part.split(":"));
  const given = [...before ?? [], ...behind ?? []];
  const zeros = Array.from({ length: 8 - given.length }, () => "0");
  return [...before ?? [], ...zeros, ...behind ?? []].reduce(
    (sum, group) => sum << 16n | BigInt(`0x${group}`),
    0n,
  );
}

/** An IPv4 address as one, even where it is written as one of IPv6. */
function plain(ip: Ip): Ip {
  if (ip.bits === 32 || ip.value >> 32n !== MAPPED_PREFIX) return ip;
  return { bits: 32, value: ip.value & IPV4_MASK };
}

function unreadable(text: string, expected: string): RangeError {
  return new RangeError(`${JSON.stringify(text)}: ${expected}`);
}
