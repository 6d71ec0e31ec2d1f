import { HeadLines } from "../../lib/http1/head_lines.ts";
import {
  HEAD_BYTES_MAX,
  HEAD_LIMITS,
  HEADERS_MAX,
  type HeadResult,
  isNamed,
  REQUEST_LINE_BYTES_MAX,
  RequestHeadParser,
  ResponseHeadParser,
} from "../../lib/http1/head_parser.ts";
import { assert, assertEquals, assertLessOrEqual } from "../support/assert.ts";
import { latin1Bytes } from "../support/latin1.ts";
import {
  REFUSED_REQUESTS,
  REFUSED_RESPONSES,
  VALID_REQUESTS,
  VALID_RESPONSES,
  type ValidHead,
} from "./vectors/heads.ts";

interface Parser<T> {
  parse(bytes: Uint8Array<ArrayBuffer>): HeadResult<T>;
}

/** What came of these bytes, all at once. */
function request(text: string): HeadResult<unknown> {
  return new RequestHeadParser().parse(latin1Bytes(text));
}

function complete(vector: ValidHead<object>): HeadResult<unknown> {
  const headers = vector.headers.map(([name, value]) => ({ name, value }));
  return { state: "complete", head: { ...vector.line, headers }, length: vector.text.length };
}

/** The first result other than "partial", with so many bytes more at each call. */
function inPieces<T>(
  parser: Parser<T>,
  bytes: Uint8Array<ArrayBuffer>,
  sizes: readonly number[],
): HeadResult<T> {
  let end = 0;
  for (const size of sizes) {
    end += size;
    const result = parser.parse(bytes.subarray(0, end));
    if (result.state !== "partial") return result;
  }
  return { state: "partial" };
}

/** The same comes of these bytes in any two pieces, and one by one. */
function assertAnySplit<T>(create: () => Parser<T>, text: string): void {
  const bytes = latin1Bytes(text);
  const whole = create().parse(bytes);
  for (let cut = 0; cut <= bytes.length; cut++) {
    const result = inPieces(create(), bytes, [cut, bytes.length - cut]);
    assertEquals(result, whole, `cut at ${cut}: ${JSON.stringify(text)}`);
  }
  const one = bytes.length === 0 ? [] : Array<number>(bytes.length).fill(1);
  assertEquals(inPieces(create(), bytes, one), whole, `byte by byte: ${JSON.stringify(text)}`);
}

const newRequestParser = (): Parser<unknown> => new RequestHeadParser();
const newResponseParser = (): Parser<unknown> => new ResponseHeadParser();

for (const vector of VALID_REQUESTS) {
  Deno.test(`RequestHeadParser: reads ${vector.name}`, () => {
    assertEquals(request(vector.text), complete(vector));
  });
}

for (const { name, text, status, reason } of REFUSED_REQUESTS) {
  Deno.test(`RequestHeadParser: refuses ${name}`, () => {
    const result = request(text);
    assert(result.state === "error");
    assertEquals([result.status, result.reason], [status, reason]);
  });
}

Deno.test("RequestHeadParser: tells the first line of what it refuses, where that was understood", () => {
  const lines: readonly (readonly [string, string | undefined])[] = [
    ["GET /a HTTP/1.1\r\n\r\n", "GET /a HTTP/1.1"],
    ["GET http://a/b HTTP/1.1\r\nno colon\r\n\r\n", "GET /b HTTP/1.1"],
    ["PRI * HTTP/2.0\r\n\r\n", "PRI * HTTP/2.0"],
    ["CONNECT a:1 HTTP/1.1\r\n\r\n", "CONNECT a:1 HTTP/1.1"],
    ["GET /a\r\n\r\n", undefined],
    ["GET  /a HTTP/1.1\r\n\r\n", undefined],
  ];
  for (const [text, line] of lines) {
    const result = request(text);
    assert(result.state === "error", text);
    assertEquals(result.line, line);
  }
});

for (const vector of VALID_RESPONSES) {
  Deno.test(`ResponseHeadParser: reads ${vector.name}`, () => {
    assertEquals(new ResponseHeadParser().parse(latin1Bytes(vector.text)), complete(vector));
  });
}

for (const { name, text, reason } of REFUSED_RESPONSES) {
  Deno.test(`ResponseHeadParser: refuses ${name}`, () => {
    const result = new ResponseHeadParser().parse(latin1Bytes(text));
    assertEquals("reason" in result ? result.reason : result, reason);
  });
}

Deno.test("RequestHeadParser: every split of the input gives what the whole gives", () => {
  for (const { text } of [...VALID_REQUESTS, ...REFUSED_REQUESTS]) {
    assertAnySplit(newRequestParser, text);
  }
});

Deno.test("ResponseHeadParser: every split of the input gives what the whole gives", () => {
  for (const { text } of [...VALID_RESPONSES, ...REFUSED_RESPONSES]) {
    assertAnySplit(newResponseParser, text);
  }
});

Deno.test("RequestHeadParser, ResponseHeadParser: a head is partial up to its last byte", () => {
  const assertPartial = (create: () => Parser<unknown>, text: string): void => {
    const bytes = latin1Bytes(text);
    for (let end = 0; end < bytes.length; end++) {
      const result = create().parse(bytes.subarray(0, end));
      assertEquals(result, { state: "partial" }, text.slice(0, end));
    }
  };
  for (const { text } of VALID_REQUESTS) assertPartial(newRequestParser, text);
  for (const { text } of VALID_RESPONSES) assertPartial(newResponseParser, text);
});

Deno.test("RequestHeadParser: what is wrong is refused as soon as it has come", () => {
  const early = [
    "\x16",
    "GET / HTTP/1.1\n",
    "GET /\r\n",
    "EHLO example.com\r\n",
    "PRI * HTTP/2.0\r\n",
    "GET / HTTP/1.1\r\nA b: c\r\n",
  ];
  for (const text of early) assertEquals(request(text).state, "error", text);
});

Deno.test("RequestHeadParser: what is behind the head changes nothing, and is left alone", () => {
  for (const vector of VALID_REQUESTS) {
    for (const rest of ["\0\r\n\n", "GET / HTTP/1.1\r\n\r\n", "\r\n", " folded"]) {
      const bytes = latin1Bytes(vector.text + rest);
      assertEquals(new RequestHeadParser().parse(bytes), complete(vector));
      assertEquals(bytes, latin1Bytes(vector.text + rest));
    }
  }
});

Deno.test("RequestHeadParser, ResponseHeadParser: one reads head after head, from any view of a buffer", () => {
  const assertAll = (parser: Parser<unknown>, vectors: readonly ValidHead<object>[]): void => {
    const buffer = latin1Bytes(vectors.map(({ text }) => text).join(""));
    let start = 0;
    for (const vector of vectors) {
      const result = parser.parse(buffer.subarray(start));
      assertEquals(result, complete(vector));
      start += vector.text.length;
    }
    assertEquals(start, buffer.length);
  };
  const longestFirst = [...VALID_REQUESTS].sort((a, b) => b.text.length - a.text.length);
  assertAll(new RequestHeadParser(), longestFirst);
  assertAll(new ResponseHeadParser(), [...VALID_RESPONSES].reverse());
});

Deno.test("RequestHeadParser: after an error it reads the next bytes as a new head", () => {
  const [valid] = VALID_REQUESTS;
  assert(valid !== undefined);
  const parser = new RequestHeadParser();
  for (const { text } of REFUSED_REQUESTS) {
    parser.parse(latin1Bytes(text));
    assertEquals(parser.parse(latin1Bytes(valid.text)), complete(valid));
  }
});

/** "complete", "partial", or the status of an error. */
function outcome(result: HeadResult<unknown>): string | number {
  return result.state === "error" ? result.status : result.state;
}

Deno.test("RequestHeadParser: a request line has a limit, which is 414", () => {
  const frame = "GET / HTTP/1.1".length;
  const line = (length: number): string => `GET /${"a".repeat(length - frame)} HTTP/1.1`;
  const rest = "\r\nHost: a\r\n\r\n";
  for (const ahead of ["", "\r\n"]) {
    const longest = ahead + line(REQUEST_LINE_BYTES_MAX) + rest;
    assertEquals(outcome(request(longest)), "complete");
    assertEquals(outcome(request(ahead + line(REQUEST_LINE_BYTES_MAX + 1) + rest)), 414);
    assertEquals(outcome(request(ahead + "a".repeat(REQUEST_LINE_BYTES_MAX))), "partial");
    assertEquals(outcome(request(ahead + "a".repeat(REQUEST_LINE_BYTES_MAX + 1))), 414);
  }
});

Deno.test("RequestHeadParser: its limits are the same for the next head", () => {
  const parser = new RequestHeadParser();
  const usual = latin1Bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const long = latin1Bytes("a".repeat(REQUEST_LINE_BYTES_MAX + 1));
  const many = latin1Bytes(
    `GET / HTTP/1.1\r\nHost: a\r\n${"A: b\r\n".repeat(HEADERS_MAX - 1)}\r\n`,
  );
  const found = [usual, long, many, many, long, usual].map((bytes) => outcome(parser.parse(bytes)));
  assertEquals(found, ["complete", 414, "complete", "complete", 414, "complete"]);
});

Deno.test("RequestHeadParser: the number of headers has a limit, which is 431", () => {
  const head = (headers: number): string =>
    `GET / HTTP/1.1\r\nHost: a\r\n${"A: b\r\n".repeat(headers - 1)}\r\n`;
  assertEquals(outcome(request(head(HEADERS_MAX))), "complete");
  assertEquals(outcome(request(head(HEADERS_MAX + 1))), 431);
  assertEquals(outcome(request(head(HEADERS_MAX + 1).slice(0, -2))), 431);
});

Deno.test("RequestHeadParser, ResponseHeadParser: a head has a limit, which is 431", () => {
  const first = "GET / HTTP/1.1\r\nHost: a\r\nA: ";
  const head = (length: number): string =>
    `${first}${"a".repeat(length - first.length - 4)}\r\n\r\n`;
  assertEquals(outcome(request(head(HEAD_BYTES_MAX))), "complete");
  for (const over of [1, 2, 3, 4, 100]) {
    assertEquals(outcome(request(head(HEAD_BYTES_MAX + over))), 431, `${over} too many`);
  }
  assertEquals(outcome(request(head(HEAD_BYTES_MAX).slice(0, -4))), "partial");
  assertEquals(outcome(request(`${first}${"a".repeat(HEAD_BYTES_MAX - first.length)}`)), 431);
  const response = `HTTP/1.1 200 OK\r\nA: ${"a".repeat(HEAD_BYTES_MAX)}\r\n\r\n`;
  assertEquals(outcome(new ResponseHeadParser().parse(latin1Bytes(response))), 431);
});

Deno.test("RequestHeadParser: at its limits, too, every split gives what the whole gives", () => {
  const limits = { requestLineBytesMax: 20, headersMax: 2, headBytesMax: 50 };
  const statuses = new Set<string | number>();
  for (let target = 1; target < 12; target++) {
    for (let value = 0; value < 16; value++) {
      const line = `GET /${"a".repeat(target)} HTTP/1.1`;
      for (const more of ["", "\r\nB: c", "\r\n".repeat(2), "\0", "\n"]) {
        const text = `${line}\r\nHost: a\r\nA: ${"b".repeat(value)}${more}\r\n\r\n`;
        const create = (): Parser<unknown> => new RequestHeadParser(limits);
        statuses.add(outcome(create().parse(latin1Bytes(text))));
        assertAnySplit(create, text);
      }
    }
  }
  assertEquals([...statuses].map(String).sort(), ["400", "414", "431", "complete"]);
});

Deno.test("HeadLines: each byte is looked at a few times at most, however it comes", () => {
  const bytes = latin1Bytes("Name: some value\r\n".repeat(90) + "\r\n");
  let reads = 0;
  const lines = new HeadLines(HEAD_LIMITS);
  for (let end = 1; end <= bytes.length; end++) {
    const counted = new Proxy(bytes.subarray(0, end), {
      get(target, key): unknown {
        if (typeof key === "string" && /^\d+$/.test(key)) reads++;
        return Reflect.get(target, key, target);
      },
    });
    const length = lines.readHeaders(counted);
    assertEquals(length, end === bytes.length ? end : null);
  }
  assertLessOrEqual(reads, 6 * bytes.length);
});

Deno.test("isNamed: capitals do not matter, all else does", () => {
  const named = (name: string): boolean => isNamed({ name, value: "" }, "content-length");
  assertEquals(["Content-Length", "content-length", "CONTENT-LENGTH"].map(named), [
    true,
    true,
    true,
  ]);
  assertEquals(["Content_Length", "Content-Lengt", "Content-Length2"].map(named), [
    false,
    false,
    false,
  ]);
});
