/**
 * The chunked transfer coding (RFC 9112, 7.1): a decoder for what comes, an encoder for what goes
 * out. Pure; used by the body's mover.
 *
 * The decoder is strict, because whatever two servers understand differently can hide a request:
 * a size is hexadecimal digits and nothing else, a line ends with CRLF, and everything has a bound.
 * Payload is not copied, only moved together over the frame between it.
 *
 * Extensions are dropped: none is known here, and who knows none must ignore them (7.1.1).
 * Trailers are checked and dropped: they must not be merged into the head, which has gone out by
 * then, and to discard them is what most intermediaries do (7.1.2; RFC 9110, 6.5.1).
 */

import { TEXT, TOKEN } from "./characters.ts";

/** The longest extensions of one chunk, in bytes. */
export const EXTENSION_BYTES_MAX = 1024;
/** All extensions together may be so much longer than the payload, in bytes. */
export const EXTENSION_EXCESS_BYTES_MAX: number = 16 * 1024;
/** The longest trailer section, in bytes. */
export const TRAILER_BYTES_MAX: number = 8 * 1024;
/** The most fields in a trailer section. */
export const TRAILERS_MAX = 100;
/** How much larger than its payload the buffer for a chunk must be, in bytes: 38, rounded up. */
export const CHUNK_FRAME_BYTES_MAX = 64;

const SIZE_DIGITS_MAX = 16;
const CR = 13;
const LF = 10;
const TAB = 9;
const BLANK = 32;
const COLON = 58;
const SEMICOLON = 59;

/** Room for the size of a chunk that fits into a buffer, and its line end, in bytes. */
const SIZE_LINE_BYTES_MAX = 16;
const DIGITS = "0123456789abcdef";
const LAST_CHUNK = new TextEncoder().encode("0\r\n\r\n");
const NOTHING = new Uint8Array(0);

/** The value of each byte as a hexadecimal digit, else -1. */
const HEX = Int8Array.from({ length: 256 }, (_, byte) => {
  const digit = String.fromCharCode(byte);
  return /[0-9A-Fa-f]/.test(digit) ? parseInt(digit, 16) : -1;
});

/** The body is not well-formed; the message says what is wrong, to follow the words "it has". */
export class ChunkedError extends Error {
  /** Always the same. */
  override readonly name = "ChunkedError";
}

/** Payload, and whether there is more. */
export interface Piece {
  /** The next bytes of the body; there may be none. */
  readonly payload: Uint8Array;
  /** Does the body end with them? */
  readonly last: boolean;
}

/** What was taken out of the bytes that came. */
export interface DecodedPiece extends Piece {
  /** How many of the bytes belong to this body: all of them, but for its last piece. */
  readonly consumed: number;
}

/** Where in the frame the next byte stands. */
type Place =
  | "size" // the digits of a size
  | "blanks" // behind them; only an extension may follow (7.1.1: BWS)
  | "extension"
  | "size line feed"
  | "data carriage return"
  | "data line feed"
  | "trailer" // the start of a line
  | "trailer name"
  | "trailer value"
  | "trailer line feed"
  | "last line feed"
  | "done";

/** Takes one body apart, however it is cut into pieces. */
export class ChunkedDecoder {
  #place: Place = "size";
  /** Data of this chunk that is still to come. */
  #dataLeft = 0;
  #size = 0;
  #digits = 0;
  #extensionBytes = 0;
  /** By how much all extensions are longer than all data. */
  #extensionExcess = 0;
  #trailerBytes = 0;
  #trailers = 0;

  /**
   * The payload in the bytes that come next, as a view of them: where they hold several chunks,
   * the payload is moved together in place. What is not consumed is left as it is. Throws a
   * {@linkcode ChunkedError} where they are malformed; there is nothing to decode after that, nor
   * after the last piece.
   */
  decode(bytes: Uint8Array): DecodedPiece {
    let start = 0;
    let end = 0;
    let at = 0;
    while (at < bytes.length && this.#place !== "done") {
      if (this.#dataLeft === 0) {
        this.#place = this.#step(bytes[at++] ?? 0);
        continue;
      }
      const count = Math.min(this.#dataLeft, bytes.length - at);
      if (end === 0) start = end = at;
      if (end < at) bytes.copyWithin(end, at, at + count);
      end += count;
      at += count;
      this.#dataLeft -= count;
      this.#extensionExcess -= count;
    }
    return { payload: bytes.subarray(start, end), consumed: at, last: this.#place === "done" };
  }

  /** One byte of the frame; returns where the next one stands. */
  #step(byte: number): Place {
    switch (this.#place) {
      case "size":
        return this.#inSize(byte);
      case "blanks":
        if (byte === SEMICOLON || isBlank(byte)) return this.#inExtension(byte);
        throw new ChunkedError("a malformed chunk size");
      case "extension":
        return this.#inExtension(byte);
      case "size line feed":
        return this.#atSizeEnd(byte);
      case "data carriage return":
        if (byte !== CR) throw new ChunkedError("a chunk that is longer than its size");
        return "data line feed";
      case "data line feed":
        return expectLineFeed(byte, "size");
      case "last line feed":
        return expectLineFeed(byte, "done");
      default:
        return this.#inTrailer(byte);
    }
  }

  #inSize(byte: number): Place {
    const digit = HEX[byte] ?? -1;
    if (digit >= 0) {
      this.#size = this.#size * 16 + digit;
      this.#digits++;
      if (this.#digits <= SIZE_DIGITS_MAX && this.#size <= Number.MAX_SAFE_INTEGER) return "size";
      throw new ChunkedError("a chunk size that is too large");
    }
    if (this.#digits === 0) throw new ChunkedError("a malformed chunk size");
    if (byte === CR) return "size line feed";
    if (byte === SEMICOLON || isBlank(byte)) return this.#inExtension(byte);
    throw new ChunkedError("a malformed chunk size");
  }

  #inExtension(byte: number): Place {
    if (byte === CR) return "size line feed";
    if (TEXT[byte] !== 1) throw new ChunkedError("a control character in a chunk extension");
    if (++this.#extensionBytes > EXTENSION_BYTES_MAX) {
      throw new ChunkedError("a chunk extension of more than 1 KiB");
    }
    return this.#place === "extension" || byte === SEMICOLON ? "extension" : "blanks";
  }

  #atSizeEnd(byte: number): Place {
    this.#extensionExcess += this.#extensionBytes;
    if (this.#extensionExcess > EXTENSION_EXCESS_BYTES_MAX) {
      throw new ChunkedError("far more chunk extensions than data");
    }
    this.#dataLeft = this.#size;
    this.#size = this.#digits = this.#extensionBytes = 0;
    return expectLineFeed(byte, this.#dataLeft === 0 ? "trailer" : "data carriage return");
  }

  #inTrailer(byte: number): Place {
    if (this.#place === "trailer" && byte === CR) return "last line feed";
    if (++this.#trailerBytes > TRAILER_BYTES_MAX) {
      throw new ChunkedError("more than 8 KiB of trailers");
    }
    switch (this.#place) {
      case "trailer":
        if (TOKEN[byte] === 1) return this.#beginTrailer();
        break;
      case "trailer name":
        if (TOKEN[byte] === 1) return "trailer name";
        if (byte === COLON) return "trailer value";
        break;
      case "trailer value":
        if (byte === CR) return "trailer line feed";
        if (TEXT[byte] === 1) return "trailer value";
        break;
      case "trailer line feed":
        return expectLineFeed(byte, "trailer");
    }
    throw new ChunkedError("a malformed trailer");
  }

  #beginTrailer(): Place {
    if (++this.#trailers > TRAILERS_MAX) {
      throw new ChunkedError(`more than ${TRAILERS_MAX} trailers`);
    }
    return "trailer name";
  }
}

function expectLineFeed(byte: number, next: Place): Place {
  if (byte !== LF) throw new ChunkedError("a carriage return without a line feed");
  return next;
}

function isBlank(byte: number): boolean {
  return byte === BLANK || byte === TAB;
}

/**
 * Makes one chunk of a piece, with the end of the body behind it if it is the last, in a buffer of
 * {@linkcode CHUNK_FRAME_BYTES_MAX} bytes more. Returns what is to be written: nothing where there
 * is no payload and no end.
 *
 * The copy stands as far from a multiple of 16 as the payload does. For on AMD's processors a copy
 * to a place that is 1 to 15 bytes ahead of its source, whole pages aside, takes ten times as long.
 */
export function encodeChunk(
  buffer: Uint8Array<ArrayBuffer>,
  { payload, last }: Piece,
): Uint8Array<ArrayBuffer> {
  if (payload.length === 0) return last ? LAST_CHUNK : NOTHING;
  let start = SIZE_LINE_BYTES_MAX + payload.byteOffset % 16;
  let end = start + payload.length;
  buffer.set(payload, start);
  buffer[--start] = LF;
  buffer[--start] = CR;
  for (let left = payload.length; left > 0; left >>>= 4) {
    buffer[--start] = DIGITS.charCodeAt(left % 16);
  }
  buffer[end++] = CR;
  buffer[end++] = LF;
  if (last) {
    buffer.set(LAST_CHUNK, end);
    end += LAST_CHUNK.length;
  }
  return buffer.subarray(start, end);
}
