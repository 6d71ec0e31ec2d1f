/** The health of a backend against the list of all that was seen of it. */
import fc from "fast-check";
import { Health, type HealthState } from "../../lib/health.ts";
import { assertEquals } from "../support/assert.ts";
import { checkModel, event, type EventOf, historiesOf } from "../support/model_check.ts";

const RUNS = 1000;

const KINDS = [
  event("good", 3),
  event("bad", 3, { final: fc.boolean() }),
];
type Event = EventOf<typeof KINDS>;

/** The state that follows from all that was seen, the first look first. */
function stateAfter(seen: readonly Event[], options: { fall: number; rise: number }): HealthState {
  let state: HealthState = "down";
  let row: readonly Event[] = [];
  for (const [at, each] of seen.entries()) {
    const isContrary = (each.kind === "good") === (state === "down");
    row = isContrary ? [...row, each] : [];
    const needed = each.kind === "good" ? options.rise : each.final ? 1 : options.fall;
    if (isContrary && (at === 0 || row.length >= needed)) {
      state = each.kind === "good" ? "ready" : "down";
      row = [];
    }
  }
  return state;
}

Deno.test("Health: in any history it falls and rises after as many in a row as are asked for", async () => {
  const options = fc.record({
    fall: fc.integer({ min: 1, max: 4 }),
    rise: fc.integer({ min: 1, max: 4 }),
  });
  const histories = fc.tuple(options, historiesOf(KINDS, 40));
  await checkModel({ runs: RUNS, of: histories }, ([options, history]) => {
    const health = new Health(options, 0);
    let sinceMs = 0;
    for (const [at, happens] of history.entries()) {
      const seen = history.slice(0, at + 1);
      const state = stateAfter(seen, options);
      const flips = state !== stateAfter(history.slice(0, at), options);
      const reason = `seen at ${at}`;
      const observation = happens.kind === "good"
        ? { ok: true, reason } as const
        : { ok: false, final: happens.final, reason } as const;
      assertEquals(health.observe(observation, at), flips || at === 0, `is ${at} news?`);
      if (flips) sinceMs = at;
      assertEquals([health.state, health.sinceMs, health.isKnown], [state, sinceMs, true]);
      const isContrary = (happens.kind === "good") !== (state === "ready");
      assertEquals(health.inDoubt, state === "down" || isContrary, `in doubt after ${at}?`);
      if (flips || happens.kind === "bad" && state === "down") assertEquals(health.reason, reason);
    }
  });
});
