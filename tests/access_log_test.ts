import { AccessLog, type AccessLogOutput } from "../lib/access_log.ts";
import { ENDING } from "../lib/ending.ts";
import { Passage } from "../lib/passage.ts";
import { assert, assertEquals } from "./support/assert.ts";
import { FakeClock, settle } from "./support/fake_clock.ts";

/** A reader that takes as much at once as it is told, and nothing while it stalls. */
class Reader implements AccessLogOutput {
  text = "";
  writes = 0;
  atOnce = Infinity;
  isBroken = false;
  #stall: PromiseWithResolvers<void> | null = null;

  stall(): void {
    this.#stall = Promise.withResolvers();
  }

  goOn(): void {
    this.#stall?.resolve();
    this.#stall = null;
  }

  get lines(): string[] {
    return this.text.split("\n").slice(0, -1);
  }

  async write(bytes: Uint8Array): Promise<number> {
    this.writes++;
    await this.#stall?.promise;
    if (this.isBroken) throw new Deno.errors.BrokenPipe("Broken pipe");
    const taken = bytes.subarray(0, this.atOnce);
    this.text += new TextDecoder().decode(taken);
    return taken.length;
  }
}

function start(): { clock: FakeClock; reader: Reader; accessLog: AccessLog } {
  const clock = new FakeClock();
  const reader = new Reader();
  const options = { format: "text", output: reader, clock, date: () => 0 } as const;
  return { clock, reader, accessLog: new AccessLog(options) };
}

/** Writes that many lines, told apart by the client's port. */
function write(accessLog: AccessLog, count: number): void {
  for (let port = 1; port <= count; port++) {
    const passage = new Passage({ transport: "tcp", hostname: "10.0.0.1", port }, 0);
    passage.end(ENDING.served);
    accessLog.write(passage, 1);
  }
}

function portsOf(reader: Reader): number[] {
  return reader.lines.map((line) => Number(/ client=10\.0\.0\.1:(\d+) /.exec(line)?.[1]));
}

/** 1 to that. */
function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

Deno.test("AccessLog: lines are written all at once, a tenth of a second after the first", async () => {
  const { clock, reader, accessLog } = start();
  write(accessLog, 20);
  await clock.advance(99);
  assertEquals(reader.writes, 0);
  await clock.advance(1);
  assertEquals([reader.writes, portsOf(reader)], [1, upTo(20)]);
  assertEquals(clock.pending, 0, "no timer without lines");
  await accessLog[Symbol.asyncDispose]();
});

Deno.test("AccessLog: many lines are written before their time", async () => {
  const { reader, accessLog } = start();
  write(accessLog, 1000);
  await settle();
  assert(reader.writes > 0);
  await accessLog[Symbol.asyncDispose]();
  assertEquals(portsOf(reader), upTo(1000));
});

Deno.test("AccessLog: a reader that takes little at once gets all of it", async () => {
  const { clock, reader, accessLog } = start();
  reader.atOnce = 7;
  write(accessLog, 10);
  await clock.advance(100);
  assertEquals(portsOf(reader), upTo(10));
  await accessLog[Symbol.asyncDispose]();
});

Deno.test("AccessLog: what came last is written at the end, without a pause", async () => {
  const { clock, reader, accessLog } = start();
  write(accessLog, 3);
  await accessLog[Symbol.asyncDispose]();
  assertEquals([portsOf(reader), clock.pending], [upTo(3), 0]);
});

Deno.test("AccessLog: a reader that stalls loses whole lines, which are counted, and no memory", async () => {
  const { clock, reader, accessLog } = start();
  reader.stall();
  const count = 200_000;
  write(accessLog, count);
  assert(accessLog.dropped > 0);
  reader.goOn();
  await clock.advance(1000);
  const ports = portsOf(reader);
  assertEquals(ports, upTo(count - accessLog.dropped), "the first ones, whole and in order");
  assert(reader.text.length < 9 * 1024 * 1024);
  const { dropped } = accessLog;
  write(accessLog, 1);
  assertEquals(accessLog.dropped, dropped, "there is room again");
  await accessLog[Symbol.asyncDispose]();
});

Deno.test("AccessLog: at the end nobody waits for ever for a reader that stalls", async () => {
  const { clock, reader, accessLog } = start();
  reader.stall();
  write(accessLog, 1);
  let isOver = false;
  const ending = accessLog[Symbol.asyncDispose]().then(() => isOver = true);
  await clock.advance(4999);
  assertEquals(isOver, false);
  await clock.advance(1);
  assertEquals(isOver, true);
  await ending;
});

Deno.test("AccessLog: a reader that has gone ends it, and lines from then on are counted", async () => {
  const { clock, reader, accessLog } = start();
  reader.isBroken = true;
  write(accessLog, 2);
  await clock.advance(100);
  write(accessLog, 3);
  assertEquals([accessLog.dropped, reader.writes, clock.pending], [3, 1, 0]);
  await accessLog[Symbol.asyncDispose]();
});
