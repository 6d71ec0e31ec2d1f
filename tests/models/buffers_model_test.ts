/** The free list of buffers against the set of those that are out. */
import fc from "fast-check";
import { Buffers } from "../../lib/buffers.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { checkModel, event, type EventOf, historiesOf } from "../support/model_check.ts";

const RUNS = 300;
const KIB = 1024;

const which = fc.nat({ max: 11 });
const bytes = fc.oneof(
  fc.constantFrom(0, 1, 2 * KIB, 2 * KIB + 1, 16 * KIB, 16 * KIB + 1, 64 * KIB, 64 * KIB + 1),
  fc.nat({ max: 70 * KIB }),
);
const KINDS = [
  event("take", 4),
  event("takeFor", 4, { bytes }),
  event("give", 5, { which }),
  event("grow", 4, { which, kept: fc.nat({ max: 20 * KIB }) }),
  event("shrink", 3, { which }),
  event("fit", 3, { which, bytes }),
];
type Event = EventOf<typeof KINDS>;
type Buffer = Uint8Array<ArrayBuffer>;

class Bench {
  readonly #buffers = new Buffers();
  /** Those that are out, each with the number that all its bytes were set to. */
  readonly #out = new Map<Buffer, number>();
  #count = 0;

  live(happens: Event): void {
    if (happens.kind === "take") return this.#took(this.#buffers.take(), 1);
    if (happens.kind === "takeFor") {
      return this.#took(this.#buffers.takeFor(happens.bytes), happens.bytes);
    }
    const all = [...this.#out.keys()];
    const buffer = all[happens.which % all.length];
    // One larger than all that are kept is only given back.
    const isKept = buffer !== undefined && buffer.length <= 64 * KIB;
    if (isKept || buffer !== undefined && happens.kind === "give") this.#change(buffer, happens);
  }

  #change(buffer: Buffer, happens: Exclude<Event, { kind: "take" | "takeFor" }>): void {
    const { length } = buffer;
    const mark = this.#out.get(buffer) ?? -1;
    this.#out.delete(buffer);
    if (happens.kind === "give") return this.#buffers.give(buffer);
    if (happens.kind === "shrink") return this.#took(this.#buffers.shrink(buffer), 1);
    if (happens.kind === "fit") {
      const count = Math.min(happens.bytes, length);
      const next = this.#buffers.fit(buffer, count);
      const isSmallest = next.length <= length;
      assert(count < length ? isSmallest : next.length > length || length >= 64 * KIB, "no fit");
      return this.#took(next, 1);
    }
    const kept = Math.min(happens.kept, length);
    const larger = this.#buffers.grow(buffer, kept);
    assert(larger.length > length || length === 64 * KIB, "it did not grow");
    assert(larger.subarray(0, kept).every((each) => each === mark), "bytes were lost");
    this.#took(larger, 1);
  }

  #took(buffer: Buffer, bytes: number): void {
    assert(!this.#out.has(buffer), "a buffer is out twice");
    assert(buffer.length >= bytes, `${buffer.length} bytes are fewer than ${bytes}`);
    const mark = ++this.#count % 256;
    this.#out.set(buffer, mark);
    buffer.fill(mark);
  }

  /** Whoever holds a buffer finds in it what it wrote. */
  check(): void {
    for (const [buffer, mark] of this.#out) {
      assertEquals([buffer.at(0) ?? mark, buffer.at(-1) ?? mark], [mark, mark]);
    }
  }
}

Deno.test("Buffers: in any history none is out twice, and none loses what is to be kept", async () => {
  await checkModel({ runs: RUNS, of: historiesOf(KINDS, 40) }, (history) => {
    const bench = new Bench();
    for (const happens of history) {
      bench.live(happens);
      bench.check();
    }
  });
});
