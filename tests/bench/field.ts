/** What every measurement needs: the contestants, the backends they stand before, and how to start one. */

import { type Backends } from "./backends.ts";
import { type Contestant, type Contestants } from "./contestants.ts";
import { requestSmallBody } from "./http_request.ts";
import { freePort } from "./ports.ts";
import { RunningProcess } from "./running_process.ts";

/** Everything that is the same for all measurements of one benchmark run. */
export interface Field {
  readonly contestants: Contestants;
  readonly backends: Backends;
  /** A temporary directory; each started contestant gets one inside. */
  readonly directory: string;
  readonly clockTicksPerSecond: number;
  /** Aborted on Ctrl-C: everything stops and unwinds. */
  readonly signal: AbortSignal;
  /** Tells the person who waits what is going on. */
  readonly progress: (line: string) => void;
}

/** A started contestant; it ends with its scope. */
export interface StartedContestant {
  readonly contestant: Contestant;
  readonly process: RunningProcess;
  readonly port: number;
}

/** Starts `contestant` in `stack`, and returns once a request through it has been answered. */
export async function startContestant(
  contestant: Contestant,
  options: {
    readonly field: Field;
    readonly stack: AsyncDisposableStack;
    readonly clientsMax: number;
  },
): Promise<StartedContestant> {
  const { field, stack, clientsMax } = options;
  const port = await freePort();
  const directory = await Deno.makeTempDir({ dir: field.directory, prefix: contestant.name });
  const command = await contestant.prepare({
    port,
    backendPorts: field.backends.ports,
    clientsMax,
    directory,
  });
  const process = stack.use(new RunningProcess(command));
  await process.acceptsOn(port, field.signal);
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await requestSmallBody(conn);
  return { contestant, process, port };
}
