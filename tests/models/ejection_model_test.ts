/** The ejection of a backend against the list of all that its clients and its checks have said. */
import fc from "fast-check";
import { Ejection } from "../../lib/ejection.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { checkModel, event, type EventOf, historiesOf } from "../support/model_check.ts";
import { Random } from "../support/random.ts";

const RUNS = 1000;
const SHORTEST_MS = 10_000;
const LONGEST_MS = 300_000;

/** How long ago the client was sent that is told of. */
const agoMs = fc.oneof(fc.constant(0), fc.nat({ max: 20_000 }));
const KINDS = [
  event("served", 4, { agoMs }),
  event("failed", 10, { agoMs }),
  event("eject", 4),
  event("end", 3),
  event("checked", 5, { passes: fc.boolean() }),
  event("pass", 5, { ms: fc.oneof(fc.nat({ max: 5000 }), fc.nat({ max: 400_000 })) }),
];

class Bench {
  readonly #ejection: Ejection;
  readonly #failuresMax: number;
  #nowMs = 1_000_000;
  /** What counts, the last one last: when clients were sent, and whether they were served. */
  #told: readonly { readonly sentMs: number; readonly isServed: boolean }[] = [];
  #isEjected = false;
  #endedMs = -Infinity;
  /** Checks since it was ejected. */
  #checks: readonly boolean[] = [];
  /** How long the last one was to last, and the next one is, give or take a fifth. */
  #lengthMs = 0;
  #nextMs = SHORTEST_MS;

  constructor(failuresMax: number, seed: number) {
    const random = new Random(seed);
    this.#failuresMax = failuresMax;
    this.#ejection = new Ejection({ failuresMax, random: () => random.next() });
  }

  live(happens: EventOf<typeof KINDS>): void {
    if (happens.kind === "pass") this.#nowMs += happens.ms;
    if (happens.kind === "served" || happens.kind === "failed") this.#tell(happens);
    if (happens.kind === "eject") this.#eject();
    if (happens.kind === "end") this.#end();
    if (happens.kind === "checked") this.#check(happens.passes);
    const { ejected, untilMs } = this.#ejection;
    assertEquals([ejected, untilMs < Infinity], [this.#isEjected, this.#isEjected]);
    assertEquals(this.#ejection.reason(this.#nowMs) !== "", this.#isEjected, "is there a reason?");
  }

  #tell({ kind, agoMs }: { readonly kind: "served" | "failed"; readonly agoMs: number }): void {
    const sentMs = this.#nowMs - agoMs;
    const counts = !this.#isEjected && sentMs >= this.#endedMs;
    const isServed = kind === "served";
    if (counts && !isServed && this.#row === 0 && sentMs - this.#endedMs >= this.#lengthMs) {
      this.#nextMs = SHORTEST_MS; // It has served well for so long.
    }
    if (counts) this.#told = [...this.#told, { sentMs, isServed }];
    if (isServed) return this.#ejection.served(sentMs);
    const isDue = counts && this.#isDue;
    assertEquals(this.#ejection.failed("for the test", sentMs), isDue, "is it due?");
  }

  /** Clients failed in a row. */
  get #row(): number {
    return this.#told.length - 1 - this.#told.findLastIndex(({ isServed }) => isServed);
  }

  get #isDue(): boolean {
    return this.#failuresMax > 0 && this.#row >= this.#failuresMax;
  }

  #eject(): void {
    if (!this.#isDue && !this.#isEjected) return;
    const before = this.#ejection.untilMs;
    this.#ejection.eject(this.#nowMs);
    if (this.#isEjected) return assertEquals(this.#ejection.untilMs, before, "it was ejected");
    this.#isEjected = true;
    this.#checks = [];
    this.#lengthMs = this.#ejection.untilMs - this.#nowMs;
    const part = this.#lengthMs / this.#nextMs;
    assert(part >= 0.8 && part <= 1.2, `it lasts for ${this.#lengthMs} of ${this.#nextMs} ms`);
    this.#nextMs = Math.min(LONGEST_MS, 2 * this.#nextMs);
  }

  #end(): void {
    this.#ejection.end(this.#nowMs);
    if (this.#isEjected) this.#endedMs = this.#nowMs;
    this.#isEjected = false;
  }

  /** Mended is who passes a check after one that it failed while it was ejected. */
  #check(passes: boolean): void {
    const isMended = this.#isEjected && passes && this.#checks.at(-1) === false;
    this.#checks = [...this.#checks, passes];
    assertEquals(this.#ejection.checked(passes), isMended, "is it mended?");
    if (isMended) this.#end();
  }
}

Deno.test("Ejection: in any history it is due, lasts and ends as all that was told says", async () => {
  const histories = fc.tuple(fc.nat({ max: 3 }), fc.nat(), historiesOf(KINDS, 60));
  await checkModel({ runs: RUNS, of: histories }, ([failuresMax, seed, history]) => {
    const bench = new Bench(failuresMax, seed);
    for (const happens of history) bench.live(happens);
  });
});
