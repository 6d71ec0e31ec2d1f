/**
 * Hostile clients, one kind after the other, while good clients go on beside them.
 *
 * The promises: no good client loses a request, and the slowest of a hundred takes no longer than a
 * stated factor of what it took in peace; what the attack left behind is closed.
 */
import { Random } from "../support/random.ts";
import { type Attack, type AttackName, ATTACKS } from "./attacks.ts";
import { innerStack, pause, serversOf, startOrigins } from "./field.ts";
import { Load, quantile } from "./load.ts";
import type { Finding, ScenarioOptions } from "./scenario.ts";
import { Target } from "./target.ts";

const ATTACKER = new URL("attacker.ts", import.meta.url).pathname;
const ORIGINS = 3;
const GOOD_CLIENTS = 12;
const GOOD_PAUSE_MS = 20;
const PATIENCE_MS = 15_000;
/**
 * What p99 may become under attack: so many times that in peace, or this if that is more. Attackers,
 * good clients, balancer and origins share the processors here: most of it is waiting for these.
 */
const P99 = { factor: 20, floorMs: 1500 } as const;
/** An attack lasts at least so long, in seconds: longer than what it may cost, or nobody would see it. */
const ATTACK_SECONDS_MIN = 2.5;
const PEACE_SECONDS = 2;
const SERIAL = { long: 100_000, short: 5000 } as const;
/** How long the attack that counts may take for that, in seconds. */
const SERIAL_SECONDS_MAX = 120;

/** One attack and what good clients felt of it. */
interface Battle {
  readonly name: AttackName;
  readonly connections: number;
  readonly p99Ms: number;
  readonly lost: number;
}

/** Runs it, in both modes. */
export async function hostile(options: ScenarioOptions): Promise<readonly Finding[]> {
  return [await attackAll("bridge", options), await attackAll("http", options)];
}

async function attackAll(
  mode: "bridge" | "http",
  options: ScenarioOptions,
): Promise<Finding> {
  const { seconds, isShort, random, progress } = options;
  await using stack = innerStack(options.stack);
  const servers = serversOf(await startOrigins(ORIGINS, { stack }));
  // More than clients are slow at once, and far less than are idle.
  const modeArgs = ["--mode", mode, "-N512"];
  const target = stack.use(await Target.start({ args: [...servers, ...modeArgs] }));
  const before = await target.vitals();
  const load = new Load({
    port: target.port,
    clients: GOOD_CLIENTS,
    pauseMs: GOOD_PAUSE_MS,
    patienceMs: PATIENCE_MS,
    name: "good",
    asksAgain: mode === "bridge",
    random: new Random(random.integer(0, 2 ** 31)),
  });
  stack.defer(() => load.stop());
  await pause(PEACE_SECONDS);
  const peaceMs = quantile(load.latenciesMs(), 0.99);
  const battles: Battle[] = [];
  const names = Object.keys(ATTACKS) as AttackName[];
  for (const name of names) {
    battles.push(
      await fight(name, {
        port: target.port,
        load,
        seconds: Math.max(ATTACK_SECONDS_MIN, seconds / names.length),
        seed: random.integer(0, 2 ** 31),
        serial: isShort ? SERIAL.short : SERIAL.long,
      }),
    );
    const [{ connections, p99Ms }] = battles.slice(-1) as [Battle];
    progress(`${mode}: ${name}: ${connections} connections, p99 ${p99Ms.toFixed(0)} ms`);
  }
  await load.stop();
  const { after, broken } = await target.recovers(before);
  const allowedMs = Math.max(P99.floorMs, P99.factor * peaceMs);
  const connections = battles.reduce((sum, battle) => sum + battle.connections, 0);
  const worstMs = Math.max(...battles.map(({ p99Ms }) => p99Ms));
  return {
    title: `hostile clients, ${mode} mode`,
    load: `${load.requests} requests, p99 ${peaceMs.toFixed(0)} ms in peace, ` +
      `${worstMs.toFixed(0)} at worst`,
    faults: `${battles.length} attacks, ${connections} connections`,
    lost: String(load.lost.length),
    vitals: { before, after },
    broken: [
      ...battles.flatMap((battle) => brokenBy(battle, allowedMs)),
      ...target.logged(/ is down/).map((line) => `a healthy server was taken down: ${line}`),
      ...broken,
      ...await target.stop(),
    ],
    notes: [
      `p99 may become ${P99.factor} times that in peace or ${P99.floorMs} ms: ` +
      `${allowedMs.toFixed(0)} ms`,
      `p99 in ms (connections): ${
        battles.map(({ name, p99Ms, connections }) =>
          `${name} ${p99Ms.toFixed(0)} (${connections})`
        ).join(", ")
      }`,
      ...load.lost.slice(0, 5).map(({ question, outcome }) =>
        `lost: ${question.method} ${question.id}: ${JSON.stringify(outcome)}`
      ),
    ],
  };
}

async function fight(
  name: AttackName,
  { port, load, seconds, seed, serial }: {
    readonly port: number;
    readonly load: Load;
    readonly seconds: number;
    readonly seed: number;
    readonly serial: number;
  },
): Promise<Battle> {
  const { counts = false }: Attack = ATTACKS[name];
  const lostBefore = load.lost.length;
  load.mark();
  const attacker = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--allow-net",
      ATTACKER,
      name,
      ...[port, seed, serial].map(String),
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const output = attacker.output();
  await Promise.race([output, pause(counts ? SERIAL_SECONDS_MAX : seconds)]);
  const latenciesMs = load.latenciesMs();
  await attacker.stdin.close().catch(() => {/* It has ended already. */});
  const { stdout } = await output;
  return {
    name,
    connections: Number(new TextDecoder().decode(stdout)),
    p99Ms: quantile(latenciesMs, 0.99),
    lost: load.lost.length - lostBefore,
  };
}

function brokenBy({ name, p99Ms, lost, connections }: Battle, allowedMs: number): string[] {
  const broken: string[] = [];
  if (lost > 0) broken.push(`${name}: good clients lost ${lost} requests`);
  if (p99Ms > allowedMs) {
    broken.push(
      `${name}: p99 of good clients ${p99Ms.toFixed(0)} ms, ${allowedMs.toFixed(0)} at most`,
    );
  }
  if (connections === 0) broken.push(`${name}: there was no attack`);
  return broken;
}
