/**
 * A steady load of good clients: some keep their connection, some bring one request each; GETs and
 * uploads of several sizes. Every answer is checked byte for byte, and every request that was not
 * answered rightly is kept for the report.
 */
import { nowMs } from "./now.ts";
import type { Random } from "../support/random.ts";
import { AskingConnection, type Outcome, type Question } from "./asking.ts";

/** A request that was not served. */
export interface Lost {
  /** What was asked. */
  readonly question: Question;
  /** What came of it. */
  readonly outcome: Exclude<Outcome, { readonly kind: "served" }>;
  /** When it was asked, and when that was over, in milliseconds since 1970. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** The request before it on the same connection; null: it was the first. */
  readonly previousId: string | null;
}

/** How the clients behave. */
export interface LoadOptions {
  /** Where the balancer is. */
  readonly port: number;
  /** Its address. */
  readonly hostname?: string;
  /** How many at once. */
  readonly clients: number;
  /** The longest pause between two requests of one client, in milliseconds. */
  readonly pauseMs: number;
  /** How long a client waits for an answer, in milliseconds. */
  readonly patienceMs: number;
  /** What is put before the ids, so that they differ from those of others. */
  readonly name: string;
  /** Do they ask again where a kept connection has ended without a byte, as browsers do? */
  readonly asksAgain?: boolean;
  /** The share of uploads. */
  readonly uploads?: number;
  /** The share of requests on connections that are kept. */
  readonly kept?: number;
  /** The seeded source. */
  readonly random: Random;
  /** Called with the id of each request that was served. */
  readonly onServed?: (id: string) => void;
}

/** Sizes of answers and uploads in bytes, small ones more often. */
const SIZES = [0, 12, 200, 200, 1000, 1000, 8000, 8000, 60_000, 300_000] as const;
/** As many requests come over one connection that is kept, at most. */
const KEPT_MAX = 30;

/** The clients, from their start to {@linkcode Load.stop}. */
export class Load {
  /** How many were served. */
  served = 0;
  /** Those that were not. */
  readonly lost: Lost[] = [];
  #latenciesMs: number[] = [];
  #markMs = 0;
  /** When those were asked that are not answered yet. */
  readonly #asking = new Set<{ readonly fromMs: number }>();
  readonly #options: LoadOptions;
  readonly #startedMs = nowMs();
  readonly #running: Promise<unknown>;
  #stopped = false;
  #stoppedMs: number | null = null;
  #ids = 0;

  /** Starts at once. */
  constructor(options: LoadOptions) {
    this.#options = options;
    this.#running = Promise.all(Array.from({ length: options.clients }, () => this.#client()));
  }

  /** How many requests were asked and are over. */
  get requests(): number {
    return this.served + this.lost.length;
  }

  /** For how long it runs, or ran, in seconds. */
  get seconds(): number {
    return ((this.#stoppedMs ?? nowMs()) - this.#startedMs) / 1000;
  }

  /** How many ended in a second. */
  get perSecond(): number {
    return this.requests / this.seconds;
  }

  /** Latencies are counted of what is asked from now on. */
  mark(): void {
    this.#latenciesMs = [];
    this.#markMs = nowMs();
  }

  /**
   * How long those took that were asked since the last {@linkcode mark} and served, in milliseconds; and
   * how long those take by now that are not answered yet, for who waits for ever is slow too.
   */
  latenciesMs(): number[] {
    const atMs = nowMs();
    const asking = [...this.#asking].filter(({ fromMs }) => fromMs >= this.#markMs);
    return [...this.#latenciesMs, ...asking.map(({ fromMs }) => atMs - fromMs)];
  }

  /** Resolves when all clients have had their last answer. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    this.#stoppedMs ??= nowMs();
  }

  async #client(): Promise<void> {
    const { random, kept = 0.6 } = this.#options;
    while (!this.#stopped) {
      const requests = random.chance(kept) ? random.integer(2, KEPT_MAX) : 1;
      await this.#visit(requests);
    }
  }

  /** So many requests over one connection, or fewer. */
  async #visit(requests: number): Promise<void> {
    const { port, hostname, patienceMs, asksAgain = false } = this.#options;
    let connection = await AskingConnection.open(port, hostname);
    let previousId: string | null = null;
    try {
      for (let turn = 1; turn <= requests && !this.#stopped; turn++) {
        const question = this.#question(turn === requests);
        const fromMs = nowMs();
        const asking = { fromMs };
        this.#asking.add(asking);
        let outcome = await connection.ask(question, patienceMs);
        if (asksAgain && mayAskAgain(question, { outcome, previousId })) {
          connection[Symbol.dispose]();
          connection = await AskingConnection.open(port, hostname);
          previousId = null;
          outcome = await connection.ask(question, patienceMs);
        }
        this.#asking.delete(asking);
        this.#count({ question, outcome, fromMs, untilMs: nowMs(), previousId });
        if (outcome.kind !== "served" || !outcome.keeps) return;
        previousId = question.id;
        await this.#pause();
      }
    } finally {
      connection[Symbol.dispose]();
    }
    await this.#pause();
  }

  #question(isLast: boolean): Question {
    const { random, name, uploads = 0.15 } = this.#options;
    const isUpload = random.chance(uploads);
    return {
      id: `${name}${this.#ids++}`,
      method: isUpload ? "POST" : "GET",
      answerBytes: random.pick(SIZES),
      uploadBytes: isUpload ? random.pick(SIZES) : 0,
      isLast,
    };
  }

  #count({ outcome, ...rest }: Omit<Lost, "outcome"> & { readonly outcome: Outcome }): void {
    if (outcome.kind !== "served") {
      this.lost.push({ outcome, ...rest });
      return;
    }
    this.served++;
    if (rest.fromMs >= this.#markMs) this.#latenciesMs.push(rest.untilMs - rest.fromMs);
    this.#options.onServed?.(rest.question.id);
  }

  #pause(): Promise<void> {
    const { random, pauseMs } = this.#options;
    return new Promise((resolve) => setTimeout(resolve, random.next() * pauseMs));
  }
}

/**
 * A kept connection may end at any time between two requests, and a client that finds it ended asks
 * again over another one (RFC 9112, 9.3.1), if asking twice does no harm.
 */
function mayAskAgain(
  { method }: Question,
  { outcome, previousId }: { readonly outcome: Outcome; readonly previousId: string | null },
): boolean {
  return method === "GET" && previousId !== null && outcome.kind === "ended" && outcome.bytes === 0;
}

/** The value below which that share of them lies; 0 where there are none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}
