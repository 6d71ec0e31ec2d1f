/**
 * Why a request was lost: which fault of which origin explains it, or none. Pure.
 *
 * A loss is explained only if no healthy backend could have served that request, by what the balancer
 * promises: an origin that had got the request's bytes did wrong by it, and the request was one that
 * is not sent again. Which origin had it is known from the origins, never from the balancer.
 *
 * - The origin sent something of an answer, and that was wrong or broke off: by that fault.
 * - The origin said nothing for as long as the balancer waits: by the fault that silenced it.
 * - The connection ended before the answer: by that fault where the request is an upload, for which
 *   a second try is not provably safe. A GET has to be sent to the next backend; that the retry budget
 *   of http mode was used up is no excuse, because the load is such that it never is.
 * - No origin read it (one that is stopped, or was killed, reads nothing of what its kernel took): by
 *   such a fault during the request, within the same limits.
 */
import type { FaultName, FAULTS } from "./fault.ts";
import type { Lost } from "./load.ts";
import type { Sighting, Strike } from "./origin_process.ts";

/** What is known of the time of a run. */
export interface Evidence {
  /** How long it waits for a first byte, in milliseconds. */
  readonly firstByteTimeoutMs: number;
  /** What each fault does to requests. */
  readonly faults: typeof FAULTS;
  /** Who saw that request. */
  readonly sightings: (id: string) => readonly Sighting[];
  /** All that was done to origins. */
  readonly strikes: readonly Strike[];
}

/** Origins learn a little later than they are told that a fault is over, and clients of its effects. */
const SLACK_MS = 500;
/** A deadline is met within a tenth of a second, early or late. */
const DEADLINE_SLACK_MS = 200;

/** The fault that explains the loss; null: none does. */
export function explain(lost: Lost, evidence: Evidence): string | null {
  const { question, previousId } = lost;
  const { sightings, faults } = evidence;
  const seen = sightings(question.id);
  for (const sighting of seen) {
    const fault = faultOf(sighting, { lost, evidence });
    if (fault !== null && isExcuse(fault, { lost, evidence })) return fault;
  }
  // What comes behind an answer that was longer than announced is taken for the next one.
  const previous = previousId === null ? [] : sightings(previousId);
  if (previous.some(({ did }) => did === "length-under")) return "length-under";
  const mayBeUnread = seen.length === 0 ||
    (question.method === "GET" && seen.every(({ did }) => did !== "answered"));
  if (!mayBeUnread) return null;
  return evidence.strikes.find((strike) =>
    (faults[strike.fault].by === "signal" || faults[strike.fault].effect === "ends") &&
    isDuring(strike, lost) && isExcuse(strike.fault, { lost, evidence })
  )?.fault ?? null;
}

/** What went wrong where it was seen; null: nothing. */
function faultOf(
  { origin, did }: Sighting,
  { lost, evidence }: { readonly lost: Lost; readonly evidence: Evidence },
): FaultName | null {
  if (did !== null && did in evidence.faults) return did as FaultName;
  // It was about to answer, or had begun, when it was stopped or its connections broke.
  return evidence.strikes.find((strike) =>
    strike.origin === origin && evidence.faults[strike.fault].effect !== "none" &&
    isDuring(strike, lost)
  )?.fault ?? null;
}

/** Does that fault excuse that loss? */
function isExcuse(
  fault: FaultName,
  { lost, evidence }: { readonly lost: Lost; readonly evidence: Evidence },
): boolean {
  const { outcome, question, fromMs, untilMs } = lost;
  const { effect } = evidence.faults[fault];
  const hadBytes = (outcome.kind === "ended" || outcome.kind === "late") && outcome.bytes > 0;
  switch (effect) {
    case "none":
      return false;
    case "answers":
      return true;
    case "stalls":
      return hadBytes || untilMs - fromMs >= evidence.firstByteTimeoutMs - DEADLINE_SLACK_MS;
    case "ends":
      return hadBytes || question.method === "POST";
  }
}

/** Was that origin struck at some time of the request? */
function isDuring({ fromMs, untilMs }: Strike, lost: Lost): boolean {
  return fromMs <= lost.untilMs && untilMs + SLACK_MS >= lost.fromMs;
}
