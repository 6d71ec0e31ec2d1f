/**
 * What a client has sent to a backend that ended without a word: is an answer owed to it, and may it
 * be sent to another backend? Pure; asked by the tunnel.
 */

const METHODS = ["GET ", "HEAD "].map((method) => new TextEncoder().encode(method));
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

/** Is there a whole head of a request, and so an answer owed? */
export function hasWholeHead(bytes: Uint8Array): boolean {
  return endOfHead(bytes) !== Infinity;
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  return bytes.length >= start.length && start.every((byte, at) => bytes[at] === byte);
}

/** Where the head ends: behind its empty line, or Infinity while that has not come. */
function endOfHead(bytes: Uint8Array): number {
  for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, at + 1)) {
    const next = bytes[at + 1] === CR ? at + 2 : at + 1;
    if (bytes[next] === LF) return next + 1;
  }
  return Infinity;
}
