/** Requests that are in order, and what can be done to them: the material of the fuzzer. */
import type { Random } from "./random.ts";
import { EARLY_HEADER, ID_HEADER } from "./strict_origin.ts";

/** What one client sends. */
export interface Transmission {
  /** All of it, one character a byte. */
  readonly text: string;
  /** The pieces in which it is sent; together they are the text. */
  readonly pieces: readonly string[];
  /** Is the last piece, of a body, to be sent when all answers are there? */
  readonly isLate: boolean;
  /** The requests that it was made of. */
  readonly ids: readonly string[];
  /** Was it left as it was made, so that all of them have to be answered? */
  readonly isUntouched: boolean;
}

const END = "\r\n";
/** Bytes that mean something somewhere in a request. */
const SHARP_BYTES = ["\r", "\n", "\r\n", "\0", "\t", " ", ":", ";", ",", "0", "9", "a", "\x7f"];
const LINE_ENDS = [
  "\n",
  "\r",
  "\n\r",
  "\r\r\n",
  "\r\n\r\n",
  "\r\n ",
  "\r\n\t",
  " \r\n",
  "\0\r\n",
  "x\n",
];
/** Lines that have made some servers see another end of the request than others. */
const SHARP_LINES = [
  "Content-Length: 0",
  "Content-Length: 5",
  "Content-Length: +5",
  "Content-Length: 5, 5",
  "Content-Length: 60",
  "Content-Length : 5",
  "Content_Length: 5",
  "Content-Length: 0x5",
  "Content-Length: 00000000000000000000",
  "Content-Length: 18446744073709551621",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: Chunked",
  "Transfer-Encoding : chunked",
  "Transfer-Encoding:\x0bchunked",
  "Transfer-Encoding: xchunked",
  "Transfer-Encoding: identity",
  "Transfer-Encoding: chunked, identity",
  "Transfer-Encoding: gzip, chunked",
  "Transfer_Encoding: chunked",
  " Transfer-Encoding: chunked",
  "X: 1\nTransfer-Encoding: chunked",
  "X: 1\rTransfer-Encoding: chunked",
  "Host: other",
  "Connection: close",
  "Connection: Content-Length, Transfer-Encoding, Host",
  "Connection: x-id",
  "Upgrade: h2c",
  "Expect: 100-continue",
  "X-Forwarded-For: 6.6.6.6",
  "Trailer: Content-Length",
  "",
];

type Mutation = (text: string, random: Random) => string;

/** Those that stand here more than once come so much more often. */
const MUTATIONS: readonly Mutation[] = [
  changeByte,
  changeByte,
  insertBytes,
  deleteBytes,
  repeatPart,
  doubleLine,
  addLine,
  addLine,
  addLine,
  changeLineEnd,
  changeLineEnd,
  changeNumber,
  changeNumber,
  cutOff,
];

/** One to three requests behind one another, mostly mutated, in pieces. */
export function makeTransmission(random: Random, name: string): Transmission {
  const ids = Array.from({ length: random.integer(1, 3) }, (_, index) => `${name}-${index}`);
  let text = ids.map((id, index) => makeRequest(random, { id, isLast: index === ids.length - 1 }))
    .join("");
  const isUntouched = random.chance(0.2);
  for (let left = isUntouched ? 0 : random.integer(1, 3); left > 0; left--) {
    text = random.pick(MUTATIONS)(text, random);
  }
  const about = { text, ids, isUntouched };
  const early = text.indexOf(EARLY_HEADER);
  const bodyStart = text.indexOf(END + END, early) + 2 * END.length;
  if (isUntouched && early >= 0 && bodyStart < text.length) {
    const cut = random.integer(bodyStart, text.length - 1);
    const pieces = [...cutUp(text.slice(0, cut), random), text.slice(cut)];
    return { ...about, pieces, isLate: true };
  }
  return { ...about, pieces: cutUp(text, random), isLate: false };
}

/** A request that is in order. One that is not the last leaves its connection open. */
function makeRequest(
  random: Random,
  { id, isLast }: { readonly id: string; readonly isLast: boolean },
): string {
  const isOld = isLast && random.chance(0.1);
  const method = random.pick(["GET", "HEAD", "OPTIONS", "POST", "POST", "PUT"]);
  const target = random.pick(["/", `/${id}?a=b`, `http://test/${id}`, "/x/../%2e%2e/"]);
  const lines = [
    `${method} ${target} HTTP/1.${isOld ? 0 : 1}`,
    "Host: test",
    `${ID_HEADER}: ${id}`,
  ];
  if (random.chance(0.2)) lines.push("X-Forwarded-For: 6.6.6.6", "Via: 1.0 liar");
  if (random.chance(0.1)) lines.push("Connection: upgrade", "Upgrade: echo");
  if (isLast && random.chance(0.2)) lines.push("Connection: close");
  // Nothing may follow: the connection ends with the answer if the body is not there by then.
  if (isLast && random.chance(0.3)) lines.push(EARLY_HEADER);
  if (method !== "POST" && method !== "PUT") return [...lines, "", ""].join(END);
  const body = makeBody(random, id);
  if (isOld || random.chance(0.5)) {
    return [...lines, `Content-Length: ${body.length}`, "", body].join(END);
  }
  return [...lines, "Transfer-Encoding: chunked", "", makeChunks(random, body)].join(END);
}

/** Often one that would be a request if it were not a body. */
function makeBody(random: Random, id: string): string {
  const hidden = `GET /hidden HTTP/1.1\r\nHost: test\r\n${ID_HEADER}: hidden-${id}\r\n\r\n`;
  return random.pick(["", "body", hidden, `${hidden}${hidden}`, `0\r\n\r\n${hidden}`]);
}

function makeChunks(random: Random, body: string): string {
  let text = "";
  for (let at = 0; at < body.length;) {
    const chunk = body.slice(at, at + random.integer(1, 60));
    const extension = random.chance(0.2) ? ";name=value" : "";
    text += `${chunk.length.toString(16)}${extension}${END}${chunk}${END}`;
    at += chunk.length;
  }
  const trailer = random.chance(0.2) ? `X-Trailer: Content-Length${END}` : "";
  return `${text}0${END}${trailer}${END}`;
}

function cutUp(text: string, random: Random): readonly string[] {
  const places = Array.from({ length: random.integer(0, 5) }, () => random.integer(0, text.length));
  const cuts = [0, ...places.sort((a, b) => a - b), text.length];
  return cuts.slice(1).map((end, index) => text.slice(cuts[index], end))
    .filter((piece) => piece !== "");
}

/** Any, or one of those that end a line. */
function changeByte(text: string, random: Random): string {
  const ends = [...text.matchAll(/[\r\n]/g)].map(({ index }) => index);
  const isEnd = ends.length > 0 && random.chance(0.5);
  const at = isEnd ? random.pick(ends) : random.integer(0, text.length - 1);
  const byte = String.fromCharCode(random.integer(0, 255));
  return text.slice(0, at) + byte + text.slice(at + 1);
}

function insertBytes(text: string, random: Random): string {
  const at = random.integer(0, text.length);
  return text.slice(0, at) + random.pick(SHARP_BYTES) + text.slice(at);
}

function deleteBytes(text: string, random: Random): string {
  const at = random.integer(0, text.length);
  return text.slice(0, at) + text.slice(at + random.integer(1, 4));
}

function repeatPart(text: string, random: Random): string {
  const at = random.integer(0, text.length);
  const end = at + random.integer(1, 80);
  return text.slice(0, end) + text.slice(at, end) + text.slice(end);
}

function doubleLine(text: string, random: Random): string {
  const lines = text.split(END);
  const line = random.pick(lines);
  return lines.toSpliced(random.integer(0, lines.length), 0, line).join(END);
}

/** Behind a line that is mostly of a head, be it one that is hidden in a body. */
function addLine(text: string, random: Random): string {
  const lines = text.split(END);
  const places = [...lines.keys()].filter((at) => /HTTP|: /.test(lines[at] ?? ""));
  if (places.length === 0) return text;
  return lines.toSpliced(random.pick(places) + 1, 0, random.pick(SHARP_LINES)).join(END);
}

function changeLineEnd(text: string, random: Random): string {
  const lines = text.split(END);
  if (lines.length === 1) return text;
  const at = random.integer(1, lines.length - 1);
  const end = random.pick(LINE_ENDS);
  return lines.slice(0, at).join(END) + end + lines.slice(at).join(END);
}

/** Of a length, a chunk size, a version: whatever there is. */
function changeNumber(text: string, random: Random): string {
  const numbers = [...text.matchAll(/(?<=Length: |\r\n)[\da-f]+(?=[;\r])|\d+/gi)];
  if (numbers.length === 0) return text;
  const { index, 0: number } = random.pick(numbers);
  const other = random.pick([
    () => (parseInt(number, 16) + random.integer(-5, 5)).toString(16),
    () => String(Number(number) + random.integer(-5, 5)),
    () => String(random.integer(0, 200)),
    () => `0${number}`,
    () => `0x${number}`,
    () => `-${number}`,
    () => `${number} `,
    () => "ffffffffffffffff",
    () => "",
  ])();
  return text.slice(0, index) + other + text.slice(index + number.length);
}

function cutOff(text: string, random: Random): string {
  return text.slice(0, random.integer(1, text.length));
}
