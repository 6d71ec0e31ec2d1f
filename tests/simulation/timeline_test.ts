import { assertEquals, assertRejects } from "../support/assert.ts";
import { Random } from "../support/random.ts";
import { Timeline } from "./timeline.ts";

Deno.test("Timeline: events happen at their moments, those of one moment in the order made", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed);
    const timeline = new Timeline();
    const happened: { readonly atMs: number; readonly made: number }[] = [];
    let count = 0;
    const plan = (delayMs: number): void => {
      const event = { atMs: timeline.now() + delayMs, made: count++ };
      timeline.after(delayMs, () => {
        assertEquals(timeline.now(), event.atMs);
        happened.push(event);
        if (count < 400) plan(random.integer(0, 9));
      });
    };
    for (let step = 0; step < 200; step++) plan(random.integer(0, 50));
    await timeline.runWhile(() => happened.length < 400);
    const sorted = happened.toSorted((one, other) =>
      one.atMs - other.atMs || one.made - other.made
    );
    assertEquals(happened, sorted, `seed ${seed}`);
  }
});

Deno.test("Timeline.after: what is called off does not happen, the others do", async () => {
  const timeline = new Timeline();
  const happened: number[] = [];
  const calls = [3, 1, 2, 5, 4].map((ms) => timeline.after(ms, () => void happened.push(ms)));
  calls[0]?.();
  calls[3]?.();
  calls[3]?.();
  await timeline.runWhile(() => happened.length < 3);
  assertEquals(happened, [1, 2, 4]);
});

Deno.test("Timeline.runWhile: stops where it is told, and goes on from there", async () => {
  const timeline = new Timeline();
  for (const ms of [10, 20, 30]) timeline.after(ms, () => {});
  await timeline.runWhile(() => timeline.now() < 15);
  assertEquals(timeline.now(), 20);
  await timeline.runWhile(() => timeline.now() < 30);
  assertEquals(timeline.now(), 30);
});

Deno.test("Timeline.runWhile: waits for the promises that an event lets go on", async () => {
  const timeline = new Timeline();
  const happened: string[] = [];
  timeline.after(1, async () => {
    await Promise.resolve();
    happened.push("first");
  });
  timeline.after(1, () => void happened.push("second"));
  await timeline.runWhile(() => happened.length < 2);
  assertEquals(happened, ["first", "second"]);
});

Deno.test("Timeline.runWhile: rejects when more is wanted than is to happen", async () => {
  const timeline = new Timeline();
  timeline.after(1, () => {});
  await assertRejects(() => timeline.runWhile(() => true), RangeError, "nothing is to happen");
});
