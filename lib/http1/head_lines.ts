/**
 * The lines of a head, as they come: where each ends, and the headers in them (RFC 9112, sections
 * 2.2 and 5). What requests and responses have in common; the parsers of both own one each.
 *
 * A line ends in CRLF and nothing else. RFC 9112 allows a lone LF, but where two programs on the way
 * do not agree on what ends a line, one of them can be made to see a header, or a whole request, that
 * the other does not. For the same reason nothing is mended: what is not as written there is refused.
 *
 * Invariants: each byte is looked at a fixed number of times, however small the pieces are in which
 * it comes; what is found depends on the bytes alone, not on those pieces.
 */
import { Buffer } from "node:buffer";
import { endOfRun, TEXT, TOKEN } from "./characters.ts";
import type { Header, HeadError, HeadLimits } from "./head_parser.ts";

const HTAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;
/** The end of a line. */
const CRLF_BYTES = 2;

const BARE_CR = malformed("a bare CR");
const BARE_LF = malformed("a line that ends in LF without CR");
const CONTROL_BYTE = malformed("a control byte");
const FOLDED = malformed("a header over more than one line");
const BLANK_IN_NAME = malformed("a blank in the name of a header, or behind it");
const EMPTY_NAME = malformed("a header without a name");
const NO_COLON = malformed("a header without a colon");
const INVALID_NAME = malformed("an invalid byte in the name of a header");

/** An error that the sender of a malformed head is told as 400. */
export function malformed(reason: string): HeadError {
  return { state: "error", status: 400, reason };
}

/**
 * Text of bytes, one character a byte. Not by `TextDecoder`, whose "latin1" is Windows-1252; and not by
 * a `Buffer` around the bytes, which costs twice as much.
 */
export function latin1(
  bytes: Uint8Array<ArrayBuffer>,
  range: { readonly from: number; readonly to: number },
): string {
  const { from, to } = range;
  return Buffer.prototype.latin1Slice.call(bytes, from, to);
}

/** The lines of one head after the other. */
export class HeadLines {
  readonly #limits: HeadLimits;
  /** Where the current line starts. */
  #start = 0;
  /** All before it has been looked at. */
  #looked = 0;
  /** Are the lines headers by now? */
  #inHeaders = false;
  /** Of each header: the start and the end of its name, then those of its value. */
  readonly #marks: number[] = [];
  /** How many of the marks are of this head; the others are of longer ones before it. */
  #marked = 0;

  /** For heads within these limits. */
  constructor(limits: HeadLimits) {
    this.#limits = limits;
  }

  /** Where the current line starts. */
  get start(): number {
    return this.#start;
  }

  /** Begins again with the next head. */
  reset(): void {
    this.#start = 0;
    this.#looked = 0;
    this.#inHeaders = false;
    this.#marked = 0;
  }

  /** Where the current line ends, which is where its CR is; null: that has not come. */
  end(bytes: Uint8Array): number | null | HeadError {
    const longest = this.#longestEnd();
    const to = Math.min(bytes.length, longest);
    let at = this.#looked;
    while (at < to && TEXT[bytes[at] ?? 0] === 1) at++;
    this.#looked = at;
    if (at > longest) return this.#tooLong();
    if (at === bytes.length) return null;
    if (bytes[at] === CR) {
      if (at + 1 === bytes.length) return null;
      return bytes[at + 1] === LF ? at : BARE_CR;
    }
    if (at === longest) return this.#tooLong();
    return bytes[at] === LF ? BARE_LF : CONTROL_BYTE;
  }

  /** Goes on behind the line that ends there. */
  next(end: number): void {
    this.#start = end + CRLF_BYTES;
    this.#looked = this.#start;
  }

  /** Reads headers up to the empty line; where the head ends, or null: that has not come. */
  readHeaders(bytes: Uint8Array): number | null | HeadError {
    this.#inHeaders = true;
    for (;;) {
      const end = this.end(bytes);
      if (typeof end !== "number") return end;
      if (end === this.#start) return end + CRLF_BYTES;
      const error = this.#readHeader(bytes, end);
      if (error !== null) return error;
      this.next(end);
    }
  }

  /** The headers that were read. */
  headers(bytes: Uint8Array<ArrayBuffer>): Header[] {
    if (this.#marked === 0) return [];
    const marks = this.#marks;
    const from = marks[0] ?? 0;
    // Decoding all at once and cutting costs a fraction of decoding each.
    const text = latin1(bytes, { from, to: this.#start });
    const headers: Header[] = [];
    for (let at = 0; at < this.#marked; at += 4) {
      headers.push({
        name: text.slice((marks[at] ?? 0) - from, (marks[at + 1] ?? 0) - from),
        value: text.slice((marks[at + 2] ?? 0) - from, (marks[at + 3] ?? 0) - from),
      });
    }
    return headers;
  }

  #readHeader(bytes: Uint8Array, end: number): HeadError | null {
    if (this.#marked === 4 * this.#limits.headersMax) return this.#tooMany();
    const nameEnd = endOfRun(bytes, { of: TOKEN, from: this.#start });
    if (nameEnd === this.#start || bytes[nameEnd] !== COLON) {
      return invalidName(bytes[nameEnd], nameEnd === this.#start);
    }
    let from = nameEnd + 1;
    while (from < end && isBlank(bytes[from])) from++;
    let to = end;
    while (to > from && isBlank(bytes[to - 1])) to--;
    const marks = this.#marks;
    marks[this.#marked++] = this.#start;
    marks[this.#marked++] = nameEnd;
    marks[this.#marked++] = from;
    marks[this.#marked++] = to;
    return null;
  }

  /** The last place where the current line may end. */
  #longestEnd(): number {
    const { requestLineBytesMax, headBytesMax } = this.#limits;
    const ofHead = headBytesMax - CRLF_BYTES;
    return this.#inHeaders ? ofHead : Math.min(this.#start + requestLineBytesMax, ofHead);
  }

  #tooLong(): HeadError {
    const { requestLineBytesMax, headBytesMax } = this.#limits;
    return this.#inHeaders
      ? { state: "error", status: 431, reason: `a head of more than ${headBytesMax} bytes` }
      : {
        state: "error",
        status: 414,
        reason: `a first line of more than ${requestLineBytesMax} bytes`,
      };
  }

  #tooMany(): HeadError {
    const reason = `more than ${this.#limits.headersMax} headers`;
    return { state: "error", status: 431, reason };
  }
}

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === HTAB;
}

/** What is wrong with a name, or an empty one, that this byte ends. */
function invalidName(byte: number | undefined, empty: boolean): HeadError {
  if (isBlank(byte)) return empty ? FOLDED : BLANK_IN_NAME;
  if (empty && byte === COLON) return EMPTY_NAME;
  return byte === CR ? NO_COLON : INVALID_NAME;
}
