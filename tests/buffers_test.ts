import { BUFFER_BYTES_MAX, Buffers } from "../lib/buffers.ts";
import { assert, assertEquals, assertNotEquals, assertStrictEquals } from "./support/assert.ts";
import { Random } from "./support/random.ts";

const SMALL = 2 * 1024;
const MIDDLE = 16 * 1024;
const LARGE = 64 * 1024;

Deno.test("Buffers.takeFor: has so much room; one beyond the largest size is not kept", () => {
  const buffers = new Buffers();
  assertEquals([0, 2048, 2049, 65_536].map((bytes) => buffers.takeFor(bytes).length), [
    2048,
    2048,
    16_384,
    65_536,
  ]);
  const odd = buffers.takeFor(100_000);
  assertEquals(odd.length, 100_000);
  buffers.give(odd);
  assertEquals(buffers.takeFor(65_536).length, 65_536, "only buffers of the largest size");
});

Deno.test("Buffers: a connection starts with 2 KiB, and grows over 16 to 64 KiB and no further", () => {
  const buffers = new Buffers();
  const sizes = [];
  for (let buffer = buffers.take(), step = 0; step < 5; step++, buffer = buffers.grow(buffer)) {
    sizes.push(buffer.length);
  }
  assertEquals(sizes, [SMALL, MIDDLE, LARGE, LARGE, LARGE]);
  assertEquals(BUFFER_BYTES_MAX, LARGE);
});

Deno.test("Buffers.give: what is given back is what is taken next", () => {
  const buffers = new Buffers();
  const buffer = buffers.take();
  buffers.give(buffer);
  assertStrictEquals(buffers.take(), buffer);
  assert(buffers.take() !== buffer, "one buffer for two");
});

Deno.test("Buffers.grow: keeps the bytes that are held, and gives the smaller buffer back", () => {
  const buffers = new Buffers();
  const small = buffers.take();
  for (let at = 0; at < SMALL; at++) small[at] = at % 251;
  const before = small.slice();
  const middle = buffers.grow(small, SMALL);
  assertEquals(middle.length, MIDDLE);
  assertEquals(middle.slice(0, SMALL), before);
  assertStrictEquals(buffers.take(), small);
});

Deno.test("Buffers.grow: copies no more than is held", () => {
  const buffers = new Buffers();
  const small = buffers.take().fill(7);
  const middle = buffers.grow(small, 3);
  assertEquals([...middle.subarray(0, 5)], [7, 7, 7, 0, 0]);
});

Deno.test("Buffers.grow: the largest stays as it is, with all that is in it", () => {
  const buffers = new Buffers();
  const large = buffers.grow(buffers.grow(buffers.take())).fill(9);
  assertStrictEquals(buffers.grow(large, LARGE), large);
  assertEquals(large[LARGE - 1], 9);
});

Deno.test("Buffers.shrink: changes any for a small one, and keeps the larger for its next use", () => {
  const buffers = new Buffers();
  const small = buffers.take();
  assertStrictEquals(buffers.shrink(small), small);
  const middle = buffers.grow(small);
  assertEquals(buffers.shrink(middle).length, SMALL);
  assertStrictEquals(buffers.grow(buffers.take()), middle);
});

Deno.test("Buffers.fit: grows when a read filled it, shrinks when it was hardly used", () => {
  const buffers = new Buffers();
  const small = buffers.take();
  assertStrictEquals(buffers.fit(small, SMALL - 1), small);
  const middle = buffers.fit(small, SMALL);
  assertEquals(middle.length, MIDDLE);
  assertStrictEquals(buffers.fit(middle, SMALL), middle);
  assertStrictEquals(buffers.fit(middle, MIDDLE - 1), middle);
  const large = buffers.fit(middle, MIDDLE);
  assertEquals(large.length, LARGE);
  assertStrictEquals(buffers.fit(large, LARGE), large);
  assertStrictEquals(buffers.fit(large, SMALL), large);
  assertEquals(buffers.fit(large, SMALL - 1).length, SMALL);
});

Deno.test("Buffers: keeps a bounded number of each size", () => {
  const bounds = [[0, 2048], [1, 256], [2, 256]] as const;
  for (const [growth, bound] of bounds) {
    const buffers = new Buffers();
    const taken = Array.from({ length: bound + 10 }, () => grown(buffers, growth));
    for (const buffer of taken) buffers.give(buffer);
    const kept = new Set(taken);
    const again = Array.from({ length: bound + 10 }, () => grown(buffers, growth));
    assertEquals(again.filter((buffer) => kept.has(buffer)).length, bound, `level ${growth}`);
  }
});

function grown(buffers: Buffers, times: number): Uint8Array<ArrayBuffer> {
  let buffer = buffers.take();
  for (let time = 0; time < times; time++) buffer = buffers.grow(buffer);
  return buffer;
}

Deno.test("Buffers: no order of events gives one buffer to two, or changes what one holds", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = new Random(seed);
    const buffers = new Buffers();
    const held = new Map<Uint8Array<ArrayBuffer>, number>();
    const hold = (buffer: Uint8Array<ArrayBuffer>, mark: number): void => {
      assertNotEquals(held.has(buffer), true, `seed ${seed}: one buffer for two`);
      held.set(buffer.fill(mark, 0, 64), mark);
    };
    for (let step = 0; step < 300; step++) {
      const event = random.integer(0, 4);
      if (event <= 1 || held.size === 0) {
        hold(buffers.take(), random.integer(1, 255));
        continue;
      }
      const [buffer, mark] = random.pick([...held]);
      assert(buffer.subarray(0, 64).every((byte) => byte === mark), `seed ${seed}: bytes changed`);
      held.delete(buffer);
      if (event === 2) buffers.give(buffer);
      if (event === 3) hold(checkedGrow(buffers, buffer, mark), mark);
      if (event === 4) hold(buffers.fit(buffer, random.integer(1, buffer.length)), mark);
    }
  }
});

function checkedGrow(
  buffers: Buffers,
  buffer: Uint8Array<ArrayBuffer>,
  mark: number,
): Uint8Array<ArrayBuffer> {
  const larger = buffers.grow(buffer, 64);
  assert(larger.subarray(0, 64).every((byte) => byte === mark), "bytes were lost in growing");
  return larger;
}
