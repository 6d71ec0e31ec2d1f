import { keepsAlive, listOf, requestBody, responseBody } from "../../lib/http1/framing.ts";
import { type Header, RequestHeadParser, type ResponseHead } from "../../lib/http1/head_parser.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { latin1Bytes } from "../support/latin1.ts";
import { SMUGGLING } from "./vectors/smuggling.ts";

/** What follows a request with these headers; the status where it is refused. */
function ofRequest(headers: string, version = "HTTP/1.1"): unknown {
  const text = `POST / ${version}\r\nHost: a\r\n${headers}\r\n`;
  const result = new RequestHeadParser().parse(latin1Bytes(text));
  assert(result.state !== "partial", `partial: ${JSON.stringify(text)}`);
  if (result.state === "error") return result.status;
  const body = requestBody(result.head);
  return typeof body === "object" && "state" in body ? body.status : body;
}

function headersOf(lines: readonly string[]): Header[] {
  return lines.map((line) => {
    const [name = "", value = ""] = line.split(": ");
    return { name, value };
  });
}

function response(status: number, ...lines: readonly string[]): ResponseHead {
  return { status, reason: "", minor: 1, headers: headersOf(lines) };
}

/** What follows that response to a GET; "refused" where it is. */
function ofResponse(head: ResponseHead, method = "GET"): unknown {
  const body = responseBody(head, method);
  return typeof body === "object" && "state" in body ? "refused" : body;
}

for (const [name, headers] of Object.entries(SMUGGLING)) {
  Deno.test(`requestBody: refuses what could be read in two ways, ${name}`, () => {
    const status = ofRequest(headers);
    assert(status === 400 || status === 501, `${JSON.stringify(headers)}: ${status}`);
  });
}

Deno.test("requestBody: without a word of it there is none", () => {
  assertEquals(ofRequest(""), "none");
  assertEquals(ofRequest("A: b\r\nX-Content-Length: 5\r\nTE: chunked\r\n"), "none");
});

Deno.test("requestBody: as long as Content-Length says, and none of length 0", () => {
  assertEquals(ofRequest("Content-Length: 5\r\n"), { length: 5 });
  assertEquals(ofRequest("cONTENT-lENGTH:\t 0012 \r\n"), { length: 12 });
  assertEquals(ofRequest("Content-Length: 9007199254740991\r\n"), { length: 2 ** 53 - 1 });
  assertEquals(ofRequest("Content-Length: 0\r\n"), "none");
  assertEquals(ofRequest("Content-Length: 5\r\n", "HTTP/1.0"), { length: 5 });
});

Deno.test("requestBody: chunked, whatever the letters and the blanks around", () => {
  for (const value of [" chunked", "chunked", "\tCHUNKED \t", " Chunked"]) {
    assertEquals(ofRequest(`transfer-ENCODING:${value}\r\n`), "chunked", JSON.stringify(value));
  }
});

Deno.test("requestBody: Transfer-Encoding in HTTP/1.0 is refused", () => {
  assertEquals(ofRequest("Transfer-Encoding: chunked\r\n", "HTTP/1.0"), 400);
});

Deno.test("requestBody: a coding that is not known ahead of chunked is 501, elsewhere 400", () => {
  const coding = (value: string): unknown => ofRequest(`Transfer-Encoding: ${value}\r\n`);
  assertEquals(["gzip, chunked", "gzip;q=1 ,\tchunked", "a,b,chunked"].map(coding), [
    501,
    501,
    501,
  ]);
  assertEquals(["gzip", "chunked, gzip", "gzip, chunked, chunked"].map(coding), [400, 400, 400]);
  assertEquals([",chunked", "gzip,,chunked", "chunked,"].map(coding), [400, 400, 400]);
  assertEquals(ofRequest("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"), 501);
});

Deno.test("responseBody: by length, chunked, or else until close", () => {
  assertEquals(ofResponse(response(200, "Content-Length: 5")), { length: 5 });
  assertEquals(ofResponse(response(200, "Content-Length: 0")), "none");
  assertEquals(ofResponse(response(404, "Transfer-Encoding: chunked")), "chunked");
  assertEquals(ofResponse(response(200)), "until-close");
  assertEquals(ofResponse({ ...response(200), minor: 0 }), "until-close");
});

Deno.test("responseBody: none to HEAD, of 1xx, 204 and 304, whatever the headers say", () => {
  for (const headers of [[], ["Content-Length: 5"], ["Transfer-Encoding: chunked"]]) {
    for (const status of [100, 101, 103, 199, 204, 304]) {
      assertEquals(ofResponse(response(status, ...headers)), "none", `${status} ${headers}`);
    }
    assertEquals(ofResponse(response(200, ...headers), "HEAD"), "none", `HEAD ${headers}`);
    assertEquals(ofResponse(response(404, ...headers), "HEAD"), "none", `HEAD ${headers}`);
    assert(ofResponse(response(203, ...headers)) !== "none");
    assert(ofResponse(response(200, ...headers), "head") !== "none", "methods have capitals");
  }
});

Deno.test("responseBody: none where CONNECT succeeds, but where it fails", () => {
  assertEquals(ofResponse(response(200, "Content-Length: 5"), "CONNECT"), "none");
  assertEquals(ofResponse(response(299), "CONNECT"), "none");
  assertEquals(ofResponse(response(407, "Content-Length: 5"), "CONNECT"), { length: 5 });
});

Deno.test("responseBody: refuses what requestBody refuses, even where no body can follow", () => {
  const refused = [
    ["Content-Length: 5", "Transfer-Encoding: chunked"],
    ["Content-Length: 5", "Content-Length: 5"],
    ["Content-Length: 5, 5"],
    ["Content-Length: x"],
    ["Transfer-Encoding: gzip"],
    ["Transfer-Encoding: gzip, chunked"],
  ];
  for (const headers of refused) {
    assertEquals(ofResponse(response(200, ...headers)), "refused", headers.join("; "));
    assertEquals(ofResponse(response(200, ...headers), "HEAD"), "refused", headers.join("; "));
    assertEquals(ofResponse(response(304, ...headers)), "refused", headers.join("; "));
  }
  const old = { ...response(200, "Transfer-Encoding: chunked"), minor: 0 } as const;
  assertEquals(ofResponse(old), "refused");
});

Deno.test("keepsAlive: HTTP/1.1 unless it says close, HTTP/1.0 only where it says keep-alive", () => {
  const cases: readonly [lines: readonly string[], inOne: boolean, inZero: boolean][] = [
    [[], true, false],
    [["Connection: close"], false, false],
    [["CONNECTION: Close"], false, false],
    [["Connection: keep-alive"], true, true],
    [["connection: Keep-Alive"], true, true],
    [["Connection: upgrade,\tkeep-alive , x"], true, true],
    [["Connection: x, close"], false, false],
    [["Connection: keep-alive, close"], false, false],
    [["Connection: keep-alive", "Connection: close"], false, false],
    [["Connection: close", "Connection: keep-alive"], false, false],
    [["Connection: upgrade", "Connection: keep-alive"], true, true],
    [["Connection: closed"], true, false],
    [["Connection: "], true, false],
    [["Keep-Alive: timeout=5"], true, false],
    [["Proxy-Connection: keep-alive"], true, false],
  ];
  for (const [lines, inOne, inZero] of cases) {
    const headers = headersOf(lines);
    const found = [keepsAlive({ minor: 1, headers }), keepsAlive({ minor: 0, headers })];
    assertEquals(found, [inOne, inZero], lines.join("; "));
  }
});

Deno.test("listOf: members in small letters, without blanks and empty ones", () => {
  assertEquals(listOf(""), []);
  assertEquals(listOf("Close"), ["close"]);
  assertEquals(listOf(", A ,\tb\t,, c d,"), ["a", "b", "c d"]);
  assertEquals(listOf("a,\xa0b"), ["a", "\xa0b"]);
});
