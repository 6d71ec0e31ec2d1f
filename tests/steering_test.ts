import { BACKENDS_MAX } from "../lib/config.ts";
import { parseBackend } from "../lib/backend_argument.ts";
import { SteeringError } from "../lib/errors.ts";
import { roundRobin } from "../lib/policy/round_robin.ts";
import { Pool } from "../lib/pool.ts";
import { ServerList } from "../lib/server_list.ts";
import { Steering } from "../lib/steering.ts";
import { assertEquals, assertThrows } from "./support/assert.ts";
import { ANYBODY } from "./support/candidates.ts";
import { FakeClock } from "./support/fake_clock.ts";

const LISTEN = { hostname: "::", port: 8080 };

/** Servers as typed, whose names resolve to what the test says, all of them ready. */
class Bench {
  readonly servers: ServerList;
  readonly pool: Pool;
  readonly steering: Steering;

  constructor(...servers: string[]) {
    this.servers = new ServerList(servers.map(parseBackend), LISTEN);
    this.pool = new Pool({
      backends: [],
      policy: roundRobin(),
      clock: new FakeClock(),
      random: () => 0.5,
      onState: () => {},
      onGone: () => {},
      fall: 1,
      rise: 1,
      ejectAfter: 0,
      slowStartMs: 0,
    });
    this.steering = new Steering({
      servers: this.servers,
      pool: this.pool,
      own: () => [LISTEN],
      onServers: () => this.reconcile(),
    });
    this.reconcile();
  }

  /** What a name resolves to from now on. */
  resolve(name: string, ...addresses: string[]): void {
    this.servers.resolved(name, addresses);
    this.reconcile();
  }

  reconcile(): void {
    this.pool.reconcile(this.servers.backends);
    this.pool.trustUnknown();
  }

  /** Each backend with its weight, its state and the reason for it. */
  get states(): string[] {
    return this.pool.snapshot().map(({ name, weight, state, reason }) =>
      state === "ready" ? `${name} ${weight} ready` : `${name} ${weight} ${state}: ${reason}`
    );
  }
}

/** What a call is refused with: its kind and its message; fails if it is not, or changed something. */
function refusal(bench: Bench, call: () => void): string {
  const before = bench.states;
  const { kind, message } = assertThrows(call, SteeringError);
  assertEquals(bench.states, before, "nothing was changed");
  return `${kind}: ${message}`;
}

Deno.test("Steering.add: a server comes in with its settings, behind the others", () => {
  const bench = new Bench("1");
  bench.steering.add(parseBackend("2,weight=3"));
  assertEquals(bench.states, ["127.0.0.1:1 1 ready", "127.0.0.1:2 3 ready"]);
});

Deno.test("Steering.add: a name comes in though it does not resolve yet", () => {
  const bench = new Bench("1");
  bench.steering.add(parseBackend("web.test:80"));
  assertEquals(bench.servers.names, ["web.test"]);
  bench.resolve("web.test", "10.0.0.1");
  assertEquals(bench.states.at(-1), "10.0.0.1:80 1 ready");
});

Deno.test("Steering.add: refuses what is there, the balancer itself, and what cannot be", () => {
  const bench = new Bench("1", "web.test:80");
  const refused = (server: string): string =>
    refusal(bench, () => bench.steering.add(parseBackend(server)));
  assertEquals(refused("1,weight=5"), "conflict: Cannot add 127.0.0.1:1: it is there already");
  assertEquals(refused("web.test:80"), "conflict: Cannot add web.test:80: it is there already");
  assertEquals(
    refused("8080"),
    "invalid: Cannot add 127.0.0.1:8080: it is this balancer itself; expected another port",
  );
  const settings = { ...parseBackend("2"), weight: 1001 };
  assertEquals(
    refusal(bench, () => bench.steering.add(settings)),
    "invalid: Cannot add 127.0.0.1:2: its weight is 1001; " +
      "expected a whole number from 1 to 1000",
  );
});

Deno.test("Steering.add: there are never more servers than a configuration may have", () => {
  const ports = Array.from({ length: BACKENDS_MAX }, (_, index) => `${index + 10_000}`);
  const bench = new Bench();
  bench.servers.replace(ports.map(parseBackend), LISTEN);
  assertEquals(
    refusal(bench, () => bench.steering.add(parseBackend("1"))),
    "conflict: Cannot add 127.0.0.1:1: there are 10000 servers already, the most that can be",
  );
});

Deno.test("Steering.remove: a server drains and is gone, by its name, its port or its address", () => {
  const address = { hostname: "127.0.0.1", port: 1 };
  for (const name of ["127.0.0.1:1", "1", address]) {
    const bench = new Bench("1", "2");
    const lease = bench.pool.acquire({ ...ANYBODY, tried: [] });
    if (lease === null || lease === "wait") throw new Error("nobody can be had");
    assertEquals(lease.backend.name, "127.0.0.1:1");
    bench.steering.remove(name);
    assertEquals(bench.states, [
      "127.0.0.1:2 1 ready",
      "127.0.0.1:1 1 draining: no longer among the servers",
    ]);
    lease[Symbol.dispose]();
    assertEquals(bench.states, ["127.0.0.1:2 1 ready"]);
  }
});

Deno.test("Steering.remove: a name goes with all of its addresses; one of them alone does not go", () => {
  const bench = new Bench("1", "web.test:80");
  bench.resolve("web.test", "10.0.0.1", "10.0.0.2");
  assertEquals(
    refusal(bench, () => bench.steering.remove("10.0.0.1:80")),
    "conflict: Cannot remove 10.0.0.1:80: it is an address of web.test:80; " +
      "remove that, or drain this one",
  );
  bench.steering.remove("web.test:80");
  assertEquals(bench.states, ["127.0.0.1:1 1 ready"]);
});

Deno.test("Steering.remove: the last server stays", () => {
  const bench = new Bench("1", "2");
  bench.steering.remove("2");
  assertEquals(
    refusal(bench, () => bench.steering.remove("1")),
    "conflict: Cannot remove 127.0.0.1:1: it is the last server",
  );
});

Deno.test("Steering: a name that nobody has is unknown, whatever it is", () => {
  const bench = new Bench("1", "web.test:80");
  for (const name of ["9", "127.0.0.1:9", "other.test:80", "web.test", "web.test:81", ""]) {
    for (
      const call of [
        () => bench.steering.remove(name),
        () => bench.steering.setWeight(name, 2),
        () => bench.steering.steer(name, "draining"),
      ]
    ) {
      const said = /^unknown: .*: there is no such server(?:; did you mean web\.test:80\?)?$/;
      assertEquals(said.test(refusal(bench, call)), true, name);
    }
  }
  const long = refusal(bench, () => bench.steering.remove("\n".repeat(1000)));
  assertEquals([long.length < 300, long.includes("\n")], [true, false], "safe to print");
});

// Regression: 5678 is 127.0.0.1:5678, and nothing said that there was localhost:5678.
Deno.test("Steering: of a name that nobody has, those on the same port are told", () => {
  const bench = new Bench("localhost:5678", "web.test:80", "web.test:5678", "a.test:1");
  bench.resolve("web.test", "10.0.0.1", "10.0.0.2");
  const said = (name: string): string =>
    refusal(bench, () => bench.steering.steer(name, "draining"));
  assertEquals(
    said("5678"),
    "unknown: Cannot steer 127.0.0.1:5678: there is no such server; " +
      "did you mean localhost:5678 or web.test:5678 or 10.0.0.1:5678?",
  );
  assertEquals(said("a.test:2"), "unknown: Cannot steer a.test:2: there is no such server");
});

Deno.test("Steering.setWeight: by server or by backend, and it survives a lookup", () => {
  const bench = new Bench("1", "web.test:80");
  bench.resolve("web.test", "10.0.0.1", "10.0.0.2");
  bench.steering.setWeight("1", 5);
  bench.steering.setWeight("web.test:80", 6);
  bench.steering.setWeight("10.0.0.2:80", 7);
  const expected = ["127.0.0.1:1 5 ready", "10.0.0.1:80 6 ready", "10.0.0.2:80 7 ready"];
  assertEquals(bench.states, expected);
  bench.resolve("web.test", "10.0.0.2", "10.0.0.3");
  assertEquals(bench.states, [
    "127.0.0.1:1 5 ready",
    "10.0.0.2:80 7 ready",
    "10.0.0.3:80 6 ready",
  ]);
});

Deno.test("Steering.setWeight: takes the weights of the command line and no others", () => {
  const bench = new Bench("1");
  for (const weight of [1, 1000]) bench.steering.setWeight("1", weight);
  for (const weight of [0, 1001, -1, 1.5, NaN, Infinity]) {
    assertEquals(
      refusal(bench, () => bench.steering.setWeight("1", weight)),
      `invalid: Cannot set the weight of 127.0.0.1:1: its weight is ${weight}; ` +
        "expected a whole number from 1 to 1000",
    );
  }
});

Deno.test("Steering.steer: says that it was by hand, or why, until it is enabled", () => {
  const bench = new Bench("1");
  bench.steering.steer("1", "draining");
  assertEquals(bench.states, ["127.0.0.1:1 1 draining: drained by hand"]);
  bench.steering.steer("1", "disabled");
  assertEquals(bench.states, ["127.0.0.1:1 1 disabled: disabled by hand"]);
  bench.steering.steer("1", "draining", "drained by hand: new disks");
  assertEquals(bench.states, ["127.0.0.1:1 1 draining: drained by hand: new disks"]);
  bench.steering.steer("1", "enabled");
  assertEquals(bench.states, ["127.0.0.1:1 1 ready"]);
});

Deno.test("Steering.steer: a name stands for all its addresses, and those that come later", () => {
  const bench = new Bench("web.test:80");
  bench.steering.steer("web.test:80", "disabled");
  bench.resolve("web.test", "10.0.0.1", "10.0.0.2");
  const disabled = "disabled: disabled by hand";
  assertEquals(bench.states, [`10.0.0.1:80 1 ${disabled}`, `10.0.0.2:80 1 ${disabled}`]);
  bench.steering.steer("10.0.0.2:80", "enabled");
  bench.resolve("web.test", "10.0.0.1", "10.0.0.2", "10.0.0.3");
  const states = bench.pool.snapshot().map(({ state }) => state);
  assertEquals(states, ["disabled", "ready", "disabled"]);
  bench.steering.steer("web.test:80", "enabled");
  assertEquals(bench.pool.readyCount, 3);
});

Deno.test("Steering.steer: one that was removed and ends its last connections cannot be steered", () => {
  const bench = new Bench("1", "2");
  const lease = bench.pool.acquire({ ...ANYBODY, tried: [] });
  if (lease === null || lease === "wait") throw new Error("nobody can be had");
  bench.steering.remove("1");
  assertEquals(
    refusal(bench, () => bench.steering.steer("1", "enabled")),
    "conflict: Cannot steer 127.0.0.1:1: it was removed, and ends its last connections",
  );
  lease[Symbol.dispose]();
});
