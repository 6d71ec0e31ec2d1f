/** An origin seen from outside: starts, strikes and heals it, and keeps what it says. */
import { nowMs } from "./now.ts";
import { until } from "../support/until.ts";
import { type FaultName, FAULTS, isOrdered, type Order } from "./fault.ts";

const PROGRAM = new URL("origin.ts", import.meta.url).pathname;

/** What an origin said of one request. */
export interface Sighting {
  /** The origin's name: its port. */
  readonly origin: string;
  /** When it saw the head, in milliseconds since 1970. */
  readonly atMs: number;
  /** What it did then: `answered`, `refused` or a fault; null: nothing that it could still tell. */
  did: string | null;
}

/** A fault for a while. */
export interface Strike {
  readonly origin: string;
  readonly fault: FaultName;
  readonly fromMs: number;
  /** Infinity while it lasts. */
  untilMs: number;
}

/** What all origins of a run said, and what was done to them. */
export class Ledger {
  /** What was done, in its order. */
  readonly strikes: Strike[] = [];
  readonly #sightings = new Map<string, Sighting[]>();

  /** Who saw that request, and what became of it there. */
  sightings(id: string): readonly Sighting[] {
    return this.#sightings.get(id) ?? [];
  }

  /** Nobody will ask for that request any more. */
  forget(id: string): void {
    this.#sightings.delete(id);
  }

  /** Takes in what an origin said. */
  said(origin: string, [what, id = "", ...rest]: readonly string[]): void {
    if (what === "seen") {
      const sighting = { origin, atMs: Number(rest[0]), did: null };
      this.#sightings.set(id, [...this.sightings(id), sighting]);
    } else if (what === "did") {
      const sighting = this.sightings(id).findLast((each) => each.origin === origin);
      if (sighting !== undefined) sighting.did = rest[0] ?? "";
    }
  }
}

/** Where and how it runs. */
export interface OriginOptions {
  /** The address that it listens on. */
  readonly hostname?: string;
  /** Its port, the same after each start. */
  readonly port: number;
  /** Where what it says is kept; left out: nowhere. */
  readonly ledger?: Ledger;
  /** What runs the program, such as `ip netns exec NAME`. */
  readonly before?: readonly string[];
}

/** One origin; ended when it is disposed of. */
export class OriginProcess implements AsyncDisposable {
  /** Its name in the ledger, and in its answers. */
  readonly name: string;
  readonly #options: OriginOptions;
  #child: Deno.ChildProcess | null = null;
  #orders: WritableStreamDefaultWriter<Uint8Array> | null = null;
  #read: Promise<void> = Promise.resolve();
  #listening = false;
  #strike: Strike | null = null;

  private constructor(options: OriginOptions) {
    this.#options = options;
    this.name = String(options.port);
  }

  /** Starts one; it listens when this resolves. */
  static async start(options: OriginOptions): Promise<OriginProcess> {
    const origin = new OriginProcess(options);
    await origin.#start();
    return origin;
  }

  /** What is wrong with it now; null: nothing. */
  get struck(): Strike | null {
    return this.#strike;
  }

  /** Its process id while it runs. */
  get pid(): number {
    if (this.#child === null) throw new Error(`Origin ${this.name} does not run`);
    return this.#child.pid;
  }

  /** Tells it something. */
  async order(order: Order): Promise<void> {
    await this.#orders?.write(new TextEncoder().encode(`${JSON.stringify(order)}\n`));
  }

  /** Does that to it until it is healed. */
  async strike(fault: FaultName, { healthToo = false } = {}): Promise<void> {
    this.#strike = { origin: this.name, fault, fromMs: nowMs(), untilMs: Infinity };
    this.#options.ledger?.strikes.push(this.#strike);
    if (isOrdered(fault)) return await this.order({ fault, healthToo });
    if (FAULTS[fault].effect === "stalls") this.#child?.kill("SIGSTOP");
    else await this.#end("SIGKILL");
  }

  /** Ends what is wrong with it; it is well when this resolves. */
  async heal(): Promise<void> {
    const strike = this.#strike;
    if (strike === null) return;
    if (isOrdered(strike.fault)) await this.order({ fault: null });
    else if (FAULTS[strike.fault].effect === "stalls") this.#child?.kill("SIGCONT");
    else await this.#start();
    strike.untilMs = nowMs();
    this.#strike = null;
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end("SIGKILL");
  }

  async #start(): Promise<void> {
    const { hostname = "127.0.0.1", port, before = [] } = this.#options;
    const run = [Deno.execPath(), "run", "--no-prompt", "--allow-net", PROGRAM, hostname];
    const [program = "", ...args] = [...before, ...run, String(port)];
    this.#listening = false;
    this.#child = new Deno.Command(program, {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#orders = this.#child.stdin.getWriter();
    this.#read = this.#keep(this.#child.stdout);
    await until(() => this.#listening, `origin ${this.name} listens`);
  }

  async #end(signal: Deno.Signal): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    this.#child = null;
    child.kill(signal);
    await child.status;
    await this.#read;
    await this.#orders?.abort().catch(() => {/* The pipe ended with the process. */});
    this.#orders = null;
  }

  async #keep(stdout: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    let text = "";
    for await (const piece of stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (text + piece).split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) this.#heard(line.split(" "));
    }
  }

  #heard(words: readonly string[]): void {
    if (words[0] === "port") this.#listening = true;
    else if (words[0] === "trouble") throw new Error(`Origin ${this.name}: ${words.join(" ")}`);
    else this.#options.ledger?.said(this.name, words);
  }
}
