/** The balancer under torture: started as users start it, watched from outside. */
import { BalancerProcess } from "../support/balancer_process.ts";
import { until } from "../support/until.ts";
import { AskingConnection } from "./asking.ts";
import { type VitalSigns, vitalSigns } from "./vital_signs.ts";

/** How it is started. */
export interface TargetOptions {
  /** Its arguments behind the port. */
  readonly args: readonly string[];
  /** A shell command that runs before it, such as `ulimit -n 64`. */
  readonly before?: string;
  /** Flags of Deno's, besides the permission. */
  readonly flags?: readonly string[];
}

/** How many requests in a row have to succeed when everything is over. */
const GOOD_IN_A_ROW = 100;
const PATIENCE_MS = 10_000;
/** So many more than before may be open: checks that run just then, connections that are kept. */
const SPARE_SOCKETS = 3;
/** How long what is left over may take to end, in milliseconds: longer than any idle limit in use. */
const SETTLE_MS = 25_000;

/** A running balancer. */
export class Target implements AsyncDisposable {
  /** Where it listens. */
  readonly port: number;
  readonly #process: BalancerProcess;

  private constructor(process: BalancerProcess, port: number) {
    this.#process = process;
    this.port = port;
  }

  /** Starts one; it serves when this resolves. */
  static async start({ args, before = "true", flags = [] }: TargetOptions): Promise<Target> {
    const process = new BalancerProcess(["0", ...args], {
      before,
      permissions: ["--allow-net", ...flags],
    });
    const port = await process.port();
    await process.says(/Serving: /);
    return new Target(process, port);
  }

  /** Its process id. */
  get pid(): number {
    return this.#process.pid;
  }

  /** What it logged so far. */
  get log(): string {
    return this.#process.stderr;
  }

  /** Lines of its log that match. */
  logged(pattern: RegExp): readonly string[] {
    return this.log.split("\n").filter((line) => pattern.test(line));
  }

  /** Is that origin ready, by the last that was logged of it? */
  isReady(origin: string): boolean {
    const [last] = this.logged(new RegExp(`:${origin} is (ready|down)\\b`)).slice(-1);
    return last?.includes(`:${origin} is ready`) ?? false;
  }

  /** Sockets and memory now. */
  vitals(): Promise<VitalSigns> {
    return vitalSigns(this.pid);
  }

  /** Sends it a signal. */
  kill(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  /**
   * Is everything as it was before? A hundred requests in a row succeed, and the sockets are closed.
   * Returns what is not, and how it stands in the end.
   */
  async recovers(before: VitalSigns): Promise<{ after: VitalSigns; broken: string[] }> {
    const broken: string[] = [];
    for (let turn = 0; turn < GOOD_IN_A_ROW; turn++) {
      const id = `recovered${turn}`;
      const outcome = await this.ask(id).catch((error: Error) => ({ kind: error.message }));
      if (outcome.kind === "served") continue;
      broken.push(`request ${turn + 1} of ${GOOD_IN_A_ROW} afterwards: ${JSON.stringify(outcome)}`);
      break;
    }
    const allowed = before.sockets + SPARE_SOCKETS;
    let after = await this.vitals();
    const deadline = performance.now() + SETTLE_MS;
    while (after.sockets > allowed && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      after = await this.vitals();
    }
    if (after.sockets > allowed) {
      broken.push(`${after.sockets} sockets are open afterwards, ${before.sockets} before`);
    }
    return { after, broken };
  }

  /** One good request over a connection of its own. */
  async ask(id: string): Promise<Awaited<ReturnType<AskingConnection["ask"]>>> {
    using connection = await AskingConnection.open(this.port);
    const question = { id, method: "GET", answerBytes: 200, uploadBytes: 0, isLast: true } as const;
    return await connection.ask(question, PATIENCE_MS);
  }

  /** Ends it as an operator would. Says what was wrong with that, if anything. */
  async stop(): Promise<string[]> {
    this.#process.kill("SIGTERM");
    const { code, stderr } = await this.#process.end();
    const broken = code === 0 ? [] : [`it ended with exit code ${code}`];
    const defects = stderr.split("\n").filter((line) => / ERROR .*(?:defect|bug)/i.test(line));
    return [...broken, ...defects];
  }

  /** Waits until it logs that. */
  async says(pattern: RegExp): Promise<void> {
    await until(() => pattern.test(this.log), `${pattern} was logged`);
  }

  /** Ends it if it still runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}
