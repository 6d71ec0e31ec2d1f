/**
 * The free list of the data path's buffers. A connection starts with a small one, takes a
 * larger one when its reads fill it, and gives each back when it is done with it: allocating
 * one per connection costs more than copying through it.
 *
 * Invariant: a buffer is given back once, and only when no read or write of it is under way.
 */

/** The sizes, smallest first, in bytes. */
const SIZES = [2 * 1024, 16 * 1024, 64 * 1024] as const;

/** The largest buffer, in bytes. */
export const BUFFER_BYTES_MAX: number = SIZES[2];

/** How many free buffers of each size are kept: 4 MiB, 4 MiB, 16 MiB at the most. */
const KEPT_MAX = [2048, 256, 256] as const;

/** Buffers that wait for their next use. */
export class Buffers {
  readonly #free: Uint8Array<ArrayBuffer>[][] = SIZES.map(() => []);

  /** A small buffer. Its content is left over from its last use. */
  take(): Uint8Array<ArrayBuffer> {
    return this.#take(0);
  }

  /** The smallest buffer with so much room; one that is not kept where that is more than all have. */
  takeFor(bytes: number): Uint8Array<ArrayBuffer> {
    const level = SIZES.findIndex((size) => size >= bytes);
    return level === -1 ? new Uint8Array(bytes) : this.#take(level);
  }

  /** Gives a buffer back. The caller must not touch it again. */
  give(buffer: Uint8Array<ArrayBuffer>): void {
    const level = levelOf(buffer);
    const free = this.#free[level];
    if (free !== undefined && free.length < (KEPT_MAX[level] ?? 0)) free.push(buffer);
  }

  /** Changes a buffer for the next larger one, if there is one, with its first `kept` bytes. */
  grow(buffer: Uint8Array<ArrayBuffer>, kept = 0): Uint8Array<ArrayBuffer> {
    if (buffer.length === BUFFER_BYTES_MAX) return buffer;
    const larger = this.#take(levelOf(buffer) + 1);
    if (kept > 0) larger.set(buffer.subarray(0, kept));
    this.give(buffer);
    return larger;
  }

  /** Changes a buffer for the smallest one. */
  shrink(buffer: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    if (buffer.length === SIZES[0]) return buffer;
    this.give(buffer);
    return this.#take(0);
  }

  /**
   * The buffer for the next read, after one that brought `count` bytes: a larger one when it
   * was filled, a small one when it was hardly used, so that a connection that falls idle does
   * not keep a large one.
   */
  fit(buffer: Uint8Array<ArrayBuffer>, count: number): Uint8Array<ArrayBuffer> {
    if (count === buffer.length) return this.grow(buffer);
    return count < SIZES[0] ? this.shrink(buffer) : buffer;
  }

  #take(level: number): Uint8Array<ArrayBuffer> {
    return this.#free[level]?.pop() ?? new Uint8Array(SIZES[level] ?? BUFFER_BYTES_MAX);
  }
}

/** Its place among the sizes; -1: it has a size of its own. */
function levelOf(buffer: Uint8Array): number {
  return buffer.length === SIZES[0] ? 0 : SIZES.findIndex((size) => size === buffer.length);
}
