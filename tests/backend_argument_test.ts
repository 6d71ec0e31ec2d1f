import { formatBackend, parseBackend } from "../lib/backend_argument.ts";
import { assert, assertEquals, assertThrows } from "./support/assert.ts";

function complaint(text: string): string {
  return assertThrows(() => parseBackend(text), RangeError, "", `${text} was taken`).message;
}

Deno.test("parseBackend: an address alone has weight 1, a port alone is on this machine", () => {
  assertEquals(parseBackend("1234"), {
    address: { hostname: "127.0.0.1", port: 1234 },
    weight: 1,
    max: Infinity,
    backup: false,
  });
});

Deno.test("parseBackend: a weight from 1 to 1000 may follow any address", () => {
  for (const weight of [1, 3, 1000]) {
    assertEquals(parseBackend(`1234,weight=${weight}`).weight, weight);
  }
  const { address, weight } = parseBackend("[::1]:80,weight=7");
  assertEquals([address, weight], [{ hostname: "::1", port: 80 }, 7]);
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

Deno.test("parseBackend: a bound from 1 to 1000000 connections, and any other is refused", () => {
  for (const max of [1, 100, 1_000_000]) assertEquals(parseBackend(`1234,max=${max}`).max, max);
  for (const value of ["0", "1000001", "", "-1", "1.5", "Infinity"]) {
    assertEquals(
      complaint(`1234,max=${value}`),
      "max: expected a whole number from 1 to 1000000",
      value,
    );
  }
});

Deno.test("parseBackend: settings come in any order", () => {
  const address = { hostname: "127.0.0.1", port: 1234 };
  const all = { address, weight: 3, max: 100, backup: true };
  for (const text of ["1234,weight=3,max=100,backup", "1234,backup,max=100,weight=3"]) {
    assertEquals(parseBackend(text), all);
  }
});

Deno.test("parseBackend: an unknown setting is refused, and the known ones are told", () => {
  for (
    const setting of [
      "",
      "weight",
      "Weight=3",
      "wieght=3",
      " weight=3",
      "3",
      "__proto__=3",
      "max",
      "backup=1",
    ]
  ) {
    assertEquals(
      complaint(`1234,${setting}`),
      "unknown setting behind a comma; expected weight=N, max=N or backup",
      setting,
    );
  }
});

Deno.test("parseBackend: a setting given twice is refused", () => {
  for (const setting of ["weight=2", "max=2", "backup"]) {
    const [name = ""] = setting.split("=");
    const text = `1234,${setting},weight=1,max=1,${setting}`.replace(`,${name}=1`, "");
    assertEquals(complaint(text), `${name} is given twice; expected it once`);
  }
});

Deno.test("parseBackend: the address is judged first, as everywhere", () => {
  for (const text of ["", ",weight=3", "x,weight=3", "0,weight=3", "1234 ,weight=3"]) {
    assert(complaint(text).startsWith("expected a port (1 to 65535)"), text);
  }
});

Deno.test("formatBackend: prints what can be typed again, without what is as by default", () => {
  for (
    const text of [
      "127.0.0.1:1234",
      "web:80,weight=3",
      "[::1]:80,weight=2,max=9,backup",
      "a:1,backup",
    ]
  ) {
    assertEquals(formatBackend(parseBackend(text)), text);
  }
  assertEquals(formatBackend(parseBackend("1234,backup,weight=1")), "127.0.0.1:1234,backup");
});
