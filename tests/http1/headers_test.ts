import type { ResponseBody as Framing } from "../../lib/http1/framing.ts";
import { DateHeader } from "../../lib/http1/date_header.ts";
import type { Header, RequestHead, ResponseHead } from "../../lib/http1/head_parser.ts";
import {
  forwardedRequest,
  forwardedResponse,
  type RequestForwarding,
  type ResponseForwarding,
} from "../../lib/http1/headers.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { Random } from "../support/random.ts";

const NOW_MS = Date.UTC(1994, 10, 6, 8, 49, 37);
const NOW = "Date: Sun, 06 Nov 1994 08:49:37 GMT";

const FROM_STRANGER: RequestForwarding = {
  framing: "none",
  connection: null,
  clientIp: "203.0.113.9",
  isTrusted: false,
  proto: "http",
  defaultHost: "127.0.0.1:1234",
};
const FROM_PROXY: RequestForwarding = { ...FROM_STRANGER, clientIp: "10.0.0.1", isTrusted: true };
const TO_CLIENT: ResponseForwarding = {
  framing: "none",
  connection: null,
  date: new DateHeader(() => NOW_MS),
};

/** What a stranger's request for example.com gets behind its own headers. */
const ADDED = [
  "X-Forwarded-For: 203.0.113.9",
  "X-Forwarded-Proto: http",
  "X-Forwarded-Host: example.com",
  "Forwarded: for=203.0.113.9;host=example.com;proto=http",
  "Via: 1.1 loadbalancer",
];

function headersOf(lines: readonly string[]): Header[] {
  return lines.map((line) => {
    const colon = line.indexOf(":");
    return { name: line.slice(0, colon), value: line.slice(colon + 1).trim() };
  });
}

function linesOf({ headers }: { readonly headers: readonly Header[] }): string[] {
  return headers.map(({ name, value }) => `${name}: ${value}`);
}

function request(lines: readonly string[], more: Partial<RequestHead> = {}): RequestHead {
  return { method: "GET", target: "/", minor: 1, headers: headersOf(lines), ...more };
}

function response(lines: readonly string[], more: Partial<ResponseHead> = {}): ResponseHead {
  return { status: 200, reason: "OK", minor: 1, headers: headersOf(lines), ...more };
}

/** The values of all headers of that name, whatever its case. */
function valuesOf(head: { readonly headers: readonly Header[] }, name: string): string[] {
  return head.headers
    .filter((header) => header.name.toLowerCase() === name)
    .map((header) => header.value);
}

Deno.test("forwardedRequest: method and target stay, the version is ours", () => {
  for (const minor of [0, 1] as const) {
    const head = request(["Host: example.com"], { method: "PUT", target: "/a?b=%20c", minor });
    const { method, target, minor: sent } = forwardedRequest(head, FROM_STRANGER);
    assertEquals({ method, target, sent }, { method: "PUT", target: "/a?b=%20c", sent: 1 });
  }
});

Deno.test("forwardedRequest: other headers keep names, values and order; ours come behind", () => {
  const own = [
    "Host: example.com",
    "user-AGENT: x",
    "Cookie: a=1",
    "X-Empty: ",
    "Cookie: b=2",
    "Proxy-Authorization: Basic eDp5",
    "Date: yesterday",
    "Expect: 100-continue",
    "X-Real-IP: 192.0.2.1",
  ];
  assertEquals(linesOf(forwardedRequest(request(own), FROM_STRANGER)), [...own, ...ADDED]);
});

Deno.test("forwardedRequest: what is for one connection only is dropped, however it is spelled", () => {
  const head = request([
    "Host: example.com",
    "CONNECTION: keep-alive",
    "Keep-Alive: timeout=5",
    "Proxy-Connection: keep-alive",
    "te: trailers",
    "Trailer: X-Sum",
    "tRANSFER-eNCODING: chunked",
    "Upgrade: h2c",
    "Content-Length: 3",
    "Accept: */*",
  ]);
  assertEquals(linesOf(forwardedRequest(head, FROM_STRANGER)), [
    "Host: example.com",
    "Accept: */*",
    ...ADDED,
  ]);
});

Deno.test("forwardedRequest: what Connection names is dropped, in all its lines", () => {
  const head = request([
    "X-Hop: before",
    "Host: example.com",
    "Connection: close ,\tX-HOP,,",
    "Connection: x-other",
    "X-Other: 1",
    "x-hop: behind",
    "X-Hopper: stays",
  ]);
  assertEquals(linesOf(forwardedRequest(head, FROM_STRANGER)), [
    "Host: example.com",
    "X-Hopper: stays",
    ...ADDED,
  ]);
});

Deno.test("forwardedRequest: Connection removes nothing that is meant for the backend", () => {
  const own = [
    "Host: example.com",
    "Authorization: Basic eDp5",
    "Cookie: a=1",
    "If-Match: x",
    "Range: bytes=0-1",
    "Content-Type: text/plain",
    "Cache-Control: no-store",
  ];
  const names = own.map((line) => line.slice(0, line.indexOf(":")));
  const named = [...names, "Content-Length", "Transfer-Encoding"].join(", ");
  const about = { ...FROM_STRANGER, framing: { length: 3 } };
  assertEquals(linesOf(forwardedRequest(request([...own, `Connection: ${named}`]), about)), [
    ...own,
    ...ADDED,
    "Content-Length: 3",
  ]);
});

Deno.test("forwardedRequest: Connection does not remove what tells of this hop or those before", () => {
  const named = "x-forwarded-for, X-Forwarded-Proto, x-forwarded-host, forwarded, via";
  const stranger = request(["Host: example.com", `Connection: ${named}`]);
  assertEquals(linesOf(forwardedRequest(stranger, FROM_STRANGER)), ["Host: example.com", ...ADDED]);
  const proxy = request([
    "Host: example.com",
    `Connection: ${named}`,
    "X-Forwarded-For: 192.0.2.1",
    "Via: 1.1 edge",
    "X-Forwarded-Port: 443",
  ]);
  assertEquals(linesOf(forwardedRequest(proxy, FROM_PROXY)), [
    "Host: example.com",
    "X-Forwarded-Port: 443",
    "X-Forwarded-For: 192.0.2.1, 10.0.0.1",
    "X-Forwarded-Proto: http",
    "X-Forwarded-Host: example.com",
    "Forwarded: for=192.0.2.1, for=10.0.0.1;host=example.com;proto=http",
    "Via: 1.1 edge, 1.1 loadbalancer",
  ]);
});

Deno.test("forwardedRequest: nothing is believed that a stranger says of those before it", () => {
  const head = request([
    "X-Forwarded-For: 127.0.0.1",
    "Host: example.com",
    "x-forwarded-for: 10.0.0.1",
    "X-FORWARDED-PROTO: https",
    "X-Forwarded-Host: admin.example.com",
    "Forwarded: for=127.0.0.1;proto=https",
    "X-Forwarded-Port: 443",
    "X-Forwarded-Prefix: /admin",
    "X_Forwarded_For: 127.0.0.1",
    "x-forwarded_proto: https",
    "X-Forwarder: stays",
  ]);
  assertEquals(linesOf(forwardedRequest(head, FROM_STRANGER)), [
    "Host: example.com",
    "X-Forwarder: stays",
    ...ADDED,
  ]);
});

Deno.test("forwardedRequest: a trusted client's words are kept, and its address is added", () => {
  const head = request([
    "Host: inside",
    "X-Forwarded-For: 192.0.2.1",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: example.com",
    "X-Forwarded-For: ",
    "x-forwarded-for: 192.0.2.2",
    "Forwarded: for=192.0.2.1;proto=https",
    "forwarded: for=_hidden",
    "X-Forwarded-Port: 443",
  ]);
  assertEquals(linesOf(forwardedRequest(head, FROM_PROXY)), [
    "Host: inside",
    "X-Forwarded-Port: 443",
    "X-Forwarded-For: 192.0.2.1, 192.0.2.2, 10.0.0.1",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: example.com",
    "Forwarded: for=192.0.2.1;proto=https, for=_hidden, for=10.0.0.1;host=inside;proto=http",
    "Via: 1.1 loadbalancer",
  ]);
});

Deno.test("forwardedRequest: Forwarded of a trusted client without one says what the others do", () => {
  const head = request([
    "Host: inside",
    "X-Forwarded-For: 2001:db8::1, 192.0.2.2",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: example.com:8443",
  ]);
  assertEquals(valuesOf(forwardedRequest(head, FROM_PROXY), "forwarded"), [
    'for="[2001:db8::1]";host="example.com:8443";proto=https, for=192.0.2.2, ' +
    "for=10.0.0.1;host=inside;proto=http",
  ]);
});

Deno.test("forwardedRequest: a trusted client that says nothing is itself the first", () => {
  const head = request(["Host: example.com"]);
  assertEquals(
    linesOf(forwardedRequest(head, { ...FROM_STRANGER, isTrusted: true })),
    linesOf(forwardedRequest(head, FROM_STRANGER)),
  );
});

Deno.test("forwardedRequest: an IPv6 client is told bare, and in Forwarded as RFC 7239 wants it", () => {
  const about = { ...FROM_STRANGER, clientIp: "2001:db8::1", proto: "https" } as const;
  const head = forwardedRequest(request(["Host: [::1]:8080"]), about);
  assertEquals(valuesOf(head, "x-forwarded-for"), ["2001:db8::1"]);
  assertEquals(valuesOf(head, "x-forwarded-proto"), ["https"]);
  assertEquals(valuesOf(head, "x-forwarded-host"), ["[::1]:8080"]);
  assertEquals(valuesOf(head, "forwarded"), [
    'for="[2001:db8::1]";host="[::1]:8080";proto=https',
  ]);
});

Deno.test("forwardedRequest: behind trusted balancers every hop is named once, in order", () => {
  const hops = ["203.0.113.9", "10.0.0.1", "10.0.0.2", "10.0.0.3"];
  let head = request(["Host: example.com", "X-Forwarded-For: 127.0.0.1"]);
  for (const [at, clientIp] of hops.entries()) {
    const proto = at === 0 ? "https" : "http";
    head = forwardedRequest(head, { ...FROM_STRANGER, clientIp, proto, isTrusted: at > 0 });
  }
  assertEquals(linesOf(head), [
    "Host: example.com",
    `X-Forwarded-For: ${hops.join(", ")}`,
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: example.com",
    `Forwarded: ${
      hops.map((hop, at) => `for=${hop};host=example.com;proto=${at === 0 ? "https" : "http"}`)
        .join(", ")
    }`,
    `Via: ${hops.map(() => "1.1 loadbalancer").join(", ")}`,
  ]);
});

Deno.test("forwardedRequest: Via is added to, with the version that the client spoke", () => {
  const head = request(["Host: a", "Via: 1.0 fred", "via: 1.1 p.example.net (x)"], { minor: 0 });
  assertEquals(valuesOf(forwardedRequest(head, FROM_STRANGER), "via"), [
    "1.0 fred, 1.1 p.example.net (x), 1.0 loadbalancer",
  ]);
});

Deno.test("forwardedRequest: a request of HTTP/1.0 without Host gets the default one, first", () => {
  const head = forwardedRequest(request(["Accept: */*"], { minor: 0 }), FROM_STRANGER);
  assertEquals(linesOf(head), [
    "Host: 127.0.0.1:1234",
    "Accept: */*",
    "X-Forwarded-For: 203.0.113.9",
    "X-Forwarded-Proto: http",
    "Forwarded: for=203.0.113.9;proto=http",
    "Via: 1.0 loadbalancer",
  ]);
});

Deno.test("forwardedRequest: an empty Host stays, and no host is told of", () => {
  const head = forwardedRequest(request(["Host: "]), FROM_STRANGER);
  assertEquals(valuesOf(head, "host"), [""]);
  assertEquals(valuesOf(head, "x-forwarded-host"), []);
  assertEquals(valuesOf(head, "forwarded"), ["for=203.0.113.9;proto=http"]);
});

Deno.test("forwardedRequest: a request that says that it brings nothing still says so", () => {
  const head = request(["content-length: 0", "Host: example.com"], { method: "POST" });
  assertEquals(linesOf(forwardedRequest(head, FROM_STRANGER)), [
    "content-length: 0",
    "Host: example.com",
    ...ADDED,
  ]);
  const about = { ...FROM_STRANGER, framing: "chunked" } as const;
  assertEquals(valuesOf(forwardedRequest(head, about), "content-length"), []);
});

Deno.test("forwardedRequest: framing and Connection are what the caller says, not what came", () => {
  const head = request([
    "Host: example.com",
    "Connection: keep-alive, Upgrade",
    "Content-Length: 5",
    "content-length: 5",
    "Transfer-Encoding: gzip, chunked",
    "Upgrade: websocket",
  ]);
  const wanted: readonly (readonly [Partial<RequestForwarding>, readonly string[]])[] = [
    [{}, []],
    [{ framing: { length: 7 } }, ["Content-Length: 7"]],
    [{ framing: { length: 2 ** 40 } }, ["Content-Length: 1099511627776"]],
    [{ framing: "chunked", connection: "close" }, [
      "Connection: close",
      "Transfer-Encoding: chunked",
    ]],
    [{ connection: "keep-alive" }, ["Connection: keep-alive"]],
  ];
  for (const [about, lines] of wanted) {
    const forwarded = forwardedRequest(head, { ...FROM_STRANGER, ...about });
    assertEquals(linesOf(forwarded), ["Host: example.com", ...ADDED, ...lines]);
  }
});

Deno.test("forwardedRequest: Upgrade is kept for a request that may upgrade", () => {
  const own = ["Host: example.com", "upgrade: websocket", "Sec-WebSocket-Key: x"];
  const head = request([...own, "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAM"]);
  assertEquals(
    linesOf(forwardedRequest(head, { ...FROM_STRANGER, connection: "upgrade" })),
    [...own, ...ADDED, "Connection: upgrade"],
  );
});

Deno.test("forwardedResponse: status and reason stay, the version is ours", () => {
  const head = response([], { status: 404, reason: "Nope", minor: 0 });
  const { status, reason, minor } = forwardedResponse(head, TO_CLIENT);
  assertEquals({ status, reason, minor }, { status: 404, reason: "Nope", minor: 1 });
});

Deno.test("forwardedResponse: other headers keep names, values and order; ours come behind", () => {
  const own = [
    "server: x",
    "Set-Cookie: a=1",
    "DATE: Mon, 01 Jan 2024 00:00:00 GMT",
    "Set-Cookie: b=2",
    "X-Forwarded-For: is theirs to say",
    "Host: too",
  ];
  const hop = [
    "Connection: X-Hop, set-cookie",
    "X-Hop: 1",
    "Keep-Alive: timeout=5",
    "Proxy-Connection: close",
    "TE: x",
    "Trailer: X-Sum",
    "Transfer-Encoding: chunked",
    "Upgrade: h2c",
  ];
  const head = response([...hop.slice(0, 4), ...own, ...hop.slice(4)]);
  assertEquals(linesOf(forwardedResponse(head, TO_CLIENT)), [...own, "Via: 1.1 loadbalancer"]);
});

Deno.test("forwardedResponse: one without a date gets it, but no interim one", () => {
  for (const status of [200, 204, 304, 500]) {
    const head = forwardedResponse(response([], { status }), TO_CLIENT);
    assertEquals(linesOf(head), [NOW, "Via: 1.1 loadbalancer"], `${status}`);
  }
  for (const status of [100, 101, 103]) {
    const head = forwardedResponse(response([], { status }), TO_CLIENT);
    assertEquals(linesOf(head), ["Via: 1.1 loadbalancer"], `${status}`);
  }
});

Deno.test("forwardedResponse: Via is added to, with the version that the backend spoke", () => {
  const head = response(["Via: 1.1 cache", "Via: "], { minor: 0 });
  assertEquals(valuesOf(forwardedResponse(head, TO_CLIENT), "via"), [
    "1.1 cache, 1.0 loadbalancer",
  ]);
});

Deno.test("forwardedResponse: without a body it keeps the length of a HEAD or a 304, once", () => {
  for (const status of [200, 304, 404]) {
    const head = response([NOW, "content-length: 7", "Content-Length: 7"], { status });
    const lines = linesOf(forwardedResponse(head, TO_CLIENT));
    assertEquals(lines, [NOW, "content-length: 7", "Via: 1.1 loadbalancer"], `${status}`);
  }
  for (const status of [100, 101, 204]) {
    const head = response([NOW, "Content-Length: 7"], { status });
    const lines = linesOf(forwardedResponse(head, TO_CLIENT));
    assertEquals(lines, [NOW, "Via: 1.1 loadbalancer"], `${status}`);
  }
});

Deno.test("forwardedResponse: framing and Connection are what the caller says, not what came", () => {
  const head = response([
    NOW,
    "Content-Length: 5",
    "Transfer-Encoding: chunked",
    "Connection: close",
    "Upgrade: h2c",
  ]);
  const wanted: readonly (readonly [Partial<ResponseForwarding>, readonly string[]])[] = [
    [{ framing: { length: 9 } }, ["Content-Length: 9"]],
    [{ framing: "chunked" }, ["Transfer-Encoding: chunked"]],
    [{ framing: { length: 9 }, connection: "keep-alive" }, [
      "Connection: keep-alive",
      "Content-Length: 9",
    ]],
    [{ framing: "until-close" }, ["Connection: close"]],
    [{ framing: "until-close", connection: "keep-alive" }, ["Connection: close"]],
  ];
  for (const [about, lines] of wanted) {
    const forwarded = forwardedResponse(head, { ...TO_CLIENT, ...about });
    assertEquals(linesOf(forwarded), [NOW, "Via: 1.1 loadbalancer", ...lines]);
  }
});

Deno.test("forwardedResponse: Upgrade is kept where it is granted", () => {
  const head = response(["Connection: Upgrade", "Upgrade: websocket"], { status: 101 });
  assertEquals(linesOf(forwardedResponse(head, { ...TO_CLIENT, connection: "upgrade" })), [
    "Upgrade: websocket",
    "Via: 1.1 loadbalancer",
    "Connection: upgrade",
  ]);
});

const HOP_BY_HOP = ["keep-alive", "proxy-connection", "te", "trailer", "upgrade"];
const REWRITTEN = [
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
  "forwarded",
  "via",
  "connection",
  "content-length",
  "transfer-encoding",
];
const PROTECTED = ["host", "cookie", "authorization", "if-match", "content-type", "range"];
const FREE = ["accept", "x-a", "x-b", "x-c", "origin", "user-agent", "ho", "date-x", "vi", "tea"];

function anyCase(name: string, random: Random): string {
  return [...name].map((letter) => random.chance(0.5) ? letter.toUpperCase() : letter).join("");
}

/** Headers as nobody would send them, with one Host, and the names in Connection. */
function anyHeaders(random: Random): { headers: Header[]; named: ReadonlySet<string> } {
  const all = [...HOP_BY_HOP, ...REWRITTEN, ...PROTECTED.slice(1), ...FREE];
  const named = new Set<string>();
  const headers = Array.from({ length: random.integer(0, 20) }, (_, at): Header => {
    const name = random.pick(all);
    if (name !== "connection") return { name: anyCase(name, random), value: `${at + 1}` };
    const options = Array.from(
      { length: random.integer(0, 4) },
      () => random.pick([...all, "host"]),
    );
    for (const option of options) named.add(option);
    const value = options.map((option) => anyCase(option, random)).join(random.pick([",", " ,\t"]));
    return { name: anyCase(name, random), value };
  });
  headers.splice(random.integer(0, headers.length), 0, { name: "Host", value: "h" });
  return { headers, named };
}

const FRAMINGS: readonly RequestForwarding["framing"][] = ["none", "chunked", { length: 12 }];

function assertFramed(head: { readonly headers: readonly Header[] }, framing: Framing): void {
  const lengths = typeof framing === "object" ? [`${framing.length}`] : [];
  assertEquals(valuesOf(head, "content-length"), lengths);
  assertEquals(valuesOf(head, "transfer-encoding"), framing === "chunked" ? ["chunked"] : []);
}

Deno.test("forwardedRequest: for any headers, one line of each that is ours, no hop-by-hop ones, the rest in order", () => {
  const random = new Random(4);
  for (let time = 0; time < 5000; time++) {
    const { headers, named } = anyHeaders(random);
    const framing = random.pick(FRAMINGS);
    const connection = random.pick(["close", "keep-alive", null] as const);
    const isTrusted = random.chance(0.5);
    const head = forwardedRequest(request([], { headers }), {
      ...FROM_STRANGER,
      framing,
      connection,
      isTrusted,
    });

    for (const name of HOP_BY_HOP) assertEquals(valuesOf(head, name), [], name);
    assertEquals(valuesOf(head, "connection"), connection === null ? [] : [connection]);
    assertFramed(head, framing);
    for (const name of ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "via"]) {
      assertEquals(valuesOf(head, name).length, 1, name);
    }
    const [claim = ""] = valuesOf(head, "x-forwarded-for");
    assert(isTrusted ? claim.endsWith("203.0.113.9") : claim === "203.0.113.9", claim);
    assertEquals(valuesOf(head, "forwarded").length, 1);

    const untouched = headers.filter(({ name }) => {
      const lower = name.toLowerCase();
      return PROTECTED.includes(lower) || (FREE.includes(lower) && !named.has(lower));
    });
    assertEquals(head.headers.slice(0, untouched.length), untouched);
    const behind = head.headers.slice(untouched.length).map(({ name }) => name.toLowerCase());
    assertEquals(behind.filter((name) => !REWRITTEN.includes(name)), []);
  }
});

Deno.test("forwardedResponse: for any headers, no hop-by-hop ones, the rest in order", () => {
  const random = new Random(5);
  for (let time = 0; time < 5000; time++) {
    const { headers, named } = anyHeaders(random);
    const framing = random.pick<Framing>(["chunked", "until-close", { length: 12 }]);
    const head = forwardedResponse(response([], { headers }), { ...TO_CLIENT, framing });

    for (const name of HOP_BY_HOP) assertEquals(valuesOf(head, name), [], name);
    assertFramed(head, framing);
    assertEquals(valuesOf(head, "via").length, 1);
    assertEquals(valuesOf(head, "date"), [NOW.slice("Date: ".length)]);
    const gone = [...HOP_BY_HOP, "via", "connection", "content-length", "transfer-encoding"];
    const untouched = headers.filter(({ name }) => {
      const lower = name.toLowerCase();
      return !gone.includes(lower) && !(FREE.includes(lower) && named.has(lower));
    });
    assertEquals(head.headers.slice(0, untouched.length), untouched);
  }
});
