import { RetryBudget } from "../../lib/http1/retry_budget.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { Random } from "../support/random.ts";

/** A budget on a clock that the test turns. */
class Bench {
  nowMs: number;
  readonly budget: RetryBudget;

  constructor(nowMs = 0) {
    this.nowMs = nowMs;
    this.budget = new RetryBudget(() => this.nowMs);
  }

  request(count: number): void {
    for (let each = 0; each < count; each++) this.budget.request();
  }

  /** How many of so many retries are granted. */
  take(count: number): number {
    let granted = 0;
    for (let each = 0; each < count; each++) if (this.budget.take()) granted++;
    return granted;
  }
}

Deno.test("RetryBudget: a balancer without requests may retry ten times, and again when those are past", () => {
  const bench = new Bench(123_456_789);
  assertEquals(bench.take(100), 10);
  bench.nowMs += 9000;
  assertEquals(bench.take(100), 0);
  bench.nowMs += 1000;
  assertEquals(bench.take(100), 10);
});

Deno.test("RetryBudget: under load one of five requests may be sent again, and the floor adds nothing", () => {
  for (const [requests, retries] of [[49, 10], [54, 10], [55, 11], [1000, 200], [1004, 200]]) {
    const bench = new Bench();
    bench.request(requests ?? 0);
    assertEquals(bench.take(5000), retries, `after ${requests} requests`);
  }
});

Deno.test("RetryBudget: requests count for nine seconds at least and ten at most", () => {
  const bench = new Bench(999);
  bench.request(1000);
  bench.nowMs = 9999;
  assertEquals(bench.take(50), 50);
  bench.nowMs = 10_000;
  assertEquals(bench.take(50), 0, "50 of the last second exceed the floor");
});

Deno.test("RetryBudget: after a silence of any length nothing of before counts", () => {
  for (const silenceMs of [10_000, 10_001, 11_000, 25_500, 1e6, 1e15]) {
    const bench = new Bench(5300);
    bench.request(1000);
    assertEquals(bench.take(1000), 200);
    bench.nowMs += silenceMs;
    assertEquals(bench.take(1000), 10, `after ${silenceMs} ms`);
  }
});

Deno.test("RetryBudget: what was granted and what was refused is counted from the start", () => {
  const bench = new Bench();
  bench.take(12);
  bench.nowMs = 60_000;
  bench.take(1);
  assertEquals([bench.budget.taken, bench.budget.refused], [11, 2]);
});

Deno.test("RetryBudget: whatever comes, it grants what a list of all that happened would", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = new Random(seed);
    const bench = new Bench(random.integer(0, 1e9));
    const requests: number[] = [];
    const retries: number[] = [];
    const inWindow = (times: readonly number[]): number =>
      times.filter((ms) => Math.floor(ms / 1000) > Math.floor(bench.nowMs / 1000) - 10).length;
    let both = 0;
    for (let step = 0; step < 1500; step++) {
      if (random.chance(0.02)) bench.nowMs += random.pick([1, 400, 1000, 4321, 9999, 12_345]);
      if (random.chance(0.7)) {
        bench.budget.request();
        requests.push(bench.nowMs);
        continue;
      }
      const expected = inWindow(retries) + 1 <= Math.max(10, inWindow(requests) / 5);
      assertEquals(bench.budget.take(), expected, `seed ${seed}, step ${step}`);
      if (expected) retries.push(bench.nowMs);
      else both++;
    }
    assert(both > 0 && retries.length > 0, `seed ${seed} tries only one of the two`);
  }
});
