import {
  compressedHead,
  type ContentCoding,
  type Exchanged,
  negotiate,
} from "../../lib/http1/compress.ts";
import type { Header, ResponseHead } from "../../lib/http1/head_parser.ts";
import { assertEquals } from "../support/assert.ts";

/** Headers as text, one a line. */
function headersOf(text: string): Header[] {
  return text.split("\n").filter((line) => line !== "").map((line) => {
    const colon = line.indexOf(":");
    return { name: line.slice(0, colon), value: line.slice(colon + 1).trim() };
  });
}

function textOf(headers: readonly Header[]): string[] {
  return headers.map(({ name, value }) => `${name}: ${value}`);
}

function response(headers: string, status = 200): ResponseHead {
  return { status, reason: "", minor: 1, headers: headersOf(headers) };
}

interface Case {
  readonly method?: string;
  readonly asked?: string;
  readonly status?: number;
  readonly answered?: string;
  readonly length?: number | null;
}

/** How an answer is sent that would be compressed by gzip, but for what is given. */
function codingOf(given: Case): ContentCoding | null {
  const { method = "GET", status = 200, length = 5000 } = given;
  const { asked = "Accept-Encoding: gzip", answered = "Content-Type: text/html" } = given;
  const exchanged: Exchanged = {
    request: { method, target: "/", minor: 1, headers: headersOf(asked) },
    response: response(answered, status),
    length,
  };
  return negotiate(exchanged);
}

Deno.test("negotiate: text is compressed in the encoding that the client prefers", () => {
  assertEquals(codingOf({}), "gzip");
  assertEquals(codingOf({ asked: "Accept-Encoding: gzip;q=0.1, br" }), "br");
  assertEquals(codingOf({ status: 404 }), "gzip");
  assertEquals(codingOf({ method: "POST" }), "gzip");
});

Deno.test("negotiate: by the media type, whatever its case and parameters", () => {
  const compressed = [
    "text/html; charset=utf-8",
    "TEXT/Plain",
    "text/css",
    "text/x-anything",
    "application/json",
    "application/json;charset=utf-8",
    "application/javascript",
    "application/xml",
    "application/wasm",
    "application/x-ndjson",
    "application/problem+json",
    "application/manifest+json",
    "image/svg+xml",
    "application/atom+xml; type=feed",
  ];
  for (const type of compressed) {
    assertEquals(codingOf({ answered: `Content-Type: ${type}` }), "gzip", type);
  }
  const untouched = [
    "",
    "text",
    "image/png",
    "image/svg",
    "application/octet-stream",
    "application/zip",
    "application/pdf",
    "video/mp4",
    "font/woff2",
    "multipart/form-data; boundary=text/html",
    "application/jsonx",
    "x-text/html",
    "text/event-stream",
    "Text/Event-Stream; charset=utf-8",
  ];
  for (const type of untouched) {
    assertEquals(codingOf({ answered: `Content-Type: ${type}` }), null, type);
  }
  assertEquals(codingOf({ answered: "" }), null, "no type");
  const twice = "Content-Type: text/html\nContent-Type: text/html";
  assertEquals(codingOf({ answered: twice }), null, "two types");
});

Deno.test("negotiate: from 1 KiB on, and whatever is of unknown length", () => {
  const lengths = [0, 1, 1023, 1024, 1e15, null];
  assertEquals(lengths.map((length) => codingOf({ length })), [
    null,
    null,
    null,
    "gzip",
    "gzip",
    "gzip",
  ]);
});

Deno.test("negotiate: never what is encoded, a part, without content, or vouched for by a digest", () => {
  const type = "Content-Type: text/html";
  for (const status of [100, 101, 103, 204, 205, 206, 304]) {
    assertEquals(codingOf({ status }), null, String(status));
  }
  const untouched = [
    "Content-Encoding: gzip",
    "content-encoding: anything",
    "Content-Range: bytes 0-99/100",
    "Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==",
    "Digest: sha-256=abc",
    "Content-Digest: sha-256=:abc:",
    "Repr-Digest: sha-256=:abc:",
    "Cache-Control: no-transform",
    "cache-control: public, No-Transform , max-age=5",
    "Cache-Control: max-age=5\nCache-Control: no-transform",
  ];
  for (const header of untouched) {
    assertEquals(codingOf({ answered: `${header}\n${type}` }), null, header);
    assertEquals(codingOf({ answered: `${type}\n${header}` }), null, header);
  }
  for (const header of ["Cache-Control: no-transformers", "X-Cache-Control: no-transform"]) {
    assertEquals(codingOf({ answered: `${type}\n${header}` }), "gzip", header);
  }
});

Deno.test("negotiate: as it is for a client that wants no encoding, though others may get one", () => {
  const asked = [
    "",
    "Accept-Encoding: identity",
    "Accept-Encoding: deflate",
    "Accept-Encoding: gzip\nCache-Control: no-transform",
  ];
  for (const each of asked) assertEquals(codingOf({ asked: each }), "identity", each);
  assertEquals(codingOf({ asked: "", length: 10 }), null, "nobody gets one");
});

Deno.test("negotiate: to HEAD as to GET", () => {
  for (const length of [10, 5000, null]) {
    assertEquals(codingOf({ method: "HEAD", length }), codingOf({ length }));
  }
});

Deno.test("compressedHead: the encoding is named, what is no longer true goes, the rest stays in order", () => {
  const head = response(`Server: a
content-length: 5000
ETag: "abc"
Content-Type: text/html
Accept-Ranges: bytes
Set-Cookie: a=1
Set-Cookie: b=2
Last-Modified: Sat, 21 Nov 2026 00:00:00 GMT`);
  const compressed = compressedHead(head, "zstd");
  assertEquals(textOf(compressed.headers), [
    "Server: a",
    'ETag: W/"abc"',
    "Content-Type: text/html",
    "Set-Cookie: a=1",
    "Set-Cookie: b=2",
    "Last-Modified: Sat, 21 Nov 2026 00:00:00 GMT",
    "Content-Encoding: zstd",
    "Vary: Accept-Encoding",
  ]);
  const { status, reason, minor } = compressed;
  assertEquals({ status, reason, minor }, { status: 200, reason: "", minor: 1 });
});

Deno.test("compressedHead: an answer as it is only varies", () => {
  const text = ["Content-Length: 5000", 'ETag: "abc"', "Accept-Ranges: bytes"];
  const head = response(text.join("\n"));
  const sent = compressedHead(head, "identity");
  assertEquals(textOf(sent.headers), [...text, "Vary: Accept-Encoding"]);
  assertEquals(textOf(head.headers), text, "the head that was given is left alone");
});

Deno.test("compressedHead: a weak ETag stays as it is, and so does one that is none", () => {
  for (const tag of ['W/"abc"', "abc", ""]) {
    const { headers } = compressedHead(response(`ETag: ${tag}`), "gzip");
    assertEquals(textOf(headers)[0], `ETag: ${tag}`);
  }
});

Deno.test("compressedHead: Vary is added unless it says so already", () => {
  for (const vary of ["*", "accept-encoding", "Origin, Accept-Encoding", "Cookie\nVary: *"]) {
    const head = response(`Vary: ${vary}`);
    assertEquals(compressedHead(head, "identity").headers, head.headers, vary);
  }
  for (const vary of ["Origin", "Accept", "X-Accept-Encoding", ""]) {
    const { headers } = compressedHead(response(`Vary: ${vary}`), "identity");
    assertEquals(textOf(headers), [`Vary: ${vary}`, "Vary: Accept-Encoding"]);
  }
});
