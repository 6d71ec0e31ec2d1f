import { isClaim, isEndToEnd, KNOWN_NAMES, knownName } from "../../lib/http1/header_names.ts";
import { assert, assertEquals } from "../support/assert.ts";

Deno.test("knownName: finds a name in any case, and no name that is only like it", () => {
  for (const name of KNOWN_NAMES) {
    assertEquals(knownName(name), name);
    assertEquals(knownName(name.toLowerCase()), name);
    assertEquals(knownName(name.toUpperCase()), name);
    assertEquals(knownName(`${name}s`), null);
    assertEquals(knownName(name.slice(1)), null);
    assertEquals(knownName(`${name.slice(0, -1)}#`), null);
  }
  const others = ["", "Accept", "Have", "Hosu", "Content-Lengte", "Keep_Alive"];
  for (const name of others) assertEquals(knownName(name), null, name);
});

Deno.test("isClaim: all that begins with X-Forwarded-, however it is written", () => {
  for (const name of ["X-Forwarded-For", "x-forwarded-port", "X_FORWARDED_FOR", "x-Forwarded_x"]) {
    assert(isClaim(name), name);
  }
  for (const name of ["", "Forwarded", "X-Forwarded", "X-Forwarder-For", "AX-Forwarded-For"]) {
    assert(!isClaim(name), name);
  }
});

Deno.test("isEndToEnd: tells what is meant for the backend from what a hop may drop", () => {
  const endToEnd = ["host", "cookie", "set-cookie", "authorization", "if-none-match", "range"];
  const families = ["content-length", "content-type", "x-forwarded-for", "forwarded", "via"];
  for (const name of [...endToEnd, ...families]) assert(isEndToEnd(name), name);
  for (const name of ["", "x-hop", "http2-settings", "hosts", "my-content-type", "ifs", "te"]) {
    assert(!isEndToEnd(name), name);
  }
});
