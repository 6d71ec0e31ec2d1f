/** The two ends of a byte stream whose every step the test decides. */

/** What a read ends with: bytes, the end of the stream, or an error. */
export type Arrival = string | Uint8Array | null | Error;

/** Bytes of a text, one a character. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** The text of bytes, one character each. */
export function textOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** Where bytes come from. A read ends when something is there for it. */
export class FakeSource {
  /** Reads that were begun. */
  reads = 0;
  /** How much each read had room for. */
  readonly rooms: number[] = [];
  /** The memory that reads were given. */
  readonly memory = new Set<ArrayBufferLike>();
  readonly #arrivals: (Uint8Array | null | Error)[] = [];
  #wake: () => void = () => {};

  /** What has arrived before the first read. */
  constructor(...arrivals: Arrival[]) {
    this.arrive(...arrivals);
  }

  /** Lets each of these end a read, in order; what does not fit into one is left for the next. */
  arrive(...arrivals: Arrival[]): void {
    for (const each of arrivals) {
      this.#arrivals.push(typeof each === "string" ? bytesOf(each) : each);
    }
    this.#wake();
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    this.reads++;
    this.rooms.push(buffer.length);
    this.memory.add(buffer.buffer);
    while (this.#arrivals.length === 0) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const next = this.#arrivals.shift() ?? null;
    if (next instanceof Error) throw next;
    if (next === null) return null;
    const count = Math.min(next.length, buffer.length);
    buffer.set(next.subarray(0, count));
    if (count < next.length) this.#arrivals.unshift(next.subarray(count));
    return count;
  }
}

/** Where bytes go. */
export class FakeSink {
  /** Writes that were begun. */
  writes = 0;
  /** What was taken, one character a byte. */
  text = "";
  /** How many bytes a write takes at the most. */
  takesMax = Infinity;
  /** The memory that was written from. */
  readonly memory = new Set<ArrayBufferLike>();
  #gate: PromiseWithResolvers<void> | null = null;

  /** Keeps writes under way until {@linkcode release} or {@linkcode fail}. */
  hold(): void {
    this.#gate = Promise.withResolvers();
    this.#gate.promise.catch(() => {}); // Whoever writes sees it.
  }

  /** Lets the write that is under way, and all others, succeed. */
  release(): void {
    this.#gate?.resolve();
  }

  /** Lets the write that is under way, and all others, fail. */
  fail(error: Error): void {
    this.#gate ??= Promise.withResolvers();
    this.#gate.promise.catch(() => {}); // Whoever writes sees it.
    this.#gate.reject(error);
  }

  async write(bytes: Uint8Array): Promise<number> {
    this.writes++;
    this.memory.add(bytes.buffer);
    if (this.#gate !== null) await this.#gate.promise;
    const count = Math.min(bytes.length, this.takesMax);
    this.text += textOf(bytes.subarray(0, count));
    return count;
  }
}
