import { BalancerError } from "../lib/errors.ts";
import { complain, harmless, print, type Sink } from "../lib/terminal.ts";
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

function failing(error: Error): Sink {
  return {
    writeSync: (): number => {
      throw error;
    },
  };
}

Deno.test("print: tells when nobody reads any more; any other error is said in words", () => {
  assertEquals(print("x", failing(new Deno.errors.BrokenPipe("gone"))), false);
  assertThrows(
    () => print("x", failing(new Error("No space left on device"))),
    BalancerError,
    "Cannot write to standard output: No space left on device",
  );
});

Deno.test("complain: names the program on each line, and is silent where it cannot be heard", () => {
  let written = "";
  const sink = {
    writeSync(bytes: Uint8Array): number {
      written += new TextDecoder().decode(bytes);
      return bytes.length;
    },
  };
  complain("one\ntwo", sink);
  assertEquals(written, "loadbalancer: one\nloadbalancer: two\n");
  complain("x", failing(new Error("No space left on device")));
});

Deno.test("harmless: leaves nothing that a terminal would obey", () => {
  assertEquals(harmless("down: \x1b[2Jgone\r\n\x9b31m\u202e"), "down: ?[2Jgone???31m?");
  assertEquals(harmless("answered 404 – ünïcode"), "answered 404 – ünïcode");
});
