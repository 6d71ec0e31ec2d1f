/**
 * What a client has sent to a backend that ended without a word: is an answer owed to it, and may it
 * be sent to another backend? Pure; asked by the tunnel.
 */

const METHODS = ["GET ", "HEAD "].map((method) => new TextEncoder().encode(method));
const LAST_CHUNK = new TextEncoder().encode("0\r\n\r\n");
const LATIN1 = new TextDecoder("latin1");
const CR = 13;
const LF = 10;

/**
 * True when they are nothing but one GET or HEAD request without a body, or the start of one:
 * safe methods (RFC 9110, 9.2.1), so that doing it twice does no harm. Anything behind the head
 * (a body, a pipelined request) makes it false.
 */
export function isSafeToResend(bytes: Uint8Array): boolean {
  return METHODS.some((method) => startsWith(bytes, method)) && endOfHead(bytes) >= bytes.length;
}

/**
 * How many bytes the request is that these begin with, and so how many a backend must have had before
 * it owes an answer; Infinity where that is not known: its body is in chunks, the last of which is
 * not the end of what is there. Null: there is no whole head.
 */
export function requestExtent(bytes: Uint8Array): number | null {
  const headBytes = endOfHead(bytes);
  if (headBytes === Infinity) return null;
  const head = LATIN1.decode(bytes.subarray(0, headBytes));
  if (/^transfer-encoding[ \t]*:/im.test(head)) {
    return endsWith(bytes, LAST_CHUNK) ? bytes.length : Infinity;
  }
  const length = /^content-length[ \t]*:[ \t]*(\d+)/im.exec(head)?.[1] ?? "0";
  return headBytes + Number(length);
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  return bytes.length >= start.length && start.every((byte, at) => bytes[at] === byte);
}

function endsWith(bytes: Uint8Array, end: Uint8Array): boolean {
  return bytes.length >= end.length && startsWith(bytes.subarray(-end.length), end);
}

/** Where the head ends: behind its empty line, or Infinity while that has not come. */
function endOfHead(bytes: Uint8Array): number {
  for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, at + 1)) {
    const next = bytes[at + 1] === CR ? at + 2 : at + 1;
    if (bytes[next] === LF) return next + 1;
  }
  return Infinity;
}
