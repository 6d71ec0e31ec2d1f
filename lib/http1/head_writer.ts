/**
 * Writes heads, built anew from what was understood: nothing of the bytes received gets through that
 * is not in the head as read. Pure; called by the exchange.
 */
import { TEXT } from "./characters.ts";
import type { Header, RequestHead, ResponseHead } from "./head_parser.ts";

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;
/** "HTTP/1.x", CRLF and the empty line at the end, and two spaces or one and the status. */
const REQUEST_LINE_BYTES = 14;
const STATUS_LINE_BYTES = 17;
/** Of a header without its name and its value: ": " and CRLF. */
const HEADER_BYTES = 4;

/** How long it is when it is written. */
export function requestHeadBytes({ method, target, headers }: RequestHead): number {
  return REQUEST_LINE_BYTES + method.length + target.length + lengthOf(headers);
}

/** As {@linkcode requestHeadBytes}. */
export function responseHeadBytes({ reason, headers }: ResponseHead): number {
  return STATUS_LINE_BYTES + reason.length + lengthOf(headers);
}

/**
 * Writes a head at that place, one byte a character; returns where it ends. Throws a `RangeError`,
 * and what is written is not to be sent, when it does not fit or has a character that is not allowed
 * in a line: none that comes from a parser, but one that was made up could.
 */
export function writeRequestHead(head: RequestHead, into: Uint8Array, at: number): number {
  const { method, target, minor, headers } = head;
  checkRoom(requestHeadBytes(head), into.length - at);
  let end = writeText(method, into, at);
  into[end++] = SPACE;
  end = writeText(target, into, end);
  into[end++] = SPACE;
  end = writeText(minor === 1 ? "HTTP/1.1" : "HTTP/1.0", into, end);
  return writeHeaders(headers, into, end);
}

/** As {@linkcode writeRequestHead}. */
export function writeResponseHead(head: ResponseHead, into: Uint8Array, at: number): number {
  const { status, reason, minor, headers } = head;
  checkRoom(responseHeadBytes(head), into.length - at);
  let end = writeText(minor === 1 ? "HTTP/1.1 " : "HTTP/1.0 ", into, at);
  end = writeText(String(status), into, end);
  into[end++] = SPACE;
  end = writeText(reason, into, end);
  return writeHeaders(headers, into, end);
}

/** From the end of the first line on. */
function writeHeaders(headers: readonly Header[], into: Uint8Array, at: number): number {
  let end = writeLineEnd(into, at);
  for (const { name, value } of headers) {
    end = writeText(name, into, end);
    into[end++] = COLON;
    into[end++] = SPACE;
    end = writeText(value, into, end);
    end = writeLineEnd(into, end);
  }
  return writeLineEnd(into, end);
}

function writeLineEnd(into: Uint8Array, at: number): number {
  into[at] = CR;
  into[at + 1] = LF;
  return at + 2;
}

/** A loop: up to some 200 bytes of head faster than what the runtime offers, and it looks at each. */
function writeText(text: string, into: Uint8Array, at: number): number {
  let allowed = 1;
  for (let from = 0; from < text.length; from++) {
    const code = text.charCodeAt(from);
    // What is no byte must not become one: of U+010A, a byte would keep the line feed.
    allowed &= TEXT[code] ?? 0;
    into[at + from] = code;
  }
  if (allowed === 0) {
    throw new RangeError(`Cannot write a head: not allowed in it: ${JSON.stringify(text)}`);
  }
  return at + text.length;
}

function lengthOf(headers: readonly Header[]): number {
  let length = 0;
  for (const { name, value } of headers) length += HEADER_BYTES + name.length + value.length;
  return length;
}

function checkRoom(length: number, room: number): void {
  if (length <= room) return;
  throw new RangeError(`Cannot write a head: it takes ${length} bytes, there is room for ${room}`);
}
