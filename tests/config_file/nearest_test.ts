import { editDistance, nearest } from "../../lib/config_file/nearest.ts";
import { assertEquals } from "../support/assert.ts";

const KNOWN = ["listen", "servers", "interval", "health", "health-path", "mode", "fall", "rise"];

Deno.test("nearest: finds the word that was meant", () => {
  const meant = {
    intervall: "interval",
    intreval: "interval",
    server: "servers",
    healthPath: "health-path",
    health_path: "health-path",
    HEALTH: "health",
    mod: "mode",
    raise: "rise",
  };
  for (const [word, expected] of Object.entries(meant)) {
    assertEquals(nearest(word, KNOWN), expected);
  }
});

Deno.test("nearest: offers nothing that is far off", () => {
  for (const word of ["", "x", "port", "timeout", "xyzzy", "i".repeat(10_000)]) {
    assertEquals(nearest(word, KNOWN), undefined, word.slice(0, 20));
  }
});

Deno.test("editDistance: counts letters added, dropped, changed and swapped", () => {
  const distances: readonly (readonly [string, string, number])[] = [
    ["", "", 0],
    ["", "abc", 3],
    ["abc", "", 3],
    ["abc", "abc", 0],
    ["abc", "abxc", 1],
    ["abc", "ac", 1],
    ["abc", "axc", 1],
    ["abc", "acb", 1],
    ["kitten", "sitting", 3],
  ];
  for (const [from, to, distance] of distances) {
    assertEquals(editDistance(from, to), distance, `${from} to ${to}`);
    assertEquals(editDistance(to, from), distance, `${to} to ${from}`);
  }
});
