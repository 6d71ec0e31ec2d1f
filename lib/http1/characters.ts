/**
 * Which bytes may stand where in a head, as tables by byte: 1 where it may. Read by everything that
 * reads or writes heads; nothing changes them. CR and LF are in none of them.
 */

const LETTERS_AND_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** Of a token: a method, the name of a header, an option (RFC 9110, section 5.6.2). */
export const TOKEN: Uint8Array = table((byte) =>
  `${LETTERS_AND_DIGITS}!#$%&'*+-.^_\`|~`.includes(String.fromCharCode(byte))
);

/**
 * Of a line: blanks, visible characters, and bytes above 0x7f, which pass as they are (RFC 9110,
 * section 5.5). No control bytes, NUL among them.
 */
export const TEXT: Uint8Array = table((byte) => byte === 0x09 || byte >= 0x20 && byte !== 0x7f);

/**
 * Of a request target: visible characters, but no fragment, which is never sent (RFC 9110, section
 * 7.1). That is more than RFC 3986 allows: browsers send `"`, `^`, `{` or `|` in queries as they are.
 */
export const TARGET: Uint8Array = table((byte) => byte > 0x20 && byte < 0x7f && byte !== 0x23);

/** The end of a run of bytes of that table, from there on; at the latest the end of all bytes. */
export function endOfRun(bytes: Uint8Array, run: { of: Uint8Array; from: number }): number {
  let at = run.from;
  while (run.of[bytes[at] ?? 0] === 1) at++;
  return at;
}

function table(isIn: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => isIn(byte) ? 1 : 0);
}

/**
 * A text without the spaces and tabs around it, and no others: `trim` takes more than HTTP's blanks.
 * In one pass: a regular expression for this takes quadratic time where blanks are many.
 */
export function withoutBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
