/**
 * Soak: a constant mixed load, clients that leave early among them, through a balancer in bridge mode
 * and one in http mode.
 *
 * The promises: nothing is lost; sockets end where they began; memory does not grow.
 */
import { Random } from "../support/random.ts";
import { serversOf, startOrigins } from "./field.ts";
import { Load } from "./load.ts";
import type { OriginProcess } from "./origin_process.ts";
import type { Finding, ScenarioOptions } from "./scenario.ts";
import { Target } from "./target.ts";
import type { VitalSigns } from "./vital_signs.ts";

const ORIGINS = 3;
const CLIENTS = 16;
const PAUSE_MS = 60;
const PATIENCE_MS = 15_000;
const SAMPLE_MS = 1000;
/** A client that asks and leaves comes this often, in milliseconds. */
const RUDE_MS = 50;
/**
 * So much may memory grow over the second half, by the straight line through it: what the garbage
 * collector leaves for later goes up and down by that much, and a leak does not go down.
 */
const GROWTH_MIB_MAX = 12;

/** One balancer under a constant load. */
interface Soaked {
  readonly mode: string;
  readonly target: Target;
  readonly load: Load;
  readonly before: VitalSigns;
  readonly samples: VitalSigns[];
  rude: number;
}

/** Runs it. */
export async function soak(options: ScenarioOptions): Promise<readonly Finding[]> {
  const { stack } = options;
  const origins = await startOrigins(ORIGINS, { stack });
  const soaked: Soaked[] = [];
  for (const mode of ["bridge", "http"]) {
    soaked.push(await start(mode, { stack, origins, random: options.random }));
  }
  const untilMs = performance.now() + 1000 * options.seconds;
  await Promise.all(soaked.map((each) => sample(each, untilMs)));
  const findings: Finding[] = [];
  for (const each of soaked) await each.load.stop();
  for (const each of soaked) findings.push(await judge(each));
  return findings;
}

async function start(
  mode: string,
  { stack, origins, random }: {
    readonly stack: AsyncDisposableStack;
    readonly origins: readonly OriginProcess[];
    readonly random: Random;
  },
): Promise<Soaked> {
  const target = stack.use(await Target.start({ args: [...serversOf(origins), "--mode", mode] }));
  const before = await target.vitals();
  const load = new Load({
    port: target.port,
    clients: CLIENTS,
    pauseMs: PAUSE_MS,
    patienceMs: PATIENCE_MS,
    name: mode,
    asksAgain: mode === "bridge",
    random: new Random(random.integer(0, 2 ** 31)),
  });
  stack.defer(() => load.stop());
  return { mode, target, load, before, samples: [], rude: 0 };
}

/** Looks every second, and is rude in between. */
async function sample(soaked: Soaked, untilMs: number): Promise<void> {
  for (let nextMs = performance.now(); performance.now() < untilMs;) {
    if (performance.now() >= nextMs) {
      soaked.samples.push(await soaked.target.vitals());
      nextMs += SAMPLE_MS;
    }
    await beRude(soaked.target.port, soaked.rude++);
    await new Promise((resolve) => setTimeout(resolve, RUDE_MS));
  }
}

/** Asks for much, and leaves: at once, with half a request, or with the start of its answer. */
async function beRude(port: number, turn: number): Promise<void> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const head = `GET /rude${turn}/300000 HTTP/1.1\r\nHost: torture\r\n`;
  await conn.write(new TextEncoder().encode(turn % 3 === 1 ? head : `${head}\r\n`));
  if (turn % 3 === 2) await conn.read(new Uint8Array(1000)).catch(() => {/* It gave up first. */});
}

async function judge({ mode, target, load, before, samples, rude }: Soaked): Promise<Finding> {
  const { after, broken } = await target.recovers(before);
  const half = samples.slice(Math.floor(samples.length / 2)).map(({ residentMib }) => residentMib);
  const mibPerSample = slope(half);
  const growthMib = mibPerSample * half.length;
  const bytesPerRequest = mibPerSample * 2 ** 20 * 1000 / SAMPLE_MS / load.perSecond;
  const grows = `memory grew by ${growthMib.toFixed(1)} MiB over the second half, ` +
    `${GROWTH_MIB_MAX} at most`;
  return {
    title: `soak, ${mode} mode`,
    load: `${load.requests} requests, ${load.perSecond.toFixed(0)}/s`,
    faults: `${rude} clients that left early`,
    lost: String(load.lost.length),
    vitals: { before, after },
    broken: [
      ...(load.lost.length > 0 ? [`${load.lost.length} requests were lost`] : []),
      ...(growthMib > GROWTH_MIB_MAX ? [grows] : []),
      ...target.logged(/ is down/).map((line) => `a healthy server was taken down: ${line}`),
      ...broken,
      ...await target.stop(),
    ],
    notes: [
      `${grows}: ${bytesPerRequest.toFixed(0)} bytes a request; highest ` +
      `${Math.max(...samples.map(({ residentMib }) => residentMib)).toFixed(0)} MiB, ` +
      `${Math.max(...samples.map(({ sockets }) => sockets))} sockets`,
      ...load.lost.slice(0, 5).map(({ question, outcome }) =>
        `lost: ${question.method} ${question.id}: ${JSON.stringify(outcome)}`
      ),
    ],
  };
}

/** Of the straight line with the least squares, from one value to the next; 0 for less than two. */
export function slope(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  let along = 0;
  let across = 0;
  for (const [at, value] of values.entries()) {
    along += (at - middle) ** 2;
    across += (at - middle) * (value - mean);
  }
  return along === 0 ? 0 : across / along;
}
