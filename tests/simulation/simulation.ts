/** One scenario under one policy: clients come, are carried to their end, and are counted. */
import type { PolicyName } from "../../lib/policy/mod.ts";
import { Random } from "../support/random.ts";
import { BalancerModel, type ClientModel } from "./balancer_model.ts";
import { exponential, type Scenario } from "./scenarios.ts";
import { ServerModel } from "./server_model.ts";
import { Timeline } from "./timeline.ts";

/** What to run. */
export interface SimulationOptions {
  /** How the balancer chooses. */
  readonly policy: PolicyName;
  /** Of all random numbers. Clients and their requests are the same for every policy. */
  readonly seed: number;
  /** For how long clients come. */
  readonly seconds: number;
}

/** What came of it. */
export interface Result {
  /** Who chose. */
  readonly policy: PolicyName;
  /** From a client's arrival to the end of its answer, or to its error: the median. */
  readonly p50Ms: number;
  /** Of the same, what 95 of 100 clients stay within. */
  readonly p95Ms: number;
  /** What 99 of 100 stay within. */
  readonly p99Ms: number;
  /** The share of clients that nobody served. */
  readonly errors: number;
  /** Tries beyond the first, per client. */
  readonly retries: number;
  /** What each server was given compared with its fair share of the clients: 1 is fair. */
  readonly shares: readonly number[];
  /** How much of each server's slots was in use while clients came: from 0 to 1. */
  readonly busy: readonly number[];
  /** What the odd server was given in each whole second since it came back, likewise. */
  readonly sharesSince: readonly number[];
}

/** Clients come from so many addresses. */
const ADDRESSES = 1000;

/** Runs it. The same options give the same result. */
export function simulate(scenario: Scenario, options: SimulationOptions): Promise<Result> {
  return new Simulation(scenario, options).run();
}

/** Clients that came, and how many of them each server was given. */
class Tally {
  came = 0;
  readonly given: number[];

  constructor(servers: number) {
    this.given = Array<number>(servers).fill(0);
  }

  /** What each was given compared with its fair share. */
  shares(weights: readonly number[]): number[] {
    const whole = weights.reduce((sum, weight) => sum + weight, 0);
    return this.given.map((given, at) => given * whole / ((weights[at] ?? 0) * this.came));
  }
}

class Simulation {
  readonly #scenario: Scenario;
  readonly #options: SimulationOptions;
  readonly #timeline = new Timeline();
  readonly #arrivals: Random;
  readonly #servers: readonly ServerModel[];
  readonly #balancer: BalancerModel;
  readonly #latenciesMs: number[] = [];
  readonly #tally: Tally;
  /** One for each whole second from the moment when the odd server is back. */
  #since: readonly Tally[] = [];
  #backMs = Infinity;
  #busy: readonly number[] = [];
  #errors = 0;

  constructor(scenario: Scenario, options: SimulationOptions) {
    const { policy, seed } = options;
    const clock = this.#timeline;
    const random = (stream: number): Random => new Random(3 * seed + stream);
    this.#scenario = scenario;
    this.#options = options;
    this.#arrivals = random(0);
    const failing = random(1);
    this.#servers = scenario.servers.map((settings) =>
      new ServerModel({ ...settings, clock, random: failing })
    );
    this.#tally = new Tally(this.#servers.length);
    this.#balancer = new BalancerModel({
      servers: this.#servers,
      policy,
      settings: scenario.settings ?? {},
      random: random(2),
      timeline: this.#timeline,
      onTry: (order) => this.#tried(order),
      onEnd: ({ arrivedMs }, how) => {
        this.#latenciesMs.push(this.#timeline.now() - arrivedMs);
        if (how === "error") this.#errors++;
      },
    });
  }

  async run(): Promise<Result> {
    await this.#balancer.start();
    const durationMs = 1000 * this.#options.seconds;
    const untilMs = this.#timeline.now() + durationMs;
    this.#planRestart(untilMs);
    this.#planArrival(untilMs);
    await this.#timeline.runWhile(() => this.#timeline.now() < untilMs);
    this.#busy = this.#servers.map(({ busyMs, slots }) => busyMs / slots / durationMs);
    await this.#timeline.runWhile(() => this.#latenciesMs.length < this.#tally.came);
    return this.#result();
  }

  #planRestart(untilMs: number): void {
    const { odd, restart } = this.#scenario;
    if (odd === undefined || restart === undefined) return;
    const goesMs = (untilMs - this.#timeline.now()) / 3;
    this.#timeline.after(goesMs, () => this.#servers[odd]?.restart(restart));
    this.#backMs = this.#timeline.now() + goesMs + restart.awayMs;
    const seconds = Math.max(0, Math.floor((untilMs - this.#backMs) / 1000));
    this.#since = Array.from({ length: seconds }, () => new Tally(this.#servers.length));
  }

  /** The next client, and from that the one after it: a Poisson process. */
  #planArrival(untilMs: number): void {
    const delayMs = 1000 * exponential(this.#arrivals) / this.#scenario.rate;
    if (this.#timeline.now() + delayMs >= untilMs) return;
    this.#timeline.after(delayMs, () => {
      this.#arrive();
      this.#planArrival(untilMs);
    });
  }

  #arrive(): void {
    const address = this.#arrivals.integer(0, ADDRESSES - 1);
    const client: ClientModel = {
      ip: `10.1.${address >> 8}.${address & 255}`,
      work: this.#scenario.work(this.#arrivals),
      arrivedMs: this.#timeline.now(),
      tried: [],
    };
    for (const tally of this.#tallies()) tally.came++;
    this.#balancer.take(client);
  }

  #tried(order: number): void {
    for (const { given } of this.#tallies()) given[order] = (given[order] ?? 0) + 1;
  }

  /** Those that count right now. */
  #tallies(): readonly Tally[] {
    const second = this.#since[Math.floor((this.#timeline.now() - this.#backMs) / 1000)];
    return second === undefined ? [this.#tally] : [this.#tally, second];
  }

  #result(): Result {
    const { odd = 0 } = this.#scenario;
    const { came, given } = this.#tally;
    const weights = this.#servers.map(({ weight }) => weight);
    const sortedMs = this.#latenciesMs.toSorted((one, other) => one - other);
    const percentile = (percent: number): number =>
      sortedMs[Math.ceil(sortedMs.length * percent / 100) - 1] ?? NaN;
    return {
      policy: this.#options.policy,
      p50Ms: percentile(50),
      p95Ms: percentile(95),
      p99Ms: percentile(99),
      errors: this.#errors / came,
      retries: given.reduce((sum, each) => sum + each, 0) / came - 1,
      shares: this.#tally.shares(weights),
      busy: this.#busy,
      sharesSince: this.#since.map((tally) => tally.shares(weights)[odd] ?? 0),
    };
  }
}
