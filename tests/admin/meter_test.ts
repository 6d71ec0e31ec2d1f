import { Meter, NO_RATES } from "../../lib/admin/meter.ts";
import { Histogram } from "../../lib/histogram.ts";
import { assert, assertEquals } from "../support/assert.ts";

/** Takes a reading each second; each second so many end, and that many of them fail. */
function metered(seconds: readonly (readonly [ended: number, failed: number])[]): Meter {
  const meter = new Meter();
  let [ended, failed] = [0, 0];
  meter.take(0, { ended, failed, answered: [] });
  for (const [second, [more, moreFailed]] of seconds.entries()) {
    ended += more;
    failed += moreFailed;
    meter.take(1000 * (second + 1), { ended, failed, answered: [] });
  }
  return meter;
}

Deno.test("Meter: knows no rates before its second reading", () => {
  const meter = new Meter();
  assertEquals([meter.last, meter.recent], [NO_RATES, NO_RATES]);
  meter.take(0, { ended: 1000, failed: 10, answered: [5] });
  assertEquals([meter.last, meter.recent], [NO_RATES, NO_RATES]);
});

Deno.test("Meter: the last second is one thing, the last five another", () => {
  const meter = metered([[99, 9], [10, 0], [10, 0], [10, 5], [10, 0], [40, 2]]);
  assertEquals(meter.last, { ...NO_RATES, perSecond: 40, failuresPerSecond: 2 });
  assertEquals(meter.recent, { ...NO_RATES, perSecond: 16, failuresPerSecond: 1.4 });
  assertEquals(meter.lastFailed, 2);
});

Deno.test("Meter: a rate is by the time that has really passed", () => {
  const meter = new Meter();
  meter.take(0, { ended: 0, failed: 0, answered: [] });
  meter.take(4000, { ended: 10, failed: 2, answered: [] });
  assertEquals(meter.last, { ...NO_RATES, perSecond: 2.5, failuresPerSecond: 0.5 });
});

Deno.test("Meter: two readings of the same moment are no rate", () => {
  const meter = new Meter();
  meter.take(0, { ended: 0, failed: 0, answered: [] });
  meter.take(0, { ended: 10, failed: 0, answered: [] });
  assertEquals(meter.last, NO_RATES);
});

Deno.test("Meter: times are those observed between the readings, and no others", () => {
  const histogram = new Histogram();
  const meter = new Meter();
  const take = (atMs: number): void => meter.take(atMs, sums(histogram));
  for (let count = 0; count < 1000; count++) histogram.observe(40_000);
  take(0);
  for (let count = 0; count < 98; count++) histogram.observe(4);
  for (let count = 0; count < 2; count++) histogram.observe(400);
  take(1000);
  const { p50Ms, p99Ms } = meter.recent;
  assert(p50Ms !== null && p50Ms > 2.5 && p50Ms <= 5, `p50 was ${p50Ms}`);
  assert(p99Ms !== null && p99Ms > 250 && p99Ms <= 500, `p99 was ${p99Ms}`);
  take(2000);
  assertEquals([meter.last.p50Ms, meter.last.p99Ms], [null, null]);
});

Deno.test("Meter: keeps what was read, not what becomes of it", () => {
  const histogram = new Histogram();
  const meter = new Meter();
  meter.take(0, sums(histogram));
  histogram.observe(4);
  meter.take(1000, sums(histogram));
  assert(meter.last.p50Ms !== null, "the first reading changed with the histogram");
});

Deno.test("Meter: sums that went back are those of something new", () => {
  const meter = metered([[100, 50], [100, 50]]);
  meter.take(3000, { ended: 7, failed: 1, answered: [] });
  assertEquals([meter.recent, meter.last, meter.lastFailed], [NO_RATES, NO_RATES, 0]);
  meter.take(4000, { ended: 9, failed: 1, answered: [] });
  assertEquals(meter.recent.perSecond, 2);
});

function sums({ counts }: Histogram): Parameters<Meter["take"]>[1] {
  return { ended: 0, failed: 0, answered: counts };
}
