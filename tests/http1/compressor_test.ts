import zlib from "node:zlib";
import type { Encoding } from "../../lib/http1/accept_encoding.ts";
import { Compressor, loadZlib, type Zlib } from "../../lib/http1/compressor.ts";
import {
  assert,
  assertEquals,
  assertLess,
  assertRejects,
  assertThrows,
} from "../support/assert.ts";
import { settle } from "../support/fake_clock.ts";
import { Random } from "../support/random.ts";

const ENCODINGS: readonly Encoding[] = ["zstd", "gzip", "br"];
const DECOMPRESS = {
  zstd: zlib.zstdDecompressSync,
  gzip: zlib.gunzipSync,
  br: zlib.brotliDecompressSync,
} as const;

/** The module, which notes each encoder that is opened. */
class NotedZlib implements Zlib {
  readonly constants = zlib.constants;
  readonly opened: { readonly closed: boolean }[] = [];

  createGzip(options?: Parameters<Zlib["createGzip"]>[0]): ReturnType<Zlib["createGzip"]> {
    return this.#noted(zlib.createGzip(options));
  }

  createBrotliCompress(
    options?: Parameters<Zlib["createBrotliCompress"]>[0],
  ): ReturnType<Zlib["createBrotliCompress"]> {
    return this.#noted(zlib.createBrotliCompress(options));
  }

  createZstdCompress(
    options?: Parameters<Zlib["createZstdCompress"]>[0],
  ): ReturnType<Zlib["createZstdCompress"]> {
    return this.#noted(zlib.createZstdCompress(options));
  }

  #noted<T extends { readonly closed: boolean }>(stream: T): T {
    this.opened.push(stream);
    return stream;
  }
}

/** Runs a test of each encoding, and fails if it leaves an encoder open. */
function testEach(
  name: string,
  run: (encoding: Encoding, noted: NotedZlib) => Promise<void>,
): void {
  for (const encoding of ENCODINGS) {
    Deno.test(`Compressor: ${name} (${encoding})`, async () => {
      const noted = new NotedZlib();
      await run(encoding, noted);
      await settle();
      assert(noted.opened.length > 0, "the test opens an encoder");
      assertEquals(noted.opened.filter(({ closed }) => !closed).length, 0, "left open");
    });
  }
}

/** Bytes that compress more or less well. */
function randomBytes(random: Random, length: number): Uint8Array<ArrayBuffer> {
  const letters = random.pick([1, 4, 256]);
  return Uint8Array.from({ length }, () => random.integer(0, letters - 1));
}

function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(pieces.flatMap((piece) => [...piece]));
}

testEach(
  "what comes out in the end is what went in, however it was cut",
  async (encoding, noted) => {
    for (let seed = 1; seed <= 25; seed++) {
      const random = new Random(seed);
      const bytes = randomBytes(random, random.pick([0, 1, 100, 5000, 40_000, 150_000]));
      using compressor = new Compressor(encoding, noted);
      const pieces: Uint8Array[] = [];
      let at = 0;
      while (at < bytes.length && random.chance(0.9)) {
        const end = at + random.integer(0, random.pick([3, 2000, 65_536]));
        pieces.push(await compressor.compress(bytes.subarray(at, end)));
        at = Math.min(end, bytes.length);
      }
      pieces.push(
        await (at < bytes.length ? compressor.end(bytes.subarray(at)) : compressor.end()),
      );
      const whole = new Uint8Array(DECOMPRESS[encoding](joined(pieces)));
      assertEquals(whole, bytes, `seed ${seed}`);
    }
  },
);

testEach(
  "all that was given can be read at once, before the next piece",
  async (encoding, noted) => {
    const random = new Random(7);
    using compressor = new Compressor(encoding, noted);
    const given: Uint8Array[] = [];
    const sent: Uint8Array[] = [];
    const decoder = new Decoder(encoding);
    for (const length of [1, 10, 3000, 1, 65_536, 65_536, 17]) {
      given.push(randomBytes(random, length));
      sent.push(await compressor.compress(given.at(-1) ?? new Uint8Array()));
      assertEquals(await decoder.read(sent.at(-1) ?? new Uint8Array()), given.at(-1));
    }
    sent.push(await compressor.end());
    assertEquals(new Uint8Array(DECOMPRESS[encoding](joined(sent))), joined(given));
    decoder.close();
  },
);

testEach(
  "text becomes small, and flushing each piece of 64 KiB costs hardly anything",
  async (encoding, noted) => {
    const random = new Random(3);
    const words = Array.from({ length: 500 }, () => random.integer(0, 1e6).toString(36));
    const text = Array.from({ length: 60_000 }, () => random.pick(words)).join(" ");
    const bytes = new TextEncoder().encode(text);
    using inOne = new Compressor(encoding, noted);
    const least = (await inOne.end(bytes)).length;
    using inPieces = new Compressor(encoding, noted);
    let length = 0;
    for (let at = 0; at < bytes.length; at += 65_536) {
      length += (await inPieces.compress(bytes.subarray(at, at + 65_536))).length;
    }
    length += (await inPieces.end()).length;
    assertLess(least, bytes.length / 2);
    assertLess(length, least * 1.02);
  },
);

testEach(
  "disposed of at any moment, it is closed; what is asked of it then rejects",
  async (encoding, noted) => {
    const bytes = new Uint8Array(1000);
    const unused = new Compressor(encoding, noted);
    unused[Symbol.dispose]();
    const begun = new Compressor(encoding, noted);
    await begun.compress(bytes);
    begun[Symbol.dispose]();
    const ended = new Compressor(encoding, noted);
    await ended.end(bytes);
    ended[Symbol.dispose]();
    ended[Symbol.dispose]();
    for (const closed of [unused, begun, ended]) {
      await assertRejects(() => closed.compress(bytes), Deno.errors.Interrupted);
      await assertRejects(() => closed.end(), Deno.errors.Interrupted);
    }
  },
);

testEach("disposed of while a piece is under way, that rejects", async (encoding, noted) => {
  for (const call of ["compress", "end"] as const) {
    const compressor = new Compressor(encoding, noted);
    const running = compressor[call](new Uint8Array(1000));
    compressor[Symbol.dispose]();
    await assertRejects(() => running, Deno.errors.Interrupted);
  }
});

testEach("at its end it closes by itself", async (encoding, noted) => {
  const compressor = new Compressor(encoding, noted);
  await compressor.end(new Uint8Array(1000));
  await settle();
  assertEquals(noted.opened.map(({ closed }) => closed), [true]);
  await assertRejects(() => compressor.compress(new Uint8Array(1)));
});

testEach("an encoder that fails rejects the call, and is closed", async (encoding, noted) => {
  const compressor = new Compressor(encoding, noted);
  const [stream] = noted.opened as unknown as { destroy(error: Error): void }[];
  const running = compressor.compress(new Uint8Array(1000));
  stream?.destroy(new RangeError("no memory"));
  await assertRejects(() => running);
  await assertRejects(() => compressor.end(), Deno.errors.Interrupted);
});

Deno.test("Compressor: one that fails between two calls fails the next, and nothing else", async () => {
  for (const encoding of ENCODINGS) {
    const noted = new NotedZlib();
    const compressor = new Compressor(encoding, noted);
    const [stream] = noted.opened as unknown as { destroy(error: Error): void }[];
    stream?.destroy(new RangeError("no memory"));
    await settle();
    await assertRejects(() => compressor.compress(new Uint8Array(10)), Deno.errors.Interrupted);
  }
});

Deno.test("Compressor: an encoder that cannot be opened throws", () => {
  const broken: Zlib = {
    ...zlib,
    createGzip: () => {
      throw new RangeError("no memory");
    },
  };
  assertThrows(() => new Compressor("gzip", broken), RangeError, "no memory");
});

Deno.test("loadZlib: has what a compressor needs of the module", async () => {
  const loaded = await loadZlib();
  for (const encoding of ENCODINGS) {
    using compressor = new Compressor(encoding, loaded);
    const whole = DECOMPRESS[encoding](await compressor.end(new TextEncoder().encode("loaded")));
    assertEquals(whole.toString(), "loaded");
  }
});

/** Decompresses as far as it can, piece by piece. */
class Decoder {
  readonly #stream: ReturnType<typeof zlib.createGunzip>;
  readonly #pieces: Uint8Array[] = [];

  constructor(encoding: Encoding) {
    const make = {
      zstd: zlib.createZstdDecompress,
      gzip: zlib.createGunzip,
      br: zlib.createBrotliDecompress,
    };
    this.#stream = make[encoding]() as ReturnType<typeof zlib.createGunzip>;
    this.#stream.on("data", (piece: Uint8Array) => this.#pieces.push(piece));
  }

  /** What comes out of this piece. */
  async read(piece: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
    await new Promise<void>((resolve) => this.#stream.write(piece, () => resolve()));
    return joined(this.#pieces.splice(0));
  }

  close(): void {
    this.#stream.destroy();
  }
}
