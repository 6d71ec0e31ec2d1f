import { type CarrierSnapshot, sumOf } from "../lib/carrier.ts";
import { assertEquals } from "./support/assert.ts";

const BRIDGES: CarrierSnapshot = {
  clients: 1,
  carried: 2,
  waiting: 3,
  lingering: 4,
  turnedAway: 5,
  http: null,
};
const HTTP = { idle: 1, opened: 2, reused: 3, stale: 4, lost: 5, retries: 6, retriesRefused: 7 };

Deno.test("sumOf: each number is the sum of its own", () => {
  assertEquals(sumOf([]), {
    clients: 0,
    carried: 0,
    waiting: 0,
    lingering: 0,
    turnedAway: 0,
    http: null,
  });
  assertEquals(sumOf([BRIDGES]), BRIDGES);
  assertEquals(sumOf([{ ...BRIDGES, http: HTTP }, BRIDGES, { ...BRIDGES, http: HTTP }]), {
    clients: 3,
    carried: 6,
    waiting: 9,
    lingering: 12,
    turnedAway: 15,
    http: { idle: 2, opened: 4, reused: 6, stale: 8, lost: 10, retries: 12, retriesRefused: 14 },
  });
});
