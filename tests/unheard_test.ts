import { Buffers } from "../lib/buffers.ts";
import { Client } from "../lib/client.ts";
import { Deadlines } from "../lib/deadlines.ts";
import { ENDING, type Ending } from "../lib/ending.ts";
import { Passage } from "../lib/passage.ts";
import { Unheard } from "../lib/unheard.ts";
import { assertEquals } from "./support/assert.ts";
import { FakeClock, settle } from "./support/fake_clock.ts";

const REMOTE: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 1 };

/** Unheard clients, and what becomes of them. */
class Bench implements Disposable {
  readonly clock = new FakeClock();
  readonly heard: Client[] = [];
  readonly gone: (readonly [Client, Ending])[] = [];
  readonly #deadlines = new Deadlines(this.clock);
  readonly #buffers = new Buffers();
  readonly unheard = new Unheard({
    timeoutMs: 10_000,
    deadlines: this.#deadlines,
    onHeard: (client) => this.heard.push(client),
    onGone: (client, ending) => this.gone.push([client, ending]),
  });

  /** One more, and what makes it speak: with how many bytes, or none for its end. */
  add(): { readonly client: Client; readonly speak: (bytes: number | null) => void } {
    const { promise, resolve } = Promise.withResolvers<number | null>();
    const conn = { read: () => promise } as unknown as Deno.TcpConn;
    const client = new Client(conn, {
      arrivedMs: this.#deadlines.now,
      passage: new Passage(REMOTE, 0),
      buffers: this.#buffers,
    });
    this.unheard.add(client);
    return { client, speak: resolve };
  }

  [Symbol.dispose](): void {
    this.#deadlines[Symbol.dispose]();
  }
}

Deno.test("Unheard: a client is handed out when it speaks, or when it ends without a word", async () => {
  using bench = new Bench();
  const [first, second] = [bench.add(), bench.add()];
  assertEquals(bench.unheard.size, 2);
  second.speak(3);
  first.speak(null);
  await settle();
  assertEquals(bench.heard, [second.client]);
  assertEquals(bench.gone, [[first.client, ENDING.leftEarly]]);
  assertEquals(bench.unheard.size, 0);
});

Deno.test("Unheard: who says nothing for too long is let go, once, each at its own time", async () => {
  using bench = new Bench();
  const first = bench.add();
  await bench.clock.advance(5000);
  const second = bench.add();
  await bench.clock.advance(5200);
  assertEquals(bench.gone, [[first.client, ENDING.headTimeout]]);
  first.speak(1);
  await bench.clock.advance(5200);
  assertEquals(bench.gone.map(([client]) => client), [first.client, second.client]);
  assertEquals(bench.heard, []);
});

// Regression: after a reload, who had connected and said nothing yet had a second left.
Deno.test("Unheard.settled: waits for as long as they may take; a last call makes that short", async () => {
  using bench = new Bench();
  let isSettled = false;
  bench.add();
  bench.unheard.settled().then(() => isSettled = true);
  await bench.clock.advance(5000);
  assertEquals([isSettled, bench.gone], [false, []]);
  bench.unheard.lastCall();
  await bench.clock.advance(800);
  assertEquals(isSettled, false);
  await bench.clock.advance(400);
  assertEquals([isSettled, bench.gone.length], [true, 1]);
});

Deno.test("Unheard.drop: lets go of all, and none of them twice", async () => {
  using bench = new Bench();
  const clients = [bench.add(), bench.add(), bench.add()];
  bench.unheard.drop(ENDING.drainTimeout);
  for (const { speak } of clients) speak(1);
  await bench.clock.advance(20_000);
  assertEquals(bench.gone.map(([, ending]) => ending), Array(3).fill(ENDING.drainTimeout));
  assertEquals([bench.heard, bench.unheard.size], [[], 0]);
});
