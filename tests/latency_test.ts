import { Latency } from "../lib/latency.ts";
import { assert, assertEquals, assertLess } from "./support/assert.ts";
import { Random } from "./support/random.ts";

/** What is left of 1 after so many seconds without news. */
function left(seconds: number): number {
  return Math.exp(-seconds / 10);
}

function assertAbout(actual: number, expected: number): void {
  assert(Math.abs(actual - expected) < 1e-6 * expected, `${actual}; expected about ${expected}`);
}

Deno.test("Latency: is 0 while nothing is known, and the first time that is heard of after it", () => {
  const latency = new Latency();
  assertEquals(latency.at(1e9), 0);
  latency.answered(70, 1e9);
  assertEquals(latency.at(1e9), 70);
});

Deno.test("Latency: a longer time counts at once and in full", () => {
  const latency = new Latency();
  for (const ms of [10, 11, 500, 501]) {
    latency.answered(ms, 1000);
    assertEquals(latency.at(1000), ms);
  }
});

Deno.test("Latency: a shorter time counts by how long nothing was heard", () => {
  const latency = new Latency();
  latency.answered(100, 0);
  latency.answered(20, 5000);
  assertAbout(latency.at(5000), 100 * left(5) + 20 * (1 - left(5)));
});

Deno.test("Latency: without news it goes down, to 1/e in ten seconds, however often it is read", () => {
  const latency = new Latency();
  latency.answered(100, 0);
  for (const ms of [1, 10, 100, 1000]) latency.at(ms);
  assertAbout(latency.at(10_000), 100 * left(10));
  latency.answered(10, 60_000);
  assertLess(latency.at(60_000), 11);
});

Deno.test("Latency: with steady answers it stays between the average and the longest", () => {
  const random = new Random(1);
  const latency = new Latency();
  for (let ms = 0; ms < 200_000; ms += 10) {
    latency.answered(random.integer(10, 30), ms);
    const now = latency.at(ms);
    assert(ms < 100 || now > 19 && now <= 30, `${now} at ${ms}`);
  }
});

Deno.test("Latency: a failure counts as a second at least, then twice what is known, up to an hour", () => {
  const latency = new Latency();
  const seen = Array.from({ length: 14 }, () => {
    latency.failed(0, 0);
    return latency.at(0);
  });
  assertEquals(seen, [
    ...Array.from({ length: 12 }, (_, at) => 1000 * 2 ** at),
    3_600_000,
    3_600_000,
  ]);
});

Deno.test("Latency: all that waited at the first failure count as one, who came later counts anew", () => {
  const latency = new Latency();
  for (const tookMs of [500, 1, 300]) latency.failed(tookMs, 0);
  assertEquals(latency.at(0), 1000);
  latency.failed(0, 0);
  assertEquals(latency.at(0), 2000);
});

Deno.test("Latency: a failure that took long counts as long as it took", () => {
  const latency = new Latency();
  latency.failed(90_000, 0);
  assertEquals(latency.at(0), 90_000);
});

Deno.test("Latency: a client that left counts only if it waited longer than is usual", () => {
  const latency = new Latency();
  latency.answered(100, 0);
  latency.unanswered(50, 0);
  assertEquals(latency.at(0), 100);
  latency.unanswered(150, 0);
  assertEquals(latency.at(0), 150);
});

Deno.test("Latency: is never negative or not a number, whatever comes", () => {
  const random = new Random(2);
  const latency = new Latency();
  let now = 0;
  for (let step = 0; step < 5000; step++) {
    now += random.pick([0, 0.001, 10, 1e5, 1e9]);
    const took = random.pick([0, 0.001, 10, 1e7]);
    latency[random.pick(["answered", "unanswered", "failed"] as const)](took, now);
    assert(latency.at(now) >= 0 && latency.at(now) <= 1e7, `step ${step}: ${latency.at(now)}`);
  }
});
