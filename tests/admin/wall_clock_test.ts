import { WallClock } from "../../lib/admin/wall_clock.ts";
import { assertEquals } from "../support/assert.ts";
import { FakeClock } from "../support/fake_clock.ts";

const NOON_MS = Date.UTC(2026, 0, 2, 12);

Deno.test("WallClock: writes a time of its clock as the date that it was", async () => {
  const clock = new FakeClock(5000);
  const wall = new WallClock(clock, () => NOON_MS + clock.now() - 5000);
  assertEquals(wall.iso(5000), "2026-01-02T12:00:00.000Z");
  await clock.advance(60_000);
  assertEquals(wall.iso(5000), "2026-01-02T12:00:00.000Z");
  assertEquals(wall.iso(65_000), "2026-01-02T12:01:00.000Z");
});

Deno.test("WallClock: a date that wavers does not make the same time another", () => {
  let waver = 0;
  const clock = new FakeClock();
  const wall = new WallClock(clock, () => NOON_MS + waver);
  for (waver of [1, -1, 999, -999, 0]) {
    assertEquals(wall.iso(0), "2026-01-02T12:00:00.000Z", `${waver}`);
  }
});

Deno.test("WallClock: follows when somebody sets the date, or the machine has slept", () => {
  let set = 0;
  const clock = new FakeClock();
  const wall = new WallClock(clock, () => NOON_MS + set);
  set = 3_600_000;
  assertEquals(wall.iso(0), "2026-01-02T13:00:00.000Z");
  set = -3_600_000;
  assertEquals(wall.iso(0), "2026-01-02T11:00:00.000Z");
});
