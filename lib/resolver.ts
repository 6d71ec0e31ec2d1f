/**
 * When to look names up: all of them at start, and each again from time to time, so that no client
 * ever waits for it. How one lookup is made, and what becomes of the addresses, is the caller's.
 *
 * Invariants: two lookups of one name never overlap, and no more than {@linkcode LOOKUPS_MAX} are
 * under way; a name keeps the addresses that it had last, whatever fails; each piece of news is
 * told once, and nothing after the end, or of names that are no longer wanted.
 */
import type { Clock } from "./clock.ts";
import { BalancerError } from "./errors.ts";

/**
 * The longest that a start waits for names, in milliseconds: a little more than the 5 s after which
 * systems turn to their second name server.
 */
export const START_MS_MAX = 6000;

/**
 * Lookups under way at once. The system's own are calls that block one of the 32 threads of Deno
 * that also write the log; with dead name servers each of them does so for 10 s and more.
 */
export const LOOKUPS_MAX = 16;

/** The time to the first retry of a name that fails, in milliseconds; each one after it doubles. */
const RETRY_MS = 1000;
/** The part of any delay that chance may take off, so that many balancers do not ask in step. */
const JITTER = 0.1;

/** All addresses of a name, in any order. May reject, and take as long as it likes. */
export type Lookup = (name: string) => Promise<readonly string[]>;

/** What is known of a name that has no address. */
export interface Unresolved {
  /** Why, in a few words. */
  readonly reason: string;
  /** Since when it has been looked up, in milliseconds. */
  readonly sinceMs: number;
}

/** What the resolver is made of. */
export interface ResolverOptions {
  /** What to look up. One that comes twice is looked up once. */
  readonly names: readonly string[];
  /** What looks one name up. */
  readonly lookup: Lookup;
  /** The time from one answer to the next lookup of that name, in milliseconds. */
  readonly intervalMs: number;
  /** The source of time. */
  readonly clock: Clock;
  /** Numbers from 0 to just under 1, such as `Math.random`. */
  readonly random: () => number;
  /** Called when a name has other addresses than before: at least one, sorted, each once. */
  readonly onAddresses: (name: string, addresses: readonly string[]) => void;
  /** Called when a name begins to fail, or fails for another reason. It keeps its addresses. */
  readonly onFailure: (name: string, reason: string) => void;
  /** Called when a name that failed resolves again, to the addresses that it had before. */
  readonly onRecovery: (name: string) => void;
}

/** Looks names up until it is disposed of. */
export class Resolver implements Disposable {
  readonly #options: NameOptions;
  readonly #names = new Map<string, Name>();
  #state: "new" | "running" | "stopped" = "new";
  #underWay = 0;
  /** The lookups that are not under way yet, in their order. */
  readonly #waiting: (() => void)[] = [];
  /** What ends the waiting for names that were not looked up yet. */
  readonly #endWaits = new Set<() => void>();

  /** Nothing happens before {@linkcode start}. */
  constructor(options: ResolverOptions) {
    this.#options = { ...options, limitedLookup: (name) => this.#lookup(name) };
    for (const name of options.names) this.#nameOf(name);
  }

  /**
   * Looks all names up, and from then on by itself. Resolves when each has resolved or failed, or
   * after {@linkcode START_MS_MAX}; an answer that comes later is taken in all the same.
   */
  async start(): Promise<void> {
    if (this.#state !== "new") return;
    this.#state = "running";
    await this.#look([...this.#names.values()]);
  }

  /**
   * Looks these names up too from now on. Resolves when those that are new have resolved or failed, or
   * after {@linkcode START_MS_MAX}. Before the start they wait for that.
   */
  async add(names: readonly string[]): Promise<void> {
    const added = [...new Set(names)].filter((name) => !this.#names.has(name));
    const fresh = added.map((name) => this.#nameOf(name));
    if (this.#state === "running") await this.#look(fresh);
  }

  /** Looks no others than these up from now on, this often. */
  keep(names: readonly string[], { intervalMs }: { readonly intervalMs: number }): void {
    for (const [name, known] of this.#names) {
      if (names.includes(name)) continue;
      known[Symbol.dispose]();
      this.#names.delete(name);
    }
    if (intervalMs === this.#options.intervalMs) return;
    this.#options.intervalMs = intervalMs;
    for (const name of this.#names.values()) name.reschedule();
  }

  /** Why a name has no address; null: it has one, or is not looked up. */
  unresolved(name: string): Unresolved | null {
    return this.#names.get(name)?.unresolved ?? null;
  }

  /** No more lookups. What those under way, which nobody can cancel, find out is dropped. */
  [Symbol.dispose](): void {
    this.#state = "stopped";
    for (const name of this.#names.values()) name[Symbol.dispose]();
    for (const end of this.#endWaits) end();
  }

  #nameOf(name: string): Name {
    let known = this.#names.get(name);
    if (known === undefined) this.#names.set(name, known = new Name(name, this.#options));
    return known;
  }

  /** Looks up names for the first time, and waits for that as long as it may take. */
  async #look(names: readonly Name[]): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#options.clock.after(START_MS_MAX, () => {
      resolve();
      for (const name of names) name.late();
    });
    this.#endWaits.add(resolve);
    Promise.all(names.map((name) => name.look())).then(() => resolve());
    await promise;
    cancel();
    this.#endWaits.delete(resolve);
  }

  /** Looks a name up as soon as there is room for one more. */
  async #lookup(name: string): Promise<readonly string[]> {
    if (this.#underWay < LOOKUPS_MAX) this.#underWay++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return this.#state === "stopped" ? [] : await this.#options.lookup(name);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#underWay--;
      else next(); // It takes over this one's place.
    }
  }
}

/** What all names share. The interval may change. */
interface NameOptions extends Omit<ResolverOptions, "intervalMs"> {
  intervalMs: number;
  /** Looks one up when there is room for one more lookup. */
  readonly limitedLookup: Lookup;
}

/** One name, and what is known of it. */
class Name implements Disposable {
  readonly #name: string;
  readonly #options: NameOptions;
  readonly #sinceMs: number;
  #addresses: readonly string[] = [];
  /** Why the last lookup failed; empty when it did not. */
  #failure = "";
  #retryMs = RETRY_MS;
  /** Cancels the timer to the next lookup; null: there is none, a lookup is under way. */
  #cancelTimer: (() => void) | null = null;
  #stopped = false;

  constructor(name: string, options: NameOptions) {
    this.#name = name;
    this.#options = options;
    this.#sinceMs = options.clock.now();
  }

  /** Why it has no address; null: it has one. */
  get unresolved(): Unresolved | null {
    if (this.#addresses.length > 0) return null;
    return { reason: this.#failure || "it is being looked up", sinceMs: this.#sinceMs };
  }

  /** Looks it up, and from then on by itself. Resolves when there is an answer. */
  async look(): Promise<void> {
    this.#cancelTimer = null;
    let addresses: readonly string[] = [];
    let reason = "it has no address";
    try {
      addresses = [...new Set(await this.#options.limitedLookup(this.#name))].sort();
    } catch (error) {
      reason = error instanceof BalancerError ? error.state : String(error);
    }
    if (this.#stopped) return;
    if (addresses.length > 0) this.#resolved(addresses);
    else this.#failed(reason);
  }

  /** Tells of it if there is no answer yet. */
  late(): void {
    if (this.#stopped || this.#addresses.length > 0 || this.#failure !== "") return;
    this.#tellFailure(`the system gave no answer within ${START_MS_MAX / 1000}s`);
  }

  /** Goes by another interval: one that is shorter does not wait for the end of a longer one. */
  reschedule(): void {
    if (this.#cancelTimer === null || this.#stopped) return;
    this.#cancelTimer();
    this.#lookAfter(this.#failure === "" ? this.#options.intervalMs : RETRY_MS);
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#cancelTimer?.();
  }

  #resolved(addresses: readonly string[]): void {
    this.#lookAfter(this.#options.intervalMs);
    this.#retryMs = RETRY_MS;
    const recovered = this.#failure !== "";
    this.#failure = "";
    if (addresses.join() !== this.#addresses.join()) {
      this.#addresses = addresses;
      this.#options.onAddresses(this.#name, addresses);
    } else if (recovered) {
      this.#options.onRecovery(this.#name);
    }
  }

  #failed(reason: string): void {
    const delayMs = Math.min(this.#retryMs, this.#options.intervalMs);
    this.#lookAfter(delayMs);
    this.#retryMs = 2 * delayMs;
    if (reason !== this.#failure) this.#tellFailure(reason);
  }

  #tellFailure(reason: string): void {
    this.#failure = reason;
    this.#options.onFailure(this.#name, reason);
  }

  #lookAfter(delayMs: number): void {
    const { clock, random } = this.#options;
    this.#cancelTimer = clock.after(delayMs * (1 - JITTER * random()), () => this.look());
  }
}
