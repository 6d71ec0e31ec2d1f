import { type Candidate, POLICIES, type PolicyName } from "../lib/policy/mod.ts";
import { SlowStart } from "../lib/slow_start.ts";
import { assert, assertEquals, assertGreater, assertLessOrEqual } from "./support/assert.ts";
import { clients, seeded, weighted } from "./support/candidates.ts";
import { Random } from "./support/random.ts";

/** One that began at 1000 ms. */
function begun(durationMs: number): SlowStart {
  const subject = new SlowStart(durationMs);
  subject.begin(1000);
  return subject;
}

/** For sums of fractions that should be whole. */
const ROUNDING = 1e-6;

function assertAbout(actual: number, expected: number): void {
  assert(Math.abs(actual - expected) < ROUNDING, `${actual}; expected about ${expected}`);
}

/** Offers pick after pick at one moment; returns how many it takes until it may have one. */
function picksUntilFirst(subject: SlowStart, { share, nowMs }: Moment): number {
  let picks = 1;
  while (!subject.offer(share, nowMs)) picks++;
  return picks;
}

interface Moment {
  readonly share: number;
  readonly nowMs: number;
}

Deno.test("SlowStart: who has not begun takes its full share", () => {
  const subject = new SlowStart(10_000);
  assertEquals([subject.ramping(0), subject.fraction(0), subject.offer(0.01, 0)], [false, 1, true]);
});

Deno.test("SlowStart: with 0 ms it takes its full share at once", () => {
  const subject = begun(0);
  const now = [subject.ramping(1000), subject.fraction(1000), subject.offer(0.01, 1000)];
  assertEquals(now, [false, 1, true]);
});

Deno.test("SlowStart.fraction: grows in a straight line from a tenth to 1", () => {
  const subject = begun(10_000);
  for (const [elapsedMs, fraction] of [[0, 0.1], [2500, 0.325], [5000, 0.55], [9999, 0.99991]]) {
    assertAbout(subject.fraction(1000 + (elapsedMs ?? NaN)), fraction ?? NaN);
  }
});

Deno.test("SlowStart: ends exactly after its duration, whatever it was owed", () => {
  for (const durationMs of [1, 250, 10_000, 3_600_000]) {
    const subject = begun(durationMs);
    const lastMs = 1000 + durationMs - 0.5;
    assertEquals([subject.ramping(lastMs), subject.offer(0.01, lastMs)], [true, false]);
    const endMs = 1000 + durationMs;
    const atEnd = [subject.ramping(endMs), subject.fraction(endMs), subject.offer(0.01, endMs)];
    assertEquals(atEnd, [false, 1, true], `${durationMs} ms`);
  }
});

Deno.test("SlowStart: gets its first client within ten times as many picks as without", () => {
  const random = new Random(1);
  for (
    const share of [
      1,
      0.5,
      1 / 3,
      0.01,
      0.001,
      ...Array.from({ length: 50 }, () => 1 - random.next()),
    ]
  ) {
    // In the worst case time stands still. One more, because the sum of tenths is less than 1.
    const picks = picksUntilFirst(begun(10_000), { share, nowMs: 1000 });
    assertLessOrEqual(picks, Math.ceil(10 / share) + 1, `share ${share}`);
  }
});

Deno.test("SlowStart: never takes more than its fraction of its share, in any sequence of picks", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = new Random(seed);
    const durationMs = random.integer(1, 20_000);
    const subject = begun(durationMs);
    const eagerness = random.next();
    let mayHave = 0;
    let taken = 0;
    for (let nowMs = 1000; nowMs < 1000 + durationMs; nowMs += random.next() * durationMs / 500) {
      const share = 1 / random.integer(1, 4);
      mayHave += share * (0.1 + 0.9 * (nowMs - 1000) / durationMs);
      if (!subject.offer(share, nowMs) || !random.chance(eagerness)) continue;
      subject.picked();
      taken++;
      assertLessOrEqual(taken, mayHave + ROUNDING, `seed ${seed}, at ${nowMs - 1000} ms`);
    }
  }
});

Deno.test("SlowStart: who takes all it may has never more than one client outstanding", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = new Random(seed);
    const subject = begun(10_000);
    let mayHave = 0;
    for (let nowMs = 1000; nowMs < 11_000; nowMs += 20 * random.next()) {
      const share = 1 / random.integer(1, 4);
      mayHave += share * subject.fraction(nowMs);
      if (subject.offer(share, nowMs)) {
        subject.picked();
        mayHave--;
      }
      assertLessOrEqual(mayHave, 1 + ROUNDING, `seed ${seed}, at ${nowMs - 1000} ms`);
    }
  }
});

Deno.test("SlowStart: who was passed over for long takes two at once, and not a third", () => {
  const subject = begun(10_000);
  for (let pick = 0; pick < 1000; pick++) subject.offer(0.5, 6000);
  const atOnce = Array.from({ length: 3 }, () => {
    const offered = subject.offer(0.01, 6000);
    if (offered) subject.picked();
    return offered;
  });
  assertEquals(atOnce, [true, true, false]);
});

Deno.test("SlowStart.picked: a client taken when nobody else could be is not owed for", () => {
  const subject = begun(10_000);
  for (let pick = 0; pick < 100; pick++) {
    subject.offer(0.01, 1000);
    subject.picked();
  }
  assertLessOrEqual(picksUntilFirst(subject, { share: 0.5, nowMs: 1000 }), 21);
});

Deno.test("SlowStart.begin: in the middle of a ramp begins it anew, with nothing saved up", () => {
  const subject = begun(10_000);
  for (let pick = 0; pick < 100; pick++) subject.offer(1, 6000);
  subject.begin(6000);
  assertAbout(subject.fraction(6000), 0.1);
  assertEquals([subject.offer(0.5, 6000), subject.ramping(15_999)], [false, true]);
});

const NAMES: readonly PolicyName[] = ["round-robin", "random", "p2c", "ip-hash", "maglev"];
const CLIENTS = clients(10_000);

for (const name of NAMES) {
  Deno.test(`SlowStart: with ${name} it takes most of what it may, toward the end too`, () => {
    const policy = POLICIES[name].create(seeded(1));
    const all = weighted(1, 1, 1, 1);
    policy.prepare?.(all);
    const subject = begun(CLIENTS.length);
    const fifths = Array.from({ length: 5 }, () => ({ taken: 0, mayHave: 0 }));
    for (const [at, client] of CLIENTS.entries()) {
      const fifth = fifths[Math.floor(5 * at / CLIENTS.length)];
      assert(fifth !== undefined);
      fifth.mayHave += subject.fraction(1000 + at) / all.length;
      const candidates: readonly Candidate[] = subject.offer(1 / all.length, 1000 + at)
        ? all
        : all.slice(1);
      if (policy.pick(candidates, client) !== all[0]) continue;
      subject.picked();
      fifth.taken++;
    }
    // Who may save up one client only takes little more than half in the last.
    for (const [at, { taken, mayHave }] of fifths.entries()) {
      assertGreater(taken, 0.7 * mayHave, `fifth ${at + 1}: ${taken} of ${mayHave}`);
    }
  });
}

Deno.test("SlowStart.set: a ramp under way ends as it began, the next goes by the new time", () => {
  const subject = begun(10_000);
  subject.set(2000);
  assertAbout(subject.fraction(6000), 0.55);
  assertEquals([subject.ramping(10_999), subject.ramping(11_000)], [true, false]);
  subject.begin(20_000);
  assertAbout(subject.fraction(21_000), 0.55);
  assertEquals(subject.ramping(22_000), false);
});
