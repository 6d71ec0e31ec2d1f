import { type Column, cut, tableLines } from "../lib/table.ts";
import { assert, assertEquals } from "./support/assert.ts";

const COLUMNS: readonly Column[] = [
  { head: "SERVER", cells: ["a:1", "longer:22"] },
  { head: "NOW", cells: ["7", "1234"], align: "right", rank: 1 },
  { head: "UP", cells: ["1 B", "2 B"], align: "right", rank: 2 },
  { head: "WHY", cells: ["it is what it is and more", ""], flexible: true },
];

Deno.test("tableLines: aligns columns, numbers to the right, without blanks at the end", () => {
  assertEquals(tableLines(COLUMNS, null), [
    "SERVER      NOW   UP  WHY",
    "a:1           7  1 B  it is what it is and more",
    "longer:22  1234  2 B",
  ]);
});

Deno.test("tableLines: without rows there is the head alone", () => {
  assertEquals(tableLines([{ head: "A", cells: [] }, { head: "B", cells: [] }], 80), ["A  B"]);
});

Deno.test("tableLines: where there is no room, columns go by rank, and the last one is cut", () => {
  const lines = (width: number): string => tableLines(COLUMNS, width)[1] ?? "";
  assertEquals(lines(47), "a:1           7  1 B  it is what it is and more");
  assertEquals(lines(46), "a:1           7  it is what it is and more");
  assertEquals(lines(41), "a:1        it is what it is and more");
  assertEquals(lines(27), "a:1        it is what it i…");
});

Deno.test("tableLines: a long column is cut before another goes that matters more", () => {
  const why = { head: "WHY", cells: ["x".repeat(100)], flexible: true, rank: 1 };
  const more = { head: "TOTAL", cells: ["7"], align: "right", rank: 2 } as const;
  const columns: readonly Column[] = [{ head: "SERVER", cells: ["a:1"] }, more, why];
  const heads = (width: number): string => tableLines(columns, width)[0] ?? "";
  assertEquals(heads(6 + 2 + 5 + 2 + 32), "SERVER  TOTAL  WHY");
  assertEquals(heads(6 + 2 + 5 + 2 + 31), "SERVER  WHY");
  assertEquals(heads(6 + 2 + 16), "SERVER  WHY");
  assertEquals(heads(6 + 2 + 15), "SERVER");
});

Deno.test("tableLines: no line is longer than the width, whatever that is", () => {
  for (let width = 0; width < 60; width++) {
    for (const line of tableLines(COLUMNS, width)) {
      assert([...line].length <= width, `${width}: ${line}`);
    }
  }
});

Deno.test("tableLines: paint takes no room, and the head is not painted", () => {
  const paint = (): readonly [string, string] => ["<", ">"];
  const columns: readonly Column[] = [
    { head: "STATE", cells: ["up"], paint },
    { head: "N", cells: ["1"], align: "right" },
  ];
  assertEquals(tableLines(columns, 8), ["STATE  N", "<up   >  1"]);
});

Deno.test("cut: leaves what fits, and marks what does not", () => {
  assertEquals([cut("text", 4), cut("text", 3), cut("text", 1), cut("text", 0)], [
    "text",
    "te…",
    "…",
    "",
  ]);
});
