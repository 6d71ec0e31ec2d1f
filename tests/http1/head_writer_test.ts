import {
  type HeadResult,
  type RequestHead,
  RequestHeadParser,
  type ResponseHead,
  ResponseHeadParser,
} from "../../lib/http1/head_parser.ts";
import { writeRequestHead, writeResponseHead } from "../../lib/http1/head_writer.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { latin1Bytes, latin1Text } from "../support/latin1.ts";
import { Random } from "../support/random.ts";
import { VALID_REQUESTS, VALID_RESPONSES } from "./vectors/heads.ts";

const REQUEST: RequestHead = {
  method: "GET",
  target: "/a?b",
  minor: 1,
  headers: [{ name: "Host", value: "a" }, { name: "x", value: "\x80\xff\t b" }, {
    name: "Empty",
    value: "",
  }],
};
const RESPONSE: ResponseHead = {
  status: 404,
  reason: "Not Found",
  minor: 0,
  headers: [{ name: "A", value: "b" }],
};

/** What is written at the start of a buffer of that length. */
function written<T>(
  write: (head: T, into: Uint8Array, at: number) => number,
  head: T,
): Uint8Array<ArrayBuffer> {
  const into = new Uint8Array(64 * 1024);
  return into.subarray(0, write(head, into, 0));
}

Deno.test("writeRequestHead: line, headers in their order, empty line", () => {
  const text = "GET /a?b HTTP/1.1\r\nHost: a\r\nx: \x80\xff\t b\r\nEmpty: \r\n\r\n";
  assertEquals(latin1Text(written(writeRequestHead, REQUEST)), text);
  const old = "PUT * HTTP/1.0\r\n\r\n";
  const head = { method: "PUT", target: "*", minor: 0, headers: [] } as const;
  assertEquals(latin1Text(written(writeRequestHead, head)), old);
});

Deno.test("writeResponseHead: line, headers in their order, empty line", () => {
  const text = "HTTP/1.0 404 Not Found\r\nA: b\r\n\r\n";
  assertEquals(latin1Text(written(writeResponseHead, RESPONSE)), text);
  const head = { status: 100, reason: "", minor: 1, headers: [] } as const;
  assertEquals(latin1Text(written(writeResponseHead, head)), "HTTP/1.1 100 \r\n\r\n");
});

Deno.test("writeRequestHead, writeResponseHead: fit exactly, and write nowhere else", () => {
  const assertExact = <T>(
    write: (head: T, into: Uint8Array, at: number) => number,
    head: T,
  ): void => {
    const { length } = written(write, head);
    const into = new Uint8Array(length + 7).fill(1);
    assertEquals(write(head, into.subarray(0, length + 3), 3), length + 3);
    assertEquals([...into.subarray(0, 3), ...into.subarray(length + 3)], Array(7).fill(1));
    assertEquals(into.subarray(3, length + 3), written(write, head));
    for (const room of [length - 1, 1, 0]) {
      const error = assertThrows(() => write(head, into.subarray(0, 3 + room), 3), RangeError);
      const expected = `Cannot write a head: it takes ${length} bytes, there is room for ${room}`;
      assertEquals(error.message, expected);
    }
  };
  assertExact(writeRequestHead, REQUEST);
  assertExact(writeResponseHead, RESPONSE);
});

Deno.test("writeRequestHead, writeResponseHead: no text can end its line or become other bytes", () => {
  for (const bad of ["a\r\nb", "\r", "\n", "\0", "\x7f", "\u010a", "\u0100", "\u0141", "😀"]) {
    const header = { name: "A", value: bad };
    const heads: RequestHead[] = [
      { ...REQUEST, method: bad },
      { ...REQUEST, target: bad },
      { ...REQUEST, headers: [header] },
      { ...REQUEST, headers: [{ name: bad, value: "" }] },
    ];
    for (const head of heads) {
      assertThrows(() => written(writeRequestHead, head), RangeError, "not allowed");
    }
    const responses = [{ ...RESPONSE, reason: bad }, { ...RESPONSE, headers: [header] }];
    for (const head of responses) {
      assertThrows(() => written(writeResponseHead, head), RangeError, "not allowed");
    }
  }
});

/** A seed and how many mutated heads to try. */
const FUZZ = { seed: 20_260_729, times: 20_000 };
/** What is likely to matter to a parser. */
const PIECES = ["\r\n", "\r", "\n", "\0", " ", "\t", ":", ",", "\x0b", "\x7f", "\xff", "/", "*"];
const MORE_PIECES = [
  "Host: b\r\n",
  "Content-Length: 5\r\n",
  "HTTP/1.0",
  "http://b",
  "\r\n\r\n",
  "[",
];

/** That text with a few places changed, and perhaps without its end. */
function mutated(text: string, random: Random): string {
  let result = text;
  for (let times = random.integer(1, 3); times > 0; times--) {
    const from = random.integer(0, result.length);
    const to = from + random.integer(0, 3);
    const copied = random.integer(0, result.length);
    const piece = random.pick([
      "",
      String.fromCharCode(random.integer(0, 255)),
      random.pick(PIECES),
      random.pick(MORE_PIECES),
      result.slice(copied, copied + random.integer(1, 20)),
    ]);
    result = result.slice(0, from) + piece + result.slice(to);
  }
  return random.chance(0.2) ? result.slice(0, random.integer(0, result.length)) : result;
}

/** Parses mutations of these texts; what is accepted is written and parsed again. */
function assertRoundTrips<T extends RequestHead | ResponseHead>(
  { texts, parse, write }: {
    texts: readonly string[];
    parse: (bytes: Uint8Array<ArrayBuffer>) => HeadResult<T>;
    write: (head: T, into: Uint8Array, at: number) => number;
  },
): void {
  const random = new Random(FUZZ.seed);
  const counts = { complete: 0, partial: 0, error: 0 };
  for (let time = 0; time < FUZZ.times; time++) {
    const text = mutated(random.pick(texts), random);
    const result = parse(latin1Bytes(text));
    counts[result.state]++;
    if (result.state !== "complete") continue;
    const bytes = written(write, result.head);
    const again: HeadResult<T> = { state: "complete", head: result.head, length: bytes.length };
    assertEquals(parse(bytes), again, JSON.stringify(text));
  }
  const rare = Object.entries(counts).filter(([, count]) => count < FUZZ.times / 20);
  assertEquals(rare, [], `the fuzz tries too little of some kind: ${JSON.stringify(counts)}`);
}

Deno.test("writeRequestHead: whatever is accepted is the same head when written and read again", () => {
  const framed = [
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close, x\r\n",
    "Expect: 100-continue\r\n",
  ].map((header) => `POST / HTTP/1.1\r\nHost: a\r\n${header}\r\n`);
  assertRoundTrips({
    texts: [...VALID_REQUESTS.map(({ text }) => text), ...framed],
    parse: (bytes) => new RequestHeadParser().parse(bytes),
    write: writeRequestHead,
  });
});

Deno.test("writeResponseHead: whatever is accepted is the same head when written and read again", () => {
  assertRoundTrips({
    texts: VALID_RESPONSES.map(({ text }) => text),
    parse: (bytes) => new ResponseHeadParser().parse(bytes),
    write: writeResponseHead,
  });
});

Deno.test("RequestHeadParser: what was accepted of a mutation is in its bytes, line by line", () => {
  const random = new Random(FUZZ.seed + 1);
  let accepted = 0;
  for (let time = 0; time < FUZZ.times; time++) {
    const text = mutated(random.pick(VALID_REQUESTS).text, random);
    const result = new RequestHeadParser().parse(latin1Bytes(text));
    if (result.state !== "complete") continue;
    accepted++;
    const head = text.slice(0, result.length);
    assert(head.endsWith("\r\n\r\n"), JSON.stringify(text));
    const lines = head.replace(/^\r\n/, "").split("\r\n").slice(1, -2);
    const isAdded = result.head.headers.length === lines.length + 1;
    assert(isAdded || result.head.headers.length === lines.length, JSON.stringify(text));
    const read = result.head.headers.slice(isAdded ? 1 : 0);
    for (const [at, { name }] of read.entries()) {
      assert(lines[at]?.startsWith(`${name}:`), `${name} is not in ${JSON.stringify(text)}`);
    }
  }
  assert(accepted > FUZZ.times / 20, `only ${accepted} were accepted`);
});
