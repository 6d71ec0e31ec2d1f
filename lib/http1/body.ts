/**
 * Moves the body of one message from a connection's reader to the other side, piece by piece.
 * Called by the exchange, for requests and for answers, in every pair of framings that RFC 9112, 6
 * has.
 *
 * - Back-pressure: it reads again only when all that it read has been written. Memory stays the
 *   same however large the body is: the reader's buffer, and one more while a chunk is written.
 * - A body that ends too early is not ended on the other side, which so learns of it (RFC 9112, 8).
 * - Who failed is told apart: a client's fault never counts against a backend.
 *
 * Invariants: what follows the body is neither consumed nor changed; nobody else uses the reader
 * until `run` has returned, though a read may be under way before; no promise is left to reject by
 * itself.
 */
import type { Buffers } from "../buffers.ts";
import {
  CHUNK_FRAME_BYTES_MAX,
  ChunkedDecoder,
  ChunkedError,
  type DecodedPiece,
  encodeChunk,
  type Piece,
} from "./chunked.ts";
import type { ConnectionReader } from "./connection_reader.ts";
import type { ResponseBody } from "./framing.ts";

/** Where bytes go: the part of a `Deno.TcpConn` that is used here. */
export interface ByteSink {
  /** Resolves to how many of the bytes were taken. */
  write(bytes: Uint8Array): Promise<number>;
}

/** Who goes by when bytes last moved. */
export interface BodyObserver {
  /** Bytes were read or written; called for each piece, so it must be cheap. */
  active(): void;
}

/** What is moved, from where to where. */
export interface BodyMoverOptions {
  /** Where the body is next. */
  readonly reader: ConnectionReader;
  /** How it comes. */
  readonly framing: ResponseBody;
  /** Where it goes. */
  readonly sink: ByteSink;
  /**
   * How it goes: in chunks, one for each piece that came; or `plain`, which is right for a body
   * whose length was told and for one that the end of the stream ends.
   */
  readonly coding: "plain" | "chunked";
  /** Is told when bytes move. */
  readonly observer: BodyObserver;
  /** Where buffers come from. */
  readonly buffers: Buffers;
}

/**
 * What became of it: all was moved (`complete`); the sender ended the stream too early (`short`);
 * it sent what is no body, with the reason in words to follow "it has" (`malformed`); the reader's
 * or the sink's connection broke (`broken`); or it was `stopped`.
 */
export type BodyEnd =
  | { readonly end: "complete" | "short" | "stopped" }
  | { readonly end: "malformed"; readonly reason: string }
  | { readonly end: "broken"; readonly side: "reader" | "sink"; readonly error: unknown };

/** The body of one message on its way. */
export class BodyMover {
  /** How many bytes of the body were passed on, without framing. */
  bytes = 0;

  readonly #options: BodyMoverOptions;
  readonly #decoder: ChunkedDecoder | null;
  #stopped = false;

  /** Moves nothing yet. */
  constructor(options: BodyMoverOptions) {
    this.#options = options;
    this.#decoder = options.framing === "chunked" ? new ChunkedDecoder() : null;
  }

  /** Moves the body to its end. Never rejects. */
  async run(): Promise<BodyEnd> {
    const { reader, framing, observer } = this.#options;
    if (framing === "none") return { end: "complete" };
    let side: "reader" | "sink" = "reader";
    try {
      while (!this.#stopped) {
        const piece = this.#cut(reader.bytes);
        reader.consume(piece.consumed);
        side = "sink";
        await this.#pass(piece);
        side = "reader";
        if (piece.last) return { end: "complete" };
        if (reader.held > 0) continue; // A read that was under way brought it.
        if (reader.ended) return { end: "short" };
        if (await reader.fill()) observer.active();
      }
      return { end: "stopped" };
    } catch (error) {
      if (error instanceof ChunkedError) return { end: "malformed", reason: error.message };
      return { end: "broken", side, error };
    }
  }

  /**
   * Moves no further piece: `run` returns when the read or write that is under way has ended, and
   * what such a read brings is left in the reader.
   */
  stop(): void {
    this.#stopped = true;
  }

  /** What of the bytes held belongs to the body. */
  #cut(bytes: Uint8Array): DecodedPiece {
    const { framing, reader } = this.#options;
    if (this.#decoder !== null) return this.#decoder.decode(bytes);
    if (typeof framing !== "object") return plainPiece(bytes, reader.ended);
    const left = framing.length - this.bytes;
    return plainPiece(bytes.length > left ? bytes.subarray(0, left) : bytes, bytes.length >= left);
  }

  async #pass(piece: Piece): Promise<void> {
    const { coding, buffers } = this.#options;
    const { payload } = piece;
    if (coding === "plain") {
      await this.#write(payload);
    } else {
      const buffer = buffers.takeFor(payload.length + CHUNK_FRAME_BYTES_MAX);
      try {
        await this.#write(encodeChunk(buffer, piece));
      } finally {
        buffers.give(buffer);
      }
    }
    this.bytes += payload.length;
  }

  /** In as few writes as the sink allows. */
  async #write(bytes: Uint8Array): Promise<void> {
    const { sink, observer } = this.#options;
    for (let at = 0; at < bytes.length;) {
      at += await sink.write(at === 0 ? bytes : bytes.subarray(at));
      observer.active();
    }
  }
}

function plainPiece(payload: Uint8Array, last: boolean): DecodedPiece {
  return { payload, consumed: payload.length, last };
}
