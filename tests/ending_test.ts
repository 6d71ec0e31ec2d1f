import { ENDING, ENDINGS } from "../lib/ending.ts";
import { OPTIONS } from "../lib/options.ts";
import { assert, assertEquals } from "./support/assert.ts";

Deno.test("ENDINGS: each stands in its place", () => {
  assertEquals(ENDINGS.map(({ place }) => place), [...ENDINGS.keys()]);
  assertEquals(Object.values(ENDING), ENDINGS);
});

Deno.test("ENDINGS: no two have the same word and the same author", () => {
  const names = ENDINGS.map(({ word, by }) => `${word} by ${by}`);
  assertEquals(names, [...new Set(names)]);
});

Deno.test("ENDINGS: a deadline goes by the name of its option", () => {
  const options = Object.values(OPTIONS).map(({ name }) => String(name));
  for (const { word } of ENDINGS) {
    if (word.endsWith("-timeout")) assert(options.includes(word), word);
  }
});
