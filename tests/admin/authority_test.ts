import { Authority } from "../../lib/admin/authority.ts";
import { Refusal } from "../../lib/admin/refusal.ts";
import { parseAddress } from "../../lib/address.ts";
import { assertEquals, assertInstanceOf, assertStringIncludes } from "../support/assert.ts";

const TOKEN = "sixteen-and-more-characters";
const JSON_TYPE = { "content-type": "application/json" };

type Headers = Readonly<Record<string, string>>;

interface Setting {
  readonly listen?: string;
  readonly token?: string | null;
}

/** The status with which a request is refused, and why; null: it is allowed. */
function refusal(
  access: "anyone" | "reader" | "operator",
  headers: Headers,
  { listen = "127.0.0.1:9000", token = null, url }: Setting & { readonly url?: string } = {},
): Refusal | null {
  const address = parseAddress(listen, { defaultHostname: "127.0.0.1", portMin: 1 });
  const authority = new Authority({ address, token });
  // Deno makes the URL of the target and of Host; without Host, of "localhost" and its own port.
  const base = `http://${headers["host"] ?? `localhost:${address.port}`}`;
  const method = access === "operator" ? "POST" : "GET";
  const request = new Request(url ?? `${base}/x`, { method, headers });
  try {
    authority.check(request, access);
    return null;
  } catch (error) {
    assertInstanceOf(error, Refusal);
    return error;
  }
}

const OWN = ["127.0.0.1:9000", "localhost:9000", "LOCALHOST:9000", "[::1]:9000", "127.1.2.3:9000"];

Deno.test("Authority: on this machine, without a token, everybody there may look and steer", () => {
  for (const host of OWN) {
    assertEquals(refusal("reader", { host }), null, host);
    assertEquals(refusal("operator", { host, ...JSON_TYPE }), null, host);
    const page = { origin: `http://${host}`, "sec-fetch-site": "same-origin" };
    assertEquals(refusal("reader", { host, ...page }), null, host);
    assertEquals(refusal("operator", { host, ...JSON_TYPE, ...page }), null, host);
  }
});

Deno.test("Authority: a Host that is not its own is refused, for reading too, token or not (rebinding)", () => {
  const hosts = [
    "evil.example:9000",
    "evil.example",
    "127.0.0.1.evil.example:9000",
    "localhost.evil.example:9000",
    "127.0.0.1:9001",
    "127.0.0.1",
    "10.0.0.1:9000",
    "0.0.0.0:9000",
    "user@127.0.0.1:9000",
    "127.0.0.1:9000@evil.example",
    "127.0.0.1:9000,evil.example",
    "[::2]:9000",
    "::1:9000",
    "",
  ];
  for (const host of hosts) {
    const url = "http://localhost:9000/x";
    for (const token of [null, TOKEN]) {
      const headers = { host, ...JSON_TYPE, authorization: `Bearer ${TOKEN}` };
      assertEquals(refusal("reader", headers, { token, url })?.status, 403, host);
      assertEquals(refusal("operator", headers, { token, url })?.status, 403, host);
    }
  }
  assertStringIncludes(
    refusal("reader", { host: "evil.example" })?.message ?? "",
    "Host is not this balancer; expected localhost:9000 or 127.0.0.1:9000",
  );
});

Deno.test("Authority: a request without Host is refused (HTTP/1.0)", () => {
  assertStringIncludes(refusal("reader", {})?.message ?? "", "Host is missing");
  assertEquals(refusal("operator", JSON_TYPE)?.status, 403);
});

Deno.test("Authority: a target that is a URL of another host is refused, whatever Host says", () => {
  const url = "http://evil.example/status";
  assertEquals(refusal("reader", { host: "127.0.0.1:9000" }, { url })?.status, 403);
  const own = "http://127.0.0.1:9000/status";
  assertEquals(refusal("reader", { host: "127.0.0.1:9000" }, { url: own }), null);
});

Deno.test("Authority: on port 80 Host needs no port", () => {
  const listen = "127.0.0.1:80";
  assertEquals(refusal("reader", { host: "127.0.0.1" }, { listen }), null);
  assertEquals(refusal("reader", { host: "localhost:80" }, { listen }), null);
  assertEquals(refusal("reader", { host: "localhost:81" }, { listen })?.status, 403);
});

const HOST = { host: "127.0.0.1:9000" };

const FOREIGN: Readonly<Record<string, Headers>> = {
  "another site": { origin: "https://evil.example", "sec-fetch-site": "cross-site" },
  "another site, in an old browser": { origin: "https://evil.example" },
  "a page without an origin of its own": { origin: "null" },
  "another port of this machine": {
    origin: "http://127.0.0.1:3000",
    "sec-fetch-site": "same-site",
  },
  "another name of this machine": { origin: "http://localhost:9000" },
  "the same address by https": { origin: "https://127.0.0.1:9000" },
  "another site, Origin left out": { "sec-fetch-site": "cross-site" },
  "another port, Origin left out": { "sec-fetch-site": "same-site" },
};

for (const [who, headers] of Object.entries(FOREIGN)) {
  Deno.test(`Authority: a page of ${who} may neither look nor steer`, () => {
    assertEquals(refusal("reader", { ...HOST, ...headers })?.status, 403);
    assertEquals(refusal("operator", { ...HOST, ...JSON_TYPE, ...headers })?.status, 403);
  });
}

Deno.test("Authority: a link from another site may be followed, but changes nothing", () => {
  const link = { ...HOST, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" };
  assertEquals(refusal("reader", link), null);
  assertEquals(refusal("reader", { ...HOST, "sec-fetch-site": "none" }), null);
  assertEquals(refusal("operator", { ...link, ...JSON_TYPE })?.status, 403);
});

Deno.test("Authority: what a form can send changes nothing", () => {
  const types = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/plain; application/json",
    "application/jsonp",
    "",
  ];
  for (const type of types) {
    const headers = { ...HOST, "content-type": type };
    assertEquals(refusal("operator", headers)?.status, 415, type);
    const shown = { ...headers, authorization: `Bearer ${TOKEN}` };
    assertEquals(refusal("operator", shown, { token: TOKEN })?.status, 415, type);
  }
  assertEquals(refusal("operator", HOST)?.status, 415, "none at all");
  const jsonTypes = ["application/json", "Application/JSON", "application/json; charset=utf-8"];
  for (const type of jsonTypes) {
    assertEquals(refusal("operator", { ...HOST, "content-type": type }), null, type);
  }
});

const WRONG: readonly (string | null)[] = [
  null,
  "",
  "Bearer",
  "Bearer ",
  `Bearer ${TOKEN}x`,
  `Bearer ${TOKEN.slice(0, -1)}`,
  `Bearer ${TOKEN.replace("s", "S")}`,
  `Bearer ${"x".repeat(TOKEN.length)}`,
  `Bearer ${TOKEN} ${TOKEN}`,
  `Basic ${TOKEN}`,
  TOKEN,
];

Deno.test("Authority: with a token, changes on this machine need it, even from a page of this port", () => {
  const page = { ...HOST, ...JSON_TYPE, origin: "http://127.0.0.1:9000" };
  for (const authorization of WRONG) {
    const headers = authorization === null ? page : { ...page, authorization };
    const refused = refusal("operator", headers, { token: TOKEN });
    assertEquals(refused?.status, 401, `${authorization}`);
    assertEquals(refused?.headers["www-authenticate"], 'Bearer realm="loadbalancer"');
    assertEquals(refused?.message.includes(TOKEN), false, "the token is given away");
  }
  for (const scheme of ["Bearer", "bearer", "BEARER "]) {
    const headers = { ...page, authorization: `${scheme} ${TOKEN}` };
    assertEquals(refusal("operator", headers, { token: TOKEN }), null, scheme);
  }
  assertEquals(refusal("reader", HOST, { token: TOKEN }), null, "reading is open here");
});

for (const listen of ["0.0.0.0:9000", "[::]:9000", "10.0.0.1:9000", "lb.internal:9000"]) {
  Deno.test(`Authority: on ${listen} reading needs the token too, whatever the Host`, () => {
    for (const host of ["lb.example:9000", "10.0.0.1:9000", "127.0.0.1:9000"]) {
      const options = { listen, token: TOKEN };
      for (const authorization of WRONG) {
        const headers = authorization === null ? { host } : { host, authorization };
        assertEquals(refusal("reader", headers, options)?.status, 401, `${host} ${authorization}`);
        const changes = { ...headers, ...JSON_TYPE, origin: `http://${host}` };
        assertEquals(refusal("operator", changes, options)?.status, 401, host);
      }
      const shown = { host, authorization: `Bearer ${TOKEN}` };
      assertEquals(refusal("reader", shown, options), null, host);
      assertEquals(refusal("operator", { ...shown, ...JSON_TYPE }, options), null, host);
    }
  });
}

Deno.test("Authority: what is open to anyone asks for nothing", () => {
  for (const listen of ["127.0.0.1:9000", "0.0.0.0:9000"]) {
    for (const headers of [{}, { host: "evil.example" }, { origin: "https://evil.example" }]) {
      assertEquals(refusal("anyone", headers as Headers, { listen, token: TOKEN }), null);
    }
  }
});
