import { assertEquals } from "../support/assert.ts";
import type { Outcome } from "./asking.ts";
import { type FaultName, FAULTS } from "./fault.ts";
import type { Lost } from "./load.ts";
import { explain } from "./loss.ts";
import type { Sighting, Strike } from "./origin_process.ts";

const FROM_MS = 100_000;

/** A lost request that took so long. */
function lost(
  method: "GET" | "POST",
  outcome: Lost["outcome"],
  { tookMs = 50, previousId = null }: { tookMs?: number; previousId?: string | null } = {},
): Lost {
  const question = { id: "a", method, answerBytes: 9, uploadBytes: 0, isLast: false };
  return { question, outcome, fromMs: FROM_MS, untilMs: FROM_MS + tookMs, previousId };
}

function strike(
  fault: FaultName,
  { origin = "1", fromMs = FROM_MS + 10, untilMs = Infinity } = {},
): Strike {
  return { origin, fault, fromMs, untilMs };
}

function why(
  one: Lost,
  { did, strikes = [] }: { did?: Record<string, string | null>; strikes?: readonly Strike[] } = {},
): string | null {
  const sightings: Sighting[] = Object.entries(did ?? {}).map(([origin, did]) => ({
    origin,
    atMs: FROM_MS + 5,
    did,
  }));
  return explain(one, {
    firstByteTimeoutMs: 3000,
    faults: FAULTS,
    sightings: (id) => {
      if (id === "before") return [{ origin: "1", atMs: 0, did: "length-under" }];
      return id === "a" ? sightings : [];
    },
    strikes,
  });
}

const NOTHING: Outcome & { kind: "ended" } = { kind: "ended", bytes: 0 };
const PART: Outcome & { kind: "ended" } = { kind: "ended", bytes: 5 };
const REFUSED: Outcome & { kind: "refused" } = { kind: "refused", status: 500, retryAfter: false };

Deno.test("explain: without a fault there is no explanation", () => {
  for (const outcome of [NOTHING, PART, REFUSED]) {
    assertEquals(why(lost("GET", outcome)), null);
    assertEquals(why(lost("POST", outcome), { did: { "1": "answered" } }), null);
    assertEquals(why(lost("POST", outcome), { did: { "1": null } }), null);
  }
});

Deno.test("explain: a GET that ends before its answer has to be sent to another", () => {
  for (const did of ["reset", "close"]) {
    assertEquals(why(lost("GET", NOTHING), { did: { "1": did } }), null);
    assertEquals(why(lost("GET", REFUSED), { did: { "1": did } }), null);
    assertEquals(why(lost("POST", NOTHING), { did: { "1": did } }), did);
  }
  assertEquals(why(lost("GET", NOTHING), { did: { "1": null }, strikes: [strike("kill")] }), null);
  assertEquals(why(lost("GET", PART), { did: { "1": null }, strikes: [strike("kill")] }), "kill");
});

Deno.test("explain: an answer that was begun wrongly is explained by that", () => {
  for (const did of ["half", "garbage", "endless-head", "length-over"]) {
    assertEquals(why(lost("GET", PART), { did: { "1": did } }), did);
    assertEquals(why(lost("GET", REFUSED), { did: { "1": did } }), did);
  }
});

Deno.test("explain: silence explains only what waited for the whole deadline", () => {
  const long = { tookMs: 3100 };
  assertEquals(why(lost("GET", REFUSED, long), { did: { "1": "silent" } }), "silent");
  assertEquals(why(lost("GET", REFUSED), { did: { "1": "silent" } }), null);
  assertEquals(why(lost("GET", REFUSED, long), { strikes: [strike("stop")] }), "stop");
  assertEquals(why(lost("GET", REFUSED), { strikes: [strike("stop")] }), null);
});

Deno.test("explain: faults that lose nothing explain nothing", () => {
  const strikes = [strike("refuse"), strike("sick")];
  for (const outcome of [NOTHING, PART, REFUSED]) {
    assertEquals(why(lost("POST", outcome), { did: { "1": null }, strikes }), null);
  }
});

Deno.test("explain: an upload that nobody read is explained by a death at that time", () => {
  assertEquals(why(lost("POST", NOTHING), { strikes: [strike("kill")] }), "kill");
  const early = strike("kill", { fromMs: FROM_MS - 2000, untilMs: FROM_MS - 1000 });
  const late = strike("kill", { fromMs: FROM_MS + 51 });
  assertEquals(why(lost("POST", NOTHING), { strikes: [early, late] }), null);
});

Deno.test("explain: a fault elsewhere is no excuse for an origin that did well", () => {
  const strikes = [strike("kill", { origin: "2" })];
  assertEquals(why(lost("POST", PART), { did: { "1": "answered" }, strikes }), null);
  assertEquals(why(lost("POST", PART), { did: { "1": null }, strikes }), null);
});

Deno.test("explain: what came behind a longer answer than announced spoils the next", () => {
  const garbled: Outcome & { kind: "garbled" } = { kind: "garbled", what: "no head of an answer" };
  assertEquals(why(lost("GET", garbled, { previousId: "before" })), "length-under");
  assertEquals(why(lost("GET", garbled)), null);
});
