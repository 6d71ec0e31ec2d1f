import { countDown, TELL_MS } from "../lib/countdown.ts";
import { assertEquals } from "./support/assert.ts";
import { FakeClock } from "./support/fake_clock.ts";

Deno.test("countDown: tells at once and every 5 s, until the time is over, and leaves no timer", async () => {
  const clock = new FakeClock();
  const told: number[] = [];
  countDown(2 * TELL_MS + 1500, { clock, tell: (seconds) => told.push(seconds) });
  assertEquals(told, [12]);
  await clock.advance(60_000);
  assertEquals([told, clock.pending], [[12, 7, 2], 0]);
});

Deno.test("countDown: tells no more when it is ended before", async () => {
  const clock = new FakeClock();
  const told: number[] = [];
  const end = countDown(60_000, { clock, tell: (seconds) => told.push(seconds) });
  await clock.advance(TELL_MS);
  end();
  await clock.advance(60_000);
  assertEquals([told, clock.pending], [[60, 55], 0]);
});

Deno.test("countDown: of no time there is nothing to tell", () => {
  const clock = new FakeClock();
  countDown(0, { clock, tell: () => assertEquals("told", "nothing") });
  assertEquals(clock.pending, 0);
});
