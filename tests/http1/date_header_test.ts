import { DateHeader } from "../../lib/http1/date_header.ts";
import { assertEquals, assertStrictEquals } from "../support/assert.ts";

Deno.test("DateHeader: tells the date as HTTP wants it, anew for every second", () => {
  // The example of RFC 9110, section 5.6.7.
  let nowMs = Date.UTC(1994, 10, 6, 8, 49, 37);
  const date = new DateHeader(() => nowMs);
  const first = date.get();
  assertEquals(first, { name: "Date", value: "Sun, 06 Nov 1994 08:49:37 GMT" });
  nowMs += 999;
  assertStrictEquals(date.get(), first);
  nowMs += 1;
  assertEquals(date.get().value, "Sun, 06 Nov 1994 08:49:38 GMT");
});

Deno.test("DateHeader: follows a clock that is set back", () => {
  let nowMs = Date.UTC(2026, 0, 1);
  const date = new DateHeader(() => nowMs);
  assertEquals(date.get().value, "Thu, 01 Jan 2026 00:00:00 GMT");
  nowMs -= 1;
  assertEquals(date.get().value, "Wed, 31 Dec 2025 23:59:59 GMT");
});
