import { BOUNDS_MS, Histogram, quantileMs } from "../lib/histogram.ts";
import { assert, assertEquals } from "./support/assert.ts";
import { Random } from "./support/random.ts";

Deno.test("Histogram: a time counts in the first bucket whose bound it does not exceed", () => {
  for (const [bucket, boundMs] of BOUNDS_MS.entries()) {
    const histogram = new Histogram();
    histogram.observe(boundMs);
    histogram.observe(boundMs + 0.001);
    assertEquals([histogram.counts[bucket], histogram.counts[bucket + 1]], [1, 1], `${boundMs}`);
    assertEquals(histogram.count, 2);
    assertEquals(histogram.sumMs, boundMs + (boundMs + 0.001));
  }
});

Deno.test("Histogram: its bounds rise", () => {
  assertEquals(BOUNDS_MS, [...new Set(BOUNDS_MS)].sort((one, other) => one - other));
});

Deno.test("quantileMs: is null where nothing was observed", () => {
  assertEquals(quantileMs(new Histogram().counts, 0.5), null);
});

Deno.test("quantileMs: lies in the bucket of the true one, whatever was observed", () => {
  const random = new Random(7);
  for (let round = 0; round < 200; round++) {
    const histogram = new Histogram();
    const times = Array.from(
      { length: 1 + Math.floor(random.next() * 50) },
      () => 0.1 * 10 ** (random.next() * 5.5),
    );
    for (const ms of times) histogram.observe(ms);
    times.sort((one, other) => one - other);
    for (const share of [0, 0.5, 0.9, 0.99, 1]) {
      const exactMs = times[Math.max(0, Math.ceil(share * times.length) - 1)] ?? NaN;
      const upper = BOUNDS_MS.findIndex((boundMs) => exactMs <= boundMs);
      const found = quantileMs(histogram.counts, share) ?? NaN;
      assert(
        found >= (BOUNDS_MS[upper - 1] ?? 0) && found <= (BOUNDS_MS[upper] ?? Infinity),
        `${share} of ${times}: ${found}`,
      );
    }
  }
});

Deno.test("quantileMs: above the last bound it is the last bound", () => {
  const histogram = new Histogram();
  histogram.observe(10 * (BOUNDS_MS.at(-1) ?? NaN));
  assertEquals(quantileMs(histogram.counts, 0.5), BOUNDS_MS.at(-1));
});
