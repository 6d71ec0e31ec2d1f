/** The roster against a `Set`, also while its members are visited. */
import fc from "fast-check";
import { type Member, Roster } from "../../lib/roster.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { checkModel, event, type EventOf, historiesOf } from "../support/model_check.ts";

const RUNS = 1000;
const MEMBERS = 8;

const which = fc.nat({ max: MEMBERS - 1 });
const CHANGES = [event("add", 5, { which }), event("delete", 5, { which })];
/** What happens between two members of a visit to all. */
const between = historiesOf(CHANGES, 3);
const KINDS = [...CHANGES, event("visit", 3, { between: fc.array(between, { maxLength: 12 }) })];

class Bench {
  readonly #roster = new Roster<Member>();
  readonly #model = new Set<Member>();
  readonly #members = Array.from({ length: MEMBERS }, (): Member => ({ place: -1 }));

  live(happens: EventOf<typeof KINDS>): void {
    if (happens.kind === "visit") this.#visit(happens.between);
    else this.#change(happens);
    assertEquals(new Set(this.#roster), this.#model);
    assertEquals([...this.#roster].length, this.#model.size, "somebody is in it twice");
    assertEquals(this.#roster.size, this.#model.size);
  }

  #change({ kind, which }: EventOf<typeof CHANGES>): void {
    const member = this.#members[which] ?? { place: -1 };
    this.#roster[kind](member);
    this.#model[kind](member);
  }

  #visit(changes: readonly (readonly EventOf<typeof CHANGES>[])[]): void {
    const visited = new Set<Member>();
    const stayed = new Set(this.#model);
    let at = 0;
    for (const member of this.#roster) {
      assert(this.#model.has(member), "one is visited that has left");
      visited.add(member);
      for (const change of changes[at++] ?? []) {
        this.#change(change);
        for (const each of stayed) if (!this.#model.has(each)) stayed.delete(each);
      }
    }
    assertEquals(stayed.difference(visited).size, 0, "one that stayed was not visited");
  }
}

Deno.test("Roster: in any history it holds what a Set would, and a visit misses nobody who stays", async () => {
  await checkModel({ runs: RUNS, of: historiesOf(KINDS, 40) }, (history) => {
    const bench = new Bench();
    for (const happens of history) bench.live(happens);
  });
});
