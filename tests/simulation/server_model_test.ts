import { assertEquals } from "../support/assert.ts";
import { Random } from "../support/random.ts";
import { type RequestModel, ServerModel, type ServerSettings } from "./server_model.ts";
import { Timeline } from "./timeline.ts";

/** A server of two slots, 10 ms a request, and what became of its requests. */
class Bench {
  readonly timeline = new Timeline();
  readonly server: ServerModel;
  /** "moment name what". */
  readonly happened: string[] = [];

  constructor(settings: Partial<ServerSettings> = {}) {
    this.server = new ServerModel({
      weight: 1,
      slots: 2,
      meanMs: 10,
      failing: 0,
      ...settings,
      clock: this.timeline,
      random: new Random(1),
    });
  }

  take(name: string, work = 1): RequestModel {
    const note = (what: string) => (): void => {
      this.happened.push(`${this.timeline.now()} ${name} ${what}`);
    };
    const request = { work, answered: note("answered"), dropped: note("dropped") };
    this.server.take(request);
    return request;
  }

  /** Lets time pass until then. */
  async until(untilMs: number): Promise<void> {
    let reached = false;
    this.timeline.after(untilMs - this.timeline.now(), () => {
      reached = true;
    });
    await this.timeline.runWhile(() => !reached);
  }
}

Deno.test("ServerModel: works on as many as it has slots, the others in their order", async () => {
  const bench = new Bench();
  for (const name of "abcde") bench.take(name);
  await bench.until(100);
  const expected = ["10 a", "10 b", "20 c", "20 d", "30 e"].map((each) => `${each} answered`);
  assertEquals(bench.happened, expected);
  assertEquals(bench.server.busyMs, 50);
});

Deno.test("ServerModel: a request takes as long as its work says", async () => {
  const bench = new Bench();
  bench.take("long", 3.5);
  bench.take("short", 0.5);
  await bench.until(100);
  assertEquals(bench.happened, ["5 short answered", "35 long answered"]);
});

Deno.test("ServerModel.entries: counts what is answered, not what is taken or fails", async () => {
  const bench = new Bench();
  for (const name of "abc") bench.take(name);
  assertEquals(bench.server.entries, 0);
  await bench.until(15);
  assertEquals(bench.server.entries, 2);
  const failing = new Bench({ failing: 1 });
  failing.take("a");
  await failing.until(100);
  assertEquals([failing.happened, failing.server.entries], [["1 a dropped"], 0]);
});

Deno.test("ServerModel.leave: frees the slot, or the place in line", async () => {
  const bench = new Bench();
  const [first, , third] = [..."abcd"].map((name) => bench.take(name));
  await bench.until(4);
  if (third !== undefined) bench.server.leave(third);
  if (first !== undefined) bench.server.leave(first);
  await bench.until(100);
  assertEquals(bench.happened, ["10 b answered", "14 d answered"]);
  assertEquals([bench.server.entries, bench.server.busyMs], [2, 24]);
});

Deno.test("ServerModel.restart: drops all, is away, comes back empty and slow, then warms up", async () => {
  const bench = new Bench();
  bench.take("a", 0.5);
  for (const name of "bcd") bench.take(name);
  await bench.until(6);
  bench.server.restart({ awayMs: 100, coldMs: 50, slowdown: 3 });
  assertEquals(bench.happened.splice(0), [
    "5 a answered",
    "6 b dropped",
    "6 c dropped",
    "6 d dropped",
  ]);
  await bench.until(105);
  assertEquals([bench.server.listens, bench.server.entries], [false, 1]);
  await bench.until(106);
  assertEquals([bench.server.listens, bench.server.entries], [true, 0]);
  bench.take("e");
  await bench.until(156);
  bench.take("f");
  await bench.until(200);
  assertEquals(bench.happened, ["136 e answered", "166 f answered"]);
});
