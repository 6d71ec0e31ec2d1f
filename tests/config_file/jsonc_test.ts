import { formatPath, Jsonc } from "../../lib/config_file/jsonc.ts";
import { assert, assertEquals } from "../support/assert.ts";

/** The problems, each with line and column. */
function problems(text: string): string[] {
  const document = new Jsonc(text);
  return document.problems.map(({ offset, text }) => `${document.lineAndColumn(offset)}: ${text}`);
}

const BROKEN: readonly (readonly [text: string, problem: string])[] = [
  ["", "1:1: expected a value"],
  [" \n// nothing\n", "3:1: expected a value"],
  ['{\n  "a": 1', "2:9: expected a closing brace }"],
  ['{ "a": [1', "1:10: expected a closing bracket ]"],
  ['{\n  "a": 1\n  "b": 2\n}', "3:3: expected a comma before what follows"],
  ['{ "a" 1 }', "1:7: expected a colon between a key and its value"],
  ['{ "a": }', "1:8: expected a value"],
  [
    "{ a: 1 }",
    "1:3: text that is no value; expected text in double quotes, a number, true or false",
  ],
  [
    "{ \"a\": 'x' }",
    "1:8: text that is no value; expected text in double quotes, a number, true or false",
  ],
  ['{ "a": 1 } }', "1:12: expected the end, but something follows"],
  ['{ "a": 1,, }', "1:10: expected a key in double quotes"],
  ['{ "a": "x }', "1:8: text without its closing quote"],
  ['{ "a": "\u0001" }', "1:8: a control character inside text; write it as \\n, \\t or \\u0000"],
  [
    '{ "a": "\\x" }',
    '1:8: a backslash before a character that it cannot escape; for \\ write "\\\\"',
  ],
  ['{ "a": "\\u12" }', "1:8: expected four hexadecimal digits behind \\u"],
  ["{} /* never ends", "1:4: a comment without its end */"],
];

for (const [text, problem] of BROKEN) {
  Deno.test(`Jsonc: ${JSON.stringify(text)} is refused with its place, in words`, () => {
    assertEquals(problems(text), [problem]);
    assertEquals(new Jsonc(text).value, undefined);
  });
}

Deno.test("Jsonc: knows where each value and each key stands", () => {
  const document = new Jsonc('{\r\n  "a": [1, { "b": "ö", /* ä */ "c": true }]\n}');
  const place = (offset: number): string => document.lineAndColumn(offset);
  assertEquals(place(document.offsetOf([])), "1:1");
  assertEquals(place(document.offsetOf(["a"])), "2:8");
  assertEquals(place(document.offsetOfKey(["a"])), "2:3");
  assertEquals(place(document.offsetOf(["a", 1, "c"])), "2:37");
  assertEquals(place(document.offsetOfKey(["a", 1, "c"])), "2:32");
  assertEquals(document.valueAt(["a", 1, "b"]), "ö");
});

Deno.test("Jsonc: what is not there is where it ought to be", () => {
  const document = new Jsonc('{ "a": [{ "b": 1 }] }');
  assertEquals(document.offsetOf(["a", 0, "x"]), document.offsetOf(["a", 0]));
  assertEquals(document.valueAt(["a", 0, "x"]), undefined);
});

Deno.test("Jsonc: columns count characters, not the halves of some", () => {
  const document = new Jsonc('{ "🦕": 1, "b": 2 }');
  assertEquals(document.lineAndColumn(document.offsetOfKey(["b"])), "1:11");
});

// The parser takes a piece of the stack for each level.
Deno.test("Jsonc: what is nested too deep is refused, however deep", () => {
  const message = /^1:(\d+): nested more than 64 levels deep$/;
  for (const depth of [65, 1_000_000]) {
    const [problem = ""] = problems(`${"[".repeat(depth)}${"]".repeat(depth)}`);
    assertEquals(message.exec(problem)?.[1], "65", problem);
  }
  assertEquals(problems(`${"[".repeat(64)}${"]".repeat(64)}`), []);
  assertEquals(problems(`["${"[".repeat(100)}"] // ${"[".repeat(100)}`), []);
});

Deno.test("Jsonc: every prefix of a text is either whole or refused, and never throws", () => {
  const text = '{ "a": [1, -2.5e3, { "b": "\\u00e4\\"" }], /* c */ "d": null, }\n\n';
  assertEquals(problems(text), []);
  const whole = text.lastIndexOf("}") + 1;
  for (let length = 0; length < text.length; length++) {
    assertEquals(problems(text.slice(0, length)).length, length < whole ? 1 : 0, `${length}`);
  }
});

Deno.test("formatPath: reads as it would be written in a program", () => {
  assertEquals(formatPath(["servers", 1, "weight"]), "servers[1].weight");
  assert(formatPath([]) === "");
});
