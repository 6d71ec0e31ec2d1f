/**
 * Names of headers, whatever their case: those that a proxy has to do with, and what may be done to
 * them. Pure; used by `headers.ts` for each header, so most names are told apart without a copy in
 * lower case.
 */

/** The headers that are not just passed on, as they are mostly spelled. */
export const KNOWN_NAMES = [
  "TE",
  "Via",
  "Host",
  "Date",
  "Upgrade",
  "Trailer",
  "Forwarded",
  "Connection",
  "Keep-Alive",
  "Content-Length",
  "X-Forwarded-For",
  "X-Forwarded-Host",
  "Proxy-Connection",
  "X-Forwarded-Proto",
  "Transfer-Encoding",
] as const;

/** One of those. */
export type KnownName = typeof KNOWN_NAMES[number];

/** The known names of each length, so that most others are told apart by their length alone. */
const BY_LENGTH: readonly (readonly { usual: KnownName; lower: string }[])[] = Array.from(
  { length: 1 + Math.max(...KNOWN_NAMES.map((name) => name.length)) },
  (_, length) =>
    KNOWN_NAMES.filter((usual) => usual.length === length)
      .map((usual) => ({ usual, lower: usual.toLowerCase() })),
);

/** The name as it is mostly spelled if it is one of those known here, else null. */
export function knownName(name: string): KnownName | null {
  if (name.length >= BY_LENGTH.length) return null;
  for (const { usual, lower } of BY_LENGTH[name.length] ?? []) {
    if (name === usual || name === lower) return usual;
    // Lower-casing is what takes long here, so it is for those that begin alike.
    if ((name.charCodeAt(0) | 0x20) !== lower.charCodeAt(0)) continue;
    if (name.toLowerCase() === lower) return usual;
  }
  return null;
}

/** What an untrusted client may not say; some backends read `_` as `-`. */
const CLAIM = /^x[-_]forwarded[-_]/i;

/** Does it begin with `X-Forwarded-`? */
export function isClaim(name: string): boolean {
  return (name.charCodeAt(0) | 0x20) === 0x78 && CLAIM.test(name);
}

const END_TO_END: ReadonlySet<string> = new Set([
  "authorization",
  "cache-control",
  "cookie",
  "date",
  "expect",
  "forwarded",
  "host",
  "range",
  "set-cookie",
  "via",
  "x-real-ip",
]);
const END_TO_END_FAMILY = /^(?:content|if|x-forwarded)-/;

/**
 * Does it stay although Connection names it? Takes the name in lower case.
 *
 * RFC 9110, section 7.6.1 forbids a sender to name a field that is meant for all recipients. Who
 * does it nevertheless, mostly through a proxy that passes Connection on, wants the backend to take
 * the message for another: from somebody else, to another host, with other conditions, or of other
 * content.
 */
export function isEndToEnd(name: string): boolean {
  return END_TO_END.has(name) || END_TO_END_FAMILY.test(name);
}
