import { ConfigError } from "../lib/config_error.ts";
import { ConfigFileError } from "../lib/config_file/error.ts";
import { type Config, makeConfig } from "../lib/config.ts";
import { BalancerError, SteeringError } from "../lib/errors.ts";
import { Reloader } from "../lib/reloader.ts";
import { assertEquals, assertRejects } from "./support/assert.ts";
import { CapturedLog } from "./support/captured_log.ts";
import { settle } from "./support/fake_clock.ts";

function config(listen: string): Config {
  return makeConfig({ listen, backends: ["1"], settings: { logLevel: "error" } });
}

/** A reloader whose every step is the test's. */
class Bench {
  /** What `load` answers with next. */
  loaded: Config | Error = config("8080");
  /** What `Balancer.reload` is to throw. */
  refusal: Error | null = null;
  /** The ports of the configurations that were taken over. */
  readonly taken: number[] = [];
  /** The ports of those that are in force. */
  readonly inForce: number[] = [];
  loads = 0;
  /** Holds the balancer's reload back. */
  gate: Promise<void> = Promise.resolve();
  readonly reloader = new Reloader({
    load: () => {
      this.loads++;
      return this.loaded instanceof Error
        ? Promise.reject(this.loaded)
        : Promise.resolve(this.loaded);
    },
    balancer: {
      reload: async (config) => {
        await this.gate;
        if (this.refusal !== null) throw this.refusal;
        this.taken.push(config.listen.port);
        return `changed ${config.listen.port}`;
      },
    },
    onReload: (config) => void this.inForce.push(config.listen.port),
  });
}

Deno.test("Reloader.reload: hands what it loaded to the balancer, then says that it is in force", async () => {
  const bench = new Bench();
  assertEquals(await bench.reloader.reload(), "changed 8080");
  assertEquals([bench.taken, bench.inForce], [[8080], [8080]]);
});

const EXPECTED = {
  "a bad configuration": new ConfigError("--fall 0", "expected a whole number"),
  "a file that cannot be read": new BalancerError({
    action: "Cannot read lb.json",
    state: "no such file",
    code: "unexpected",
    side: "internal",
  }),
  "a balancer that stops": new SteeringError("conflict", {
    action: "Cannot reload",
    state: "the balancer is being stopped",
  }),
};

for (const [what, error] of Object.entries(EXPECTED)) {
  for (const from of ["loaded", "refusal"] as const) {
    // Regression: one that was asked for over the admin port was told, but not logged.
    Deno.test(`Reloader.reload: ${what} (${from}) is told and logged, and changes nothing`, async () => {
      await using log = await CapturedLog.start();
      const bench = new Bench();
      bench[from] = error;
      await assertRejects(() => bench.reloader.reload(), error.constructor as ErrorConstructor);
      assertEquals([bench.taken, bench.inForce], [[], []]);
      assertEquals(log.lines, [`error: Not reloaded, nothing has changed: ${error.message}`]);
    });
  }
}

Deno.test("Reloader.reload: each of many faults is a line of its own in the log", async () => {
  await using log = await CapturedLog.start();
  const bench = new Bench();
  const faults = ["queue -1", "mode"].map((each) => new ConfigError(each, "expected another"));
  bench.loaded = new ConfigFileError(faults);
  await assertRejects(() => bench.reloader.reload(), ConfigFileError);
  assertEquals(log.lines, [
    "error: Not reloaded, nothing has changed: queue -1: expected another",
    "error: Not reloaded, nothing has changed: mode: expected another",
  ]);
});

Deno.test("Reloader.reload: a defect is told, and logged as one", async () => {
  await using log = await CapturedLog.start();
  const bench = new Bench();
  bench.refusal = new TypeError("x is undefined");
  await assertRejects(() => bench.reloader.reload(), TypeError);
  assertEquals(log.lines, ["error: A defect of this program: TypeError: x is undefined"]);
});

Deno.test("Reloader.reload: what goes wrong is logged once, however many asked", async () => {
  await using log = await CapturedLog.start();
  const bench = new Bench();
  bench.loaded = EXPECTED["a bad configuration"];
  await Promise.all(
    [1, 2, 3].map(() => assertRejects(() => bench.reloader.reload(), ConfigError)),
  );
  assertEquals(log.lines.length, 1, log.lines.join("\n"));
});

Deno.test("Reloader.reload: all that ask during a reload share the next, which reads anew", async () => {
  const bench = new Bench();
  const gate = Promise.withResolvers<void>();
  bench.gate = gate.promise;
  const first = bench.reloader.reload();
  await settle();
  const others = [bench.reloader.reload(), bench.reloader.reload(), bench.reloader.reload()];
  bench.loaded = config("8081");
  await settle();
  assertEquals(bench.loads, 1, "one at a time");
  gate.resolve();
  await Promise.all([first, ...others]);
  assertEquals([bench.loads, bench.taken], [2, [8080, 8081]]);
});

Deno.test("Reloader.reload: one that fails does not keep the next from being made", async () => {
  const bench = new Bench();
  bench.loaded = EXPECTED["a bad configuration"];
  const first = assertRejects(() => bench.reloader.reload(), ConfigError);
  await settle();
  bench.loaded = config("8082");
  await Promise.all([first, bench.reloader.reload()]);
  assertEquals(bench.taken, [8082]);
});
