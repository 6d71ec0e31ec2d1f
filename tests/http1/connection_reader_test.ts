import { BUFFER_BYTES_MAX, Buffers } from "../../lib/buffers.ts";
import { ConnectionReader, HELD_BYTES_MAX } from "../../lib/http1/connection_reader.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "../support/assert.ts";
import { settle } from "../support/fake_clock.ts";
import { FakeSource, textOf } from "../support/fake_stream.ts";
import { Random } from "../support/random.ts";

const SMALL = 2 * 1024;
const MIDDLE = 16 * 1024;

function readerOf(source: FakeSource, buffers = new Buffers()): ConnectionReader {
  return new ConnectionReader(source, buffers);
}

Deno.test("ConnectionReader: holds nothing and takes no buffer before the first fill", () => {
  const buffers = new Buffers();
  const buffer = buffers.take();
  buffers.give(buffer);
  const reader = readerOf(new FakeSource(), buffers);
  assertEquals([reader.held, reader.bytes.length, reader.ended], [0, 0, false]);
  assertStrictEquals(buffers.take(), buffer);
});

Deno.test("ConnectionReader.fill: each read comes behind what is held", async () => {
  const reader = readerOf(new FakeSource("ab", "cd", "ef"));
  assertEquals(await reader.fill(), true);
  assertEquals(textOf(reader.bytes), "ab");
  await reader.fill();
  assertEquals(textOf(reader.bytes), "abcd");
  reader.consume(3);
  assertEquals([textOf(reader.bytes), reader.held], ["d", 1]);
  await reader.fill();
  assertEquals(textOf(reader.bytes), "def");
});

Deno.test("ConnectionReader.fill: false at the end of the stream, and what is held stays", async () => {
  const source = new FakeSource("ab", null);
  const reader = readerOf(source);
  await reader.fill();
  assertEquals([await reader.fill(), reader.ended, textOf(reader.bytes)], [false, true, "ab"]);
  assertEquals([await reader.fill(), source.reads], [false, 2]);
});

Deno.test("ConnectionReader.fill: rejects when the connection breaks, and what is held stays", async () => {
  const reader = readerOf(new FakeSource("ab", new Deno.errors.ConnectionReset()));
  await reader.fill();
  await assertRejects(() => reader.fill(), Deno.errors.ConnectionReset);
  assertEquals([reader.ended, reader.receiving, textOf(reader.bytes)], [false, false, "ab"]);
});

Deno.test("ConnectionReader.fill: a second caller joins the read that is under way", async () => {
  const source = new FakeSource();
  const reader = readerOf(source);
  assertEquals(reader.receiving, false);
  const fills = [reader.fill(), reader.fill()];
  assertEquals([reader.receiving, source.reads], [true, 1]);
  source.arrive("ab");
  assertEquals(await Promise.all(fills), [true, true]);
  assertEquals([textOf(reader.bytes), reader.receiving, source.reads], ["ab", false, 1]);
});

Deno.test("ConnectionReader.consume: while a read is under way, neither loses nor moves a byte", async () => {
  const source = new FakeSource("abc");
  const reader = readerOf(source);
  await reader.fill();
  const view = reader.bytes;
  const fill = reader.fill();
  reader.consume(3);
  assertEquals(reader.held, 0);
  source.arrive("de");
  await fill;
  assertEquals([textOf(view), textOf(reader.bytes)], ["abc", "de"]);
});

Deno.test("ConnectionReader.consume: no more than is held", async () => {
  const reader = readerOf(new FakeSource("abc"));
  await reader.fill();
  assertThrows(() => reader.consume(4), RangeError, "Cannot consume 4 bytes: 3 held");
  reader.consume(3);
});

Deno.test("ConnectionReader: holds 64 KiB less a chunk's frame, and is full then", async () => {
  const source = new FakeSource(new Uint8Array(2 * BUFFER_BYTES_MAX).map((_, at) => at % 251));
  const reader = readerOf(source);
  while (!reader.full) await reader.fill();
  assertEquals(reader.held, HELD_BYTES_MAX);
  assert(reader.bytes.every((byte, at) => byte === at % 251), "bytes changed");
  assertThrows(() => reader.fill(), RangeError, "Cannot fill: no more can be held");
  reader.consume(1000);
  await reader.fill();
  assertEquals(reader.held, HELD_BYTES_MAX);
  assert(reader.bytes.every((byte, at) => byte === (at + 1000) % 251), "bytes changed");
});

Deno.test("ConnectionReader: reads that fill the buffer get a larger one", async () => {
  const source = new FakeSource(new Uint8Array(4 * BUFFER_BYTES_MAX));
  const reader = readerOf(source);
  while (source.reads < 4) {
    await reader.fill();
    reader.consume(reader.held);
  }
  assertEquals(source.rooms, [SMALL, MIDDLE, HELD_BYTES_MAX, HELD_BYTES_MAX]);
});

Deno.test("ConnectionReader: after a read that was hardly used, the next has a small buffer", async () => {
  const source = new FakeSource(new Uint8Array(SMALL), "ab", "cd");
  const reader = readerOf(source);
  for (let reads = 0; reads < 3; reads++) {
    await reader.fill();
    reader.consume(reader.held);
  }
  assertEquals(source.rooms, [SMALL, MIDDLE, SMALL]);
});

Deno.test("ConnectionReader.shrink: the next read starts with a small buffer", async () => {
  const source = new FakeSource(new Uint8Array(MIDDLE - 1), "ab", "cd");
  const reader = readerOf(source);
  await reader.fill();
  await reader.fill();
  reader.shrink();
  assertEquals(reader.held, MIDDLE - 1, "it dropped what was held");
  reader.consume(reader.held);
  reader.shrink();
  await reader.fill();
  assertEquals([source.rooms.at(-1), textOf(reader.bytes)], [SMALL, "ab"]);
  reader.consume(2);
  const fill = reader.fill();
  reader.shrink();
  await fill;
  assertEquals(textOf(reader.bytes), "cd");
});

Deno.test("ConnectionReader: gives its buffer back when it is disposed of, once", async () => {
  const buffers = new Buffers();
  const source = new FakeSource("ab");
  const reader = readerOf(source, buffers);
  await reader.fill();
  const { buffer } = reader.bytes;
  reader[Symbol.dispose]();
  reader[Symbol.dispose]();
  assertStrictEquals(buffers.take().buffer, buffer);
  assert(buffers.take().buffer !== buffer, "one buffer for two");
  assertEquals([reader.held, reader.bytes.length], [0, 0]);
  await assertRejects(() => reader.fill(), Deno.errors.Interrupted);
  assertEquals(source.reads, 1);
});

Deno.test("ConnectionReader: keeps its buffer while a read is under way", async () => {
  for (const arrival of ["ab", null, new Deno.errors.Interrupted()]) {
    const buffers = new Buffers();
    const source = new FakeSource();
    const reader = readerOf(source, buffers);
    const fill = reader.fill();
    const [buffer] = source.memory;
    reader[Symbol.dispose]();
    assert(buffers.take().buffer !== buffer, "the buffer of a read was given away");
    source.arrive(arrival);
    await fill.catch(() => {}); // How the read ends is not the question here.
    assertStrictEquals(buffers.take().buffer, buffer);
    assertEquals(reader.held, 0);
  }
});

Deno.test("ConnectionReader: no order of events loses, doubles or changes a byte", async () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = new Random(seed);
    const buffers = new Buffers();
    const source = new FakeSource();
    const reader = readerOf(source, buffers);
    let arrived = 0;
    let consumed = 0;
    for (let step = 0; step < 60; step++) {
      const event = random.integer(0, 3);
      if (event === 0) {
        const length = random.pick([1, 10, 1000, SMALL, MIDDLE, BUFFER_BYTES_MAX]);
        source.arrive(new Uint8Array(length).map((_, at) => (arrived + at) % 251));
        arrived += length;
      }
      if (event === 1 && !reader.full) reader.fill();
      if (event === 2) {
        const count = random.chance(0.5) ? reader.held : random.integer(0, reader.held);
        reader.consume(count);
        consumed += count;
      }
      if (event === 3) reader.shrink();
      buffers.give(buffers.take().fill(255)); // Somebody else uses what is free.
      await settle();
      const right = reader.bytes.every((byte, at) => byte === (consumed + at) % 251);
      assert(right, `seed ${seed}, step ${step}`);
    }
    source.arrive(null);
    while (!reader.ended) {
      consumed += reader.held;
      reader.consume(reader.held);
      await reader.fill();
      assertEquals(reader.bytes[0] ?? consumed % 251, consumed % 251, `seed ${seed}`);
    }
    assertEquals(consumed + reader.held, arrived, `seed ${seed}`);
  }
});
