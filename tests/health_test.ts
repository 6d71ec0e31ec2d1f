import { Health, type HealthOptions, type Observation } from "../lib/health.ts";
import { assertEquals } from "./support/assert.ts";
import { Random } from "./support/random.ts";

const OK: Observation = { ok: true };
const SLOW: Observation = { ok: false, final: false, reason: "slow" };
const REFUSED: Observation = { ok: false, final: true, reason: "refused" };

function health(options: Partial<HealthOptions> = {}): Health {
  return new Health({ fall: 2, rise: 1, ...options }, 0);
}

/** Feeds a series; one letter each: does the state flip? */
function flips(subject: Health, ...series: Observation[]): boolean[] {
  return series.map((observation, at) => subject.observe(observation, at));
}

Deno.test("Health: starts as down, since nothing is known, and worth a look", () => {
  const subject = new Health({ fall: 2, rise: 1 }, 17);
  assertEquals([subject.state, subject.reason, subject.sinceMs], ["down", "not probed yet", 17]);
  assertEquals(subject.inDoubt, true);
});

Deno.test("Health: the first result is believed at once, whatever rise and fall say", () => {
  for (const first of [OK, SLOW, REFUSED]) {
    const subject = health({ fall: 5, rise: 5 });
    assertEquals(subject.observe(first, 3), true, "it is to be told");
    assertEquals(subject.state, first.ok ? "ready" : "down");
    assertEquals(subject.reason, first.reason ?? "it passes its checks");
  }
});

Deno.test("Health: the same again is no news", () => {
  assertEquals(flips(health(), OK, OK, OK), [true, false, false]);
  assertEquals(flips(health(), SLOW, SLOW, REFUSED), [true, false, false]);
});

Deno.test("Health: goes down after as many failures in a row as fall says, not one sooner", () => {
  for (const fall of [1, 2, 3, 7]) {
    const subject = health({ fall });
    subject.observe(OK, 0);
    const failures = Array<Observation>(fall).fill(SLOW);
    const expected = Array<boolean>(fall).fill(false);
    expected[fall - 1] = true;
    assertEquals(flips(subject, ...failures), expected, `fall ${fall}`);
    assertEquals(subject.state, "down");
  }
});

Deno.test("Health: a success in between begins the count of failures anew", () => {
  assertEquals(
    flips(health({ fall: 3 }), OK, SLOW, SLOW, OK, SLOW, SLOW, OK, SLOW, SLOW, SLOW),
    [true, false, false, false, false, false, false, false, false, true],
  );
});

Deno.test("Health: one final failure is enough, also as the last of several", () => {
  const atOnce = health({ fall: 100 });
  assertEquals(flips(atOnce, OK, REFUSED), [true, true]);
  assertEquals([atOnce.state, atOnce.reason], ["down", "refused"]);
  assertEquals(flips(health({ fall: 100 }), OK, SLOW, REFUSED), [true, false, true]);
});

Deno.test("Health: comes back after as many successes in a row as rise says, not one sooner", () => {
  for (const rise of [1, 2, 3, 7]) {
    const subject = health({ rise });
    subject.observe(REFUSED, 0);
    const successes = Array<Observation>(rise).fill(OK);
    const expected = Array<boolean>(rise).fill(false);
    expected[rise - 1] = true;
    assertEquals(flips(subject, ...successes), expected, `rise ${rise}`);
    assertEquals([subject.state, subject.reason], ["ready", "it passes its checks"]);
  }
});

Deno.test("Health: a failure in between begins the count of successes anew", () => {
  assertEquals(
    flips(health({ rise: 3 }), REFUSED, OK, OK, SLOW, OK, OK, OK),
    [true, false, false, false, false, false, true],
  );
});

Deno.test("Health: what counted toward going down does not count toward coming back", () => {
  const subject = health({ fall: 2, rise: 2 });
  assertEquals(flips(subject, OK, SLOW, SLOW, OK), [true, false, true, false]);
  assertEquals(subject.state, "down");
});

Deno.test("Health: gives the latest reason, also once it is ready again", () => {
  const subject = health({ rise: 2 });
  subject.observe(REFUSED, 0);
  subject.observe(SLOW, 1);
  assertEquals(subject.reason, "slow");
  subject.observe(OK, 2);
  assertEquals(subject.reason, "slow", "one success of two is not enough");
  subject.observe(OK, 3);
  assertEquals(subject.reason, "it passes its checks");
  subject.observe(SLOW, 4);
  assertEquals(subject.reason, "it passes its checks", "one failure of two is not enough");
});

Deno.test("Health: knows since when, and only a change of state moves that", () => {
  const subject = health();
  const since = [[OK, 10, 10], [OK, 20, 10], [SLOW, 30, 10], [SLOW, 40, 40], [REFUSED, 50, 40]];
  for (const [observation, now, expected] of since as [Observation, number, number][]) {
    subject.observe(observation, now);
    assertEquals(subject.sinceMs, expected, `at ${now}`);
  }
});

Deno.test("Health: is in doubt while down, and from a failure until the next success", () => {
  const subject = health({ fall: 3, rise: 2 });
  const doubts = [[OK, false], [SLOW, true], [OK, false], [SLOW, true], [SLOW, true], [SLOW, true]];
  doubts.push([OK, true], [OK, false], [REFUSED, true]);
  for (const [at, [observation, expected]] of doubts.entries()) {
    subject.observe(observation as Observation, at);
    assertEquals(subject.inDoubt, expected, `after ${at + 1} results`);
  }
});

Deno.test("Health: agrees with a look back over all results, in any order of them", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = new Random(seed);
    const options = { fall: random.integer(1, 4), rise: random.integer(1, 4) };
    const subject = health(options);
    const seen: Observation[] = [];
    let state = "";
    for (let step = 0; step < 60; step++) {
      const observation = random.pick([OK, SLOW, OK, SLOW, REFUSED]);
      seen.push(observation);
      const before = state;
      state = expectedState(seen, before, options);
      const flipped = subject.observe(observation, step);
      assertEquals(
        [subject.state, flipped],
        [state, state !== before],
        `seed ${seed}, step ${step}`,
      );
    }
  }
});

/** The state by the rules of DESIGN 3, from the whole history. */
function expectedState(
  seen: readonly Observation[],
  before: string,
  { fall, rise }: HealthOptions,
): string {
  const last = seen.at(-1) ?? OK;
  if (before === "") return last.ok ? "ready" : "down";
  if (before === "ready" && !last.ok && last.final) return "down";
  const needed = before === "ready" ? fall : rise;
  const against = before === "down";
  const recent = seen.slice(-needed);
  const enough = recent.length === needed && recent.every(({ ok }) => ok === against);
  return enough ? (against ? "ready" : "down") : before;
}

Deno.test("Health: one that was taken on trust is checked when it was checked", () => {
  const subject = health();
  subject.observe({ ok: true, reason: "taken on trust" }, 0);
  assertEquals(subject.reason, "taken on trust");
  assertEquals(subject.observe(OK, 1), false, "that is no news");
  assertEquals([subject.reason, subject.sinceMs], ["it passes its checks", 0]);
});

Deno.test("Health.set: what was seen by now counts, by the new numbers", () => {
  const subject = health({ fall: 5 });
  flips(subject, OK, SLOW, SLOW);
  subject.set({ fall: 3, rise: 2 });
  assertEquals(flips(subject, SLOW, OK, OK), [true, false, true]);
});
