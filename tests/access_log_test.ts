import { AccessLog, type AccessLogOutput } from "../lib/access_log.ts";
import { ENDING } from "../lib/ending.ts";
import { Passage } from "../lib/passage.ts";
import { assert, assertEquals, assertMatch } from "./support/assert.ts";
import { CapturedLog } from "./support/captured_log.ts";
import { FakeClock, settle } from "./support/fake_clock.ts";

/** A reader that takes as much at once as it is told, and nothing while it stalls. */
class Reader implements AccessLogOutput {
  text = "";
  writes = 0;
  atOnce = Infinity;
  /** What writing fails with; null: it does not. */
  error: Error | null = null;
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
    if (this.error !== null) throw this.error;
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

Deno.test("AccessLog: at the end a slow reader is waited for as long as it reads", async () => {
  const { clock, reader, accessLog } = start();
  reader.stall();
  write(accessLog, 300);
  let isOver = false;
  const ending = accessLog[Symbol.asyncDispose]().then(() => isOver = true);
  for (let second = 4; second <= 20; second += 4) {
    await clock.advance(4000);
    assertEquals(isOver, false, `after ${second}s`);
    reader.goOn();
    reader.stall();
  }
  reader.goOn();
  await clock.advance(0);
  await ending;
  assertEquals([portsOf(reader), accessLog.dropped], [upTo(300), 0]);
});

Deno.test("AccessLog: at the end it is told how many lines were dropped, first and last ones", async () => {
  await using captured = await CapturedLog.start();
  const { clock, reader, accessLog } = start();
  reader.stall();
  write(accessLog, 200_000);
  const ending = accessLog[Symbol.asyncDispose]();
  await clock.advance(5000);
  await ending;
  assertEquals(accessLog.dropped, 200_000, "nothing was read");
  assertEquals(captured.lines.at(-1), "warning: The access log has dropped 200000 lines");
  assertEquals(clock.pending, 0);
});

Deno.test("AccessLog: while a reader is too slow, the log tells every 5 s how many were dropped", async () => {
  await using captured = await CapturedLog.start();
  const { clock, reader, accessLog } = start();
  reader.stall();
  write(accessLog, 100_000);
  const { dropped } = accessLog;
  assertEquals(captured.lines, [
    "warning: The access log is read too slowly: lines are dropped from now on",
  ]);
  await clock.advance(4999);
  assertEquals(captured.lines.length, 1);
  await clock.advance(1);
  assertEquals(
    captured.lines[1],
    `warning: The access log is read too slowly: ${dropped} lines dropped`,
  );
  write(accessLog, 1);
  await clock.advance(5000);
  assertEquals(captured.lines[2], "warning: The access log is read too slowly: 1 line dropped");
  await clock.advance(60_000);
  assertEquals(captured.lines.length, 3, "no more of it than there is to tell");
  reader.goOn();
  await accessLog[Symbol.asyncDispose]();
});

Deno.test("AccessLog: a reader that has gone ends it, and all lines that it did not take are counted", async () => {
  await using captured = await CapturedLog.start();
  const { clock, reader, accessLog } = start();
  reader.error = new Deno.errors.BrokenPipe("Broken pipe");
  write(accessLog, 2);
  await clock.advance(100);
  write(accessLog, 3);
  await clock.advance(60_000);
  assertEquals([accessLog.dropped, reader.writes, clock.pending], [5, 1, 0]);
  await accessLog[Symbol.asyncDispose]();
  assertEquals(captured.lines, [
    "error: The access log ends here: its reader has gone",
    "warning: The access log has dropped 5 lines",
  ]);
});

Deno.test("AccessLog: a full disk that has room again gets whole lines again, and both are told once", async () => {
  await using captured = await CapturedLog.start();
  const { clock, reader, accessLog } = start();
  const writeSome = reader.write.bind(reader);
  const linesOfWrites: number[] = [];
  reader.write = (bytes) => {
    linesOfWrites.push(bytes.filter((byte) => byte === 0x0a).length);
    if (reader.text !== "") reader.error = new Error("No space left on device (os error 28)");
    return writeSome(bytes);
  };
  reader.atOnce = 250; // A whole line, and some of the next.
  write(accessLog, 3);
  await clock.advance(60_000);
  const { writes } = reader;
  assert(writes >= 10 && writes <= 25, `${writes}: tried again, with pauses that grow`);
  assertEquals(reader.text.split("\n").map((line) => line.endsWith(" reason=-")), [true, false]);
  assertEquals(linesOfWrites.slice(2).filter((count) => count !== 1), [], "one line at a time");
  write(accessLog, 2);
  reader.write = writeSome;
  reader.error = null;
  await clock.advance(4000);
  const areWhole = reader.lines.map((line) => line.endsWith(" reason=-"));
  assertEquals(areWhole, [true, false, true, true, true]);
  assertEquals(portsOf(reader), [1, 2, 3, 1, 2]);
  await accessLog[Symbol.asyncDispose]();
  assertMatch(captured.lines[0] ?? "", /^error: The access log cannot be written.*No space left/);
  assertEquals(captured.lines.slice(1), [
    "warning: The access log is written again; 1 line dropped meanwhile",
    "warning: The access log has dropped 1 line",
  ]);
});
