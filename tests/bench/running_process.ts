/**
 * The processes the benchmark starts: each is ended when its scope is left, its children with it, and
 * what it said on stderr is kept for the message when something goes wrong.
 *
 * Called by backends.ts and contestants.ts. Invariant: after disposal neither the process nor a child
 * of it runs.
 */

import { delay } from "./delay.ts";
import { processFamily } from "./process_usage.ts";

const STDERR_CHARACTERS_KEPT = 4_000;
const GRACE_MS = 2_000;
const READY_DEADLINE_MS = 15_000;
const READY_POLL_MS = 20;

/** What to run: a program, its arguments, and the name it has in messages. */
export interface ProcessCommand {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
}

/** A started process. Leave its scope (`await using`) and it is gone, children included. */
export class RunningProcess implements AsyncDisposable {
  readonly name: string;
  readonly #child: Deno.ChildProcess;
  readonly #stderrRead: Promise<void>;
  #stderrTail = "";
  #status: Deno.CommandStatus | undefined;

  constructor(command: ProcessCommand) {
    this.name = command.name;
    this.#child = new Deno.Command(command.program, {
      args: [...command.args],
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#stderrRead = this.#keepStderr();
    this.#child.status.then((status) => this.#status = status);
  }

  /** The process id, for reading its CPU time and memory. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Returns once `port` of this machine takes connections; throws when the process ends before, or is late. */
  async acceptsOn(port: number, signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + READY_DEADLINE_MS;
    while (true) {
      signal.throwIfAborted();
      await this.assertRunning();
      try {
        using _conn = await Deno.connect({ hostname: "127.0.0.1", port });
        return;
      } catch (error) {
        if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      }
      if (performance.now() > deadline) {
        throw new Error(
          `Cannot start ${this.name}: port ${port} takes no connections after ${READY_DEADLINE_MS} ms` +
            this.#stderrQuoted(),
        );
      }
      await delay(READY_POLL_MS);
    }
  }

  /** Throws, with the end of its stderr, when the process no longer runs. */
  async assertRunning(): Promise<void> {
    if (this.#status === undefined) return;
    await this.#stderrRead;
    throw new Error(
      `${this.name} ended by itself: ${describeStatus(this.#status)}${this.#stderrQuoted()}`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#status === undefined) {
      // A killed master leaves its workers behind, so they are listed while it still has them.
      const family = await processFamily(this.pid);
      killIfThere(this.pid, "SIGTERM");
      const ended = await Promise.race([
        this.#child.status.then(() => true),
        delay(GRACE_MS).then(() => false),
      ]);
      if (!ended) { for (const pid of family) killIfThere(pid, "SIGKILL"); }
      await this.#child.status;
    }
    await this.#stderrRead;
  }

  async #keepStderr(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.#stderrTail = (this.#stderrTail + text).slice(-STDERR_CHARACTERS_KEPT);
    }
  }

  #stderrQuoted(): string {
    const text = this.#stderrTail.trim();
    if (text === "") return " (it said nothing on stderr)";
    return `; its stderr:\n${text.replaceAll(/^/gm, "  | ")}`;
  }
}

function describeStatus(status: Deno.CommandStatus): string {
  return status.signal === null ? `exit code ${status.code}` : `signal ${status.signal}`;
}

function killIfThere(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    // It ended between the look and the kill: what was wanted.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
