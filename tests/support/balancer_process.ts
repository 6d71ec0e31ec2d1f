/**
 * The balancer as users run it: a process of its own, with `--allow-net` alone. Where the variable
 * `LOADBALANCER_BINARY` names a compiled one, that is run in place of `deno run main.ts`.
 */
import { until } from "./until.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
const DECODER = new TextDecoder();

/** The compiled balancer under test; undefined where it is run from its sources. */
export const BINARY: string | undefined = Deno.env.get("LOADBALANCER_BINARY");

/** How the program is run as users do, before its own arguments. */
export const MAIN_COMMAND: readonly string[] = commandWith(["--allow-net"]);

/** How to start it. */
export interface ProcessOptions {
  /** A shell command that runs before it in the same process, such as `ulimit -n 64`. */
  readonly before?: string;
  /** Permissions; the default is what the README says. */
  readonly permissions?: readonly string[];
  /** What it reads from standard input, to its end; by default nothing. */
  readonly stdin?: string;
}

/** What a process left behind. */
export interface ProcessEnd {
  /** The exit code. */
  readonly code: number;
  /** All of stdout. */
  readonly stdout: string;
  /** All of stderr. */
  readonly stderr: string;
}

/** A running balancer; ended, if need be by force, when it is disposed of. */
export class BalancerProcess implements AsyncDisposable {
  /** What it wrote to stderr so far. */
  stderr = "";
  /** What it wrote to stdout so far. */
  stdout = "";
  readonly #child: Deno.ChildProcess;
  readonly #read: Promise<unknown>;

  /** Starts it. */
  constructor(args: readonly string[], options: ProcessOptions = {}) {
    const { before = "true", permissions = ["--allow-net"], stdin = "" } = options;
    const command = [...commandWith(permissions), ...args];
    this.#child = new Deno.Command("sh", {
      args: ["-c", `${before}; exec "$@"`, "sh", ...command],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#read = Promise.all([
      write(this.#child.stdin, stdin),
      collect(this.#child.stdout, (text) => this.stdout += text),
      collect(this.#child.stderr, (text) => this.stderr += text),
    ]);
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** The port it says it listens on; waits until it says so. */
  async port(): Promise<number> {
    const pattern = /Listening on [^ ]*:(\d+): /;
    await this.says(pattern);
    return Number(pattern.exec(this.stderr)?.[1]);
  }

  /** The port it says it is looked at and steered by; waits until it says so. */
  async adminPort(): Promise<number> {
    const pattern = /Admin port: http:\/\/[^ ]*:(\d+)\//;
    await this.says(pattern);
    return Number(pattern.exec(this.stderr)?.[1]);
  }

  /** Waits until stderr matches. */
  async says(pattern: RegExp): Promise<void> {
    await until(() => pattern.test(this.stderr), () => `${pattern} was said in:\n${this.stderr}`);
  }

  /** Sends a signal. */
  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Waits for its end. */
  async end(): Promise<ProcessEnd> {
    const { code } = await this.#child.status;
    await this.#read;
    return { code, stdout: this.stdout, stderr: this.stderr };
  }

  /** Ends it if it still runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.end();
  }
}

async function write(stream: WritableStream<Uint8Array>, text: string): Promise<void> {
  const writer = stream.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch (error) {
    // It ended without reading all of it.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/** How the program is run with these permissions; a compiled one has its own. */
function commandWith(permissions: readonly string[]): string[] {
  if (BINARY !== undefined) return [BINARY];
  return [Deno.execPath(), "run", "--no-prompt", ...permissions, MAIN];
}

async function collect(
  stream: ReadableStream<Uint8Array>,
  take: (text: string) => void,
): Promise<void> {
  for await (const bytes of stream) take(DECODER.decode(bytes));
}
