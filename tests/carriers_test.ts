import type { Carrier, CarrierSnapshot } from "../lib/carrier.ts";
import { Carriers } from "../lib/carriers.ts";
import { assertEquals } from "./support/assert.ts";
import { makeBackend } from "./support/backends.ts";
import { CapturedLog } from "./support/captured_log.ts";
import { FakeClock, settle } from "./support/fake_clock.ts";

/** A carrier with as many clients as the test says, that tells what it was asked. */
class FakeCarrier implements Carrier {
  left = 0;
  turnedAway = 0;
  readonly #name: string;
  readonly #told: string[];
  readonly #empty = Promise.withResolvers<void>();

  constructor(name: string, told: string[] = []) {
    this.#name = name;
    this.#told = told;
  }

  /** Its last client is closed. */
  end(): void {
    this.left = 0;
    this.#empty.resolve();
  }

  snapshot(): CarrierSnapshot {
    const { left, turnedAway } = this;
    return {
      clients: left,
      carried: left,
      waiting: left > 0 ? 1 : 0,
      lingering: left > 0 ? 2 : 0,
      turnedAway,
      http: null,
    };
  }

  receive(): void {
    this.#tell("receive");
  }

  open(): Promise<void> {
    this.#tell("open");
    return Promise.resolve();
  }

  admit(): void {
    this.#tell("admit");
  }

  dropIdle(): void {
    this.#tell("dropIdle");
  }

  retire(): Promise<void> {
    this.#tell("retire");
    return this.#empty.promise;
  }

  drain(): Promise<void> {
    this.#tell("drain");
    return this.#empty.promise;
  }

  cut(): void {
    this.#tell("cut");
    this.end();
  }

  #tell(what: string): void {
    this.#told.push(`${this.#name} ${what}`);
  }
}

/** No carrier of these tests looks at it. */
const CONN = {} as Deno.TcpConn;

Deno.test("Carriers.replace: new clients go to the new one, everything else to all, the oldest first", () => {
  const told: string[] = [];
  const carriers = new Carriers(new FakeCarrier("a", told));
  carriers.receive(CONN);
  carriers.replace(new FakeCarrier("b", told));
  carriers.receive(CONN);
  carriers.admit();
  carriers.dropIdle(makeBackend());
  carriers.cut();
  assertEquals(told, [
    "a receive",
    "a retire",
    "b receive",
    ...["a admit", "b admit", "a dropIdle", "b dropIdle", "a cut", "b cut"],
  ]);
});

Deno.test("Carriers: a former one is let go when it is empty, and not before", async () => {
  const told: string[] = [];
  const former = new FakeCarrier("a", told);
  const carriers = new Carriers(former);
  carriers.replace(new FakeCarrier("b", told));
  await settle();
  carriers.admit();
  former.end();
  await settle();
  carriers.admit();
  assertEquals(told, ["a retire", "a admit", "b admit", "b admit"]);
});

Deno.test("Carriers.snapshot: sums up all of them; those turned away outlive their carrier", async () => {
  const [one, two, three] = [new FakeCarrier("a"), new FakeCarrier("b"), new FakeCarrier("c")];
  const carriers = new Carriers(one);
  carriers.replace(two);
  carriers.replace(three);
  [one.left, two.left, three.left] = [1, 20, 300];
  [one.turnedAway, two.turnedAway, three.turnedAway] = [4, 50, 600];
  assertEquals(carriers.snapshot(), {
    clients: 321,
    carried: 321,
    waiting: 3,
    lingering: 6,
    turnedAway: 654,
    http: null,
  });
  assertEquals(carriers.left, 321);
  one.end();
  two.end();
  await settle();
  assertEquals(carriers.snapshot(), {
    clients: 300,
    carried: 300,
    waiting: 1,
    lingering: 2,
    turnedAway: 654,
    http: null,
  });
});

Deno.test("Carriers.roomCame: with one carrier nobody else has to know", () => {
  const told: string[] = [];
  const carriers = new Carriers(new FakeCarrier("a", told));
  carriers.roomCame();
  carriers.replace(new FakeCarrier("b", told));
  carriers.roomCame();
  assertEquals(told, ["a retire", "a admit", "b admit"]);
});

Deno.test("Carriers.drain: who is left is told at once and every 5 s, and closed when the time is over", async () => {
  await using log = await CapturedLog.start();
  const clock = new FakeClock(7000);
  const told: string[] = [];
  const [one, two] = [new FakeCarrier("a", told), new FakeCarrier("b", told)];
  const carriers = new Carriers(one);
  carriers.replace(two);
  [one.left, two.left] = [1, 2];
  const drained = carriers.drain({ timeoutMs: 12_000, clock });
  await clock.advance(4999);
  assertEquals(log.lines, ["info: Draining: 3 clients left, 12s until they are closed"]);
  one.end();
  await clock.advance(5001);
  await clock.advance(1999);
  assertEquals(told, ["a retire", "a drain", "b drain"]);
  assertEquals(log.lines.slice(1), [
    "info: Draining: 2 clients left, 7s until they are closed",
    "info: Draining: 2 clients left, 2s until they are closed",
  ]);
  await clock.advance(1);
  await drained;
  assertEquals(log.lines.slice(3), ["warning: Closing 2 clients that are not finished"]);
  assertEquals(clock.pending, 0);
});

Deno.test("Carriers.drain: without clients nothing is said, and no timer is left", async () => {
  await using log = await CapturedLog.start();
  const clock = new FakeClock();
  const carrier = new FakeCarrier("a");
  carrier.end();
  await new Carriers(carrier).drain({ timeoutMs: 12_000, clock });
  assertEquals([log.lines, clock.pending], [[], 0]);
});
