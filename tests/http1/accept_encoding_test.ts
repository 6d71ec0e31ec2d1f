import { preferredEncoding } from "../../lib/http1/accept_encoding.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { Random } from "../support/random.ts";

function preferred(...values: readonly string[]): string {
  return preferredEncoding(values.map((value) => ({ name: "Accept-Encoding", value })));
}

Deno.test("preferredEncoding: what clients really send", () => {
  assertEquals(preferred(), "identity");
  assertEquals(preferred("gzip, deflate, br, zstd"), "zstd", "Chrome, Firefox");
  assertEquals(preferred("gzip, deflate, br"), "gzip", "Safari");
  assertEquals(preferred("deflate, gzip, br, zstd"), "zstd", "curl --compressed");
  assertEquals(preferred("gzip"), "gzip", "Go");
  assertEquals(preferred("identity"), "identity", "Python's urllib, wget");
  assertEquals(preferred("br;q=1.0, gzip;q=0.5, *;q=0"), "br");
});

Deno.test("preferredEncoding: the rules of RFC 9110 section 12.5.3, one by one", () => {
  const expected: Readonly<Record<string, string>> = {
    "": "identity",
    "*": "zstd",
    "*;q=0": "identity",
    "gzip, *;q=0": "gzip",
    "zstd;q=0, *": "gzip",
    "zstd;q=0, gzip;q=0, *": "br",
    "gzip;q=0": "identity",
    "gzip;q=0.000": "identity",
    "identity;q=0": "identity",
    "identity;q=0, br": "br",
    "gzip;q=0.5, identity": "identity",
    "gzip;q=0.5, identity;q=0.5": "gzip",
    "gzip;q=0.001": "gzip",
    "gzip;q=0.2, zstd;q=0, br;q=0, *;q=0.5": "identity",
    "gzip;q=0.9, br;q=0.95": "br",
    "zstd;q=0.5, gzip, br": "gzip",
    "X-GZIP": "gzip",
    "GZip ; Q=1": "gzip",
    "\tbr\t;\tq=0.7\t": "br",
    "deflate, compress, exi": "identity",
    ",, ,gzip,": "gzip",
    "gzip;q=0, gzip": "identity",
  };
  for (const [value, encoding] of Object.entries(expected)) {
    assertEquals(preferred(value), encoding, value);
  }
});

Deno.test("preferredEncoding: an element that is not well-formed counts as not said", () => {
  const malformed = [
    "gzip;q=1.1",
    "gzip;q=2",
    "gzip;q=-1",
    "gzip;q=.5",
    "gzip;q=0.1234",
    "gzip;q=1.0000",
    "gzip;q=",
    "gzip;q = 1",
    "gzip;level=9",
    "gzip;q=1;q=1",
    "gz ip",
    '"gzip"',
    "gzip;",
    "gzip q=1",
    "\u00a0gzip",
  ];
  for (const value of malformed) {
    assertEquals(preferred(value), "identity", value);
    assertEquals(preferred(`${value}, br;q=0.1`), "br", value);
  }
});

Deno.test("preferredEncoding: several headers are one list, others are not looked at", () => {
  assertEquals(preferred("br;q=0.5", "gzip;q=0.7"), "gzip");
  const headers = [{ name: "Accept", value: "gzip" }, { name: "TE", value: "gzip" }];
  assertEquals(preferredEncoding(headers), "identity");
  assertEquals(preferredEncoding([{ name: "accept-ENCODING", value: "br" }]), "br");
});

Deno.test("preferredEncoding: whatever is asked, none of ours is weighted higher, and ties go by cost", () => {
  const names = ["zstd", "gzip", "br", "identity", "*", "deflate"];
  const seen = new Set<string>();
  for (let seed = 1; seed <= 2000; seed++) {
    const random = new Random(seed);
    const asked = new Map<string, number>();
    for (const name of names) {
      if (random.chance(0.5)) asked.set(name, random.pick([0, 1, 500, 999, 1000]));
    }
    const elements = [...asked].map(([name, thousandths]) =>
      thousandths === 1000 && random.chance(0.5)
        ? name
        : `${name};q=${(thousandths / 1000).toFixed(3)}`
    );
    elements.sort(() => random.next() - 0.5);
    const value = elements.join(random.pick([",", ", ", " ,\t"]));
    const weightOf = (name: string): number => asked.get(name) ?? asked.get("*") ?? 0;
    const most = Math.max(...["zstd", "gzip", "br"].map(weightOf));
    const isWorthIt = most > 0 && most >= weightOf("identity");
    const best = ["zstd", "gzip", "br"].find((name) => weightOf(name) === most);
    const expected = isWorthIt ? best : "identity";
    assertEquals(preferred(value), expected, `seed ${seed}: ${value}`);
    seen.add(expected ?? "");
  }
  assert(seen.size === 4, "every outcome comes up");
});
