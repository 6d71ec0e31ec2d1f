import { BUFFER_BYTES_MAX, Buffers } from "../../lib/buffers.ts";
import { type BodyEnd, BodyMover } from "../../lib/http1/body.ts";
import type { ResponseBody as Framing } from "../../lib/http1/framing.ts";
import { ChunkedDecoder } from "../../lib/http1/chunked.ts";
import { ConnectionReader } from "../../lib/http1/connection_reader.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { settle } from "../support/fake_clock.ts";
import { type Arrival, bytesOf, FakeSink, FakeSource, textOf } from "../support/fake_stream.ts";
import { Random } from "../support/random.ts";
import { connectTcp, type TcpConnection } from "../support/tcp_connection.ts";

type Coding = "plain" | "chunked";

/** A body on its way between ends that the test decides. */
class Bench {
  readonly source: FakeSource;
  readonly sink = new FakeSink();
  readonly buffers = new Buffers();
  readonly reader: ConnectionReader;
  readonly mover: BodyMover;
  /** How often bytes moved. */
  moves = 0;
  end: BodyEnd | "still running" = "still running";

  constructor(framing: Framing, coding: Coding, ...arrivals: Arrival[]) {
    this.source = new FakeSource(...arrivals);
    this.reader = new ConnectionReader(this.source, this.buffers);
    const observer = { active: () => void this.moves++ };
    const { reader, sink, buffers } = this;
    this.mover = new BodyMover({ reader, framing, sink, coding, observer, buffers });
  }

  /** Starts it, and lets everything run that can. */
  async start(): Promise<void> {
    this.mover.run().then((end) => this.end = end);
    await settle();
  }

  /** Moves all there is to move; returns what came of it. */
  async run(): Promise<[end: BodyEnd | "still running", written: string]> {
    await this.start();
    return [this.end, this.sink.text];
  }

  /** What the reader still has, which came behind the body. */
  get behind(): string {
    return textOf(this.reader.bytes);
  }
}

const COMPLETE = { end: "complete" } as const;
const SHORT = { end: "short" } as const;
const RESET = new Deno.errors.ConnectionReset("reset");

interface Case {
  readonly framing: Framing;
  readonly coding: Coding;
  readonly input: string;
  /** What is written, where it came in one piece. */
  readonly output: string;
}

const CASES: Readonly<Record<string, Case>> = {
  "length to plain": { framing: { length: 5 }, coding: "plain", input: "hello", output: "hello" },
  "length to chunked": {
    framing: { length: 5 },
    coding: "chunked",
    input: "hello",
    output: "5\r\nhello\r\n0\r\n\r\n",
  },
  "chunked to plain": {
    framing: "chunked",
    coding: "plain",
    input: "2;a=b\r\nhe\r\n03\r\nllo\r\n0\r\nA: b\r\n\r\n",
    output: "hello",
  },
  "chunked to chunked": {
    framing: "chunked",
    coding: "chunked",
    input: "2;a=b\r\nhe\r\n03\r\nllo\r\n0\r\nA: b\r\n\r\n",
    output: "5\r\nhello\r\n0\r\n\r\n",
  },
  "until-close to plain": {
    framing: "until-close",
    coding: "plain",
    input: "hello",
    output: "hello",
  },
  "until-close to chunked": {
    framing: "until-close",
    coding: "chunked",
    input: "hello",
    output: "5\r\nhello\r\n0\r\n\r\n",
  },
  "no length to plain": { framing: { length: 0 }, coding: "plain", input: "", output: "" },
  "no length to chunked": {
    framing: { length: 0 },
    coding: "chunked",
    input: "",
    output: "0\r\n\r\n",
  },
  "no chunk to plain": { framing: "chunked", coding: "plain", input: "0\r\n\r\n", output: "" },
  "no chunk to chunked": {
    framing: "chunked",
    coding: "chunked",
    input: "0\r\n\r\n",
    output: "0\r\n\r\n",
  },
  "nothing until close to chunked": {
    framing: "until-close",
    coding: "chunked",
    input: "",
    output: "0\r\n\r\n",
  },
  "none to plain": { framing: "none", coding: "plain", input: "", output: "" },
  "none to chunked": { framing: "none", coding: "chunked", input: "", output: "" },
};

/** The payload of what was written. */
function payloadOf(written: string, coding: Coding): string {
  if (coding === "plain" || written === "") return written;
  const bytes = bytesOf(written);
  const { payload, consumed, last } = new ChunkedDecoder().decode(bytes);
  assertEquals([consumed, last], [bytes.length, true], "the chunks are not whole");
  return textOf(payload);
}

Deno.test("BodyMover: moves a body from every framing to every coding, in one write where it can", async () => {
  for (const [name, { framing, coding, input, output }] of Object.entries(CASES)) {
    const behind = framing === "until-close" ? "" : "GET / HTTP/1.1\r\n";
    const bench = new Bench(framing, coding, input + behind, null);
    await bench.reader.fill();
    assertEquals(await bench.run(), [COMPLETE, output], name);
    assertEquals(bench.behind, behind, `${name}: what follows the body is not left as it was`);
    assertEquals(bench.mover.bytes, payloadOf(output, coding).length, name);
    const ends = framing === "until-close" && coding === "chunked" && input !== "" ? 1 : 0;
    assertEquals(bench.sink.writes, (output === "" ? 0 : 1) + ends, name);
  }
});

Deno.test("BodyMover: moves the same on every split of the input", async () => {
  for (const [name, { framing, coding, input, output }] of Object.entries(CASES)) {
    const behind = framing === "until-close" ? "" : "GET";
    const text = input + behind;
    for (let cut = 0; cut <= text.length; cut++) {
      const parts = [text.slice(0, cut), text.slice(cut)].filter((part) => part !== "");
      const bench = new Bench(framing, coding, ...parts, null);
      const [end, written] = await bench.run();
      while (await bench.reader.fill());
      assertEquals(end, COMPLETE, `${name}, cut at ${cut}`);
      assertEquals(payloadOf(written, coding), payloadOf(output, coding), `${name}, cut at ${cut}`);
      assertEquals(bench.behind, behind, `${name}, cut at ${cut}`);
    }
  }
});

Deno.test("BodyMover: reads no further than the end of the body", async () => {
  for (const [name, { framing, coding, input }] of Object.entries(CASES)) {
    if (framing === "until-close") continue;
    const bench = new Bench(framing, coding, ...input);
    assertEquals((await bench.run())[0], COMPLETE, name);
    assertEquals(bench.source.reads, input.length, name);
  }
});

Deno.test("BodyMover: passes on each piece as it comes, as one chunk", async () => {
  const bench = new Bench("chunked", "chunked", "5\r\nhello");
  await bench.start();
  assertEquals(bench.sink.text, "5\r\nhello\r\n");
  bench.source.arrive("\r\n8\r\n, wo");
  await settle();
  bench.source.arrive("rl");
  await settle();
  assertEquals(bench.sink.text, "5\r\nhello\r\n4\r\n, wo\r\n2\r\nrl\r\n");
  assertEquals(bench.end, "still running");
  bench.source.arrive("d!\r\n0\r\n");
  await settle();
  assertEquals(bench.end, "still running");
  bench.source.arrive("\r\n");
  await settle();
  assertEquals(bench.end, COMPLETE);
  assertEquals(payloadOf(bench.sink.text, "chunked"), "hello, world!");
});

Deno.test("BodyMover: a sender that ends too early leaves the body without its end", async () => {
  const short: readonly [Framing, Coding, input: string, written: string][] = [
    [{ length: 6 }, "plain", "hello", "hello"],
    [{ length: 6 }, "chunked", "hello", "5\r\nhello\r\n"],
    ["chunked", "plain", "6\r\nhello", "hello"],
    ["chunked", "chunked", "6\r\nhello", "5\r\nhello\r\n"],
    ["chunked", "chunked", "5\r\nhello\r\n", "5\r\nhello\r\n"],
    ["chunked", "chunked", "5\r\nhello\r\n0\r\n", "5\r\nhello\r\n"],
    ["chunked", "chunked", "", ""],
    [{ length: 1 }, "plain", "", ""],
  ];
  for (const [framing, coding, input, written] of short) {
    const arrivals = input === "" ? [null] : [input, null];
    const bench = new Bench(framing, coding, ...arrivals);
    assertEquals(await bench.run(), [SHORT, written], JSON.stringify([framing, coding, input]));
  }
});

Deno.test("BodyMover: a malformed body ends it with the reason, and is not ended on the other side", async () => {
  const bench = new Bench("chunked", "chunked", "5\r\nhello\r\n", "x\r\n");
  assertEquals(await bench.run(), [
    { end: "malformed", reason: "a malformed chunk size" },
    "5\r\nhello\r\n",
  ]);
});

Deno.test("BodyMover: a malformed body is so on every split, and no byte of it is made up", async () => {
  const input = "2\r\nhe\r\n3;a\r\nllo\r\n6\r\nworldly";
  for (const coding of ["plain", "chunked"] as const) {
    for (let cut = 0; cut <= input.length; cut++) {
      const parts = [input.slice(0, cut), input.slice(cut)].filter((part) => part !== "");
      const [end, written] = await new Bench("chunked", coding, ...parts).run();
      const reason = "a chunk that is longer than its size";
      assertEquals(end, { end: "malformed", reason }, `${coding}, cut at ${cut}`);
      const payload = coding === "plain" ? written : written.replace(/\w+\r\n(\w+)\r\n/g, "$1");
      assert("helloworldl".startsWith(payload), `${coding}, cut at ${cut}: ${payload}`);
    }
  }
});

Deno.test("BodyMover: whose connection broke is told apart", async () => {
  for (const coding of ["plain", "chunked"] as const) {
    for (const framing of [{ length: 9 }, "chunked", "until-close"] as const) {
      const input = framing === "chunked" ? "9\r\nhello" : "hello";
      const name = `${JSON.stringify(framing)} to ${coding}`;
      const reading = new Bench(framing, coding, input, RESET);
      assertEquals((await reading.run())[0], { end: "broken", side: "reader", error: RESET }, name);
      assertEquals(reading.mover.bytes, 5, name);
      const writing = new Bench(framing, coding, input, input);
      writing.sink.fail(RESET);
      assertEquals((await writing.run())[0], { end: "broken", side: "sink", error: RESET }, name);
      assertEquals([writing.mover.bytes, writing.source.reads], [0, 1], name);
    }
  }
});

Deno.test("BodyMover: a sink that breaks at the very end of an until-close body is the sink's fault", async () => {
  const bench = new Bench("until-close", "chunked", "hello");
  await bench.start();
  bench.sink.fail(RESET);
  bench.source.arrive(null);
  await settle();
  assertEquals(bench.end, { end: "broken", side: "sink", error: RESET });
});

Deno.test("BodyMover: reads nothing more while a write is under way", async () => {
  for (const coding of ["plain", "chunked"] as const) {
    for (const framing of [{ length: 10 }, "chunked", "until-close"] as const) {
      const input = framing === "chunked" ? "5\r\nhello\r\n" : "hello";
      const bench = new Bench(framing, coding, input, input);
      bench.sink.hold();
      await bench.start();
      assertEquals([bench.sink.writes, bench.source.reads], [1, 1]);
      bench.sink.release();
      await settle();
      assertEquals(bench.sink.writes, 2);
    }
  }
});

Deno.test("BodyMover: writes on where a write took only a part", async () => {
  for (const [name, { framing, coding, input, output }] of Object.entries(CASES)) {
    for (const takesMax of [1, 2, 3]) {
      const bench = new Bench(framing, coding, ...(input === "" ? [null] : [input, null]));
      bench.sink.takesMax = takesMax;
      assertEquals(await bench.run(), [COMPLETE, output], `${name}, ${takesMax} bytes a write`);
    }
  }
});

Deno.test("BodyMover: tells of each read and of each write that bytes moved", async () => {
  const bench = new Bench({ length: 10 }, "plain", "hello");
  await bench.start();
  assertEquals(bench.moves, 2);
  bench.sink.takesMax = 1;
  bench.source.arrive("world");
  await settle();
  assertEquals([bench.end, bench.moves], [COMPLETE, 2 + 1 + 5]);
});

Deno.test("BodyMover: tells nothing at the end of the stream", async () => {
  const bench = new Bench({ length: 10 }, "plain", null);
  await bench.start();
  assertEquals([bench.end, bench.moves], [SHORT, 0]);
});

Deno.test("BodyMover: writes what is held while a read that was under way before goes on", async () => {
  for (const coding of ["plain", "chunked"] as const) {
    const bench = new Bench({ length: 10 }, coding, "hello");
    await bench.reader.fill();
    bench.reader.fill();
    bench.sink.hold();
    await bench.start();
    assertEquals(bench.sink.writes, 1);
    bench.source.arrive("worldGET");
    await settle();
    bench.sink.release();
    await settle();
    assertEquals(bench.end, COMPLETE);
    assertEquals(payloadOf(bench.sink.text, coding), "helloworld");
    assertEquals([bench.behind, bench.source.reads], ["GET", 2]);
  }
});

Deno.test("BodyMover.stop: leaves what a read under way brings to whoever comes next", async () => {
  const bench = new Bench({ length: 10 }, "plain", "hello");
  await bench.start();
  bench.mover.stop();
  assertEquals(bench.end, "still running");
  bench.source.arrive("world");
  await settle();
  assertEquals([bench.end, bench.sink.text], [{ end: "stopped" }, "hello"]);
  assertEquals(bench.behind, "world");
});

Deno.test("BodyMover.stop: a write under way is ended, and reads no more", async () => {
  const bench = new Bench({ length: 10 }, "plain", "hello", "world");
  bench.sink.hold();
  bench.sink.takesMax = 2;
  await bench.start();
  bench.mover.stop();
  bench.sink.release();
  await settle();
  assertEquals([bench.end, bench.sink.text], [{ end: "stopped" }, "hello"]);
});

Deno.test("BodyMover: a body of 1 GiB goes through two or three buffers, whatever its framing", async () => {
  const GIB = 2 ** 30;
  for (const framing of [{ length: GIB }, "until-close"] as const) {
    for (const coding of ["plain", "chunked"] as const) {
      const memory = new Set<ArrayBufferLike>();
      let left = GIB;
      const source = {
        read: (buffer: Uint8Array): Promise<number | null> => {
          memory.add(buffer.buffer);
          const count = Math.min(buffer.length, left);
          left -= count;
          return Promise.resolve(count === 0 ? null : count);
        },
      };
      let written = 0;
      const sink = {
        write: (bytes: Uint8Array): Promise<number> => {
          if (bytes.length > 64) memory.add(bytes.buffer);
          written += bytes.length;
          return Promise.resolve(bytes.length);
        },
      };
      const buffers = new Buffers();
      const reader = new ConnectionReader(source, buffers);
      const observer = { active: () => {} };
      const mover = new BodyMover({ reader, framing, sink, coding, observer, buffers });
      assertEquals(await mover.run(), COMPLETE);
      assertEquals(mover.bytes, GIB);
      assert(written >= GIB && written < 1.001 * GIB, `${written} bytes were written`);
      const bytes = [...memory].reduce((sum, { byteLength }) => sum + byteLength, 0);
      assert(bytes < 3 * BUFFER_BYTES_MAX, `${bytes} bytes of memory for one body`);
    }
  }
});

Deno.test("BodyMover: gives every buffer back that it takes for a chunk", async () => {
  for (const breaks of [false, true]) {
    const bench = new Bench({ length: 1000 }, "chunked", "x".repeat(1000));
    if (breaks) bench.sink.fail(RESET);
    await bench.start();
    const [used] = bench.sink.memory;
    assertEquals(bench.buffers.take().buffer === used, true, breaks ? "broken" : "complete");
  }
});

Deno.test("BodyMover: no sizes of reads, writes and chunks change a body", async () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = new Random(seed);
    const payload = textOf(
      Uint8Array.from({ length: random.integer(0, 100_000) }, (_, at) => (at * seed) % 251),
    );
    const framing = random.pick<Framing>(["chunked", "until-close", { length: payload.length }]);
    const coding = random.pick<Coding>(["plain", "chunked"]);
    const input = framing === "chunked" ? chunkedText(payload, random) : payload;
    const behind = framing === "until-close" ? "" : "GET / HTTP/1.1\r\n";
    const bench = new Bench(framing, coding, ...cutText(input + behind, random), null);
    bench.sink.takesMax = random.integer(500, 200_000);
    const [end, written] = await bench.run();
    while (await bench.reader.fill());
    assertEquals(end, COMPLETE, `seed ${seed}`);
    assert(payloadOf(written, coding) === payload, `seed ${seed}: the payload changed`);
    assertEquals([bench.behind, bench.mover.bytes], [behind, payload.length], `seed ${seed}`);
  }
});

/** A connection of this machine, from both sides. */
async function connect(): Promise<{ conn: Deno.TcpConn; peer: TcpConnection }> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [conn, peer] = await Promise.all([
    listener.accept(),
    connectTcp({ port: listener.addr.port }),
  ]);
  return { conn, peer };
}

/** Moves a body between real connections until it ends; `act` is what the peers do meanwhile. */
async function moveForReal(
  { framing, coding }: { readonly framing: Framing; readonly coding: Coding },
  act: (sender: TcpConnection, receiver: TcpConnection) => Promise<void>,
): Promise<BodyEnd> {
  const from = await connect();
  const to = await connect();
  const buffers = new Buffers();
  using reader = new ConnectionReader(from.conn, buffers);
  const observer = { active: () => {} };
  const mover = new BodyMover({ reader, framing, sink: to.conn, coding, observer, buffers });
  const moved = mover.run();
  const acted = act(from.peer, to.peer);
  const end = await moved;
  for (const { conn } of [from, to]) conn[Symbol.dispose]();
  await acted;
  for (const { peer } of [from, to]) {
    peer.close();
    await peer.whenEnded();
  }
  return end;
}

Deno.test("BodyMover: over real connections, megabytes arrive as they were", async () => {
  const random = new Random(1);
  const payload = textOf(Uint8Array.from({ length: 3_000_000 }, () => random.integer(0, 255)));
  const input = bytesOf(chunkedText(payload, random));
  for (const coding of ["plain", "chunked"] as const) {
    const pieces: Uint8Array[] = [];
    const end = await moveForReal({ framing: "chunked", coding }, async (sender, receiver) => {
      const sent = sender.write(input);
      for (let bytes = await receiver.read(); bytes !== null; bytes = await receiver.read()) {
        pieces.push(bytes);
      }
      await sent;
    });
    assertEquals(end, COMPLETE);
    const written = pieces.map(textOf).join("");
    assert(payloadOf(written, coding) === payload, `to ${coding}: the payload changed`);
  }
});

Deno.test("BodyMover: over real connections, whose peer resets is told apart", async () => {
  const moved = { framing: "until-close", coding: "chunked" } as const;
  const reading = await moveForReal(moved, async (sender, receiver) => {
    await sender.write(bytesOf("hello"));
    await receiver.read();
    sender.reset();
  });
  assertEquals([reading.end, "side" in reading && reading.side], ["broken", "reader"]);
  const writing = await moveForReal(moved, async (sender, receiver) => {
    receiver.reset();
    try {
      for (;;) await sender.write(new Uint8Array(1000));
    } catch {
      // The mover has given up, and the test has closed the connection.
    }
  });
  assertEquals([writing.end, "side" in writing && writing.side], ["broken", "sink"]);
});

function chunkedText(payload: string, random: Random): string {
  let text = "";
  for (let at = 0; at < payload.length;) {
    const data = payload.slice(at, at += random.integer(1, random.pick([50, 5000, 70_000])));
    text += `${data.length.toString(16)}${random.pick(["", ";a=b"])}\r\n${data}\r\n`;
  }
  return `${text}0\r\n${random.pick(["", "A: b\r\n"])}\r\n`;
}

function cutText(text: string, random: Random): string[] {
  const parts = [];
  for (let at = 0; at < text.length;) {
    parts.push(text.slice(at, at += random.integer(1, random.pick([100, 3000, 70_000]))));
  }
  return parts;
}
