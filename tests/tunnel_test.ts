/** The orders of events in a tunnel that real sockets bring about only now and then. */
import { Buffers } from "../lib/buffers.ts";
import { Client } from "../lib/client.ts";
import { Deadlines } from "../lib/deadlines.ts";
import { ENDING } from "../lib/ending.ts";
import { Passage } from "../lib/passage.ts";
import { Tunnel, type TunnelEnd } from "../lib/tunnel.ts";
import { assertEquals } from "./support/assert.ts";
import { FakeClock } from "./support/fake_clock.ts";

/** One side of a connection whose every step the test decides. */
class FakeConn {
  /** What was written, as text. */
  written = "";
  isClosed = false;
  #reads: PromiseWithResolvers<Uint8Array | null>[] = [];
  #write: PromiseWithResolvers<void> | null = null;
  #holdWrites = false;

  /** Lets the next read end with these bytes, or with the end of the stream. */
  receive(text: string | null): void {
    this.#next(0).resolve(text === null ? null : new TextEncoder().encode(text));
  }

  /** Keeps the writes from here on under way until {@linkcode releaseWrite}. */
  holdWrites(): void {
    this.#holdWrites = true;
  }

  /** Lets the write that is under way succeed. */
  releaseWrite(): void {
    this.#write?.resolve();
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    const bytes = await this.#next(0).promise;
    this.#reads.shift();
    buffer.set(bytes ?? []);
    return bytes === null ? null : bytes.length;
  }

  async write(bytes: Uint8Array): Promise<number> {
    this.written += new TextDecoder().decode(bytes);
    if (this.#holdWrites) {
      this.#write = Promise.withResolvers();
      await this.#write.promise;
    }
    return bytes.length;
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  setNoDelay(): void {}

  [Symbol.dispose](): void {
    this.isClosed = true;
    this.#next(0).reject(new Deno.errors.Interrupted());
    this.#next(0).promise.catch(() => {});
  }

  #next(index: number): PromiseWithResolvers<Uint8Array | null> {
    return this.#reads[index] ??= Promise.withResolvers();
  }
}

function nothing(): void {}

/** A tunnel between two such sides. */
class Bench implements Disposable {
  readonly clock = new FakeClock();
  readonly client = new FakeConn();
  readonly backend = new FakeConn();
  end: TunnelEnd | "still running" = "still running";
  readonly #deadlines = new Deadlines(this.clock);

  constructor() {
    const buffers = new Buffers();
    const passage = new Passage({ transport: "tcp", hostname: "127.0.0.1", port: 1 }, 0);
    const conn = this.client as unknown as Deno.TcpConn;
    const client = new Client(conn, { arrivedMs: 0, passage, buffers });
    const ends = {
      client,
      backend: this.backend as unknown as Deno.TcpConn,
      observer: { asked: nothing, answered: nothing, dropped: nothing },
    };
    const tunnel = new Tunnel(ends, {
      http: true,
      firstByteTimeoutMs: 1000,
      idleTimeoutMs: 1000,
      lingerTimeoutMs: 1000,
      deadlines: this.#deadlines,
      buffers,
    });
    tunnel.run().then((end) => this.end = end);
  }

  /** Lets everything run that can. */
  async settle(): Promise<void> {
    await this.clock.advance(0);
  }

  [Symbol.dispose](): void {
    this.#deadlines[Symbol.dispose]();
  }
}

const GET = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

// Regression: the tunnel gave its deadline up and then waited for more of the client, so the client
// hung and its bridge was lost.
Deno.test("Tunnel: a backend that ends while a GET is being written to it is given up at once", async () => {
  using bench = new Bench();
  bench.backend.holdWrites();
  bench.client.receive(GET);
  await bench.settle();
  bench.backend.receive(null);
  await bench.settle();
  bench.backend.releaseWrite();
  await bench.settle();
  assertEquals(bench.end, "ended");
  assertEquals([bench.backend.isClosed, bench.client.isClosed], [true, false]);
});

// Regression: a write that was under way did not count as sent.
Deno.test("Tunnel: a POST that is being written when the backend ends is not for another", async () => {
  using bench = new Bench();
  bench.backend.holdWrites();
  bench.client.receive("POST / HTTP/1.1\r\n\r\n");
  await bench.settle();
  bench.backend.receive(null);
  await bench.settle();
  bench.backend.releaseWrite();
  await bench.settle();
  bench.client.receive(null);
  await bench.settle();
  assertEquals(bench.end, ENDING.unanswered);
});

Deno.test("Tunnel: a backend that ends before anything is written to it may be replaced", async () => {
  using bench = new Bench();
  await bench.settle();
  bench.backend.receive(null);
  await bench.settle();
  assertEquals(bench.end, "ended");
});

Deno.test("Tunnel: a backend that is silent after a request is given up, the client is not", async () => {
  using bench = new Bench();
  bench.client.receive(GET);
  await bench.clock.advance(2000);
  assertEquals(bench.end, ENDING.firstByteTimeout);
  assertEquals([bench.backend.isClosed, bench.client.isClosed], [true, false]);
});

Deno.test("Tunnel: after the answer has begun, nothing makes it start again", async () => {
  using bench = new Bench();
  bench.client.receive(GET);
  await bench.settle();
  bench.backend.receive("HTTP/1.1 200 OK\r\n\r\n");
  await bench.settle();
  bench.backend.receive(null);
  await bench.settle();
  bench.client.receive(null);
  await bench.settle();
  assertEquals([bench.end, bench.client.written], [ENDING.served, "HTTP/1.1 200 OK\r\n\r\n"]);
});
