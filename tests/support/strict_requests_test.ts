/** The reader that the fuzzer trusts. */
import { SMUGGLING } from "../http1/vectors/smuggling.ts";
import { assert, assertEquals } from "./assert.ts";
import { readRequests } from "./strict_requests.ts";

const HIDDEN = "GET /hidden HTTP/1.1\r\nHost: t\r\n\r\n";
const PLAIN = `POST /a HTTP/1.1\r\nHost: t\r\nContent-Length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`;
const CHUNKED = "PUT /b HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n" +
  `3\r\nabc\r\n${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n0\r\n\r\n`;

Deno.test("readRequests: requests behind one another, none of those in their bodies", () => {
  for (const sender of ["client", "balancer"] as const) {
    const text = PLAIN + CHUNKED + HIDDEN;
    const { requests, length, fault } = readRequests(text, sender);
    const read = requests.map(({ target, body, isWhole }) => [target, body, isWhole]);
    assertEquals(read, [["/a", HIDDEN, true], ["/b", `abc${HIDDEN}`, true], ["/hidden", "", true]]);
    assertEquals([length, fault], [text.length, null]);
  }
});

Deno.test("readRequests: of every prefix, what has come of it and no fault", () => {
  const text = PLAIN + CHUNKED;
  for (let end = 0; end < text.length; end++) {
    const { requests, length, fault } = readRequests(text.slice(0, end), "balancer");
    assertEquals([length, fault], [end < PLAIN.length ? 0 : PLAIN.length, null], `${end} bytes`);
    const whole = requests.filter(({ isWhole }) => isWhole).length;
    assertEquals(whole, end < PLAIN.length ? 0 : 1, `${end} bytes`);
    const [first] = requests;
    assert(HIDDEN.startsWith(first?.body ?? ""), `${first?.body}`);
  }
});

Deno.test("readRequests: what a client may write and a balancer may not", () => {
  const trailer = CHUNKED.replace("\r\n0\r\n", "\r\n0\r\nA: b\r\n");
  const extension = CHUNKED.replace("\r\n3\r\n", "\r\n3;a=b\r\n");
  const old = HIDDEN.replace("/1.1", "/1.0");
  const whole = HIDDEN.replace("/hidden", "http://t/hidden");
  for (const text of [trailer, extension, old, whole, `\r\n${HIDDEN}`]) {
    const { requests, fault } = readRequests(text, "client");
    assertEquals([requests.length, requests[0]?.isWhole, fault], [1, true, null], text);
    const strict = readRequests(text, "balancer");
    assert(strict.fault !== null, text);
  }
});

for (const [what, headers] of Object.entries(SMUGGLING)) {
  Deno.test(`readRequests: no request in ${what}`, () => {
    const text = `POST / HTTP/1.1\r\nHost: t\r\n${headers}\r\n0\r\n\r\n${HIDDEN}`;
    const { requests, fault } = readRequests(text, "client");
    assert(requests.length === 0 && fault !== null, JSON.stringify(requests));
  });
}
