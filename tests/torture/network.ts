/**
 * Network faults between hosts: the balancer here, each origin on a host of its own. The wire to one of
 * them delays, loses, or is pulled out under load.
 *
 * The promises: what the other origin can serve is not lost, and both ways back are short.
 */
import { nowMs } from "./now.ts";
import { Random } from "../support/random.ts";
import { until } from "../support/until.ts";
import { freePort } from "../bench/ports.ts";
import { pause } from "./field.ts";
import { Load, type Lost } from "./load.ts";
import { OriginProcess } from "./origin_process.ts";
import type { Finding, ScenarioOptions } from "./scenario.ts";
import { Target } from "./target.ts";
import { Host } from "./wires.ts";

const HOSTS = 2;
const CLIENTS = 16;
const FIRST_BYTE_TIMEOUT_MS = 2000;
const TIMEOUTS = [
  ...["--connect-timeout", "1s", "--first-byte-timeout", `${FIRST_BYTE_TIMEOUT_MS}ms`],
  ...["--probe-timeout", "1s", "--interval", "1s"],
];
/**
 * Who asks later than that after a cable was pulled is not lost any more: connects have been late and
 * checks have failed by then. And so long it may take until a server is used again whose cable is back.
 */
const RECOVERY_MS = { pulled: 4000, plugged: 4000 } as const;
/** What the wires do short of breaking. */
const DISTURBANCES: readonly (readonly string[])[] = [
  ["delay", "60ms", "30ms"],
  ["loss", "10%"],
];

/** One balancer under load. */
interface Front {
  readonly mode: string;
  readonly target: Target;
  readonly load: Load;
  readonly before: Awaited<ReturnType<Target["vitals"]>>;
  readonly notes: string[];
  readonly broken: string[];
}

/** Runs it. */
export async function network(
  { seconds, random, stack }: ScenarioOptions,
): Promise<readonly Finding[]> {
  const hosts: Host[] = [];
  const origins: OriginProcess[] = [];
  for (let index = 1; index <= HOSTS; index++) {
    const host = stack.use(await Host.make(index));
    const options = { hostname: host.address, port: await freePort(), before: host.run };
    hosts.push(host);
    origins.push(stack.use(await OriginProcess.start(options)));
  }
  const servers = origins.map(({ name }, at) => `${hosts[at]?.address}:${name}`);
  const fronts: Front[] = [];
  for (const mode of ["bridge", "http"]) {
    fronts.push(await startFront(mode, { stack, servers, random }));
  }
  const [host] = hosts as [Host];
  const [origin] = origins as [OriginProcess];
  const disturbed = await disturb(host, { fronts, seconds: seconds / 4 });
  await cut(host, { origin, fronts, seconds: seconds / 2 });
  const findings: Finding[] = [];
  for (const { load } of fronts) await load.stop();
  for (const front of fronts) findings.push(await judge(front, disturbed));
  return findings;
}

async function startFront(
  mode: string,
  { stack, servers, random }: {
    readonly stack: AsyncDisposableStack;
    readonly servers: readonly string[];
    readonly random: Random;
  },
): Promise<Front> {
  const target = stack.use(
    await Target.start({ args: [...servers, "--mode", mode, ...TIMEOUTS] }),
  );
  const before = await target.vitals();
  const load = new Load({
    port: target.port,
    clients: CLIENTS,
    pauseMs: 60,
    patienceMs: 15_000,
    name: mode,
    asksAgain: mode === "bridge",
    random: new Random(random.integer(0, 2 ** 31)),
  });
  stack.defer(() => load.stop());
  return { mode, target, load, before, notes: [], broken: [] };
}

/** The wire is bad for a while. Returns what was done to it. */
async function disturb(
  host: Host,
  { fronts, seconds }: { readonly fronts: readonly Front[]; readonly seconds: number },
): Promise<string[]> {
  const done: string[] = [];
  for (const how of DISTURBANCES) {
    const refused = await host.disturb(...how);
    if (refused !== null) {
      for (const { notes } of fronts) notes.push(`left out: ${how.join(" ")}: ${refused}`);
      continue;
    }
    const lostBefore = fronts.map(({ load }) => load.lost.length);
    await pause(seconds);
    await host.soothe();
    done.push(how.join(" "));
    for (const [at, { load, broken }] of fronts.entries()) {
      const lost = load.lost.length - (lostBefore[at] ?? 0);
      if (lost > 0) broken.push(`${lost} requests were lost by a wire with ${how.join(" ")}`);
    }
  }
  return done;
}

/** The cable is pulled, and put in again. */
async function cut(
  host: Host,
  { origin, fronts, seconds }: {
    readonly origin: OriginProcess;
    readonly fronts: readonly Front[];
    readonly seconds: number;
  },
): Promise<void> {
  const pulledMs = nowMs();
  await host.pull();
  await pause(Math.max(seconds, RECOVERY_MS.pulled / 1000 + 1));
  const pluggedMs = nowMs();
  await host.plug();
  await Promise.all(fronts.map(async ({ target, notes, broken }) => {
    await until(() => target.isReady(origin.name), "the server whose cable is back is ready");
    const backMs = nowMs() - pluggedMs;
    notes.push(
      `ready again ${
        backMs.toFixed(0)
      } ms after the cable was back, ${RECOVERY_MS.plugged} at most`,
    );
    if (backMs > RECOVERY_MS.plugged) {
      broken.push(`it was ready only after ${backMs.toFixed(0)} ms`);
    }
  }));
  for (const { load, notes, broken } of fronts) {
    const lost = load.lost.filter(({ untilMs }) => untilMs >= pulledMs);
    const lastMs = Math.max(0, ...lost.map(({ fromMs }) => fromMs - pulledMs));
    notes.push(
      `${lost.length} lost by the pulled cable, the last was asked ${
        lastMs.toFixed(0)
      } ms after that, ` +
        `${RECOVERY_MS.pulled} at most`,
    );
    if (lastMs > RECOVERY_MS.pulled) {
      broken.push(`lost a request asked ${lastMs.toFixed(0)} ms after the pull`);
    }
    for (const each of lost.filter((each) => !isExcused(each))) {
      broken.push(`lost without need: ${each.question.id}: ${JSON.stringify(each.outcome)}`);
    }
  }
}

/** Only who was connected when the cable was pulled waits in vain, and no shorter than that. */
function isExcused({ outcome, question, fromMs, untilMs }: Lost): boolean {
  if (outcome.kind === "ended" && (outcome.bytes > 0 || question.method === "POST")) return true;
  return untilMs - fromMs >= FIRST_BYTE_TIMEOUT_MS - 200;
}

async function judge(
  { mode, target, load, before, notes, broken }: Front,
  disturbed: readonly string[],
): Promise<Finding> {
  const recovered = await target.recovers(before);
  return {
    title: `network, ${mode} mode`,
    load: `${load.requests} requests, ${load.perSecond.toFixed(0)}/s`,
    faults: [...disturbed, "a pulled cable"].join(", "),
    lost: `${load.lost.length}, unexplained ${broken.length}`,
    vitals: { before, after: recovered.after },
    broken: [...broken, ...recovered.broken, ...await target.stop()],
    notes,
  };
}
