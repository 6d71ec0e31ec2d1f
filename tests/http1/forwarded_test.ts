import { forwardedElement, forwardedElements } from "../../lib/http1/forwarded.ts";
import { assertEquals } from "../support/assert.ts";

Deno.test("forwardedElement: what is no token is quoted, what is not known is left out", () => {
  const hop = { sender: "192.0.2.1", host: "", proto: "" };
  assertEquals(forwardedElement(hop), "for=192.0.2.1");
  assertEquals(forwardedElement({ ...hop, proto: "https" }), "for=192.0.2.1;proto=https");
  const hosts = {
    "example.com": "example.com",
    "example.com:80": '"example.com:80"',
    "[::1]": '"[::1]"',
    'a"b': '"a\\"b"',
    "a\\": '"a\\\\"',
    "a;for=127.0.0.1": '"a;for=127.0.0.1"',
    "a,b": '"a,b"',
    "h\xe4st": '"h\xe4st"',
  };
  for (const [host, written] of Object.entries(hosts)) {
    assertEquals(forwardedElement({ ...hop, host }), `for=192.0.2.1;host=${written}`);
  }
});

Deno.test("forwardedElement: an IPv6 address stands in brackets and quotes", () => {
  assertEquals(
    forwardedElement({ sender: "2001:db8::1", host: "a", proto: "http" }),
    'for="[2001:db8::1]";host=a;proto=http',
  );
});

Deno.test("forwardedElements: one for each sender, as RFC 7239 writes it; others are unknown", () => {
  const senders = {
    "192.0.2.1": "for=192.0.2.1",
    "192.0.2.1:80": 'for="192.0.2.1:80"',
    "2001:db8::1": 'for="[2001:db8::1]"',
    "::ffff:192.0.2.1": 'for="[::ffff:192.0.2.1]"',
    "[2001:db8::1]": 'for="[2001:db8::1]"',
    "[2001:db8::1]:80": 'for="[2001:db8::1]:80"',
    "_hidden": "for=_hidden",
    "Unknown": "for=Unknown",
    "a b": "for=unknown",
    'x";proto="https': "for=unknown",
    "example.com:80": "for=unknown",
    "a , b,,\tc": "for=unknown, for=unknown, for=unknown",
    " , ": "",
    "": "",
  };
  for (const [sender, written] of Object.entries(senders)) {
    assertEquals(forwardedElements({ sender, host: "", proto: "" }), written, sender);
  }
});

Deno.test("forwardedElements: host and proto are told of the first", () => {
  assertEquals(
    forwardedElements({ sender: "192.0.2.1, 192.0.2.2", host: "a , b", proto: "https,http" }),
    "for=192.0.2.1;host=a;proto=https, for=192.0.2.2",
  );
});
