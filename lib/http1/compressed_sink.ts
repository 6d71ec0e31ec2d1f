/**
 * Where the body of an answer goes that is sent compressed: it passes through an encoder and on to
 * the client. The exchange gives it to the body's mover in place of the client's connection.
 */
import type { Buffers } from "../buffers.ts";
import type { Encoding } from "./accept_encoding.ts";
import type { ByteSink } from "./body.ts";
import { CHUNK_FRAME_BYTES_MAX, encodeChunk } from "./chunked.ts";
import { Compressor, type Zlib } from "./compressor.ts";

/** How to send it on. */
export interface CompressedSinkOptions {
  /** How it is compressed. */
  readonly encoding: Encoding;
  /** How it is framed. */
  readonly coding: "plain" | "chunked";
  /** What it is compressed by. */
  readonly zlib: Zlib;
  /** Where buffers come from. */
  readonly buffers: Buffers;
}

/** So much goes into one chunk, in bytes. */
const CHUNK_BYTES_MAX = 16 * 1024 - CHUNK_FRAME_BYTES_MAX;
const NOTHING = new Uint8Array(0);

/** Compresses what is written to it. */
export class CompressedSink implements ByteSink, Disposable {
  readonly #sink: ByteSink;
  readonly #options: CompressedSinkOptions;
  readonly #compressor: Compressor;

  /** Opens an encoder. The sink stays the caller's. */
  constructor(sink: ByteSink, options: CompressedSinkOptions) {
    this.#sink = sink;
    this.#options = options;
    this.#compressor = new Compressor(options.encoding, options.zlib);
  }

  /** Takes all of it. */
  async write(bytes: Uint8Array): Promise<number> {
    if (bytes.length > 0) await this.#send(await this.#compressor.compress(bytes), false);
    return bytes.length;
  }

  /** Sends what is left and the end of the body; false: the client takes no more. */
  async end(): Promise<boolean> {
    try {
      await this.#send(await this.#compressor.end(), true);
      return true;
    } catch {
      return false;
    }
  }

  /** Closes the encoder. */
  [Symbol.dispose](): void {
    this.#compressor[Symbol.dispose]();
  }

  async #send(bytes: Uint8Array<ArrayBuffer>, last: boolean): Promise<void> {
    if (this.#options.coding === "plain") return await this.#write(bytes);
    const { buffers } = this.#options;
    const buffer = buffers.grow(buffers.take());
    try {
      for (let at = 0; at < bytes.length; at += CHUNK_BYTES_MAX) {
        const run = bytes.subarray(at, at + CHUNK_BYTES_MAX);
        await this.#write(encodeChunk(buffer, { payload: run, last: false }));
      }
      if (last) await this.#write(encodeChunk(buffer, { payload: NOTHING, last }));
    } finally {
      buffers.give(buffer);
    }
  }

  async #write(bytes: Uint8Array = NOTHING): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#sink.write(bytes.subarray(at));
  }
}
