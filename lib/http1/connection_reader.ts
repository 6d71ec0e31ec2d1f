/**
 * Reads from one connection, a client's or a backend's, in http mode, and holds what was read
 * until it is consumed: a head, a body and the next head may come in one piece. Owned by the
 * session (client) and by the exchange (backend), who own the connection too; the parsers look at
 * what is held, the body's mover passes it on.
 *
 * Who waits for the next bytes changes, but a read that is under way cannot be called back. So
 * there is one at a time, and whoever comes next joins it.
 *
 * Invariants: nothing that is held moves or changes while a read is under way; the buffer goes back
 * to the free list when this is disposed of and no read is under way; a connection that waits for
 * its next message holds the smallest buffer, if `shrink` was called.
 */
import { BUFFER_BYTES_MAX, type Buffers } from "../buffers.ts";
import { CHUNK_FRAME_BYTES_MAX } from "./chunked.ts";

/**
 * So much is held at the most, in bytes: what fits, as one chunk with its frame, into one buffer
 * on its way out.
 */
export const HELD_BYTES_MAX: number = BUFFER_BYTES_MAX - CHUNK_FRAME_BYTES_MAX;

const NOTHING = new Uint8Array(0);

/** Where bytes come from: the part of a `Deno.TcpConn` that is used here. */
export interface ByteSource {
  /** Resolves to how many bytes were put into the buffer, null at the end of the stream. */
  read(buffer: Uint8Array): Promise<number | null>;
}

/** What was read from a connection and is not consumed. */
export class ConnectionReader implements Disposable {
  readonly #source: ByteSource;
  readonly #buffers: Buffers;
  /** Null until the first read, and after the end. */
  #buffer: Uint8Array<ArrayBuffer> | null = null;
  /** What is held stands in the buffer from here … */
  #start = 0;
  /** … to here. */
  #end = 0;
  /** How many bytes the last read brought. */
  #lastCount = 0;
  #ended = false;
  #receiving: Promise<boolean> | null = null;
  #disposed = false;

  /** Reads from the source alone from now on. */
  constructor(source: ByteSource, buffers: Buffers) {
    this.#source = source;
    this.#buffers = buffers;
  }

  /** How many bytes are held. */
  get held(): number {
    return this.#end - this.#start;
  }

  /** What is held: a view, valid until the next {@linkcode fill} begins. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer?.subarray(this.#start, this.#end) ?? NOTHING;
  }

  /** Has the peer ended its side of the stream? What is held may still be consumed. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Can no more be held? */
  get full(): boolean {
    return this.held === HELD_BYTES_MAX;
  }

  /** Is a read under way? */
  get receiving(): boolean {
    return this.#receiving !== null;
  }

  /** Lets go of the first bytes held. They stay as they are until the next {@linkcode fill}. */
  consume(count: number): void {
    if (count > this.held) throw new RangeError(`Cannot consume ${count} bytes: ${this.held} held`);
    this.#start += count;
  }

  /**
   * Waits until more is held (true), or until the end of the stream (false). Rejects when the peer
   * broke the connection, or when this was disposed of. Must not be called when {@linkcode full},
   * or while a view of {@linkcode bytes} is being written.
   */
  fill(): Promise<boolean> {
    if (this.#receiving !== null) return this.#receiving;
    if (this.#ended) return Promise.resolve(false);
    if (this.full) throw new RangeError("Cannot fill: no more can be held");
    if (this.#disposed) {
      return Promise.reject(new Deno.errors.Interrupted("Cannot fill: disposed of"));
    }
    const buffer = this.#buffer = this.#roomy();
    const read = this.#source.read(buffer.subarray(this.#end, HELD_BYTES_MAX));
    // Not in an async function: this runs for every message, and its frame is what costs most.
    return this.#receiving = read.then(this.#received, this.#failed);
  }

  /**
   * Between two messages: if nothing is held, the next read starts with the smallest buffer,
   * however long it may take. Does nothing while a read is under way.
   */
  shrink(): void {
    if (this.#buffer === null || this.held > 0 || this.receiving) return;
    this.#buffer = this.#buffers.shrink(this.#buffer);
    this.#start = this.#end = 0;
  }

  /**
   * Forgets what is held, and gives the buffer back once no read is under way. Not while a view of
   * {@linkcode bytes} is being written. A second time does nothing.
   */
  [Symbol.dispose](): void {
    this.#disposed = true;
    if (!this.receiving) this.#giveBuffer();
  }

  readonly #received = (count: number | null): boolean => {
    if (count === null) this.#ended = true;
    this.#lastCount = count ?? 0;
    this.#end += this.#lastCount;
    this.#readEnded();
    return !this.#ended;
  };

  readonly #failed = (error: unknown): never => {
    this.#readEnded();
    throw error;
  };

  #readEnded(): void {
    this.#receiving = null;
    if (this.#disposed) this.#giveBuffer();
  }

  /** The buffer for the next read, with what is held at its start and room behind it. */
  #roomy(): Uint8Array<ArrayBuffer> {
    const buffer = this.#buffer;
    if (buffer === null) return this.#buffers.take();
    const { held } = this;
    const wasFilled = this.#end === Math.min(buffer.length, HELD_BYTES_MAX);
    if (held > 0 && this.#start > 0) buffer.copyWithin(0, this.#start, this.#end);
    this.#start = 0;
    this.#end = held;
    if (wasFilled) return this.#buffers.grow(buffer, held);
    return held === 0 ? this.#buffers.fit(buffer, this.#lastCount) : buffer;
  }

  #giveBuffer(): void {
    if (this.#buffer !== null) this.#buffers.give(this.#buffer);
    this.#buffer = null;
    this.#start = this.#end = 0;
  }
}
