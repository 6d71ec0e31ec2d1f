import { harmless, print } from "../lib/terminal.ts";
import { assertEquals, assertThrows } from "./support/assert.ts";

Deno.test("print: goes on until all is written", () => {
  let written = "";
  const sink = {
    writeSync(bytes: Uint8Array): number {
      written += new TextDecoder().decode(bytes.subarray(0, 3));
      return Math.min(3, bytes.length);
    },
  };
  assertEquals([print("all of it\n", sink), written], [true, "all of it\n"]);
});

Deno.test("print: tells when nobody reads any more; any other error is one", () => {
  const failing = (error: Error) => ({
    writeSync: (): number => {
      throw error;
    },
  });
  assertEquals(print("x", failing(new Deno.errors.BrokenPipe("gone"))), false);
  assertThrows(() => print("x", failing(new Deno.errors.BadResource("closed"))));
});

Deno.test("harmless: leaves nothing that a terminal would obey", () => {
  assertEquals(harmless("down: \x1b[2Jgone\r\n\x9b31m\u202e"), "down: ?[2Jgone???31m?");
  assertEquals(harmless("answered 404 – ünïcode"), "answered 404 – ünïcode");
});
