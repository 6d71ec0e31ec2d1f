import {
  BACKEND_READINGS_MAX,
  type BackendReading,
  BACKENDS_MAX,
  History,
  type Reading,
  TOTALS_MAX,
} from "../../lib/admin/history.ts";
import { NO_RATES } from "../../lib/admin/meter.ts";
import { assertEquals } from "../support/assert.ts";

const EPOCH_MS = 1_700_000_000_000;

function reading(second: number, more: Partial<Reading> = {}): Reading {
  return {
    atMs: 1000 * second,
    ended: 0,
    failed: 0,
    answered: [],
    carried: 0,
    waiting: 0,
    backends: [],
    ...more,
  };
}

function backend(name: string, more: Partial<BackendReading> = {}): BackendReading {
  return { name, ended: 0, failed: 0, answered: [], inFlight: 0, ...more };
}

Deno.test("History: knows nothing before its first reading", () => {
  const history = new History(EPOCH_MS);
  assertEquals(history.newest, null);
  assertEquals([history.rates, history.ratesOf("a")], [NO_RATES, NO_RATES]);
  const { total, backends } = history.picture();
  assertEquals([total.at, total.perSecond, backends], [[], [], []]);
});

Deno.test("History: a point tells of the last second, the rates of the last five", () => {
  const history = new History(EPOCH_MS);
  for (const [second, ended] of [0, 100, 110, 120, 130, 140, 180].entries()) {
    history.take(reading(second, { ended, carried: second, waiting: 2 * second }));
  }
  assertEquals(history.rates.perSecond, 16);
  assertEquals(history.newest, {
    ...NO_RATES,
    at: EPOCH_MS / 1000 + 6,
    perSecond: 40,
    carried: 6,
    waiting: 12,
  });
  const { total } = history.picture();
  assertEquals(total.perSecond, [0, 100, 10, 10, 10, 10, 40]);
  assertEquals(total.at.map((at) => at - EPOCH_MS / 1000), [0, 1, 2, 3, 4, 5, 6]);
  assertEquals([total.carried.at(-1), total.waiting.at(-1)], [6, 12]);
});

Deno.test("History: failures are those of all servers, and those without one", () => {
  const history = new History(EPOCH_MS);
  const at = (second: number, unserved: number, a: number, b: number): void =>
    history.take(reading(second, {
      failed: unserved,
      backends: [backend("a", { ended: 50, failed: a }), backend("b", { ended: 50, failed: b })],
    }));
  at(0, 5, 10, 20);
  at(1, 6, 12, 24);
  assertEquals(history.newest?.failuresPerSecond, 7);
  assertEquals(history.ratesOf("b").failuresPerSecond, 4);
});

Deno.test("History: the failures of a server that is gone are not taken back", () => {
  const history = new History(EPOCH_MS);
  history.take(reading(0, { backends: [backend("a"), backend("b")] }));
  history.take(reading(1, { backends: [backend("a"), backend("b", { ended: 9, failed: 9 })] }));
  history.take(reading(2, { backends: [backend("a", { ended: 3, failed: 3 })] }));
  assertEquals(history.picture().total.failuresPerSecond, [0, 9, 3]);
  assertEquals(history.ratesOf("b"), NO_RATES);
});

Deno.test("History: a server that comes under a name that was there begins anew", () => {
  const history = new History(EPOCH_MS);
  for (let second = 0; second < 3; second++) {
    history.take(reading(second, { backends: [backend("a", { ended: 100, failed: 50 })] }));
  }
  history.take(reading(3, { backends: [backend("a", { ended: 1 })] }));
  history.take(reading(4, { backends: [backend("a", { ended: 3 })] }));
  assertEquals(history.ratesOf("a").perSecond, 2);
  assertEquals(history.newest?.failuresPerSecond, 0);
});

Deno.test("History: keeps five minutes of the totals and a minute of each server", () => {
  const history = new History(EPOCH_MS);
  const seconds = TOTALS_MAX + 17;
  for (let second = 0; second < seconds; second++) {
    history.take(reading(second, { backends: [backend("a", { inFlight: second })] }));
  }
  const { total, backends } = history.picture();
  for (const column of Object.values(total)) assertEquals(column.length, TOTALS_MAX);
  assertEquals(total.at.at(-1), EPOCH_MS / 1000 + seconds - 1);
  assertEquals(backends.map(({ name }) => name), ["a"]);
  assertEquals(backends[0]?.inFlight.length, BACKEND_READINGS_MAX);
  assertEquals(backends[0]?.inFlight.at(-1), seconds - 1);
});

Deno.test("History: forgets a server that is gone", () => {
  const history = new History(EPOCH_MS);
  history.take(reading(0, { backends: [backend("a"), backend("b")] }));
  history.take(reading(1, { backends: [backend("b")] }));
  assertEquals(history.picture().backends.map(({ name }) => name), ["b"]);
});

Deno.test("History: of many servers there are rates and no history", () => {
  const history = new History(EPOCH_MS);
  const names = Array.from({ length: BACKENDS_MAX + 1 }, (_, place) => `server-${place}`);
  const take = (second: number, few: readonly string[]): void =>
    history.take(
      reading(second, { backends: few.map((name) => backend(name, { ended: 2 * second })) }),
    );
  take(0, names.slice(1));
  take(1, names.slice(1));
  assertEquals(history.picture().backends.length, BACKENDS_MAX);
  take(2, names);
  assertEquals(history.picture().backends, []);
  assertEquals(history.ratesOf("server-1").perSecond, 2);
  take(3, names.slice(1));
  assertEquals(history.picture().backends[0]?.perSecond.length, 1, "it begins anew");
});

Deno.test("History: what is sent holds no number that JSON lacks", () => {
  const history = new History(EPOCH_MS);
  history.take(reading(0));
  history.take(reading(0, { ended: 5 }));
  const { at, ...columns } = history.picture().total;
  assertEquals(at.length, 2);
  for (const [name, column] of Object.entries(columns)) {
    assertEquals(column.filter((each) => each !== null && !Number.isFinite(each)), [], name);
  }
});
