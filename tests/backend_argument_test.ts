import { parseBackend } from "../lib/backend_argument.ts";
import { assert, assertEquals, assertThrows } from "./support/assert.ts";

function complaint(text: string): string {
  return assertThrows(() => parseBackend(text), RangeError, "", `${text} was taken`).message;
}

Deno.test("parseBackend: an address alone has weight 1, a port alone is on this machine", () => {
  assertEquals(parseBackend("1234"), {
    address: { hostname: "127.0.0.1", port: 1234 },
    weight: 1,
  });
});

Deno.test("parseBackend: a weight from 1 to 1000 may follow any address", () => {
  for (const weight of [1, 3, 1000]) {
    assertEquals(parseBackend(`1234,weight=${weight}`).weight, weight);
  }
  assertEquals(parseBackend("[::1]:80,weight=7"), {
    address: { hostname: "::1", port: 80 },
    weight: 7,
  });
  assertEquals(parseBackend("a.b:80,weight=7").address.hostname, "a.b");
});

Deno.test("parseBackend: any other weight is refused, and the bounds are told", () => {
  for (const value of ["0", "1001", "", "-1", "1.5", "1e2", "x", " 1", "1 ", "\n1"]) {
    assertEquals(
      complaint(`1234,weight=${value}`),
      "weight: expected a whole number from 1 to 1000",
      JSON.stringify(value),
    );
  }
});

Deno.test("parseBackend: an unknown setting is refused, and the known ones are told", () => {
  for (const setting of ["", "weight", "Weight=3", "wieght=3", " weight=3", "3", "__proto__=3"]) {
    assertEquals(
      complaint(`1234,${setting}`),
      "unknown setting behind a comma; expected weight=N",
      setting,
    );
  }
});

Deno.test("parseBackend: a setting given twice is refused", () => {
  for (const text of ["1234,weight=2,weight=3", "1234,weight=2,weight=2"]) {
    assertEquals(complaint(text), "weight is given twice; expected it once");
  }
});

Deno.test("parseBackend: the address is judged first, as everywhere", () => {
  for (const text of ["", ",weight=3", "x,weight=3", "0,weight=3", "1234 ,weight=3"]) {
    assert(complaint(text).startsWith("expected a port (1 to 65535)"), text);
  }
});
