/**
 * Exhaustion: the balancer lacks descriptors, memory, bridges or processor time, or has very many
 * servers.
 *
 * The promises: no healthy server is taken down for what this process lacked; who cannot be served now
 * waits or is told so; when there is enough again everything is as it was.
 */
import { until } from "../support/until.ts";
import { freePort } from "../bench/ports.ts";
import { innerStack, pause, serversOf, startOrigins } from "./field.ts";
import { OriginProcess } from "./origin_process.ts";
import type { Finding, ScenarioOptions } from "./scenario.ts";
import { Target } from "./target.ts";
import { Trial } from "./trial.ts";

const ORIGINS = 3;
const DESCRIPTORS = [64, 256] as const;
/** So many times as many clients as there are descriptors hold theirs. */
const HOGS_FACTOR = 2;
const HEAP_MIB = 64;
const MEMORY = { idle: 1500, clients: 150 } as const;
const SERVERS = { alive: 400, dead: 100 } as const;
const QUEUE = { bridges: 4, waiting: 50, clients: 120, delayMs: 100 } as const;
/** Of what the bridges could serve, the part that has to be served with a full queue. */
const QUEUE_SHARE_MIN = 0.6;
const STALL = { stopMs: 500, runMs: 400 } as const;
/** Deadlines shorter than a stall. */
const STALL_DEADLINES = [
  ...["--probe-timeout", "400ms", "--connect-timeout", "300ms"],
  ...["--first-byte-timeout", "1s", "--interval", "500ms"],
];

/** Runs all of it. */
export async function exhaustion(options: ScenarioOptions): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const seconds = options.seconds / 6;
  for (const limit of DESCRIPTORS) findings.push(await descriptors(limit, { ...options, seconds }));
  for (const run of [memory, manyServers, fullQueue, stalls]) {
    findings.push(await run({ ...options, seconds }));
    options.progress(`${findings.at(-1)?.title}: done`);
  }
  return findings;
}

/** Fewer descriptors than clients that hold theirs. */
async function descriptors(limit: number, options: ScenarioOptions): Promise<Finding> {
  await using stack = innerStack(options.stack);
  const origins = await startOrigins(ORIGINS, { stack });
  const before = `ulimit -n ${limit}`;
  const target = stack.use(await Target.start({ args: serversOf(origins), before }));
  const trial = await Trial.start(target, { stack, options, clients: 4 });
  using hogs = await hold(HOGS_FACTOR * limit, target.port);
  await target.says(/no file descriptor left/);
  await pause(options.seconds);
  hogs.dispose();
  const finding = await trial.end({
    title: `${limit} descriptors`,
    faults: `${HOGS_FACTOR * limit} idle clients`,
  });
  return withoutDowns(finding, target);
}

/** A small heap, many clients, large bodies. */
async function memory(options: ScenarioOptions): Promise<Finding> {
  await using stack = innerStack(options.stack);
  const origins = await startOrigins(ORIGINS, { stack });
  const target = stack.use(
    await Target.start({
      args: [...serversOf(origins), "--mode", "http"],
      flags: [`--v8-flags=--max-old-space-size=${HEAP_MIB}`],
    }),
  );
  const clients = options.isShort ? MEMORY.clients / 3 : MEMORY.clients;
  const trial = await Trial.start(target, { stack, options, clients });
  using hogs = await hold(MEMORY.idle, target.port);
  await pause(options.seconds);
  hogs.dispose();
  const finding = await trial.end({
    title: `a heap of ${HEAP_MIB} MiB`,
    faults: `${MEMORY.idle} idle clients`,
  });
  return withoutDowns(finding, target);
}

/** One origin under very many addresses, and many where nobody is; it dies and comes back. */
async function manyServers(options: ScenarioOptions): Promise<Finding> {
  await using stack = innerStack(options.stack);
  const port = await freePort();
  const origin = stack.use(await OriginProcess.start({ hostname: "0.0.0.0", port }));
  const deadPort = await freePort();
  const alive = Array.from({ length: SERVERS.alive }, (_, at) => `${addressOf(at)}:${port}`);
  const dead = Array.from({ length: SERVERS.dead }, (_, at) => `${addressOf(at)}:${deadPort}`);
  const args = [...alive, ...dead, "--mode", "http"];
  const target = stack.use(await Target.start({ args }));
  const trial = await Trial.start(target, { stack, options, clients: 20 });
  await pause(options.seconds);
  await trial.load.stop();
  const servingCount = await readyCount(target);
  const downMs = await timed(async () => {
    await origin.strike("kill");
    await until(async () => await readyCount(target) === 0, "all servers are down");
  });
  const upMs = await timed(async () => {
    await origin.heal();
    await until(async () => await readyCount(target) === SERVERS.alive, "all are ready again");
  });
  const finding = await trial.end({
    title: `${SERVERS.alive + SERVERS.dead} servers`,
    faults: `${SERVERS.dead} dead from the start, the others for a while`,
  });
  const isRight = servingCount === SERVERS.alive;
  return {
    ...finding,
    broken: [
      ...finding.broken,
      ...(isRight ? [] : [`${servingCount} of ${SERVERS.alive} were ready`]),
    ],
    notes: [
      ...finding.notes,
      `all down ${downMs.toFixed(0)} ms after the kill, all ready ${
        upMs.toFixed(0)
      } ms after the start`,
    ],
  };
}

/** More clients than bridges and places to wait, all the time. */
async function fullQueue(options: ScenarioOptions): Promise<Finding> {
  await using stack = innerStack(options.stack);
  const origins = await startOrigins(ORIGINS, { stack });
  for (const origin of origins) await origin.order({ delayMs: QUEUE.delayMs });
  const limits = ["-N", `${QUEUE.bridges}`, "--queue", `${QUEUE.waiting}`];
  const args = [...serversOf(origins), ...limits, "--mode", "http"];
  const target = stack.use(await Target.start({ args }));
  const trial = await Trial.start(target, { stack, options, clients: QUEUE.clients, uploads: 0 });
  await pause(options.seconds);
  await trial.load.stop();
  const { load } = trial;
  const servedPerSecond = load.served / load.seconds;
  const couldPerSecond = 1000 * QUEUE.bridges / QUEUE.delayMs;
  const finding = await trial.end({
    title: `a queue that is full`,
    faults: `${QUEUE.clients} clients, ${QUEUE.bridges} bridges, ${QUEUE.waiting} places`,
    isRight: ({ outcome }) =>
      outcome.kind === "refused" && outcome.status === 503 && outcome.retryAfter,
  });
  const isSlow = servedPerSecond < QUEUE_SHARE_MIN * couldPerSecond;
  const rate = `${servedPerSecond.toFixed(0)}/s served of the ${couldPerSecond} that could be`;
  return withoutDowns({
    ...finding,
    lost: `${load.lost.length} told 503`,
    broken: [...finding.broken, ...(isSlow ? [rate] : [])],
    notes: [...finding.notes, rate],
  }, target);
}

/** The process stands still for half a second, over and over, with deadlines shorter than that. */
async function stalls(options: ScenarioOptions): Promise<Finding> {
  await using stack = innerStack(options.stack);
  const origins = await startOrigins(ORIGINS, { stack });
  const target = stack.use(
    await Target.start({ args: [...serversOf(origins), "--mode", "http", ...STALL_DEADLINES] }),
  );
  const trial = await Trial.start(target, { stack, options, clients: 20 });
  const count = Math.ceil(1000 * options.seconds / (STALL.stopMs + STALL.runMs));
  for (let stall = 0; stall < count; stall++) {
    target.kill("SIGSTOP");
    await pause(STALL.stopMs / 1000);
    target.kill("SIGCONT");
    await pause(STALL.runMs / 1000);
  }
  const finding = await trial.end({
    title: "stalls of the process",
    faults: `${count} stops of ${STALL.stopMs} ms, deadlines of 300 to 1000`,
  });
  return withoutDowns(finding, target);
}

async function readyCount(target: Target): Promise<number> {
  const { backends } = await target.status();
  return backends.filter(({ state }) => state === "ready").length;
}

/** How long it takes, in milliseconds. */
async function timed(act: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await act();
  return performance.now() - startedMs;
}

/** One of the addresses of this machine. */
function addressOf(at: number): string {
  return `127.1.${Math.floor(at / 200)}.${1 + at % 200}`;
}

/** No healthy server may have been taken down. */
function withoutDowns(finding: Finding, target: Target): Finding {
  const downs = target.logged(/ is down/).map((line) => `a healthy server was taken down: ${line}`);
  return { ...finding, broken: [...finding.broken, ...downs] };
}

/** Connections that say nothing; they close with what is returned. */
async function hold(count: number, port: number): Promise<DisposableStack> {
  const held = new globalThis.DisposableStack();
  for (let at = 0; at < count; at++) held.use(await Deno.connect({ hostname: "127.0.0.1", port }));
  return held;
}
