import { Deadlines } from "../lib/deadlines.ts";
import { Dialer, type DialTarget, isItself } from "../lib/dial.ts";
import { BalancerError } from "../lib/errors.ts";
import { assert, assertEquals, assertRejects } from "./support/assert.ts";
import { BlackHole } from "./support/black_hole.ts";
import { FakeClock } from "./support/fake_clock.ts";
import { deadPort, RawServer, readAll } from "./support/raw_server.ts";

/** A dialer under a clock that is turned by hand. */
class Bench implements Disposable {
  readonly clock = new FakeClock();
  readonly deadlines = new Deadlines(this.clock);
  readonly dialer = new Dialer({ timeoutMs: 3000, deadlines: this.deadlines });

  /** Dials; how that fails. */
  async failure(target: DialTarget): Promise<BalancerError> {
    return await assertRejects(() => this.dialer.dial(target), BalancerError);
  }

  [Symbol.dispose](): void {
    this.deadlines[Symbol.dispose]();
  }
}

/** A backend of this machine whose state the test decides. */
function backendAt(port: number): { address: DialTarget["address"]; state: DialTarget["state"] } {
  return { address: { hostname: "127.0.0.1", port }, state: "ready" };
}

Deno.test("Dialer: a connection is the caller's, and nothing is watched any more", async () => {
  using bench = new Bench();
  await using server = new RawServer(async (conn) => void await readAll(conn));
  using conn = await bench.dialer.dial(backendAt(server.port));
  assertEquals([conn.remoteAddr.port, bench.deadlines.size], [server.port, 0]);
});

Deno.test("Dialer: who refuses has failed, another may be tried, and nothing is watched", async () => {
  using bench = new Bench();
  const error = await bench.failure(backendAt(deadPort()));
  const { code, side, retryable, state } = error;
  assertEquals([code, side, retryable], ["refused", "backend", true]);
  assertEquals([state, bench.deadlines.size], ["connection refused", 0]);
});

Deno.test("Dialer: who does not answer has its time, and the error says how long that was", async () => {
  using bench = new Bench();
  await using hole = await BlackHole.dig();
  const failure = bench.failure(backendAt(hole.port));
  await bench.clock.advance(2900);
  assertEquals(bench.deadlines.size, 1, "given up too early");
  await bench.clock.advance(200);
  const { code, retryable, state } = await failure;
  assertEquals([code, retryable, state], ["timeout", true, "no connection within 3s"]);
  assertEquals(bench.deadlines.size, 0);
});

Deno.test("Dialer: nobody waits for a backend that went down meanwhile", async () => {
  using bench = new Bench();
  await using hole = await BlackHole.dig();
  const target = backendAt(hole.port);
  const failure = bench.failure(target);
  target.state = "down";
  await bench.clock.advance(200);
  const { retryable, state } = await failure;
  assertEquals([retryable, state, bench.deadlines.size], [true, "it is down", 0]);
});

Deno.test("isItself: only a connection whose both ends are the same", () => {
  const here = { transport: "tcp", hostname: "127.0.0.1", port: 5000 } as const;
  const ends = (localAddr: Deno.NetAddr, remoteAddr: Deno.NetAddr): Deno.TcpConn =>
    ({ localAddr, remoteAddr }) as Deno.TcpConn;
  assert(isItself(ends(here, here)));
  assert(!isItself(ends(here, { ...here, port: 5001 })));
  assert(!isItself(ends(here, { ...here, hostname: "127.0.0.2" })));
});
