import {
  CHUNK_FRAME_BYTES_MAX,
  ChunkedDecoder,
  ChunkedError,
  encodeChunk,
  EXTENSION_BYTES_MAX,
  EXTENSION_EXCESS_BYTES_MAX,
  TRAILER_BYTES_MAX,
  TRAILERS_MAX,
} from "../../lib/http1/chunked.ts";
import { assert, assertEquals, assertStrictEquals } from "../support/assert.ts";
import { bytesOf, textOf } from "../support/fake_stream.ts";
import { Random } from "../support/random.ts";

/** What came of pieces that were decoded one after the other. */
interface Decoded {
  readonly payload: string;
  /** How many bytes were consumed. */
  readonly consumed: number;
  readonly last: boolean;
}

/** Decodes a text that is cut at these places. Checks that what follows the body is left alone. */
function decode(text: string, cuts: readonly number[] = []): Decoded {
  const decoder = new ChunkedDecoder();
  const bounds = [0, ...cuts, text.length];
  let payload = "";
  let consumed = 0;
  for (const [at, start] of bounds.slice(0, -1).entries()) {
    const bytes = bytesOf(text.slice(start, bounds[at + 1]));
    const rest = textOf(bytes);
    const piece = decoder.decode(bytes);
    payload += textOf(piece.payload);
    consumed += piece.consumed;
    assertEquals(textOf(bytes.subarray(piece.consumed)), rest.slice(piece.consumed));
    if (piece.last) return { payload, consumed, last: true };
    assertEquals(piece.consumed, bytes.length, "bytes of the body were left");
  }
  return { payload, consumed, last: false };
}

/** Why it is malformed; empty if it is not. */
function reasonOf(text: string, cuts?: readonly number[]): string {
  try {
    decode(text, cuts);
    return "";
  } catch (error) {
    if (error instanceof ChunkedError) return error.message;
    throw error;
  }
}

/** Whole, in two pieces cut at every place, and byte by byte. */
function everyCut(length: number): number[][] {
  const places = Array.from({ length: Math.max(0, length - 1) }, (_, at) => at + 1);
  return [[], ...places.map((place) => [place]), places];
}

const END = "0\r\n\r\n";

const GOOD: Readonly<Record<string, readonly [text: string, payload: string]>> = {
  "nothing": [END, ""],
  "one chunk": [`5\r\nhello\r\n${END}`, "hello"],
  "several chunks": [`1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n1\r\ng\r\n${END}`, "abcdefg"],
  "sizes in either case": [
    `a\r\n0123456789\r\nB\r\n0123456789a\r\n${END}`,
    "01234567890123456789a",
  ],
  "a size of several digits": [`1f\r\n${"x".repeat(31)}\r\n${END}`, "x".repeat(31)],
  "zeros before a size": [`0000000000000003\r\nabc\r\n${END}`, "abc"],
  "an end of several zeros": ["3\r\nabc\r\n000\r\n\r\n", "abc"],
  "payload that looks like framing": [`a\r\n\r\n0\r\n\r\n0\r\n\r\n${END}`, "\r\n0\r\n\r\n0\r\n"],
  "extensions": ['3;a;b=c;d="e \\" ;\t\xff"\r\nabc\r\n0;f\r\n\r\n', "abc"],
  "blanks before an extension": [`3 \t;a = b\r\nabc\r\n${END}`, "abc"],
  "trailers": ["3\r\nabc\r\n0\r\nA: b\r\n!#$%&'*+-.^_`|~9:\r\nC:\t\xe9 d\r\n\r\n", "abc"],
};

Deno.test("ChunkedDecoder: finds the payload and the end of the body, on every split of the input", () => {
  for (const [name, [text, payload]] of Object.entries(GOOD)) {
    const expected = { payload, consumed: text.length, last: true };
    for (const behind of ["", "GET / HTTP/1.1\r\n", "\r\n"]) {
      for (const cuts of everyCut(text.length + behind.length)) {
        assertEquals(decode(text + behind, cuts), expected, `${name}, cut at ${cuts}`);
      }
    }
  }
});

Deno.test("ChunkedDecoder: every start of a body is one, and none is the end", () => {
  for (const [name, [text, payload]] of Object.entries(GOOD)) {
    for (let length = 0; length < text.length; length++) {
      const decoded = decode(text.slice(0, length));
      assertEquals([decoded.consumed, decoded.last], [length, false], `${name}, ${length} bytes`);
      assert(payload.startsWith(decoded.payload), `${name}, ${length} bytes`);
    }
  }
});

const SIZE = "a malformed chunk size";
const LARGE = "a chunk size that is too large";
const LINE = "a carriage return without a line feed";
const CONTROL = "a control character in a chunk extension";
const TRAILER = "a malformed trailer";

const MALFORMED: Readonly<Record<string, readonly [text: string, reason: string]>> = {
  "no size": ["\r\n", SIZE],
  "no size before an extension": [";a\r\n", SIZE],
  "a blank before the size": [" 3\r\n", SIZE],
  "a tab before the size": ["\t3\r\n", SIZE],
  "a sign": ["+3\r\n", SIZE],
  "a negative size": ["-3\r\n", SIZE],
  "a prefix": ["0x3\r\n", SIZE],
  "an underscore": ["1_0\r\n", SIZE],
  "a letter behind f": ["g\r\n", SIZE],
  "a digit that is not ASCII": ["\xb2\r\n", SIZE],
  "a NUL in the size": ["3\0\r\n", SIZE],
  "a blank in the size": ["1 0\r\n", SIZE],
  "a blank behind the size": ["3 \r\n", SIZE],
  "a comma behind the size": ["3,a\r\n", SIZE],
  "a line feed alone behind the size": ["3\nabc", SIZE],
  "a carriage return alone behind the size": ["3\rabc", LINE],
  "two carriage returns behind the size": ["3\r\r\nabc", LINE],
  "a size of 54 bits": ["20000000000000\r\n", LARGE],
  "a size of 17 digits": ["00000000000000003\r\n", LARGE],
  "a size of 64 bits": ["ffffffffffffffff\r\n", LARGE],
  "a line feed alone in an extension": ["3;a\nabc\r\n0\r\n\r\n", CONTROL],
  "a carriage return alone in an extension": ["3;a\rb\r\nabc", LINE],
  "a NUL in an extension": ["3;\0\r\n", CONTROL],
  "a DEL in an extension": ["3;\x7f\r\n", CONTROL],
  "data that is longer than its size": ["3\r\nabcd\r\n", "a chunk that is longer than its size"],
  "a line feed alone behind data": ["3\r\nabc\n0\r\n\r\n", "a chunk that is longer than its size"],
  "a carriage return alone behind data": ["3\r\nabc\r0\r\n\r\n", LINE],
  "no size behind data": ["3\r\nabc\r\n\r\n", SIZE],
  "a line feed alone at the end": ["0\r\n\n", TRAILER],
  "a carriage return alone at the end": ["0\r\n\rx", LINE],
  "a line feed alone behind the last size": ["0\n\r\n", SIZE],
  "a trailer without a name": ["0\r\n: a\r\n\r\n", TRAILER],
  "a trailer without a colon": ["0\r\nabc\r\n\r\n", TRAILER],
  "a trailer with a blank before the colon": ["0\r\na : b\r\n\r\n", TRAILER],
  "a folded trailer": ["0\r\na: b\r\n c\r\n\r\n", TRAILER],
  "a request in place of trailers": ["0\r\nGET / HTTP/1.1\r\n\r\n", TRAILER],
  "a NUL in a trailer": ["0\r\na: \0\r\n\r\n", TRAILER],
  "a line feed alone behind a trailer": ["0\r\na: b\n\r\n", TRAILER],
  "a carriage return alone in a trailer": ["0\r\na: b\rc\r\n\r\n", LINE],
};

Deno.test("ChunkedDecoder: refuses what is malformed, by the same reason on every split", () => {
  for (const [name, [text, reason]] of Object.entries(MALFORMED)) {
    for (const before of ["", "2\r\nhi\r\n"]) {
      for (const cuts of everyCut(before.length + text.length)) {
        assertEquals(reasonOf(before + text, cuts), reason, `${name}, cut at ${cuts}`);
      }
    }
  }
});

Deno.test("ChunkedDecoder: takes what is just within its bounds, and no byte more", () => {
  const extended = (bytes: number): string => `;${"e".repeat(bytes - 1)}`;
  const trailer = (bytes: number): string => `a:${"t".repeat(bytes - 4)}\r\n`;
  const flood = (bytes: number): string =>
    `1${extended(EXTENSION_BYTES_MAX)}\r\nx\r\n`.repeat(EXTENSION_EXCESS_BYTES_MAX / 1024) +
    `1${extended(bytes)}\r\n`;
  const bounds: Record<string, readonly [within: string, beyond: string, reason: string]> = {
    "size": ["1fffffffffffff\r\n", "20000000000000\r\n", LARGE],
    "digits": ["0000000000000001\r\n", "00000000000000001\r\n", LARGE],
    "extension": [
      `1${extended(EXTENSION_BYTES_MAX)}\r\n`,
      `1${extended(EXTENSION_BYTES_MAX + 1)}\r\n`,
      "a chunk extension of more than 1 KiB",
    ],
    "all extensions": [flood(16), flood(17), "far more chunk extensions than data"],
    "trailer bytes": [
      `0\r\n${trailer(4096).repeat(2)}\r\n`,
      `0\r\n${trailer(4096)}${trailer(4097)}\r\n`,
      "more than 8 KiB of trailers",
    ],
    "trailers": [
      `0\r\n${trailer(10).repeat(TRAILERS_MAX)}\r\n`,
      `0\r\n${trailer(10).repeat(TRAILERS_MAX + 1)}\r\n`,
      "more than 100 trailers",
    ],
  };
  assertEquals(TRAILER_BYTES_MAX, 8192);
  for (const [name, [within, beyond, reason]] of Object.entries(bounds)) {
    assertEquals(reasonOf(within), "", name);
    assertEquals(reasonOf(beyond), reason, name);
  }
});

Deno.test("ChunkedDecoder: long extensions are fine where there is more data than that", () => {
  const chunk = `400;signature=${"f".repeat(900)}\r\n${"x".repeat(1024)}\r\n`;
  assertEquals(decode(chunk.repeat(100) + END).payload.length, 100 * 1024);
});

Deno.test("ChunkedDecoder.decode: payload of one chunk is a view of what was given", () => {
  const bytes = bytesOf("3;x\r\nabc\r\n");
  const { payload } = new ChunkedDecoder().decode(bytes);
  assertStrictEquals(payload.buffer, bytes.buffer);
  assertEquals([payload.byteOffset, payload.length], [5, 3]);
});

Deno.test("ChunkedDecoder.decode: payload of several chunks is moved together in place", () => {
  const bytes = bytesOf("1\r\na\r\n2\r\nbc\r\n3\r\ndef");
  const { payload } = new ChunkedDecoder().decode(bytes);
  assertStrictEquals(payload.buffer, bytes.buffer);
  assertEquals([payload.byteOffset, textOf(payload)], [3, "abcdef"]);
});

Deno.test("ChunkedDecoder.decode: consumes nothing behind the last piece", () => {
  const decoder = new ChunkedDecoder();
  assertEquals(decoder.decode(bytesOf(END)).last, true);
  const { consumed, payload, last } = decoder.decode(bytesOf("5\r\nhello\r\n"));
  assertEquals([consumed, payload.length, last], [0, 0, true]);
});

function randomBytes(random: Random, length: number): string {
  return textOf(Uint8Array.from({ length }, () => random.integer(0, 255)));
}

function randomBody(random: Random): { text: string; payload: string } {
  let text = "";
  let payload = "";
  const extension = (): string =>
    random.chance(0.3) ? random.pick([";a", " ;b=c", ';d="e;f"']) : "";
  for (let chunks = random.integer(0, 12); chunks > 0; chunks--) {
    const data = randomBytes(random, random.integer(1, random.chance(0.2) ? 600 : 20));
    const size = data.length.toString(16);
    const digits = random.chance(0.5) ? size : size.toUpperCase().padStart(4, "0");
    text += `${digits}${extension()}\r\n${data}\r\n`;
    payload += data;
  }
  text += `0${extension()}\r\n`;
  for (let trailers = random.integer(0, 3); trailers > 0; trailers--) text += "X-A: b\r\n";
  return { text: `${text}\r\n`, payload };
}

function randomCuts(random: Random, length: number): number[] {
  const cuts = Array.from({ length: random.integer(0, 8) }, () => random.integer(0, length));
  return cuts.sort((one, other) => one - other);
}

Deno.test("ChunkedDecoder: no chunking, extension, trailer or split changes the payload", () => {
  for (let seed = 1; seed <= 1000; seed++) {
    const random = new Random(seed);
    const { text, payload } = randomBody(random);
    const behind = random.chance(0.5) ? randomBytes(random, 30) : "";
    const cuts = randomCuts(random, text.length + behind.length);
    const expected = { payload, consumed: text.length, last: true };
    assertEquals(decode(text + behind, cuts), expected, `seed ${seed}`);
  }
});

/** Another decoder, slow and simple, by the grammar of RFC 9112, 7.1; null: no whole body. */
function decodeByGrammar(text: string): Decoded | null {
  const sizeLine = /(?<size>[0-9A-Fa-f]{1,16})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?\r\n/y;
  const trailers = /(?:[-!#$%&'*+.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)*\r\n/y;
  let payload = "";
  for (let at = 0;;) {
    sizeLine.lastIndex = at;
    const size = parseInt(sizeLine.exec(text)?.groups?.["size"] ?? "", 16);
    if (Number.isNaN(size)) return null;
    at = sizeLine.lastIndex;
    if (size === 0) {
      trailers.lastIndex = at;
      if (!trailers.test(text)) return null;
      return { payload, consumed: trailers.lastIndex, last: true };
    }
    if (text.slice(at + size, at + size + 2) !== "\r\n") return null;
    payload += text.slice(at, at + size);
    at += size + 2;
  }
}

Deno.test("ChunkedDecoder: takes mutated bodies for whole exactly where the grammar does", () => {
  const counts = { whole: 0, not: 0 };
  for (let seed = 1; seed <= 5000; seed++) {
    const random = new Random(seed);
    let { text } = randomBody(random);
    for (let mutations = random.integer(1, 3); mutations > 0; mutations--) {
      const at = random.integer(0, text.length);
      const put = random.pick(["", "\r", "\n", "\r\n", "0", "1", ";", " ", ":", "\0", "f", "-"]);
      text = text.slice(0, at) + put + text.slice(at + random.integer(0, 2));
    }
    const expected = decodeByGrammar(text);
    counts[expected === null ? "not" : "whole"]++;
    const cuts = randomCuts(random, text.length);
    const decoded = reasonOf(text, cuts) === "" ? decode(text, cuts) : null;
    assertEquals(decoded?.last ? decoded : null, expected, `seed ${seed}`);
  }
  assert(counts.whole > 500 && counts.not > 500, "the mutations prove little");
});

function encode(text: string, last: boolean): string {
  const buffer = new Uint8Array(text.length + CHUNK_FRAME_BYTES_MAX);
  return textOf(encodeChunk(buffer, { payload: bytesOf(text), last }));
}

Deno.test("encodeChunk: one chunk, with the end of the body behind the last", () => {
  assertEquals(encode("hello", false), "5\r\nhello\r\n");
  assertEquals(encode("hello, world!", true), "d\r\nhello, world!\r\n0\r\n\r\n");
  assertEquals(encode("", true), "0\r\n\r\n");
  assertEquals(encode("", false), "");
});

Deno.test("encodeChunk: every size fits into its room and comes back from the decoder", () => {
  for (const size of [1, 9, 15, 16, 17, 255, 256, 4095, 4096, 65_535, 65_536]) {
    for (let offset = 0; offset < 17; offset++) {
      const payload = new Uint8Array(size + offset).fill(120).subarray(offset);
      const room = new Uint8Array(3 + size + CHUNK_FRAME_BYTES_MAX).subarray(3);
      const encoded = encodeChunk(room, { payload, last: true });
      const decoded = new ChunkedDecoder().decode(encoded);
      assertEquals([decoded.payload.length, decoded.last], [size, true], `size ${size}`);
      assertEquals(decoded.consumed, encoded.length, `size ${size}`);
    }
  }
});

Deno.test("encodeChunk: the copy stands as far from a multiple of 16 as the payload", () => {
  for (let offset = 0; offset < 32; offset++) {
    const payload = bytesOf(" ".repeat(offset) + "hello").subarray(offset);
    const encoded = encodeChunk(new Uint8Array(200), { payload, last: false });
    assertEquals((encoded.byteOffset + 3) % 16, offset % 16);
  }
});
