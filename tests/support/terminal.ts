/** A program in a terminal of its own, made by `script` of util-linux. */
import { MAIN_COMMAND } from "./balancer_process.ts";
import { until } from "./until.ts";

/** The program that makes terminals. Tests of them are skipped where it is not. */
export const TERMINAL_MAKER = "script";

/** The balancer's program in a terminal; ended, if need be by force, when it is disposed of. */
export class Terminal implements AsyncDisposable {
  /** All that it wrote, escapes and all. */
  output = "";
  readonly #child: Deno.ChildProcess;
  readonly #keys: WritableStreamDefaultWriter<Uint8Array>;
  readonly #read: Promise<void>;

  /** Starts it with these arguments, in a terminal of that size. `env` is added to its environment. */
  constructor(
    args: readonly string[],
    { columns, rows, env = {} }: {
      readonly columns: number;
      readonly rows: number;
      readonly env?: Readonly<Record<string, string>>;
    },
  ) {
    const words = [...MAIN_COMMAND, ...args].map((word) => `'${word}'`).join(" ");
    // So that a signal to the terminal's own process can be told from one to the program: $$.
    const command = `stty cols ${columns} rows ${rows}; echo "pid $$."; exec ${words}`;
    this.#child = new Deno.Command(TERMINAL_MAKER, {
      args: ["-qefc", command, "/dev/null"],
      env: { ...env, SHELL: "/bin/sh" },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#keys = this.#child.stdin.getWriter();
    this.#read = this.#collect();
  }

  /** Waits until the output matches. */
  async shows(pattern: RegExp): Promise<void> {
    await until(() => pattern.test(this.output), () => `${pattern} was shown in:\n${this.output}`);
  }

  /** Forgets what it wrote so far. */
  forget(): void {
    this.output = "";
  }

  /** Types. */
  async type(keys: string): Promise<void> {
    await this.#keys.write(new TextEncoder().encode(keys));
  }

  /** The process id of the program. */
  async pid(): Promise<number> {
    const pattern = /pid (\d+)\./;
    await this.shows(pattern);
    return Number(pattern.exec(this.output)?.[1]);
  }

  /** Waits for its end; resolves to the exit code. */
  async end(): Promise<number> {
    const { code } = await this.#child.status;
    await this.#read;
    return code;
  }

  /** Ends it if it still runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.end();
    await this.#keys.close().catch(() => {}); // Nobody is there to read any more.
  }

  async #collect(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of this.#child.stdout) {
      this.output += decoder.decode(bytes, { stream: true });
    }
  }
}
