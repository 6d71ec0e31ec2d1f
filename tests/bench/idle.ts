/**
 * Memory per idle connection: 2,000 clients that have each had one answer and now stay silent, so that
 * each is really bridged to a backend. Resident memory of the balancer after, less before, per client.
 * What the kernel keeps for the sockets is not in it, for none of the contestants.
 */

import { type Contestant, type ContestantName } from "./contestants.ts";
import { delay } from "./delay.ts";
import { type Field, startContestant } from "./field.ts";
import { requestSmallBody } from "./http_request.ts";
import { residentKib } from "./process_usage.ts";

/** How many clients stay connected. */
export const IDLE_CLIENTS = 2_000;

const SPARE_CLIENTS = 200;
const OPENED_AT_ONCE = 50;
// Code and pools that the first clients bring in are not a cost of each connection.
const WARM_UP_CLIENTS = 20;
const OPEN_DEADLINE_MS = 30_000;
const SETTLE_POLL_MS = 100;
const SETTLE_SAMPLES = 10;
const SETTLED_WITHIN_KIB = 256;
const SETTLE_DEADLINE_MS = 20_000;

/** KiB per idle connection for each contestant, one sample per repetition. */
export type IdleSamples = ReadonlyMap<ContestantName, readonly number[]>;

/** Measures all that copy bytes, a fresh process for each sample. */
export async function measureIdle(field: Field, repeat: number): Promise<IdleSamples> {
  const samples = new Map<ContestantName, number[]>();
  for (let repetition = 1; repetition <= repeat; repetition++) {
    for (const contestant of field.contestants.bridge) {
      const kib = await kibPerConnection(contestant, field);
      const earlier = samples.get(contestant.name);
      if (earlier === undefined) samples.set(contestant.name, [kib]);
      else earlier.push(kib);
      field.progress(
        `idle connections ${repetition}/${repeat}: ${contestant.label}: ${kib.toFixed(1)} KiB each`,
      );
    }
  }
  return samples;
}

async function kibPerConnection(contestant: Contestant, field: Field): Promise<number> {
  await using stack = new globalThis.AsyncDisposableStack();
  const { port, process } = await startContestant(contestant, {
    field,
    stack,
    clientsMax: IDLE_CLIENTS + SPARE_CLIENTS,
  });
  {
    using _clients = await openClients(port, { count: WARM_UP_CLIENTS, signal: field.signal });
  }
  const before = await settledKib(process.pid, field.signal);
  using _clients = await openClients(port, { count: IDLE_CLIENTS, signal: field.signal });
  const after = await settledKib(process.pid, field.signal);
  await process.assertRunning();
  return (after - before) / IDLE_CLIENTS;
}

/** Opens `count` clients that have each had one answer; they close with the returned stack. */
async function openClients(
  port: number,
  options: { readonly count: number; readonly signal: AbortSignal },
): Promise<DisposableStack> {
  const { count } = options;
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(OPEN_DEADLINE_MS)]);
  using clients = new globalThis.DisposableStack();
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  let answered = 0;
  const openOne = async (): Promise<void> => {
    const conn = clients.use(await Deno.connect({ hostname: "127.0.0.1", port }));
    await requestSmallBody(conn);
    answered++;
  };
  try {
    while (answered < count) {
      const batch = Array.from({ length: Math.min(OPENED_AT_ONCE, count - answered) }, openOne);
      await Promise.race([Promise.all(batch), aborted.promise]);
    }
    return clients.move();
  } catch (error) {
    throw new Error(`Cannot open ${count} idle clients: ${answered} were answered`, {
      cause: error,
    });
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Resident memory once it has stayed the same, within a little, for a second. */
async function settledKib(pid: number, signal: AbortSignal): Promise<number> {
  const deadline = performance.now() + SETTLE_DEADLINE_MS;
  const recent: number[] = [];
  while (true) {
    signal.throwIfAborted();
    const kib = await residentKib(pid);
    recent.push(kib);
    if (recent.length > SETTLE_SAMPLES) recent.shift();
    const isSettled = recent.length === SETTLE_SAMPLES &&
      Math.max(...recent) - Math.min(...recent) <= SETTLED_WITHIN_KIB;
    // Memory that never settles is still reported: its size is what is asked for.
    if (isSettled || performance.now() > deadline) return kib;
    await delay(SETTLE_POLL_MS);
  }
}
