/** The retry budget against the lists of all requests and all retries. */
import fc from "fast-check";
import { RetryBudget } from "../../lib/http1/retry_budget.ts";
import { assertEquals } from "../support/assert.ts";
import { checkModel, event, historiesOf } from "../support/model_check.ts";

const RUNS = 500;
const WINDOW_SECONDS = 10;

const KINDS = [
  event("request", 4, { times: fc.integer({ min: 1, max: 60 }) }),
  event("take", 4, { times: fc.integer({ min: 1, max: 15 }) }),
  event("pass", 5, {
    ms: fc.oneof(fc.nat({ max: 1500 }), fc.nat({ max: 12_000 }), fc.nat({ max: 100_000 })),
  }),
];

Deno.test("RetryBudget: in any history no more is granted than a fifth of the window, or ten, and no less", async () => {
  const histories = fc.tuple(fc.nat({ max: 50_000 }), historiesOf(KINDS, 50));
  await checkModel({ runs: RUNS, of: histories }, ([startMs, history]) => {
    let nowMs = startMs;
    const budget = new RetryBudget(() => nowMs);
    const requestsMs: number[] = [];
    const retriesMs: number[] = [];
    let refused = 0;
    const secondOf = (ms: number): number => Math.floor(ms / 1000);
    const recent = (list: readonly number[]): number =>
      list.filter((ms) => secondOf(nowMs) - secondOf(ms) < WINDOW_SECONDS).length;
    for (const [at, happens] of history.entries()) {
      if (happens.kind === "pass") nowMs += happens.ms;
      for (let time = 0; happens.kind === "request" && time < happens.times; time++) {
        budget.request();
        requestsMs.push(nowMs);
      }
      for (let time = 0; happens.kind === "take" && time < happens.times; time++) {
        const isGranted = recent(retriesMs) < Math.max(10, Math.floor(recent(requestsMs) / 5));
        assertEquals(budget.take(), isGranted, `event ${at}, retry ${time}`);
        if (isGranted) retriesMs.push(nowMs);
        else refused++;
      }
      assertEquals([budget.taken, budget.refused], [retriesMs.length, refused]);
    }
  });
});
