/**
 * Faults under load: origins are killed, stopped, flap, reset and talk nonsense while a steady load
 * runs through a balancer in bridge mode and one in http mode before the same origins.
 *
 * The promise: nothing is lost that could have been served.
 */
import { Random } from "../support/random.ts";
import { FAULT_NAMES, FAULTS } from "./fault.ts";
import { serversOf, startOrigins } from "./field.ts";
import { Load, type Lost } from "./load.ts";
import { explain } from "./loss.ts";
import { Ledger, type OriginProcess } from "./origin_process.ts";
import type { Finding, ScenarioOptions } from "./scenario.ts";
import { strikeAtRandom } from "./striking.ts";
import { Target } from "./target.ts";
import type { VitalSigns } from "./vital_signs.ts";

const ORIGINS = 5;
const FIRST_BYTE_TIMEOUT_MS = 3000;
const CLIENTS = 24;
const PAUSE_MS = 120;
/** Longer than anything that the balancer is to wait for. */
const PATIENCE_MS = 15_000;
/** As many unexplained losses are told of, one by one. */
const TOLD_MAX = 10;

/** One balancer under load. */
interface Front {
  readonly mode: "bridge" | "http";
  readonly target: Target;
  readonly load: Load;
  readonly before: VitalSigns;
}

/** Runs it. */
export async function faults(options: ScenarioOptions): Promise<readonly Finding[]> {
  const { random, seconds, progress, stack } = options;
  const ledger = new Ledger();
  const origins = await startOrigins(ORIGINS, { stack, ledger });
  const fronts: Front[] = [];
  for (const mode of ["bridge", "http"] as const) {
    fronts.push(await startFront(stack, { mode, origins, ledger, random }));
  }
  await strikeAtRandom(seconds, {
    origins,
    isReady: ({ name }) => fronts.every(({ target }) => target.isReady(name)),
    random,
  });
  progress(`${ledger.strikes.length} strikes are over, looking what was lost`);
  for (const { load } of fronts) await load.stop();
  const findings: Finding[] = [];
  for (const front of fronts) findings.push(await judge(front, ledger));
  return findings;
}

async function startFront(
  stack: AsyncDisposableStack,
  { mode, origins, ledger, random }: {
    readonly mode: Front["mode"];
    readonly origins: readonly OriginProcess[];
    readonly ledger: Ledger;
    readonly random: Random;
  },
): Promise<Front> {
  const timeout = ["--first-byte-timeout", `${FIRST_BYTE_TIMEOUT_MS}ms`];
  const target = stack.use(
    await Target.start({ args: [...serversOf(origins), "--mode", mode, ...timeout] }),
  );
  const before = await target.vitals();
  const load = new Load({
    port: target.port,
    clients: CLIENTS,
    pauseMs: PAUSE_MS,
    patienceMs: PATIENCE_MS,
    name: mode[0] ?? "",
    asksAgain: mode === "bridge",
    random: new Random(random.integer(0, 2 ** 31)),
    onServed: (id) => ledger.forget(id),
  });
  stack.defer(() => load.stop());
  return { mode, target, load, before };
}

async function judge(
  { mode, target, load, before }: Front,
  ledger: Ledger,
): Promise<Finding> {
  const explained = new Map<string, number>();
  const unexplained: Lost[] = [];
  for (const lost of load.lost) {
    const fault = explain(lost, {
      firstByteTimeoutMs: FIRST_BYTE_TIMEOUT_MS,
      faults: FAULTS,
      sightings: (id) => ledger.sightings(id),
      strikes: ledger.strikes,
    });
    if (fault === null) unexplained.push(lost);
    else explained.set(fault, (explained.get(fault) ?? 0) + 1);
  }
  const { after, broken } = await target.recovers(before);
  const causes = [...explained].map(([fault, count]) => `${fault} ${count}`).join(", ");
  return {
    title: `faults, ${mode} mode`,
    load: `${load.requests} requests, ${load.perSecond.toFixed(0)}/s`,
    faults: `${ledger.strikes.length} strikes on ${ORIGINS} origins`,
    lost: `${load.lost.length}, unexplained ${unexplained.length}`,
    vitals: { before, after },
    broken: [
      ...(unexplained.length > 0
        ? [`${unexplained.length} requests were lost without a fault`]
        : []),
      ...broken,
      ...await target.stop(),
    ],
    notes: [
      `strikes: ${struckOften(ledger)}`,
      `lost by: ${causes === "" ? "none" : causes}`,
      ...unexplained.slice(0, TOLD_MAX).map((lost) => `unexplained: ${story(lost, ledger)}`),
    ],
  };
}

function struckOften({ strikes }: Ledger): string {
  return FAULT_NAMES.map((name) => {
    return `${name} ${strikes.filter(({ fault }) => fault === name).length}`;
  }).join(", ");
}

/** What is known of one loss. */
function story({ question, outcome, fromMs, untilMs, previousId }: Lost, ledger: Ledger): string {
  const seen = ledger.sightings(question.id).map(({ origin, did, atMs }) =>
    `${origin} saw it after ${(atMs - fromMs).toFixed(0)} ms and ${did ?? "said no more"}`
  );
  const strikes = ledger.strikes.filter((strike) =>
    strike.fromMs <= untilMs && strike.untilMs >= fromMs
  ).map(({ origin, fault }) => `${origin} ${fault}`);
  return `${question.method} ${question.id} of ${question.answerBytes} bytes, ` +
    `${previousId === null ? "first" : "later"} on its connection, at ` +
    `${new Date(fromMs).toISOString()}: ${JSON.stringify(outcome)} after ${
      (untilMs - fromMs).toFixed(0)
    } ms; ` +
    `seen: ${seen.join("; ") || "by nobody"}; struck then: ${strikes.join(", ") || "nobody"}`;
}
