import { type Member, Roster } from "../lib/roster.ts";
import { assertEquals } from "./support/assert.ts";
import { Random } from "./support/random.ts";

function member(): Member {
  return { place: -1 };
}

Deno.test("Roster: adding twice and deleting twice count once", () => {
  const roster = new Roster<Member>();
  const [one, two] = [member(), member()];
  for (const each of [one, one, two]) roster.add(each);
  assertEquals(roster.size, 2);
  for (const each of [one, one]) roster.delete(each);
  assertEquals([...roster], [two]);
  assertEquals([one.place, two.place], [-1, 0]);
});

Deno.test("Roster: who leaves while all are visited is not visited later, and nobody is missed", () => {
  const roster = new Roster<Member>();
  const members = Array.from({ length: 5 }, member);
  for (const each of members) roster.add(each);
  const visited: Member[] = [];
  for (const each of roster) {
    visited.push(each);
    roster.delete(each);
  }
  assertEquals(new Set(visited), new Set(members));
  assertEquals(roster.size, 0);
});

Deno.test("Roster: after any history it holds what a Set would", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = new Random(seed);
    const roster = new Roster<Member>();
    const model = new Set<Member>();
    const members = Array.from({ length: 10 }, member);
    for (let step = 0; step < 200; step++) {
      const each = random.pick(members);
      const adds = random.chance(0.5);
      roster[adds ? "add" : "delete"](each);
      model[adds ? "add" : "delete"](each);
      assertEquals(new Set(roster), model, `seed ${seed}, step ${step}`);
      assertEquals(roster.size, model.size);
    }
  }
});
