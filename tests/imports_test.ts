/**
 * The layout of lib/: a file imports only what stands below it in the README's "Map of lib/", and
 * the map is complete. The order stands in the README and nowhere else.
 *
 * This holds for imports of values. A type-only import (`import type`, or nothing but `type` names
 * in the braces) may go anywhere: it is gone when the program runs, so it can make no cycle there,
 * and what a file below calls its callers by is no business of this test. Type declarations of
 * packages (`.d.ts`) may be left out of the map.
 */
import { assert, assertEquals } from "./support/assert.ts";
import { codeBlockUnder, NO_README, readReadme } from "./support/readme.ts";

const ROOT = new URL("../", import.meta.url);
const LIB = new URL("lib/", ROOT);
const MAIN = "main.ts";

const readme = readReadme();
const skipped = readme === null ? ` (${NO_README})` : "";

/** Names relative to lib/, as they stand in the map. */
function filesIn(directory: URL): string[] {
  return [...Deno.readDirSync(directory)].flatMap(({ name, isDirectory }) => {
    const url = new URL(isDirectory ? `${name}/` : name, directory);
    return isDirectory ? filesIn(url) : [url.href.slice(LIB.href.length)];
  });
}

const FILES = filesIn(LIB).sort();
const MODULES = [...FILES, MAIN].filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"));

function sourceOf(name: string): string {
  return Deno.readTextFileSync(new URL(name, name === MAIN ? ROOT : LIB));
}

/** The files of lib/ whose values a file imports, or exports again. */
function valueImports(name: string, source: string): string[] {
  const clauses = /^(?:import|export)\s+(?<names>[^;"'()]*?)\s*from\s*"(?<from>\.[^"]+)"/gm;
  const bare = /(?:^import\s*|\bimport\()\s*"(?<from>\.[^"]+)"/gm;
  const found = [...source.matchAll(clauses), ...source.matchAll(bare)]
    .filter((match) => !isTypeOnly(match.groups?.["names"] ?? ""))
    .map((match) =>
      new URL(match.groups?.["from"] ?? "", new URL(name, name === MAIN ? ROOT : LIB))
    )
    .filter((url) => url.href.startsWith(LIB.href))
    .map((url) => url.href.slice(LIB.href.length));
  return [...new Set(found)];
}

function isTypeOnly(names: string): boolean {
  if (/^type\b/.test(names)) return true;
  const listed = /^\{(?<list>[\s\S]*)\}$/.exec(names)?.groups?.["list"]?.split(",") ?? [];
  const given = listed.map((each) => each.trim()).filter((each) => each !== "");
  return given.length > 0 && given.every((each) => each.startsWith("type "));
}

/** Which file imports values of which. */
const IMPORTS = new Map(MODULES.map((name) => [name, valueImports(name, sourceOf(name))]));

/** The map's file names, from the top down. */
function mapOf(markdown: string): string[] {
  const named = /^(?<name>[\w./-]+\.\w+)(?:\s|$)/;
  return codeBlockUnder(markdown, "Map of lib/").flatMap((line) =>
    named.exec(line)?.groups?.["name"] ?? []
  );
}

/** Imports that do not go down, each as "from imports to". */
function upward(order: readonly string[]): string[] {
  const place = (name: string): number => order.indexOf(name);
  return [...IMPORTS].flatMap(([from, names]) =>
    names.filter((to) => place(to) <= place(from)).map((to) => `${from} imports ${to}`)
  );
}

Deno.test("valueImports: tells imports of values from those of types", () => {
  const values = [
    'import { a } from "./a.ts";',
    'import { type A, a } from "./a.ts";',
    'import {\n  type A,\n  a,\n} from "./a.ts";',
    'import * as a from "./a.ts";',
    'import a from "./a.ts";',
    'import "./a.ts";',
    'export { a } from "./a.ts";',
    'export * from "./a.ts";',
    'const a = await import("./a.ts");',
    'import { typed } from "./a.ts";',
  ];
  for (const source of values) assertEquals(valueImports("b.ts", source), ["a.ts"], source);
  const types = [
    'import type { A } from "./a.ts";',
    'import { type A } from "./a.ts";',
    'import {\n  type A,\n  type B,\n} from "./a.ts";',
    'export type { A } from "./a.ts";',
    'import { a } from "@std/a";',
    'import json from "../deno.json" with { type: "json" };',
  ];
  for (const source of types) assertEquals(valueImports("b.ts", source), [], source);
  const up = 'import { a } from "../a.ts";';
  assertEquals(valueImports("policy/mod.ts", up), ["a.ts"]);
});

Deno.test("lib: every import finds its file, and main.ts has one", () => {
  for (const [from, names] of IMPORTS) {
    for (const to of names) assert(FILES.includes(to), `${from} imports ${to}, which is not there`);
  }
  assert((IMPORTS.get(MAIN) ?? []).length > 0, "main.ts imports nothing: is it read at all?");
  const count = [...IMPORTS.values()].flat().length;
  assert(count >= MODULES.length, `only ${count} imports were found in ${MODULES.length} files`);
});

Deno.test("lib: no file imports values of itself by way of others", () => {
  const done = new Set<string>();
  const visit = (name: string, path: readonly string[]): void => {
    assert(!path.includes(name), `a cycle: ${[...path, name].join(" → ")}`);
    if (done.has(name)) return;
    for (const to of IMPORTS.get(name) ?? []) visit(to, [...path, name]);
    done.add(name);
  };
  for (const name of MODULES) visit(name, []);
});

Deno.test(`README: its map of lib/ names every file, each once, and no other${skipped}`, {
  ignore: readme === null,
}, () => {
  const map = mapOf(readme ?? "");
  assertEquals(map.filter((name, at) => map.indexOf(name) !== at), [], "named twice");
  assertEquals(
    FILES.filter((name) => !map.includes(name) && !name.endsWith(".d.ts")),
    [],
    "not in the map",
  );
  assertEquals(map.filter((name) => !FILES.includes(name) && name !== MAIN), [], "not in lib/");
});

Deno.test(`lib: every import goes down in the README's map${skipped}`, {
  ignore: readme === null,
}, () => {
  assertEquals(upward([MAIN, ...mapOf(readme ?? "").filter((name) => name !== MAIN)]), []);
});
