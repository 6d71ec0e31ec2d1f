/**
 * Reads the heads of requests and responses: bytes in; the head, "partial" or an error out (RFC 9112,
 * sections 2 to 5). No I/O. The session owns one parser for each client, the exchange one for each
 * connection to a backend.
 *
 * Invariants: a head that came in pieces is read as if it had come at once, and in O(n); nothing
 * behind the head is looked at; what is read has one meaning only, so that a head written anew from
 * it means the same to whoever reads it next.
 */
import { endOfRun, TARGET, TOKEN } from "./characters.ts";
import { HeadLines, latin1, malformed } from "./head_lines.ts";
import { isHost, readTarget, type RequestTarget } from "./request_target.ts";

/** One header of a head. */
export interface Header {
  /** As received. */
  readonly name: string;
  /** Without the blanks around it; one character a byte (latin1). */
  readonly value: string;
}

/** What a request says ahead of its body. */
export interface RequestHead {
  /** As received: methods tell capitals from small letters. */
  readonly method: string;
  /** A path with its query, or `*`. */
  readonly target: string;
  /** The second number of the version: x in HTTP/1.x. */
  readonly minor: 0 | 1;
  /** In the order received. */
  readonly headers: readonly Header[];
}

/** What a response says ahead of its body. */
export interface ResponseHead {
  /** 100 to 999. */
  readonly status: number;
  /** In words; may be empty, and nobody needs to read it. */
  readonly reason: string;
  /** The second number of the version: x in HTTP/1.x. */
  readonly minor: 0 | 1;
  /** In the order received. */
  readonly headers: readonly Header[];
}

/** The longest request line, in bytes, without its end. RFC 9112, section 3, asks for 8000 at least. */
export const REQUEST_LINE_BYTES_MAX = 8 * 1024;
/** The most headers. */
export const HEADERS_MAX = 100;
/** The longest head, in bytes, with its empty line. */
export const HEAD_BYTES_MAX = 32 * 1024;
/** The longest method, in bytes: none that is registered is half as long. */
export const METHOD_BYTES_MAX = 40;

/** What a head may have at most. */
export interface HeadLimits {
  /** Bytes of the first line, without its end. */
  readonly requestLineBytesMax: number;
  /** Headers. */
  readonly headersMax: number;
  /** Bytes of the whole head, with its empty line. */
  readonly headBytesMax: number;
}

/** The limits where no others are given. */
export const HEAD_LIMITS: HeadLimits = {
  requestLineBytesMax: REQUEST_LINE_BYTES_MAX,
  headersMax: HEADERS_MAX,
  headBytesMax: HEAD_BYTES_MAX,
};

/** The end of the head has not come. */
export interface HeadPartial {
  /** Always the same. */
  readonly state: "partial";
}

/** A whole head. */
export interface HeadComplete<T> {
  /** Always the same. */
  readonly state: "complete";
  /** What it says. */
  readonly head: T;
  /** Its bytes, with its empty line and what was skipped ahead of it. */
  readonly length: number;
}

/** It is no head that can be used; nothing behind this place in the stream can be trusted. */
export interface HeadError {
  /** Always the same. */
  readonly state: "error";
  /** What to tell a client that sent it. A backend is told nothing: its client gets a 502. */
  readonly status: 400 | 414 | 431 | 501 | 505;
  /** What is wrong, for the log, as in "it sent …". */
  readonly reason: string;
  /** The first line of a request, as far as it was understood; left out where it was not. */
  readonly line?: string;
}

/** What came of reading a head. */
export type HeadResult<T> = HeadPartial | HeadComplete<T> | HeadError;

/** Is that the header of this name, which is given in small letters? */
export function isNamed(header: Header, name: string): boolean {
  return header.name.length === name.length && header.name.toLowerCase() === name;
}

const SPACE = 0x20;
const DOT = 0x2e;
const DIGIT_0 = 0x30;
const HTTP_SLASH = new TextEncoder().encode("HTTP/");
/** "HTTP/1.1". */
const VERSION_BYTES = 8;

const PARTIAL: HeadPartial = { state: "partial" };
const EMPTY_LINES = malformed("more than one empty line ahead of a request");
const INVALID_METHOD = malformed("an invalid method");
const INVALID_TARGET = malformed("an invalid target");
const INVALID_VERSION = malformed("an invalid version");
const NO_VERSION = malformed("a request without a version (HTTP/0.9)");
const INVALID_STATUS = malformed("an invalid status");
const NO_HOST = malformed("no Host");
const TWO_HOSTS = malformed("more than one Host");
const INVALID_HOST = malformed("an invalid Host");
const LONG_METHOD = unimplemented(`a method of more than ${METHOD_BYTES_MAX} bytes`);
/**
 * 501 and not 405: no target here is one to which CONNECT could apply (RFC 9110, 9.3.6 and 15.6.2).
 */
const CONNECT = unimplemented("CONNECT, which is for proxies that clients choose");
const UNKNOWN_VERSION: HeadError = {
  state: "error",
  status: 505,
  reason: "a version that is neither HTTP/1.1 nor HTTP/1.0",
};

/** Reads the heads of requests, one after the other. */
export class RequestHeadParser {
  readonly #lines: HeadLines;
  #line: RequestLine | null = null;

  /** Within these limits. */
  constructor(limits: HeadLimits = HEAD_LIMITS) {
    this.#lines = new HeadLines(limits);
  }

  /**
   * Reads a head from all that has come of it, from its first byte. While that is "partial", the next
   * call gets the same bytes and more; after any other result, the next head.
   */
  parse(bytes: Uint8Array<ArrayBuffer>): HeadResult<RequestHead> {
    const result = this.#parse(bytes);
    if (result !== PARTIAL) {
      this.#lines.reset();
      this.#line = null;
    }
    return result;
  }

  #parse(bytes: Uint8Array<ArrayBuffer>): HeadResult<RequestHead> {
    if (this.#line === null) {
      const line = this.#readRequestLine(bytes);
      if (line === null) return PARTIAL;
      if ("state" in line) return line;
      this.#line = line;
    }
    const length = this.#lines.readHeaders(bytes);
    if (length === null) return PARTIAL;
    if (typeof length === "object") return { ...length, line: textOf(this.#line) };
    const { method, minor, target, authority } = this.#line;
    const received = this.#lines.headers(bytes);
    const error = hostError(received, minor);
    if (error !== null) return { ...error, line: textOf(this.#line) };
    const headers = authority === null ? received : withHost(received, authority);
    return { state: "complete", head: { method, target, minor, headers }, length };
  }

  #readRequestLine(bytes: Uint8Array<ArrayBuffer>): RequestLine | null | HeadError {
    const lines = this.#lines;
    let end = lines.end(bytes);
    // Section 2.2: some old clients send one CRLF too many behind a body.
    if (end === 0) {
      lines.next(end);
      end = lines.end(bytes);
    }
    if (typeof end !== "number") return end;
    if (end === lines.start) return EMPTY_LINES;
    const line = readRequestLine(bytes, { from: lines.start, to: end });
    lines.next(end);
    return line;
  }
}

/** Reads the heads of responses, one after the other. */
export class ResponseHeadParser {
  readonly #lines: HeadLines;
  #line: StatusLine | null = null;

  /** Within these limits; that of request lines holds for status lines. */
  constructor(limits: HeadLimits = HEAD_LIMITS) {
    this.#lines = new HeadLines(limits);
  }

  /** As {@linkcode RequestHeadParser.parse}. */
  parse(bytes: Uint8Array<ArrayBuffer>): HeadResult<ResponseHead> {
    const result = this.#parse(bytes);
    if (result !== PARTIAL) {
      this.#lines.reset();
      this.#line = null;
    }
    return result;
  }

  #parse(bytes: Uint8Array<ArrayBuffer>): HeadResult<ResponseHead> {
    if (this.#line === null) {
      const end = this.#lines.end(bytes);
      if (end === null) return PARTIAL;
      if (typeof end === "object") return end;
      const line = readStatusLine(bytes, end);
      if ("state" in line) return line;
      this.#line = line;
      this.#lines.next(end);
    }
    const length = this.#lines.readHeaders(bytes);
    if (length === null) return PARTIAL;
    if (typeof length === "object") return length;
    const { status, reason, minor } = this.#line;
    const headers = this.#lines.headers(bytes);
    return { state: "complete", head: { status, reason, minor, headers }, length };
  }
}

interface RequestLine extends RequestTarget {
  readonly method: string;
  readonly minor: 0 | 1;
}

function textOf({ method, target, minor }: RequestLine): string {
  return `${method} ${target} HTTP/1.${minor}`;
}

/** Method, target and version, with one space between them (section 3). */
function readRequestLine(
  bytes: Uint8Array<ArrayBuffer>,
  range: { readonly from: number; readonly to: number },
): RequestLine | HeadError {
  const { from, to } = range;
  const methodEnd = endOfRun(bytes, { of: TOKEN, from });
  if (methodEnd === from || bytes[methodEnd] !== SPACE) return INVALID_METHOD;
  const targetStart = methodEnd + 1;
  const targetEnd = endOfRun(bytes, { of: TARGET, from: targetStart });
  if (targetEnd === to) return NO_VERSION;
  if (targetEnd === targetStart || bytes[targetEnd] !== SPACE) return INVALID_TARGET;
  const minor = readVersion(bytes, { from: targetEnd + 1, to });
  if (minor === UNKNOWN_VERSION) return { ...minor, line: latin1(bytes, range) };
  if (typeof minor === "object") return minor;

  // Section 3: a method that is longer than any that is known.
  if (methodEnd - from > METHOD_BYTES_MAX) return { ...LONG_METHOD, line: latin1(bytes, range) };
  const text = latin1(bytes, { from, to: targetEnd });
  const method = text.slice(0, methodEnd - from);
  if (method === "CONNECT") return { ...CONNECT, line: latin1(bytes, range) };
  const target = readTarget(method, text.slice(targetStart - from));
  if (target === null) return INVALID_TARGET;
  return { method, minor, target: target.target, authority: target.authority };
}

interface StatusLine {
  readonly status: number;
  readonly reason: string;
  readonly minor: 0 | 1;
}

/**
 * Version, status and reason (section 4). The space behind the status may be missing where there is
 * no reason: many servers leave it away, and nothing else can be meant. Statuses above 599 are for
 * the client to judge (RFC 9110, section 15).
 */
function readStatusLine(bytes: Uint8Array<ArrayBuffer>, to: number): StatusLine | HeadError {
  const minor = readVersion(bytes, { from: 0, to: Math.min(to, VERSION_BYTES) });
  if (typeof minor === "object") return minor;
  const text = latin1(bytes, { from: VERSION_BYTES, to });
  const match = /^ ([1-9]\d\d)(?: (.*))?$/.exec(text);
  if (match === null) return INVALID_STATUS;
  return { status: Number(match[1]), reason: match[2] ?? "", minor };
}

/** The x of HTTP/1.x (section 2.3). Not even capitals may differ. */
function readVersion(
  bytes: Uint8Array,
  range: { readonly from: number; readonly to: number },
): 0 | 1 | HeadError {
  const { from, to } = range;
  if (to - from !== VERSION_BYTES) return INVALID_VERSION;
  for (let at = 0; at < HTTP_SLASH.length; at++) {
    if (bytes[from + at] !== HTTP_SLASH[at]) return INVALID_VERSION;
  }
  const major = (bytes[from + 5] ?? 0) - DIGIT_0;
  const minor = (bytes[from + 7] ?? 0) - DIGIT_0;
  const digits = major >= 0 && major <= 9 && minor >= 0 && minor <= 9;
  if (!digits || bytes[from + 6] !== DOT) return INVALID_VERSION;
  return major === 1 && (minor === 0 || minor === 1) ? minor : UNKNOWN_VERSION;
}

/** What is wrong with the only Host, which HTTP/1.1 asks for (section 3.2); null: nothing. */
function hostError(headers: readonly Header[], minor: 0 | 1): HeadError | null {
  let found = false;
  for (const header of headers) {
    if (!isNamed(header, "host")) continue;
    if (found) return TWO_HOSTS;
    if (!isHost(header.value)) return INVALID_HOST;
    found = true;
  }
  return found || minor === 0 ? null : NO_HOST;
}

/** The authority of a full URL goes before Host, whatever that says (section 3.2.2). */
function withHost(headers: readonly Header[], authority: string): Header[] {
  const others = headers.map((header) =>
    isNamed(header, "host") ? { name: header.name, value: authority } : header
  );
  const found = headers.some((header) => isNamed(header, "host"));
  return found ? others : [{ name: "Host", value: authority }, ...others];
}

function unimplemented(reason: string): HeadError {
  return { state: "error", status: 501, reason };
}
