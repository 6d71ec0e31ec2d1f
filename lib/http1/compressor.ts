/**
 * One body on its way through `node:zlib`. The exchange makes one for each answer that is sent
 * compressed, gives it what it reads, sends on what comes out, and disposes of it, whatever happened.
 *
 * Each piece is flushed: all that was given comes out at once, so an answer that the backend sends
 * bit by bit arrives bit by bit, and nobody has to guess whether a backend pauses. That costs size:
 * under 1 % with pieces of 64 KiB, as large bodies are read, 1 to 3 % with 16 KiB, 5 to 15 % with
 * 2 KiB. Whoever knows that a piece is the last gives it to {@linkcode Compressor.end}, where it
 * costs nothing.
 *
 * Bounds: nothing is held but the encoder's own state (zstd 1 MiB, gzip 0.3 MiB, br 1.5 MiB), for as
 * many as there are answers being carried. Deno compresses on the event loop, where 64 KiB of text
 * take half a millisecond (zstd) to one (gzip, br); so pieces should not be larger.
 *
 * Invariants: the encoder is closed when the end has come out, when it fails, and when this is
 * disposed of; a failure rejects the call under way or the next one, and is heard of nowhere else.
 */
import type { Encoding } from "./accept_encoding.ts";

/** What is used of `node:zlib`. */
export type Zlib = Pick<
  typeof import("node:zlib"),
  "constants" | "createBrotliCompress" | "createGzip" | "createZstdCompress"
>;
type Stream =
  | ReturnType<Zlib["createBrotliCompress"]>
  | ReturnType<Zlib["createGzip"]>
  | ReturnType<Zlib["createZstdCompress"]>;
type Done = (error?: Error | null) => void;

/** At the next levels the time (gzip, br) or the memory (zstd) grows far more than the size shrinks. */
const GZIP_LEVEL = 5;
const BROTLI_QUALITY = 4;
const ZSTD_LEVEL = 3;
/** How far back brotli and zstd look, as a power of two: 128 KiB. More takes more memory. */
const WINDOW_BITS = 17;
const NOTHING = new Uint8Array(0);

/** Loads the module: a fiftieth of a second, for which whoever does not compress has no use. */
export function loadZlib(): Promise<Zlib> {
  return import("node:zlib");
}

/** Compresses one body. One call at a time; what is given must stay as it is until it is settled. */
export class Compressor implements Disposable {
  readonly #stream: Stream;
  /** What came out and was not handed out. */
  #pieces: Uint8Array<ArrayBuffer>[] = [];
  #reject: ((reason: unknown) => void) | null = null;

  /** Opens an encoder. */
  constructor(encoding: Encoding, zlib: Zlib) {
    this.#stream = open(encoding, zlib);
    this.#stream.on("data", (piece: Uint8Array<ArrayBuffer>) => this.#pieces.push(piece));
    this.#stream.on("error", (error) => this.#reject?.(error));
  }

  /** Compresses a piece; resolves to all that there is to send of it. May be empty. */
  compress(piece: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
    return this.#step((done) => this.#stream.write(piece, done));
  }

  /** Compresses the last piece, if there is one; resolves to all that is left to send. */
  end(piece: Uint8Array = NOTHING): Promise<Uint8Array<ArrayBuffer>> {
    return this.#step((done) => {
      this.#stream.once("end", () => done());
      this.#stream.end(piece);
    });
  }

  /** Closes the encoder; a call under way rejects. A second time does nothing. */
  [Symbol.dispose](): void {
    this.#pieces = [];
    this.#reject?.(closed());
    this.#stream.destroy();
  }

  #step(start: (done: Done) => void): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#stream.destroyed) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      start((error) => {
        this.#reject = null;
        if (error) reject(error);
        // It may call a piece done that it was closed upon.
        else if (this.#stream.destroyed && !this.#stream.readableEnded) reject(closed());
        else resolve(this.#take());
      });
    });
  }

  #take(): Uint8Array<ArrayBuffer> {
    const pieces = this.#pieces;
    this.#pieces = [];
    const [first = NOTHING] = pieces;
    return pieces.length > 1 ? joined(pieces) : first;
  }
}

function open(encoding: Encoding, zlib: Zlib): Stream {
  const { constants } = zlib;
  switch (encoding) {
    case "zstd":
      return zlib.createZstdCompress({
        flush: constants.ZSTD_e_flush,
        params: {
          [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL,
          [constants.ZSTD_c_windowLog]: WINDOW_BITS,
        },
      });
    case "gzip":
      return zlib.createGzip({ flush: constants.Z_SYNC_FLUSH, level: GZIP_LEVEL });
    case "br":
      return zlib.createBrotliCompress({
        flush: constants.BROTLI_OPERATION_FLUSH,
        params: {
          [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
          [constants.BROTLI_PARAM_LGWIN]: WINDOW_BITS,
        },
      });
  }
}

function closed(): Error {
  return new Deno.errors.Interrupted("Cannot compress: closed");
}

function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
