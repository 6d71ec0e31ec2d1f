/** The balancer under torture: started as users start it, watched from outside. */
import type { Status } from "../../lib/admin/status.ts";
import { BalancerProcess } from "../support/balancer_process.ts";
import { askOnce } from "../support/byte_client.ts";
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
const LOOK_EVERY_MS = 200;

/** A running balancer. */
export class Target implements AsyncDisposable {
  /** Where it listens. */
  readonly port: number;
  readonly #adminPort: number;
  readonly #process: BalancerProcess;

  private constructor(
    process: BalancerProcess,
    { port, adminPort }: { readonly port: number; readonly adminPort: number },
  ) {
    this.#process = process;
    this.port = port;
    this.#adminPort = adminPort;
  }

  /** Starts one; it serves when this resolves. */
  static async start({ args, before = "true", flags = [] }: TargetOptions): Promise<Target> {
    const process = new BalancerProcess(["0", "--admin", "127.0.0.1:0", ...args], {
      before,
      permissions: ["--allow-net", ...flags],
    });
    const port = await process.port();
    const adminPort = await process.adminPort();
    await process.says(/Serving: /);
    return new Target(process, { port, adminPort });
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
   * Is everything as it was before? A hundred requests in a row succeed, the sockets are closed, and
   * all counts are at zero. Returns what is not so, and how it stands in the end.
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
    const deadline = performance.now() + SETTLE_MS;
    for (;;) {
      const after = await this.vitals();
      const left = leftOver(await this.status(), { before, after });
      if (left.length === 0) return { after, broken };
      if (performance.now() > deadline) return { after, broken: [...broken, ...left] };
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }

  /** How it says that it stands. */
  async status(): Promise<Status> {
    const host = `Host: 127.0.0.1:${this.#adminPort}`;
    const request = `GET /status HTTP/1.1\r\n${host}\r\nConnection: close\r\n\r\n`;
    const answer = await askOnce(this.#adminPort, request);
    if (!answer.startsWith("HTTP/1.1 200 ")) throw new Error(`No status: ${answer}`);
    return JSON.parse(answer.slice(answer.indexOf("\r\n\r\n")));
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

/** What has not ended yet; empty: everything has. */
function leftOver(
  { clients, backends }: Status,
  { before, after }: { readonly before: VitalSigns; readonly after: VitalSigns },
): string[] {
  const left: string[] = [];
  for (const count of ["carried", "waiting", "lingering"] as const) {
    if (clients[count] !== 0) left.push(`${clients[count]} clients are ${count} afterwards`);
  }
  for (const { name, inFlight } of backends) {
    if (inFlight !== 0) left.push(`${name} has ${inFlight} in flight afterwards`);
  }
  if (after.sockets > before.sockets + SPARE_SOCKETS) {
    left.push(`${after.sockets} sockets are open afterwards, ${before.sockets} before`);
  }
  return left;
}
