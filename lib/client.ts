/**
 * A client: its connection, and the bytes received from it that no backend has answered yet.
 *
 * Who reads from it changes over its life (the waiting queue, one tunnel after another when a
 * backend fails, the goodbye), but a read that is under way cannot be called back. So there is
 * one read at a time, and whoever comes next joins it.
 *
 * Invariants: what is held stands at the start of the buffer, in order; the buffer goes back to
 * the free list when the client is closed and no read is under way.
 */
import { plainIp } from "./address.ts";
import { BUFFER_BYTES_MAX, type Buffers } from "./buffers.ts";
import type { Backend } from "./backend.ts";
import type { Passage } from "./passage.ts";
import type { PoolClient } from "./pool.ts";
import type { Member } from "./roster.ts";

/** So much is read of a client that waits; the most that all of them together hold follows from it. */
export const AHEAD_BYTES_MAX: number = 16 * 1024;
const NOTHING = new Uint8Array(0);
const NONE: readonly Backend[] = [];

/** An accepted connection. */
export class Client implements Disposable, Member, PoolClient {
  /** For the roster of those that are carried. */
  place: number = -1;
  /** The connection. */
  readonly conn: Deno.TcpConn;
  /** When it came: was accepted, or spoke, on the clock of the deadlines, in milliseconds. */
  arrivedMs: number;
  /** What becomes of it. */
  readonly passage: Passage;
  /** The backends that have failed it. */
  tried: readonly Backend[] = NONE;
  /** How many bytes are held. */
  held = 0;
  /** Has the client ended its side of the stream? */
  ended = false;

  readonly #buffers: Buffers;
  /** Null until the first read, and after it was given away. */
  #buffer: Uint8Array<ArrayBuffer> | null = null;
  #receiving: Promise<void> | null = null;
  #closed = false;

  /** Takes over the connection. */
  constructor(conn: Deno.TcpConn, { arrivedMs, passage, buffers }: {
    readonly arrivedMs: number;
    readonly passage: Passage;
    readonly buffers: Buffers;
  }) {
    this.conn = conn;
    this.arrivedMs = arrivedMs;
    this.passage = passage;
    this.#buffers = buffers;
  }

  /** The address that it came from. */
  get ip(): string {
    return plainIp(this.conn.remoteAddr.hostname);
  }

  /** Has this side closed it? */
  get closed(): boolean {
    return this.#closed;
  }

  /** Is a read under way? */
  get receiving(): boolean {
    return this.#receiving !== null;
  }

  /** Can no more be held? */
  get full(): boolean {
    return this.held === BUFFER_BYTES_MAX;
  }

  /** What is held from a place on: a view, valid until the next {@linkcode receive}. */
  heldFrom(start: number): Uint8Array<ArrayBuffer> {
    return this.#buffer?.subarray(start, this.held) ?? NOTHING;
  }

  /** Forgets what is held. Not while a read is under way. */
  dropHeld(): void {
    this.held = 0;
  }

  /**
   * Forgets what is held and gives the buffer to the caller, who reads from the connection alone
   * from then on. Not while a read is under way.
   */
  releaseBuffer(): Uint8Array<ArrayBuffer> {
    const buffer = this.#buffer ?? this.#buffers.take();
    this.#buffer = null;
    this.held = 0;
    return buffer;
  }

  /**
   * Waits until more is held, or {@linkcode ended} is set. Rejects when the client broke the
   * connection. Must not be called when {@linkcode full}.
   */
  receive(): Promise<void> {
    return this.#receiving ??= this.#receive();
  }

  /**
   * Watches the client while it waits, by reading ahead a little. Resolves to true when it broke the
   * connection; to false when it `waits` no longer, or when enough was read. (One that has asked and
   * ended its side may still want its answer.)
   */
  async hangsUp(waits: () => boolean): Promise<boolean> {
    try {
      while (waits() && !this.ended && this.held < AHEAD_BYTES_MAX) await this.receive();
      return false;
    } catch {
      return true;
    }
  }

  /** Closes the connection; a read under way rejects. A second time does nothing. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.conn[Symbol.dispose]();
    if (this.#receiving === null) this.#giveBuffer();
  }

  async #receive(): Promise<void> {
    try {
      const buffer = this.#buffer = this.#roomy();
      const room = this.held === 0 ? buffer : buffer.subarray(this.held);
      const count = await this.conn.read(room);
      if (count === null) this.ended = true;
      else this.held += count;
    } finally {
      this.#receiving = null;
      if (this.#closed) this.#giveBuffer();
    }
  }

  /** The buffer, with room behind what is held. */
  #roomy(): Uint8Array<ArrayBuffer> {
    if (this.#buffer === null) return this.#buffers.take();
    if (this.held < this.#buffer.length) return this.#buffer;
    return this.#buffers.grow(this.#buffer, this.held);
  }

  #giveBuffer(): void {
    if (this.#buffer !== null) this.#buffers.give(this.releaseBuffer());
  }
}
