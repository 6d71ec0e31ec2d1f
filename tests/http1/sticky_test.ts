import type { Backend } from "../../lib/backend.ts";
import type { Header } from "../../lib/http1/head_parser.ts";
import { isCookieName, Sticky } from "../../lib/http1/sticky.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
} from "../support/assert.ts";
import { backendSettings, makeBackend } from "../support/backends.ts";
import { Random } from "../support/random.ts";

const KEY = new TextEncoder().encode("a key of thirty-two bytes or more");

function makeSticky(key: Uint8Array = KEY): Promise<Sticky> {
  return Sticky.create({ name: "server", key });
}

function makeBackends(...ports: readonly number[]): Backend[] {
  return ports.map((port) => makeBackend(backendSettings(port)));
}

/** What a browser sends back of that header. */
function pairOf({ value }: Header): string {
  return value.split(";", 1)[0] ?? "";
}

function cookies(...values: readonly string[]): Header[] {
  return [{ name: "Host", value: "test" }, ...values.map((value) => ({ name: "Cookie", value }))];
}

function pairFor(sticky: Sticky, backend: Backend): string {
  return pairOf(sticky.setCookieHeader(backend, { secure: false }));
}

Deno.test("Sticky: the cookie of a backend brings its client back to it, and to no other", async () => {
  const sticky = await makeSticky();
  const backends = makeBackends(1, 2, 3);
  for (const backend of backends) {
    assert(sticky.backendOf(cookies(pairFor(sticky, backend)), backends) === backend);
  }
});

Deno.test("Sticky.setCookieHeader: the attributes, Secure only under TLS", async () => {
  const sticky = await makeSticky();
  const [backend] = makeBackends(1);
  assert(backend !== undefined);
  const plain = sticky.setCookieHeader(backend, { secure: false });
  assertEquals(plain.name, "Set-Cookie");
  assertMatch(plain.value, /^server=[\w-]{22}; Path=\/; HttpOnly; SameSite=Lax$/);
  const secure = sticky.setCookieHeader(backend, { secure: true });
  assertEquals(secure.value, `${plain.value}; Secure`);
});

Deno.test("Sticky: the cookie is the HMAC-SHA-256 of the backend's name, cut to 128 bits", async () => {
  const sticky = await makeSticky();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", KEY, algorithm, false, ["sign"]);
  for (const backend of makeBackends(1, 80, 65_535)) {
    const name = new TextEncoder().encode(backend.name);
    const signature = new Uint8Array(await crypto.subtle.sign("HMAC", key, name));
    const expected = signature.subarray(0, 16).toBase64({
      alphabet: "base64url",
      omitPadding: true,
    });
    assertEquals(pairFor(sticky, backend), `server=${expected}`);
  }
});

Deno.test("Sticky: one key makes the same cookies everywhere, another makes others", async () => {
  const [backend] = makeBackends(1);
  assert(backend !== undefined);
  const [one, same] = [await makeSticky(), await makeSticky(KEY.slice())];
  const drawn = [await Sticky.create({ name: "server" }), await Sticky.create({ name: "server" })];
  assertEquals(pairFor(same, backend), pairFor(one, backend));
  const others = drawn.map((each) => pairFor(each, backend));
  assertEquals(new Set([pairFor(one, backend), ...others]).size, 3);
  for (const pair of others) assertEquals(one.backendOf(cookies(pair), [backend]), null);
});

Deno.test("Sticky: a key that its owner overwrites stays what it was", async () => {
  const [backend] = makeBackends(1);
  assert(backend !== undefined);
  const key = KEY.slice();
  const sticky = await makeSticky(key);
  key.fill(0);
  assertEquals(pairFor(sticky, backend), pairFor(await makeSticky(), backend));
});

Deno.test("Sticky.backendOf: whoever is gone from the list is named no more, who comes back is again", async () => {
  const sticky = await makeSticky();
  const [one, other] = makeBackends(1, 2);
  assert(one !== undefined && other !== undefined);
  const headers = cookies(pairFor(sticky, one));
  assert(sticky.backendOf(headers, [one, other]) === one);
  assertEquals(sticky.backendOf(headers, [other]), null);
  assertEquals(sticky.backendOf(headers, []), null);
  const [returned] = makeBackends(1);
  assert(returned !== undefined);
  assert(sticky.backendOf(headers, [other, returned]) === returned, "a new object of that name");
});

Deno.test("Sticky.backendOf: finds the cookie wherever it stands, and nothing that only looks like it", async () => {
  const sticky = await makeSticky();
  const backends = makeBackends(1, 2);
  const [one, other] = backends;
  assert(one !== undefined && other !== undefined);
  const [pair, otherPair] = [pairFor(sticky, one), pairFor(sticky, other)];
  const id = pair.slice("server=".length);
  const found = [
    [pair],
    [`a=b; ${pair}`],
    [`a=b; ${pair}; c=d`],
    [`a=b;${pair};c=d`],
    [` \t${pair} \t;`],
    [`;; ;=;a;${pair}`],
    [`${pair}; ${otherPair}`],
    ["a=b", pair],
    ["", pair],
    [`server=stale; ${pair}`],
    [`a="x"; ${pair}`],
  ];
  for (const values of found) {
    assert(sticky.backendOf(cookies(...values), backends) === one, values.join(" | "));
  }
  const missed = [
    "",
    id,
    `Server=${id}`,
    `xserver=${id}`,
    `server =${id}`,
    `server= ${id}`,
    `server="${id}"`,
    `server=${id}=`,
    `server=${id.slice(1)}`,
    `server=${id}A`,
    `server=${id.toUpperCase()}!`,
    `\u00a0${pair}`,
    `a=b, ${pair}`,
    `a=${pair}`,
    "server=",
    "server",
    "server=__proto__",
    `server=${one.name}`,
  ];
  for (const value of missed) assertEquals(sticky.backendOf(cookies(value), backends), null, value);
  assertEquals(sticky.backendOf([{ name: "Cookies", value: pair }], backends), null);
  assertEquals(sticky.backendOf([], backends), null);
});

Deno.test("Sticky.backendOf: the header's name may be written in any case", async () => {
  const sticky = await makeSticky();
  const backends = makeBackends(1);
  const value = backends.map((backend) => pairFor(sticky, backend)).join("; ");
  for (const name of ["cookie", "COOKIE", "cooKie"]) {
    assert(sticky.backendOf([{ name, value }], backends) === backends[0]);
  }
});

Deno.test("Sticky.backendOf: after 256 cookies of one request it looks no further", async () => {
  const sticky = await makeSticky();
  const backends = makeBackends(1);
  const pair = backends.map((backend) => pairFor(sticky, backend)).join("; ");
  assertNotEquals(sticky.backendOf(cookies("a;".repeat(255) + pair), backends), null);
  assertEquals(sticky.backendOf(cookies("a;".repeat(256) + pair), backends), null);
  assertEquals(sticky.backendOf(cookies("a;".repeat(256), pair), backends), null);
});

Deno.test("Sticky.backendOf: no cookie that was changed in any place names a backend", async () => {
  const sticky = await makeSticky();
  const backends = makeBackends(...Array.from({ length: 50 }, (_, at) => 1 + at));
  const random = new Random(1);
  for (let count = 0; count < 2000; count++) {
    const pair = pairFor(sticky, random.pick(backends));
    const at = random.integer("server=".length, pair.length - 1);
    const letter = random.pick([
      ..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    ]);
    const forged = pair.slice(0, at) + letter + pair.slice(at + 1);
    const named = sticky.backendOf(cookies(forged), backends);
    assertEquals(named === null, forged !== pair, forged);
  }
});

Deno.test("Sticky.create: refuses a name that is no token", async () => {
  for (const name of ["", "a b", "a=b", "a;b", "a,b", 'a"', "ä", "a\n"]) {
    assert(!isCookieName(name), name);
    await assertRejects(() => Sticky.create({ name }), RangeError, "is no token");
  }
  for (const name of ["lb", "__Host-lb", "a.b_c-d!#$%&'*+^`|~9"]) assert(isCookieName(name), name);
});
