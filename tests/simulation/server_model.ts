/**
 * A simulated server: so many requests at once, the others in line behind them, first come first
 * served. It counts its entries as `tests/support/httpserver.ts` does: those that it has answered.
 * Health checks are answered beside the line, as by a server with one event loop.
 */
import type { Clock } from "../../lib/clock.ts";
import type { Random } from "../support/random.ts";

/** What a server is like. */
export interface ServerSettings {
  /** The share that the balancer is told. */
  readonly weight: number;
  /** Requests that it works on at once. */
  readonly slots: number;
  /** What a request of average length takes in a slot, in milliseconds. */
  readonly meanMs: number;
  /** The share of the connections that it ends before the first byte; 0 to 1. */
  readonly failing: number;
}

/** What a server is made of. */
export interface ServerModelOptions extends ServerSettings {
  /** The time. */
  readonly clock: Clock;
  /** What decides which connections fail. */
  readonly random: Random;
}

/** A connection with one request. */
export interface RequestModel {
  /** How long it takes, compared with the average. */
  readonly work: number;
  /** Called when the whole answer is there. */
  readonly answered: () => void;
  /** Called when the server ends the connection without an answer. */
  readonly dropped: () => void;
}

/** What a restart is like. */
export interface Restart {
  /** How long it is away, in milliseconds. */
  readonly awayMs: number;
  /** How long it is slower after that, in milliseconds. */
  readonly coldMs: number;
  /** How many times slower. */
  readonly slowdown: number;
}

/** Failing takes this long, in milliseconds. */
const FAIL_MS = 1;

/** One server. */
export class ServerModel {
  /** Requests answered since it was started. */
  entries = 0;
  /** Time that its slots have spent on requests, answered or not, in milliseconds. */
  busyMs = 0;
  /** Does it take connections? */
  listens = true;

  readonly #options: ServerModelOptions;
  #slowdown = 1;
  /** In the slots, each with what takes it out. */
  readonly #running = new Map<RequestModel, () => void>();
  readonly #waiting = new Set<RequestModel>();

  /** An idle server. */
  constructor(options: ServerModelOptions) {
    this.#options = options;
  }

  /** The share that the balancer is told. */
  get weight(): number {
    return this.#options.weight;
  }

  /** Requests that it works on at once. */
  get slots(): number {
    return this.#options.slots;
  }

  /** Takes in a request over a new connection. */
  take(request: RequestModel): void {
    if (this.#options.random.chance(this.#options.failing)) {
      this.#options.clock.after(FAIL_MS, request.dropped);
      return;
    }
    this.#waiting.add(request);
    this.#fillSlots();
  }

  /** The client or the balancer has closed the connection. */
  leave(request: RequestModel): void {
    this.#waiting.delete(request);
    this.#release(request);
    this.#fillSlots();
  }

  /** Goes away, with all that it has taken, and comes back with its counts at zero. */
  restart({ awayMs, coldMs, slowdown }: Restart): void {
    this.listens = false;
    const lost = [...this.#running.keys(), ...this.#waiting];
    this.#waiting.clear();
    for (const request of lost) this.#release(request);
    for (const request of lost) request.dropped();
    this.#options.clock.after(awayMs, () => {
      this.listens = true;
      this.entries = 0;
      this.#slowdown = slowdown;
    });
    this.#options.clock.after(awayMs + coldMs, () => {
      this.#slowdown = 1;
    });
  }

  #fillSlots(): void {
    for (const request of this.#waiting) {
      if (this.#running.size >= this.#options.slots) return;
      this.#waiting.delete(request);
      this.#start(request);
    }
  }

  #start(request: RequestModel): void {
    const startedMs = this.#options.clock.now();
    const tookMs = request.work * this.#options.meanMs * this.#slowdown;
    const cancel = this.#options.clock.after(tookMs, () => {
      this.#release(request);
      this.entries++;
      request.answered();
      this.#fillSlots();
    });
    this.#running.set(request, () => {
      cancel();
      this.busyMs += this.#options.clock.now() - startedMs;
    });
  }

  #release(request: RequestModel): void {
    this.#running.get(request)?.();
    this.#running.delete(request);
  }
}
