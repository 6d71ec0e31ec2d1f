import {
  ANSWER_BYTES_MAX,
  BODY_BYTES_MAX,
  HEAD_BYTES_MAX,
  type ProbeAnswer,
  ProbeAnswerError,
  readCounts,
  readProbeAnswer,
} from "../lib/probe_answer.ts";
import { assert, assertEquals, assertThrows } from "./support/assert.ts";
import { Random } from "./support/random.ts";

/** One byte a character. */
function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

type Wanted = "head" | "body";
interface Case {
  readonly ended?: boolean;
  readonly wanted?: Wanted;
}

function read(text: string, { ended = false, wanted = "body" }: Case = {}): ProbeAnswer | null {
  return readProbeAnswer({ bytes: bytes(text), ended, wanted });
}

/** The answer, or the words of the error. */
function outcome(text: string, options: Case = {}): ProbeAnswer | string | null {
  try {
    return read(text, options);
  } catch (error) {
    if (!(error instanceof ProbeAnswerError)) throw error;
    return error.message;
  }
}

const OK = "HTTP/1.1 200 OK\r\n";
const COUNTS = "3\n17\n";

interface Vector {
  readonly name: string;
  readonly text: string;
  readonly status: number;
  readonly body: string;
}

/** Answers whose end stands in them. */
const VECTORS: readonly Vector[] = [
  { name: "Content-Length", text: `${OK}Content-Length: 5\r\n\r\n${COUNTS}` },
  {
    name: "other headers around it",
    text: `${OK}Date: x\r\nContent-Length: 5\r\nA:b\r\n\r\n${COUNTS}`,
  },
  { name: "keep-alive", text: `${OK}Connection: keep-alive\r\nContent-Length: 5\r\n\r\n${COUNTS}` },
  { name: "HTTP/1.0", text: `HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n${COUNTS}` },
  { name: "no reason phrase", text: `HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n${COUNTS}` },
  { name: "an empty reason phrase", text: `HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n${COUNTS}` },
  { name: "header names in capitals", text: `${OK}CONTENT-LENGTH:5\r\n\r\n${COUNTS}` },
  { name: "blanks around a value", text: `${OK}Content-Length: \t 5 \t\r\n\r\n${COUNTS}` },
  {
    name: "the same length twice",
    text: `${OK}Content-Length: 5\r\nContent-Length: 5\r\n\r\n${COUNTS}`,
  },
  { name: "a length with zeros before", text: `${OK}Content-Length: 0005\r\n\r\n${COUNTS}` },
  {
    name: "headers of similar names",
    text: `${OK}X-Content-Length: 9\r\nContent-Length: 5\r\nContent-Length-X: 8\r\n\r\n${COUNTS}`,
  },
  { name: "bare LF", text: `HTTP/1.1 200 OK\nContent-Length: 5\n\n${COUNTS}` },
  { name: "bare LF in places", text: `${OK}A: b\nContent-Length: 5\r\n\n${COUNTS}` },
  { name: "a header with an empty value", text: `${OK}A:\r\nContent-Length: 5\r\n\r\n${COUNTS}` },
  {
    name: "bytes that are no text",
    text: `${OK}A: \xff\x80\0\r\nContent-Length: 5\r\n\r\n${COUNTS}`,
  },
  { name: "one chunk", text: `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\n${COUNTS}\r\n0\r\n\r\n` },
  {
    name: "several chunks, cut inside a number",
    text: `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\n3\n1\r\n2\r\n7\n\r\n0\r\n\r\n`,
  },
  {
    name: "chunks with extensions, trailers and zeros",
    text: `${OK}Transfer-Encoding: Chunked\r\n\r\n005;a=b;c="d"\r\n${COUNTS}\r\n` +
      "00 ;x\r\nTrailer: y\r\nOther: z\r\n\r\n",
  },
  {
    name: "chunks with bare LF",
    text: `${OK}Transfer-Encoding: chunked\r\n\r\n5\n${COUNTS}\n0\n\n`,
  },
  {
    name: "chunks win over a length",
    text: `${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n${COUNTS}\r\n0\r\n\r\n`,
  },
  {
    name: "one interim answer",
    text: `HTTP/1.1 100 Continue\r\n\r\n${OK}Content-Length: 5\r\n\r\n${COUNTS}`,
  },
  {
    name: "several interim answers with headers",
    text: `HTTP/1.1 103 Early Hints\r\nLink: x\r\nContent-Length: 9\r\n\r\n` +
      `HTTP/1.1 199 ?\n\n${OK}Content-Length: 5\r\n\r\n${COUNTS}`,
  },
  { name: "an empty body", text: `${OK}Content-Length: 0\r\n\r\n`, body: "" },
  { name: "no chunk at all", text: `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, body: "" },
  { name: "204", text: "HTTP/1.1 204 No Content\r\n\r\n", status: 204, body: "" },
  {
    name: "304 with a length",
    text: "HTTP/1.1 304 .\r\nContent-Length: 9\r\n\r\n",
    status: 304,
    body: "",
  },
  {
    name: "404",
    text: "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
    status: 404,
    body: "no",
  },
  { name: "599", text: "HTTP/1.1 599 ?\r\nContent-Length: 0\r\n\r\n", status: 599, body: "" },
  {
    name: "the longest body",
    text: `${OK}Content-Length: ${BODY_BYTES_MAX}\r\n\r\n${"1".repeat(BODY_BYTES_MAX)}`,
    body: "1".repeat(BODY_BYTES_MAX),
  },
].map((vector) => ({ status: 200, body: COUNTS, ...vector }));

/** Answers that end with the connection. */
const UNTIL_CLOSE: readonly Vector[] = [
  { name: "neither length nor chunks", text: `${OK}\r\n${COUNTS}` },
  { name: "bare LF", text: `HTTP/1.0 200 OK\n\n${COUNTS}` },
  { name: "behind an interim answer", text: `HTTP/1.1 100 Continue\r\n\r\n${OK}\r\n${COUNTS}` },
  { name: "an empty body", text: `${OK}\r\n`, body: "" },
  { name: "101", text: "HTTP/1.1 101 Switching\r\n\r\n", status: 101, body: "" },
].map((vector) => ({ status: 200, body: COUNTS, ...vector }));

/** What is wrong, and the words for it. Neither more bytes nor the end make it right. */
const WRONG: readonly (readonly [text: string, words: string])[] = [
  ["SSH-2.0-OpenSSH_9.2\r\n", "did not answer in HTTP"],
  ["\r\n", "did not answer in HTTP"],
  ["http/1.1 200 OK\r\n", "did not answer in HTTP"],
  ["HTTP/2 200\r\n", "did not answer in HTTP"],
  ["HTTP/1.1 100 Continue\r\n\r\nhello", "did not answer in HTTP"],
  ["HTTP/1.2 200 OK\r\n\r\n", "sent a malformed status line"],
  ["HTTP/1.11 200 OK\r\n\r\n", "sent a malformed status line"],
  ["HTTP/1.1  200 OK\r\n\r\n", "sent a malformed status line"],
  ["HTTP/1.1 20 OK\r\n\r\n", "sent a malformed status line"],
  ["HTTP/1.1 2000 OK\r\n\r\n", "sent a malformed status line"],
  ["HTTP/1.1 099 OK\r\n\r\n", "sent a malformed status line"],
  ["HTTP/1.1 +20 OK\r\n\r\n", "sent a malformed status line"],
  ["HTTP/1.1 200OK\r\n\r\n", "sent a malformed status line"],
  ["HTTP/1.1\r\n\r\n", "sent a malformed status line"],
  [`${OK}no colon\r\n\r\n`, "sent a malformed header"],
  [`${OK}: no name\r\n\r\n`, "sent a malformed header"],
  [`${OK}A: b\r\n folded\r\n\r\n`, "sent a malformed header"],
  [`${OK}Content-Length: 5\r\nContent-Length: 6\r\n\r\n`, "sent differing content-length headers"],
  [
    `${OK}Transfer-Encoding: a\r\nTransfer-Encoding: chunked\r\n\r\n`,
    "sent differing transfer-encoding headers",
  ],
  [`${OK}Transfer-Encoding: gzip\r\n\r\n`, 'sent an unknown transfer coding, "gzip"'],
  [
    `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n`,
    'sent an unknown transfer coding, "gzip, chunked"',
  ],
  ...["", "-5", "+5", "5, 5", "5 5", "0x5", "5.0", "1e1", "five", "1".repeat(16)].map((length) =>
    [`${OK}Content-Length: ${length}\r\n\r\n`, "sent a malformed Content-Length"] as const
  ),
  [`${OK}Content-Length: 1025\r\n\r\n`, "sent a body of more than 1 KiB"],
  [`${OK}Content-Length: ${"9".repeat(15)}\r\n\r\n`, "sent a body of more than 1 KiB"],
  [`${OK}\r\n${"1".repeat(1025)}`, "sent a body of more than 1 KiB"],
  ...["", "x", "-1", "+1", "0x1", " 1", "g", "1g", "1,", "123456789", ";a"].map((size) =>
    [`${OK}Transfer-Encoding: chunked\r\n\r\n${size}\r\n`, "sent a malformed chunk"] as const
  ),
  [`${OK}Transfer-Encoding: chunked\r\n\r\n5\r\n${COUNTS}0\r\n`, "sent a malformed chunk"],
  [`${OK}Transfer-Encoding: chunked\r\n\r\n5\r\n${COUNTS}\rx`, "sent a malformed chunk"],
  [`${OK}Transfer-Encoding: chunked\r\n\r\n401\r\n`, "sent a body of more than 1 KiB"],
  [`${OK}Transfer-Encoding: chunked\r\n\r\nffffffff\r\n`, "sent a body of more than 1 KiB"],
  [
    `${OK}Transfer-Encoding: chunked\r\n\r\n400\r\n${"1".repeat(1024)}\r\n1\r\n`,
    "sent a body of more than 1 KiB",
  ],
];

for (const { name, text, status, body } of VECTORS) {
  Deno.test(`readProbeAnswer: reads an answer with ${name}, at once or cut anywhere`, () => {
    const expected = { status, body };
    assertEquals(read(text), expected);
    assertEquals(read(text, { ended: true }), expected);
    let complete = false;
    for (let size = 0; size <= text.length; size++) {
      const start = text.slice(0, size);
      const answer = read(start);
      const shown = JSON.stringify(start);
      if (answer === null) assertEquals(complete, false, `${shown} is not yet an answer, less was`);
      else assertEquals(answer, expected, `${shown} is a wrong answer`);
      complete = answer !== null;
      const whenEnded = outcome(start, { ended: true });
      assertEquals(whenEnded, answer ?? interrupted(start), `${shown} and then the end`);
    }
  });
}

for (const { name, text, status, body } of UNTIL_CLOSE) {
  Deno.test(`readProbeAnswer: an answer with ${name} is over when the connection is`, () => {
    for (let size = 0; size <= text.length; size++) {
      assertEquals(read(text.slice(0, size)), null, JSON.stringify(text.slice(0, size)));
    }
    assertEquals(read(text, { ended: true }), { status, body });
    const inHead = text.slice(0, text.length - body.length - 1);
    assertEquals(outcome(inHead, { ended: true }), interrupted(inHead));
  });
}

Deno.test("readProbeAnswer: what comes behind the answer changes nothing", () => {
  for (const { name, text, status, body } of VECTORS) {
    for (const more of ["x", "\r\n", text, "\0".repeat(3000)]) {
      assertEquals(read(text + more), { status, body }, name);
    }
  }
});

Deno.test("readProbeAnswer: where only the head is wanted, the body is not waited for, nor judged", () => {
  for (const { name, text, status } of [...VECTORS, ...UNTIL_CLOSE]) {
    assertEquals(read(text, { wanted: "head" }), { status, body: "" }, name);
  }
  const endless = `${OK}Content-Length: 999999999999\r\n\r\n`;
  assertEquals(read(endless, { wanted: "head" }), { status: 200, body: "" });
  assertEquals(read(endless.slice(0, -1), { wanted: "head" }), null);
  assertEquals(read("HTTP/1.1 100 Continue\r\n\r\n", { wanted: "head" }), null);
});

Deno.test("readProbeAnswer: a wrong answer is refused in words, and no start of it is taken", () => {
  for (const [text, words] of WRONG) {
    const shown = JSON.stringify(text.slice(0, 200));
    assertEquals(outcome(text), words, shown);
    assertEquals(outcome(text, { ended: true }), words, shown);
    assertEquals(outcome(`${text}more\r\n\r\n`), words, shown);
    for (let size = 0; size < text.length; size++) {
      const start = outcome(text.slice(0, size));
      assert(start === null || start === words, `the first ${size} bytes of ${shown}: ${start}`);
    }
  }
});

Deno.test("readProbeAnswer: the end before any byte, and the end in the middle, are told apart", () => {
  assertEquals(outcome("", { ended: true }), "closed the connection without an answer");
  assertEquals(
    outcome(`${OK}Content-Length: 5\r\n\r\n3\n1`, { ended: true }),
    "closed the connection in the middle of its answer",
  );
});

Deno.test("readProbeAnswer: an endless head is refused as soon as it is too long", () => {
  const words = "sent a head of more than 16 KiB";
  const long = `${OK}A: ${"b".repeat(HEAD_BYTES_MAX)}`;
  assertEquals(outcome(long.slice(0, HEAD_BYTES_MAX)), null);
  assertEquals(outcome(long.slice(0, HEAD_BYTES_MAX + 4)), words);
  assertEquals(outcome(`${long}\r\n\r\n`), words);
  assertEquals(outcome(`HTTP/1.1 100 C\r\n\r\n${long}`), words);
  assertEquals(outcome(`${OK}${"A: b\r\n".repeat(5000)}`), words);
});

Deno.test("readProbeAnswer: a head within the bound is taken, wherever it is cut", () => {
  const filler = "b".repeat(HEAD_BYTES_MAX - OK.length - 32);
  const text = `${OK}A: ${filler}\r\nContent-Length: 0\r\n\r\n`;
  assert(text.length < HEAD_BYTES_MAX);
  for (let size = text.length - 40; size < text.length; size++) {
    assertEquals(outcome(text.slice(0, size)), null);
  }
  assertEquals(outcome(text), { status: 200, body: "" });
});

// Regression: the first bytes of the empty line counted as head until it had come whole.
Deno.test("readProbeAnswer: a head of exactly the bound is taken, wherever it is cut", () => {
  const start = `${OK}Content-Length: 0\r\nA: `;
  const text = `${start}${"b".repeat(HEAD_BYTES_MAX - start.length)}\r\n\r\n`;
  assertEquals(outcome(text), { status: 200, body: "" });
  for (let size = text.length - 5; size < text.length; size++) {
    assertEquals(outcome(text.slice(0, size)), null, `all but ${text.length - size} bytes`);
  }
});

Deno.test("readProbeAnswer: an endless body is refused as soon as it is too long", () => {
  const words = "sent a body of more than 1 KiB";
  const body = "1".repeat(BODY_BYTES_MAX);
  assertEquals(outcome(`${OK}\r\n${body}`), null);
  assertEquals(outcome(`${OK}\r\n${body}`, { ended: true }), { status: 200, body });
  assertEquals(outcome(`${OK}\r\n${body}1`), words);
  const chunks = `${OK}Transfer-Encoding: chunked\r\n\r\n${"1\r\n1\r\n".repeat(BODY_BYTES_MAX)}`;
  assertEquals(outcome(chunks), null);
  assertEquals(outcome(`${chunks}1\r\n`), words);
});

Deno.test("readProbeAnswer: as many bytes as are worth reading hold the longest plain answer", () => {
  assert(ANSWER_BYTES_MAX >= HEAD_BYTES_MAX + 4 + BODY_BYTES_MAX);
  const interim = "HTTP/1.1 100 C\r\n\r\n";
  const endless = interim.repeat(Math.ceil(ANSWER_BYTES_MAX / interim.length));
  assertEquals(
    outcome(endless.slice(0, ANSWER_BYTES_MAX - ANSWER_BYTES_MAX % interim.length)),
    null,
  );
});

Deno.test("readProbeAnswer: no garbage makes it throw anything but ProbeAnswerError, or contradict itself", () => {
  const texts = [...VECTORS, ...UNTIL_CLOSE].map(({ text }) => text);
  texts.push(...WRONG.map(([text]) => text));
  for (let seed = 1; seed <= 4000; seed++) {
    const random = new Random(seed);
    const text = mangled(texts, random);
    const wanted = random.pick(["head", "body"] as const);
    const whole = outcome(text, { wanted });
    const part = outcome(text.slice(0, random.integer(0, text.length)), { wanted });
    const shown = `seed ${seed}: ${JSON.stringify(text.slice(0, 300))}`;
    if (part !== null && typeof part !== "string") assertEquals(whole, part, `${shown} in pieces`);
    if (typeof part === "string") assertEquals(typeof whole, "string", `${shown} in pieces`);
    const ended = outcome(text, { wanted, ended: true });
    assert(ended !== null, `${shown} is still not over at the end`);
    if (whole !== null) assertEquals(ended, whole, `${shown} at the end`);
    countsOrError(typeof ended === "string" ? ended : ended.body);
  }
});

function interrupted(start: string): string {
  return start === ""
    ? "closed the connection without an answer"
    : "closed the connection in the middle of its answer";
}

const PIECES = [
  "\r\n",
  "\n",
  "\r",
  "0",
  "5",
  ":",
  ";",
  " ",
  "HTTP/1.1 ",
  "100",
  "\0",
  "\xff",
  "A: b\r\n",
];

/** One of the texts with a few bytes changed, cut out, put in, or put together with another. */
function mangled(texts: readonly string[], random: Random): string {
  let text = random.pick(texts);
  for (let change = random.integer(0, 4); change > 0; change--) {
    const at = random.integer(0, text.length);
    const until = Math.min(text.length, at + random.integer(0, 4));
    const piece = random.pick([
      "",
      random.pick(PIECES),
      String.fromCharCode(random.integer(0, 255)),
      random.pick(texts).slice(random.integer(0, 60)),
    ]);
    text = text.slice(0, at) + piece + text.slice(until);
  }
  return text;
}

Deno.test("readCounts: reads errors, then entries, the last line with or without its end", () => {
  const good: readonly (readonly [string, number, number])[] = [
    ["0\n0\n", 0, 0],
    ["3\n17", 3, 17],
    ["3\n17\n", 3, 17],
    ["3\r\n17\r\n", 3, 17],
    ["3\r\n17", 3, 17],
    ["3\n17\r\n", 3, 17],
    ["007\n0010\n", 7, 10],
    [`${Number.MAX_SAFE_INTEGER}\n${Number.MAX_SAFE_INTEGER}\n`, 2 ** 53 - 1, 2 ** 53 - 1],
  ];
  for (const [body, errors, entries] of good) {
    assertEquals(readCounts(body), { errors, entries }, JSON.stringify(body));
  }
});

Deno.test("readCounts: refuses everything else, and shows what it got, cut short", () => {
  const words = "in place of two numbers, errors then entries";
  const bad = [
    "",
    "\n",
    "3",
    "3\n",
    "\n3\n17\n",
    "3\n\n17\n",
    "3\n17\n\n",
    "3\n17\n9\n",
    "3\n17\nx",
    "3 17\n",
    "3\t17\n",
    " 3\n17\n",
    "3 \n17\n",
    "3\n17 \n",
    "3\r17\r",
    "3\n17\r",
    "317",
    "-3\n17\n",
    "3\n-17\n",
    "-0\n0\n",
    "+3\n17\n",
    "3.0\n17\n",
    "3\n1e3\n",
    "0x3\n17\n",
    "3\n1,000\n",
    "NaN\nNaN\n",
    "Infinity\n17\n",
    "3\nfoo\n",
    "null\n17\n",
    "\u0663\n17\n",
    "3\n17\0",
    "9007199254740992\n17\n",
    "3\n9999999999999999\n",
    `3\n${"1".repeat(17)}\n`,
    `3\n${"0".repeat(17)}\n`,
    "1".repeat(BODY_BYTES_MAX),
    "<html>not found</html>",
    '{"errors":3,"entries":17}',
  ];
  for (const body of bad) {
    const { message } = assertThrows(
      () => readCounts(body),
      ProbeAnswerError,
      words,
      `${JSON.stringify(body)} was taken`,
    );
    assert(
      message.startsWith(`answered ${JSON.stringify(body.slice(0, 40)).slice(0, -1)}`),
      message,
    );
    assert(message.length < 150 && !message.includes("\n"), message);
  }
});

Deno.test("readCounts: no garbage makes it throw anything but ProbeAnswerError, or answer other than numbers", () => {
  const random = new Random(1);
  const letters = "0123456789\n\n\r\n -+.ex\0";
  for (let step = 0; step < 5000; step++) {
    const length = random.integer(0, 12);
    countsOrError(Array.from({ length }, () => random.pick([...letters])).join(""));
  }
});

function countsOrError(body: string): void {
  try {
    const { errors, entries } = readCounts(body);
    const printed = body.replace(/\r?\n$/, "").split(/\r?\n/).map(Number);
    assertEquals([errors, entries], printed, JSON.stringify(body));
  } catch (error) {
    if (!(error instanceof ProbeAnswerError)) throw error;
  }
}
