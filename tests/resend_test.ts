import { isSafeToResend, requestExtent } from "../lib/resend.ts";
import { assertEquals } from "./support/assert.ts";

function isSafe(text: string): boolean {
  return isSafeToResend(new TextEncoder().encode(text));
}

const WHOLE = [
  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "HEAD /b HTTP/1.0\r\nHost: a\r\nX: y\r\n\r\n",
  "GET / HTTP/1.1\nHost: a\n\n",
  "GET / HTTP/1.1\r\nHost: a\n\r\n",
  "GET / HTTP/1.1\r\n\r\n",
];

Deno.test("isSafeToResend: one whole GET or HEAD, whatever its line ends", () => {
  for (const request of WHOLE) assertEquals(isSafe(request), true, JSON.stringify(request));
});

Deno.test("isSafeToResend: the start of one too, from the blank behind its method on", () => {
  for (const request of WHOLE) {
    for (let size = 0; size <= request.length; size++) {
      const start = request.slice(0, size);
      assertEquals(isSafe(start), size > request.indexOf(" "), JSON.stringify(start));
    }
  }
});

Deno.test("isSafeToResend: not with anything behind the head, be it one byte", () => {
  for (const request of WHOLE) {
    for (const more of ["x", "\r", "\n", "\r\n", "\0", "GET", request]) {
      assertEquals(isSafe(request + more), false, JSON.stringify(request + more));
    }
  }
});

Deno.test("isSafeToResend: no other method, and nothing that only looks like these two", () => {
  const others = [
    "POST / HTTP/1.1\r\n\r\n",
    "PUT / HTTP/1.1\r\n\r\n",
    "DELETE / HTTP/1.1\r\n\r\n",
    "PATCH / HTTP/1.1\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\n\r\n",
    "CONNECT a:1 HTTP/1.1\r\n\r\n",
    "get / HTTP/1.1\r\n\r\n",
    "Head / HTTP/1.1\r\n\r\n",
    "GETX / HTTP/1.1\r\n\r\n",
    "HEADER / HTTP/1.1\r\n\r\n",
    "GET\t/ HTTP/1.1\r\n\r\n",
    " GET / HTTP/1.1\r\n\r\n",
    "\r\nGET / HTTP/1.1\r\n\r\n",
    "\u0016\u0003\u0001GET ",
    "GE",
    "",
  ];
  for (const text of others) assertEquals(isSafe(text), false, JSON.stringify(text));
});

Deno.test("isSafeToResend: an empty line is one even where a line end stands alone before it", () => {
  assertEquals(isSafe("GET / HTTP/1.1\r\nA: b\r\n\nbody"), false);
  assertEquals(isSafe("GET / HTTP/1.1\r\nA: b\r\r\nC: d\r\n\r\n"), true);
});

Deno.test("isSafeToResend: takes bytes that are no text", () => {
  const bytes = new Uint8Array(70_000).fill(0xff);
  bytes.set(new TextEncoder().encode("GET /"));
  assertEquals(isSafeToResend(bytes), true);
  bytes.fill(10, 69_997, 69_999);
  assertEquals(isSafeToResend(bytes), false);
});

Deno.test("isSafeToResend: looks at a view only, not at the buffer behind it", () => {
  const buffer = new TextEncoder().encode("POST GET / HTTP/1.1\r\n\r\nmore");
  assertEquals(isSafeToResend(buffer.subarray(5, buffer.length - 4)), true);
  assertEquals(isSafeToResend(buffer.subarray(5)), false);
});

function extentOf(text: string): number | null {
  return requestExtent(new TextEncoder().encode(text));
}

Deno.test("requestExtent: there is none before the end of the head", () => {
  for (const request of WHOLE) {
    for (let size = 0; size < request.length; size++) {
      assertEquals(extentOf(request.slice(0, size)), null, request.slice(0, size));
    }
    assertEquals(extentOf(request), request.length);
  }
});

Deno.test("requestExtent: with a length it is known from the head on", () => {
  const head = "POST / HTTP/1.1\r\ncontent-LENGTH:  10\r\nHost: a\r\n\r\n";
  for (const body of ["", "0123", "0123456789", "0123456789GET / HTTP/1.1\r\n\r\n"]) {
    assertEquals(extentOf(head + body), head.length + 10, body);
  }
  assertEquals(extentOf("POST / HTTP/1.1\r\nX-Content-Length: 10\r\n\r\n"), 41);
});

Deno.test("requestExtent: in chunks it is known when the last chunk ends what is there", () => {
  const head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n";
  assertEquals(extentOf(head), Infinity);
  assertEquals(extentOf(`${head}2\r\nhi\r\n0\r\n`), Infinity);
  const whole = `${head}2\r\nhi\r\n0\r\n\r\n`;
  assertEquals(extentOf(whole), whole.length);
});
