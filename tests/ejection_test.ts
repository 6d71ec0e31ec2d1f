import { Ejection, type EjectionOptions } from "../lib/ejection.ts";
import { assert, assertEquals } from "./support/assert.ts";
import { Random } from "./support/random.ts";

const RESET = "connection reset before the first byte";
/** Half of all: the jitter neither adds nor takes. */
const MIDDLE = 0.5;

function ejection(options: Partial<EjectionOptions> = {}): Ejection {
  return new Ejection({ failuresMax: 5, random: () => MIDDLE, ...options });
}

/** Fails so many clients, all sent at that moment; one letter each: is the backend due? */
function fail(subject: Ejection, { times, sentMs }: { times: number; sentMs: number }): boolean[] {
  return Array.from({ length: times }, () => subject.failed(RESET, sentMs));
}

/** Fails a row of clients at that moment and ejects; returns how long that is to last. */
function ejectAt(subject: Ejection, nowMs: number): number {
  assertEquals(fail(subject, { times: 5, sentMs: nowMs }).at(-1), true, `not due at ${nowMs}`);
  subject.eject(nowMs);
  return subject.untilMs - nowMs;
}

/** Ends it if its time is over; true when it was. */
function expire(subject: Ejection, nowMs: number): boolean {
  const over = nowMs >= subject.untilMs;
  if (over) subject.end(nowMs);
  return over;
}

/** Ejects, returns, fails one client, ejects and so on: how long each is to last. */
function lengthsInTurn(subject: Ejection, times: number): number[] {
  let nowMs = 0;
  fail(subject, { times: 4, sentMs: nowMs });
  return Array.from({ length: times }, (_, at) => {
    assertEquals(subject.failed(RESET, nowMs), true, `not due for ejection ${at + 1}`);
    subject.eject(nowMs);
    const lengthMs = subject.untilMs - nowMs;
    nowMs = subject.untilMs;
    subject.end(nowMs);
    return lengthMs;
  });
}

Deno.test("Ejection: starts as not ejected", () => {
  const subject = ejection();
  assertEquals([subject.ejected, subject.untilMs, subject.reason(0)], [false, Infinity, ""]);
});

Deno.test("Ejection.failed: it is due after as many in a row as failuresMax says, not one sooner", () => {
  for (const failuresMax of [1, 2, 5]) {
    const expected = Array<boolean>(failuresMax).fill(false);
    expected[failuresMax - 1] = true;
    const due = fail(ejection({ failuresMax }), { times: failuresMax, sentMs: 0 });
    assertEquals(due, expected, `failuresMax ${failuresMax}`);
  }
});

Deno.test("Ejection.failed: with failuresMax 0 it is never due", () => {
  const due = fail(ejection({ failuresMax: 0 }), { times: 1000, sentMs: 0 });
  assertEquals(new Set(due), new Set([false]));
});

Deno.test("Ejection.served: the row of failures begins anew", () => {
  const subject = ejection({ failuresMax: 3 });
  for (let round = 0; round < 10; round++) {
    assertEquals(fail(subject, { times: 2, sentMs: round }), [false, false]);
    subject.served(round);
  }
  assertEquals(fail(subject, { times: 3, sentMs: 10 }), [false, false, true]);
});

Deno.test("Ejection.failed: who is due and not ejected stays due until a client is served", () => {
  const subject = ejection({ failuresMax: 2 });
  assertEquals(fail(subject, { times: 4, sentMs: 0 }), [false, true, true, true]);
  subject.served(0);
  assertEquals(fail(subject, { times: 2, sentMs: 0 }), [false, true]);
});

Deno.test("Ejection.end: ends it whatever its time, and does nothing when there is none", () => {
  const subject = ejection();
  subject.end(0);
  assertEquals(subject.failed(RESET, -1), false);
  assertEquals(fail(subject, { times: 4, sentMs: 0 }).at(-1), true, "the client sent at -1 counts");
  subject.eject(0);
  subject.end(1);
  assertEquals([subject.ejected, subject.untilMs, subject.reason(1)], [false, Infinity, ""]);
});

Deno.test("Ejection.eject: one who is ejected already is left as it is", () => {
  const subject = ejection();
  ejectAt(subject, 0);
  subject.eject(5000);
  assertEquals(subject.untilMs, 10_000);
  subject.end(10_000);
  subject.failed(RESET, 10_000);
  subject.eject(10_000);
  assertEquals(subject.untilMs, 30_000, "the second lasts 20 s");
});

Deno.test("Ejection: one client that is failed after the return is enough", () => {
  for (const early of [false, true]) {
    const subject = ejection();
    ejectAt(subject, 0);
    if (early) subject.end(10_000);
    else subject.end(10_000);
    assertEquals(subject.failed(RESET, 10_000), true, early ? "ended early" : "expired");
  }
});

Deno.test("Ejection: with a client served after the return it takes the whole row again", () => {
  const subject = ejection();
  ejectAt(subject, 0);
  subject.end(10_000);
  subject.served(10_000);
  const due = fail(subject, { times: 5, sentMs: 10_000 });
  assertEquals(due, [false, false, false, false, true]);
});

Deno.test("Ejection: no client ends it, and one failed meanwhile does not make it due again", () => {
  const subject = ejection();
  ejectAt(subject, 0);
  for (const sentMs of [0, 5000]) {
    subject.served(sentMs);
    assertEquals(fail(subject, { times: 5, sentMs }), Array(5).fill(false));
  }
  assertEquals([subject.ejected, subject.untilMs], [true, 10_000]);
});

Deno.test("Ejection: clients that were sent before the return count neither for nor against", () => {
  const subject = ejection();
  ejectAt(subject, 0);
  subject.served(0);
  subject.end(10_000);
  subject.served(9999);
  assertEquals(subject.failed(RESET, 9999), false);
  assertEquals(subject.failed(RESET, 10_000), true, "neither has ended the row");
});

Deno.test("Ejection.checked: one that fails its checks and passes them again is mended", () => {
  const subject = ejection();
  assertEquals([false, true].map((passes) => subject.checked(passes)), [false, false]);
  subject.checked(false);
  ejectAt(subject, 0);
  const checks = [true, true, false, false, true, true].map((passes) => subject.checked(passes));
  assertEquals(checks, [false, false, false, false, true, false], "what was before does not count");
  subject.checked(false);
  subject.end(1000);
  ejectAt(subject, 1000);
  assertEquals(subject.checked(true), false, "nor what was in the ejection before");
});

Deno.test("Ejection: lasts twice as long each time, from 10 s up to 5 min", () => {
  const seconds = lengthsInTurn(ejection(), 8).map((lengthMs) => lengthMs / 1000);
  assertEquals(seconds, [10, 20, 40, 80, 160, 300, 300, 300]);
});

Deno.test("Ejection: each lasts up to a fifth longer or shorter, by chance", () => {
  assertEquals(lengthsInTurn(ejection({ random: () => 0 }), 2), [8000, 16_000]);
  const longest = lengthsInTurn(ejection({ random: () => 1 }), 2);
  assertEquals(longest, [12_000, 24_000]);
});

Deno.test("Ejection: the growth begins anew once it has served as long as the last was to last", () => {
  const cases = [[0, 40_000], [19_999, 40_000], [20_000, 10_000], [1e9, 10_000]] as const;
  for (const [wellMs, expectedMs] of cases) {
    const subject = ejection();
    lengthsInTurn(subject, 2);
    // The second ended at 30 s.
    subject.served(30_000);
    assertEquals(ejectAt(subject, 30_000 + wellMs), expectedMs, `after ${wellMs} ms`);
  }
});

Deno.test("Ejection: a backend that was idle all that time has not served well", () => {
  const subject = ejection();
  lengthsInTurn(subject, 2);
  assertEquals(ejectAt(subject, 1e9), 40_000);
});

Deno.test("Ejection: how long it served well ends where the first of a row was sent", () => {
  const subject = ejection();
  lengthsInTurn(subject, 2);
  subject.served(30_000);
  // It waited for a minute for its first byte, in vain: no minute of good service.
  fail(subject, { times: 5, sentMs: 30_001 });
  subject.eject(90_001);
  assertEquals(subject.untilMs, 130_001);
});

Deno.test("Ejection.end: one cut short makes neither the next nor the time to serve well shorter", () => {
  for (const [wellMs, expectedMs] of [[9999, 20_000], [10_000, 10_000]] as const) {
    const subject = ejection();
    ejectAt(subject, 0);
    subject.end(1);
    subject.served(1);
    assertEquals(ejectAt(subject, 1 + wellMs), expectedMs, `after ${wellMs} ms`);
  }
});

Deno.test("Ejection.reason: says how many failed, how the last did, and when it is back", () => {
  const subject = ejection();
  fail(subject, { times: 4, sentMs: 0 });
  subject.failed("connection refused", 0);
  assertEquals(subject.reason(0), "", "it is due, not ejected");
  subject.eject(0);
  const text = (seconds: number): string =>
    `failed 5 clients in a row (connection refused); back in ${seconds}s`;
  for (const [nowMs, seconds] of [[0, 10], [1, 10], [1000, 9], [9999, 1], [12_000, 0]] as const) {
    assertEquals(subject.reason(nowMs), text(seconds), `at ${nowMs}`);
  }
  subject.failed("first byte timed out", 0);
  assertEquals(subject.reason(0), text(10), "a client sent before the ejection changed it");
  subject.end(12_000);
  assertEquals(subject.reason(12_000), "");
});

Deno.test("Ejection.reason: counts the row on over a return, and does not call one client a row", () => {
  const subject = ejection({ failuresMax: 1 });
  const reasons = ["connection refused", RESET].map((reason, at) => {
    const nowMs = 10_000 * at;
    subject.end(nowMs);
    subject.failed(reason, nowMs);
    subject.eject(nowMs);
    return subject.reason(nowMs);
  });
  assertEquals(reasons, [
    "failed a client (connection refused); back in 10s",
    `failed 2 clients in a row (${RESET}); back in 20s`,
  ]);
});

Deno.test("Ejection: agrees with a look back over all that happened, in any order of it", () => {
  const lengths = new Set<number>();
  for (let seed = 1; seed <= 200; seed++) {
    const random = new Random(seed);
    const failuresMax = random.integer(0, 4);
    const subject = new Ejection({ failuresMax, random: () => random.next() });
    const model = new LookBack(failuresMax);
    let nowMs = 0;
    for (let step = 0; step < 300; step++) {
      const place = `seed ${seed}, step ${step}`;
      nowMs += random.pick([0, 100, 3000, 20_000]);
      if (random.chance(0.5)) assertEquals(expire(subject, nowMs), model.expire(nowMs), place);
      if (random.chance(0.03)) {
        subject.end(nowMs);
        model.end(nowMs);
      }
      const client = { served: random.chance(0.3), sentMs: nowMs - random.pick([0, 0, 50, 9000]) };
      const due = !client.served && subject.failed(RESET, client.sentMs);
      if (client.served) subject.served(client.sentMs);
      assertEquals(due, model.report(client), place);
      // The pool refuses for the last that is ready.
      if (due && random.chance(0.7)) {
        subject.eject(nowMs);
        const partOfBase = (subject.untilMs - nowMs) / model.baseMs;
        assert(partOfBase >= 0.8 && partOfBase < 1.2, `${place}: ${partOfBase} of the base`);
        lengths.add(model.baseMs / 1000);
        model.ejected(nowMs, subject.untilMs);
      }
      assertEquals([subject.ejected, subject.untilMs], [model.isEjected, model.untilMs], place);
    }
  }
  assertEquals(lengths, new Set([10, 20, 40, 80, 160, 300]), "the test does not reach all lengths");
});

interface Report {
  readonly served: boolean;
  readonly sentMs: number;
}

/** The rules of ejection, each from all that happened. */
class LookBack {
  /** Those that counted. */
  readonly #reports: Report[] = [];
  readonly #failuresMax: number;
  /** When each ended, which is when it was over or when the pool said so. */
  readonly #ends: number[] = [-Infinity];
  /** How many reports had counted by then. */
  #reportsBefore = 0;
  #lengthMs = 0;
  #doublings = 0;
  untilMs = Infinity;

  constructor(failuresMax: number) {
    this.#failuresMax = failuresMax;
  }

  get isEjected(): boolean {
    return this.untilMs !== Infinity;
  }

  /** How long an ejection at this moment is to last, give or take a fifth. */
  get baseMs(): number {
    const sinceEnd = this.#reports.slice(this.#reportsBefore);
    const servedWell = sinceEnd.some((report, at) =>
      sinceEnd[at - 1]?.served === true && !report.served &&
      report.sentMs - (this.#ends.at(-1) ?? NaN) >= this.#lengthMs
    );
    return Math.min(300_000, 10_000 * 2 ** (servedWell ? 0 : this.#doublings));
  }

  /** True: it is due. */
  report(report: Report): boolean {
    if (this.isEjected || report.sentMs < (this.#ends.at(-1) ?? NaN)) return false;
    this.#reports.push(report);
    const row = this.#reports.length - 1 - this.#reports.findLastIndex(({ served }) => served);
    return this.#failuresMax > 0 && !report.served && row >= this.#failuresMax;
  }

  ejected(nowMs: number, untilMs: number): void {
    this.#doublings = Math.round(Math.log2(this.baseMs / 10_000)) + 1;
    this.#lengthMs = untilMs - nowMs;
    this.untilMs = untilMs;
  }

  expire(nowMs: number): boolean {
    const over = nowMs >= this.untilMs;
    if (over) this.end(nowMs);
    return over;
  }

  end(nowMs: number): void {
    if (!this.isEjected) return;
    this.#ends.push(nowMs);
    this.#reportsBefore = this.#reports.length;
    this.untilMs = Infinity;
  }
}

Deno.test("Ejection.set: the failures by now count toward the new number", () => {
  const subject = ejection();
  for (let client = 0; client < 3; client++) subject.failed("reset", client);
  subject.set(4);
  assertEquals(subject.failed("reset", 3), true);
  subject.set(0);
  assertEquals(subject.failed("reset", 4), false);
});
