import { hash32, hash64, mix32 } from "../../lib/policy/hash.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { Random } from "../support/random.ts";

Deno.test("mix32: is the finalizer of MurmurHash3", () => {
  // From its C code, compiled: fmix32 of 0, 1, 0xdeadbeef and 0xffffffff.
  assertEquals([0, 1, 0xdeadbeef, 0xffffffff].map((bits) => mix32(bits) >>> 0), [
    0,
    1_364_076_727,
    233_162_409,
    2_180_083_513,
  ]);
});

Deno.test("hash32: a change of one bit changes half of the bits, within bounds", () => {
  const random = new Random(1);
  let changed = 0;
  const times = 2000;
  for (let time = 0; time < times; time++) {
    const text = `10.0.${random.integer(0, 255)}.${random.integer(0, 255)}`;
    const at = random.integer(0, text.length - 1);
    const other = String.fromCharCode(text.charCodeAt(at) ^ (1 << random.integer(0, 6)));
    const difference = hash32(text) ^ hash32(text.slice(0, at) + other + text.slice(at + 1));
    changed += [...(difference >>> 0).toString(2)].filter((bit) => bit === "1").length;
  }
  assert(Math.abs(changed / times - 16) < 0.5, `${changed / times} bits`);
});

Deno.test("hash64: 100000 names have 100000 hashes, and the halves differ", () => {
  const names = Array.from({ length: 100_000 }, (_, at) => `10.0.${at >> 8}.${at & 255}:8080`);
  const hashes = names.map(hash64);
  assertEquals(new Set(hashes.map(({ high, low }) => `${high},${low}`)).size, names.length);
  assert(hashes.filter(({ high, low }) => high === low).length < 2);
});

Deno.test("hash64: stays what it was, or balancers of two versions would choose differently", () => {
  assertEquals(hash64("127.0.0.1:1234"), { high: 52_304_129, low: -2_096_819_148 });
  assertEquals(hash64(""), { high: 1_779_033_703, low: -1_150_833_019 });
});
