/**
 * By what a policy's regression is noticed: properties that hold for every seed, with room to spare
 * (tried with the seeds 1 to 12), and the README's tables to the digit.
 */
import { POLICIES, type PolicyName } from "../../lib/policy/mod.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertNotEquals,
} from "../support/assert.ts";
import { NO_README, readReadme, tableOf } from "../support/readme.ts";
import { exponential, type Scenario, SCENARIOS } from "./scenarios.ts";
import { DEFAULTS, simulateAll } from "./simulate.ts";
import { type Result, simulate } from "./simulation.ts";
import { LATENCIES, LOADS, markdownTables } from "./tables.ts";

const ALL = Object.keys(POLICIES) as PolicyName[];
/** Those that look at how the servers are doing. */
const WATCHFUL = ["least-connections", "p2c", "peak-ewma"] as const;
/** Those that do not. */
const BLIND = ALL.filter((policy) => !WATCHFUL.some((watchful) => watchful === policy));
const SEEDS = [1, 2, 3];
const SECONDS = 30;

const done = new Map<string, Promise<Result>>();

/** A short run, once for all tests. */
function run(name: string, policy: PolicyName, seed: number): Promise<Result> {
  const key = `${name} ${policy} ${seed}`;
  const result = done.get(key) ?? simulate(named(name), { policy, seed, seconds: SECONDS });
  done.set(key, result);
  return result;
}

function named(name: string): Scenario {
  const scenario = SCENARIOS.find((each) => each.name === name);
  if (scenario === undefined) throw new RangeError(`there is no scenario ${name}`);
  return scenario;
}

/** Runs a scenario under those policies with all seeds, and has each result looked at. */
async function each(
  name: string,
  policies: readonly PolicyName[],
  look: (result: Result, about: { readonly seed: number; readonly text: string }) => unknown,
): Promise<void> {
  for (const policy of policies) {
    for (const seed of SEEDS) {
      const text = `${name}, ${policy}, seed ${seed}`;
      await look(await run(name, policy, seed), { seed, text });
    }
  }
}

/** What the odd server was given compared with its fair share. */
function oddShare(name: string, { shares }: Result): number {
  return shares[named(name).odd ?? -1] ?? NaN;
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
}

Deno.test("simulate: the same seed gives the same result, another seed another", async () => {
  for (const policy of ALL) {
    const options = { policy, seconds: 10 };
    const result = await simulate(named("restart"), { ...options, seed: 1 });
    assertEquals(await simulate(named("restart"), { ...options, seed: 1 }), result);
    assertNotEquals(await simulate(named("restart"), { ...options, seed: 2 }), result);
  }
});

Deno.test("simulate: one server alone is as slow as the theory of queues says", async () => {
  const slots = 4;
  const meanMs = 100;
  const load = 2.8;
  const scenario: Scenario = {
    name: "alone",
    title: "one server",
    servers: [{ weight: 1, slots, meanMs, failing: 0 }],
    rate: load * 1000 / meanMs,
    work: exponential,
  };
  const result = await simulate(scenario, { policy: "random", seed: 1, seconds: 3600 });
  // Erlang's C: the probability that all slots are taken.
  const terms = [1, load, load ** 2 / 2, load ** 3 / 6];
  const taken = load ** slots / 24 / (1 - load / slots);
  const waits = taken / (terms.reduce((sum, term) => sum + term) + taken);
  /** The share of clients that take longer than that (M/M/c, first come first served). */
  const later = (ms: number): number => {
    const spare = slots - 1 - load;
    const rest = (1 - Math.exp(-spare * ms / meanMs)) / spare;
    return Math.exp(-ms / meanMs) * (1 + waits * rest);
  };
  const connectMs = 1;
  for (const [ms, share] of [[result.p50Ms, 0.5], [result.p95Ms, 0.05], [result.p99Ms, 0.01]]) {
    const ratio = later((ms ?? NaN) - connectMs) / (share ?? NaN);
    assert(ratio > 0.9 && ratio < 1.1, `${ms} ms: ${ratio} of the ${share} expected`);
  }
  assertEquals([result.errors, result.retries, result.shares], [0, 0, [1]]);
});

Deno.test("equal servers: each is given about its share, and nobody gets an error", async () => {
  // A thousand addresses do not fall evenly on eleven.
  const within: Record<PolicyName, number> = {
    "least-entries": 0.05,
    "round-robin": 0.05,
    "random": 0.15,
    "least-connections": 0.15,
    "p2c": 0.15,
    "peak-ewma": 0.25,
    "ip-hash": 0.35,
    "maglev": 0.35,
  };
  await each("equal", ALL, ({ policy, shares, errors, retries }, { text }) => {
    assertEquals([errors, retries], [0, 0], text);
    for (const share of shares) {
      assertLess(Math.abs(share - 1), within[policy], `${text}: ${shares}`);
    }
  });
});

Deno.test("equal servers: who watches the load is quicker than who draws at random", async () => {
  await each("equal", WATCHFUL, async ({ p50Ms, p95Ms, p99Ms }, { seed, text }) => {
    const random = await run("equal", "random", seed);
    assertLess(p50Ms, 0.9 * random.p50Ms, `${text}: p50`);
    assertLess(p95Ms, 0.95 * random.p95Ms, `${text}: p95`);
    assertLess(p99Ms, random.p99Ms, `${text}: p99`);
  });
});

Deno.test("one slow of eleven: who watches the load hardly feels it", async () => {
  const slower = { "least-connections": 1.6, "p2c": 2.2, "peak-ewma": 1.3 };
  for (const policy of WATCHFUL) {
    await each("slow", [policy], async (result, { seed, text }) => {
      const equal = await run("equal", policy, seed);
      assertLess(result.p99Ms, slower[policy] * equal.p99Ms, `${text}: p99`);
      assertEquals(result.errors, 0, text);
      const share = oddShare("slow", result);
      assert(share > 0.01 && share < 0.25, `${text}: the slow one's share is ${share}`);
    });
  }
});

Deno.test("one slow of eleven: who does not watch the load has a line without end there", async () => {
  await each("slow", BLIND, async (result, { seed, text }) => {
    const equal = await run("equal", result.policy, seed);
    assertGreater(result.p99Ms, 20 * equal.p99Ms, text);
  });
});

Deno.test("one of eleven fails fast: every client is served by another", async () => {
  await each("failing", ALL, ({ errors, retries }, { text }) => {
    assertEquals(errors, 0, text);
    assertLess(retries, 1, text);
  });
});

Deno.test("one of eleven fails fast: it draws no more than it should", async () => {
  // It always looks idle: least-connections sends all clients there first, p2c all that draw it,
  // which is two in eleven.
  const drawn: readonly PolicyName[] = ["least-connections", "p2c"];
  const others = ALL.filter((policy) => !drawn.includes(policy));
  await each("failing", others, (result, { text }) => {
    assertLess(oddShare("failing", result), 1.35, text);
  });
  await each("failing", ["p2c"], (result, { text }) => {
    assertLess(oddShare("failing", result), 2.3, text);
  });
  await each("failing", ["peak-ewma"], (result, { text }) => {
    const share = oddShare("failing", result);
    assert(share > 0 && share < 0.05, `${text}: ${share}; it is watched, not used`);
  });
});

Deno.test("one of eleven fails fast: with ejection, hardly anybody meets it, whatever the policy", async () => {
  await each("ejected", ALL, (result, { text }) => {
    assertEquals(result.errors, 0, text);
    assertLess(oddShare("ejected", result), 0.02, text);
  });
});

Deno.test("weights 1, 2, 4 and 8: each is given about its share, and none is overrun", async () => {
  await each("weights", ALL, ({ shares, busy, errors }, { text }) => {
    assertEquals(errors, 0, text);
    for (const share of shares) assert(share > 0.8 && share < 1.3, `${text}: ${shares}`);
    for (const each of busy) assert(each > 0.5 && each < 0.9, `${text}: busy ${busy}`);
  });
  await each("weights", ["round-robin", "least-entries"], ({ shares }, { text }) => {
    for (const share of shares) assert(Math.abs(share - 1) < 0.05, `${text}: ${shares}`);
  });
});

Deno.test("one of five restarts: hardly anybody notices when it goes, and nobody gets an error", async () => {
  await each("restart", ALL, ({ errors, retries }, { text }) => {
    assertEquals(errors, 0, text);
    // Those that it had taken, and at most a few that it refused.
    assert(retries > 0 && retries < 0.005, `${text}: ${retries} retries for each client`);
  });
});

Deno.test("one of five restarts: it is used again, and not overrun", async () => {
  await each("restart", ALL, ({ policy, sharesSince }, { text }) => {
    assertGreater(sharesSince.length, 15, text);
    for (const [second, share] of sharesSince.entries()) {
      const ramp = POLICIES[policy].rushes ? Math.min(1, 0.1 + 0.09 * (second + 1)) : 1;
      assertLess(share, ramp + 0.8, `${text}: ${share} in second ${second}`);
    }
    // peak-ewma also sees for how long it is slow.
    const least = policy === "peak-ewma" ? 0.5 : 0.8;
    assertGreater(mean(sharesSince.slice(10)), least, text);
  });
});

Deno.test("one of five restarts: it ramps up where the policy would rush to it", async () => {
  const rushing = ALL.filter((policy) => POLICIES[policy].rushes);
  await each("restart", rushing, ({ sharesSince }, { text }) => {
    assertLess(mean(sharesSince.slice(0, 3)), 0.35, text);
    assertLess(mean(sharesSince.slice(0, 10)), 0.65, text);
  });
});

Deno.test("long and short requests: who watches the load keeps the short ones short", async () => {
  await each("mixed", WATCHFUL, async ({ p50Ms, p95Ms, errors }, { seed, text }) => {
    const blind = await run("mixed", "round-robin", seed);
    assertEquals(errors, 0, text);
    assertLess(p50Ms, 0.9 * blind.p50Ms, `${text}: p50`);
    assertLess(p95Ms, 0.6 * blind.p95Ms, `${text}: p95`);
  });
});

const readme = readReadme();
const skipped = readme === null ? ` (${NO_README})` : "";

Deno.test(`README: its tables of the simulation are those of deno task simulate${skipped}`, {
  ignore: readme === null,
}, async () => {
  const tables = markdownTables(await simulateAll({ scenarios: SCENARIOS, ...DEFAULTS }));
  const about = "run: deno task simulate --markdown";
  for (const firstCell of [LATENCIES, LOADS]) {
    assertEquals(tableOf(readme ?? "", firstCell), tableOf(tables, firstCell), about);
  }
});
