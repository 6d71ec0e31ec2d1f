/**
 * The pool with its leases against a list of backends and the rules, each written out once more. The
 * ejections' lengths are taken from the pool; when they begin and end is not.
 */
import fc from "fast-check";
import { formatAddress } from "../../lib/address.ts";
import type { Backend, BackendSettings, BackendState } from "../../lib/backend.ts";
import type { CountMark } from "../../lib/entry_count.ts";
import type { Lease } from "../../lib/lease.ts";
import type { Candidate } from "../../lib/policy/mod.ts";
import { Pool } from "../../lib/pool.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { backendSettings } from "../support/backends.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { checkModel, event, type EventOf, historiesOf } from "../support/model_check.ts";

const RUNS = 600;
const PORTS = 4;
/** Of a server that no history knows. */
const LAST_PORT = PORTS + 1;

const settings = fc.record({
  port: fc.integer({ min: 1, max: PORTS }),
  weight: fc.integer({ min: 1, max: 3 }),
  max: fc.constantFrom(1, 2, 3, Infinity),
  backup: fc.boolean(),
}).map(({ port, ...rest }) => backendSettings(port, rest));
const list = fc.array(settings, { maxLength: 5 });
const SETUPS = fc.record({
  fall: fc.integer({ min: 1, max: 3 }),
  rise: fc.integer({ min: 1, max: 2 }),
  ejectAfter: fc.integer({ min: 0, max: 2 }),
  slowStartMs: fc.constantFrom(0, 3000),
  backends: list,
  /** Does it begin with all ready? */
  isTrusting: fc.boolean(),
  /** Do probes bring counts? */
  hasCounts: fc.boolean(),
});
type Setup = typeof SETUPS extends fc.Arbitrary<infer S> ? S : never;

const which = fc.nat({ max: 11 });
const KINDS = [
  event("acquire", 20, {
    choice: which,
    tried: fc.array(which, { maxLength: 3 }),
    prefers: fc.option(which),
  }),
  event("report", 14, {
    which,
    how: fc.constantFrom("answered", "dropped", "refused", "unasked", "restart"),
  }),
  event("give", 10, { which }),
  event("lose", 10, { which, how: fc.constantFrom("dropped", "refused") }),
  event("mark", 8, { which }),
  event("probed", 14, { which, how: fc.constantFrom("good", "good", "bad", "final") }),
  event("connectFailed", 3, { which }),
  event("steer", 3, {
    which,
    to: fc.constantFrom("draining" as const, "disabled" as const, "enabled" as const),
  }),
  event("reconcile", 3, { list }),
  event("trust", 1),
  event("open", 2),
  event("advance", 6, { ms: fc.oneof(fc.nat({ max: 3000 }), fc.nat({ max: 60_000 })) }),
];
type Event = EventOf<typeof KINDS>;

/** What should be known of a backend. */
interface Model {
  readonly backend: Backend;
  settings: BackendSettings;
  isKnown: boolean;
  isHealthy: boolean;
  /** Results in a row against that. */
  contrary: number;
  steered: "draining" | "disabled" | null;
  isRetiring: boolean;
  isRemoved: boolean;
  /** Clients failed in a row. */
  failures: number;
  isEjected: boolean;
  failedChecks: boolean;
  /** Clients sent before that do not count. */
  countsFromMs: number;
  readySinceMs: number;
  /** The state that was told last. */
  told: BackendState;
}

class Bench {
  readonly #setup: Setup;
  readonly #clock = new FakeClock(1000);
  readonly #pool: Pool;
  /** In the order of the pool. */
  #models: readonly Model[] = [];
  #leases: readonly Lease[] = [];
  #marks: readonly (readonly [Backend, CountMark])[] = [];
  #prepared: readonly Candidate[] = [];
  #preparedWeights: readonly number[] = [];
  /** What the policy was given last. */
  #candidates: readonly Candidate[] | null = null;
  #choice = 0;
  #gone: readonly Backend[] = [];
  readonly #leased = new Map<Backend, number>();
  /** Leases that ended without having been asked for anything, or were refused. */
  readonly #unasked = new Map<Backend, number>();
  #isOpen = false;

  constructor(setup: Setup) {
    this.#setup = setup;
    this.#pool = new Pool({
      ...setup,
      policy: {
        prepare: (backends) => {
          this.#prepared = [...backends];
          this.#preparedWeights = backends.map(({ weight }) => weight);
        },
        pick: (candidates) => this.#pick(candidates),
      },
      clock: this.#clock,
      random: () => 0.5,
      onState: (backend) => {
        const model = this.#models.find((each) => each.backend === backend);
        if (model !== undefined) model.told = backend.state;
      },
      onGone: (backend) => {
        assert(!this.#gone.includes(backend), "one is gone twice");
        this.#gone = [...this.#gone, backend];
      },
    });
    this.#reconciled(setup.backends);
    this.#compare();
  }

  async live(happens: Event): Promise<void> {
    await this.#happen(happens);
    this.#follow();
    this.#compare();
  }

  async end(): Promise<void> {
    // Without anybody new, those that are there would go on; one that is disabled is not waited for.
    await this.live({ kind: "reconcile", list: [backendSettings(LAST_PORT)] });
    await this.live({ kind: "steer", which: 0, to: "disabled" });
    while (this.#leases.length > 0) await this.live({ kind: "give", which: 0 });
    const left = this.#pool.backends.map(({ address }) => address.port);
    assertEquals(left, [LAST_PORT], "one that was removed is not gone");
    assertEquals(this.#clock.pending, 0, "a timer is left of one that is gone");
    this.#pool[Symbol.dispose]();
  }

  async #happen(happens: Event): Promise<void> {
    if (happens.kind === "acquire") return this.#acquire(happens);
    if (happens.kind === "advance") {
      await this.#clock.advance(happens.ms);
      return this.#ejectionsOver();
    }
    if (happens.kind === "reconcile") {
      this.#pool.reconcile(happens.list);
      return this.#reconciled(happens.list);
    }
    if (happens.kind === "open") {
      this.#isOpen = true;
      return this.#pool.open();
    }
    if (happens.kind === "trust") {
      this.#pool.trustUnknown();
      for (const model of this.#models) {
        if (!model.isKnown) this.#observe(model, { ok: true, final: false });
      }
      return this.#retire();
    }
    if (happens.kind === "report" || happens.kind === "give" || happens.kind === "lose") {
      const lease = this.#leases[happens.which % this.#leases.length];
      if (lease === undefined) return;
      if (happens.kind !== "give") this.#report(lease, happens.how);
      return happens.kind === "report" ? undefined : this.#give(lease);
    }
    if (happens.kind === "probed") return this.#probed(happens);
    const model = this.#models[happens.which % this.#models.length];
    if (model === undefined) return;
    if (happens.kind === "mark") {
      // One probe of a backend at a time: a new one means that the last brought nothing back.
      const others = this.#marks.filter(([backend]) => backend !== model.backend);
      this.#marks = [...others, [model.backend, model.backend.mark()]];
    } else if (happens.kind === "steer") {
      this.#pool.steer(model.backend, happens.to);
      if (!model.isRemoved) model.steered = happens.to === "enabled" ? null : happens.to;
      this.#retire(); // One that is disabled is not waited for.
    } else if (model.isKnown) {
      this.#pool.connectFailed(model.backend, "refused");
      this.#observe(model, { ok: false, final: true });
    }
  }

  #acquire({ choice, tried, prefers }: Extract<Event, { kind: "acquire" }>): void {
    const backendAt = (at: number): Backend | undefined =>
      this.#models[at % this.#models.length]?.backend;
    const failed = tried.flatMap((at) => backendAt(at) ?? []);
    const preferred = prefers === null ? null : backendAt(prefers) ?? null;
    const untried = this.#ready().filter(({ backend }) => !failed.includes(backend));
    const primaries = untried.filter(({ settings }) => !settings.backup);
    const group = primaries.length > 0 ? primaries : untried;
    const roomy = group.filter((each) => !this.#isFull(each));
    const isPreferred = untried.some((each) => each.backend === preferred && !this.#isFull(each));
    this.#choice = choice;
    this.#candidates = null;
    const lease = this.#pool.acquire({ ip: "192.0.2.1", tried: failed, prefers: preferred });
    if (!isPreferred && group.length === 0) return assertEquals(lease, null, "nobody is left");
    if (!isPreferred && roomy.length === 0) return assertEquals(lease, "wait", "all are full");
    assert(lease !== null && lease !== "wait", "one could have been had");
    this.#leases = [...this.#leases, lease];
    this.#leased.set(lease.backend, (this.#leased.get(lease.backend) ?? 0) + 1);
    if (isPreferred) {
      assert(lease.backend === preferred, "another than the preferred one");
      return assertEquals(this.#candidates, null, "the policy was asked");
    }
    assert(this.#candidates !== null, "the policy was not asked");
    const given: readonly Candidate[] = this.#candidates;
    const allowed = roomy.map(({ backend }) => backend);
    assert(given.every((each) => allowed.some((one) => one === each)), "a candidate too many");
    // Those that have just come back are candidates at times.
    const sure = roomy.filter((each) => !this.#mayRamp(each));
    assert(sure.every(({ backend }) => given.includes(backend)), "a candidate too few");
  }

  #pick<T extends Candidate>(candidates: readonly T[]): T {
    const places = candidates.map((each) => this.#prepared.indexOf(each));
    assert(!places.includes(-1), "a candidate that the policy was not prepared for");
    assertEquals(places, [...new Set(places)].sort((one, other) => one - other), "the order");
    const weights = this.#prepared.map(({ weight }) => weight);
    assertEquals(weights, this.#preparedWeights, "another weight than it was prepared for");
    this.#candidates = candidates;
    const picked = candidates[this.#choice % candidates.length];
    assert(picked !== undefined, "the policy was given nobody");
    return picked;
  }

  #report(lease: Lease, how: string): void {
    if (how === "dropped" || how === "refused") lease[how]("for the test");
    else if (how === "unasked" || how === "restart") lease[how]();
    else {
      lease.connected();
      lease.asked();
      lease.answered();
      const model = this.#of(lease);
      const counts = model !== undefined && !model.isEjected &&
        lease.sinceMs >= model.countsFromMs;
      if (counts) model.failures = 0;
    }
  }

  #give(lease: Lease): void {
    const model = this.#of(lease);
    lease[Symbol.dispose]();
    lease[Symbol.dispose]();
    this.#leases = this.#leases.filter((each) => each !== lease);
    assert(model !== undefined, "a backend was forgotten that still served");
    if (lease.end === "unasked" || lease.end === "refused") {
      this.#unasked.set(lease.backend, (this.#unasked.get(lease.backend) ?? 0) + 1);
    }
    if (lease.end === "failed" || lease.end === "refused") this.#failed(model, lease);
    this.#forget();
  }

  #failed(model: Model, { sinceMs }: Lease): void {
    const { ejectAfter } = this.#setup;
    if (model.isEjected || sinceMs < model.countsFromMs) return;
    model.failures++;
    const others = this.#ready().filter((each) => each !== model);
    if (ejectAfter === 0 || model.failures < ejectAfter || others.length === 0) return;
    model.isEjected = true;
    const leftMs = model.backend.ejection.untilMs - this.#clock.now();
    assert(leftMs >= 8000 && leftMs <= 360_000, `it is ejected for ${leftMs} ms`);
  }

  #probed({ which, how }: Extract<Event, { kind: "probed" }>): void {
    const [backend, mark] = this.#marks[which % this.#marks.length] ?? [];
    if (backend === undefined || mark === undefined) return;
    this.#marks = this.#marks.filter(([, each]) => each !== mark);
    const isGood = how === "good";
    const result = isGood
      ? { ok: true, ...this.#setup.hasCounts && { counts: { entries: which, errors: 0 } } } as const
      : { ok: false, final: how === "final", reason: "for the test" } as const;
    this.#pool.probed(backend, result, mark);
    const model = this.#models.find((each) => each.backend === backend);
    if (model === undefined) return; // It is gone meanwhile.
    this.#observe(model, { ok: isGood, final: how === "final" });
    const isMended = model.isHealthy && model.failedChecks;
    model.failedChecks = model.isEjected && !model.isHealthy;
    if (isMended) this.#endEjection(model);
    this.#retire();
  }

  #observe(model: Model, { ok, final }: { readonly ok: boolean; readonly final: boolean }): void {
    const isFirst = !model.isKnown;
    model.isKnown = true;
    model.contrary = ok === model.isHealthy ? 0 : model.contrary + 1;
    const needed = ok ? this.#setup.rise : final ? 1 : this.#setup.fall;
    if (model.contrary === 0 || !isFirst && model.contrary < needed) return;
    model.isHealthy = ok;
    model.contrary = 0;
  }

  #reconciled(wanted: readonly BackendSettings[]): void {
    const nameOf = ({ address }: BackendSettings): string => formatAddress(address);
    const unique = wanted.filter((each, at) =>
      wanted.findIndex((other) => nameOf(other) === nameOf(each)) === at
    );
    const kept = unique.map((settings, at): Model => {
      const known = this.#models.find(({ backend }) => backend.name === nameOf(settings));
      const backend = this.#pool.backends[at];
      assert(backend !== undefined, "one that is wanted is not there");
      if (known === undefined) return newModel(backend, settings);
      if (known.isRemoved) known.steered = null;
      return Object.assign(known, { settings, isRetiring: false, isRemoved: false });
    });
    const missing = this.#models.filter((each) => !kept.includes(each));
    for (const each of missing) each.isRetiring = !each.isRemoved;
    this.#models = [...kept, ...missing];
    this.#retire();
  }

  /** Those that are missing drain as soon as all that are wanted were looked at. */
  #retire(): void {
    const wanted = this.#models.filter(({ isRetiring, isRemoved }) => !isRetiring && !isRemoved);
    if (wanted.length === 0) return; // Somebody has to serve.
    if (wanted.some(({ isKnown, steered }) => !isKnown && steered !== "disabled")) return;
    for (const model of this.#models.filter(({ isRetiring }) => isRetiring)) {
      Object.assign(model, { isRetiring: false, isRemoved: true, steered: "draining" });
    }
    this.#forget();
  }

  #forget(): void {
    const gone = this.#models.filter((each) => each.isRemoved && this.#heldOf(each) === 0);
    for (const { backend } of gone) {
      assert(this.#gone.includes(backend), `${backend.name} is not gone`);
    }
    this.#models = this.#models.filter((each) => !gone.includes(each));
  }

  #ejectionsOver(): void {
    for (const model of this.#models) {
      const { ejected, untilMs } = model.backend.ejection;
      assert(!ejected || untilMs > this.#clock.now(), "an ejection goes on beyond its time");
      if (model.isEjected && !ejected) this.#endEjection(model);
    }
  }

  #endEjection(model: Model): void {
    if (!model.isEjected) return;
    model.isEjected = false;
    model.failedChecks = false;
    model.countsFromMs = model.backend.ejection.ejected ? NaN : this.#clock.now();
  }

  /** Takes in what follows from any event. */
  #follow(): void {
    if (this.#ready().length === 0) { for (const each of this.#models) this.#endEjection(each); }
    for (const model of this.#models) {
      const isReady = stateOf(model) === "ready";
      if (!isReady) model.readySinceMs = Infinity;
      else if (model.readySinceMs === Infinity) model.readySinceMs = this.#clock.now();
    }
  }

  #compare(): void {
    const { backends } = this.#pool;
    assertEquals(backends.map(({ name }) => name), this.#models.map(({ backend }) => backend.name));
    for (const [at, model] of this.#models.entries()) {
      const { backend, settings: { max, weight, backup } } = model;
      assert(backends[at] === backend, `${backend.name} is another`);
      assertEquals([backend.state, model.told], [stateOf(model), stateOf(model)], backend.name);
      assertEquals(backend.inFlight, this.#heldOf(model), "leases that are held");
      assertEquals(backend.leased, this.#leased.get(backend) ?? 0, "leases that were given");
      assertEquals({ ...backend, max, weight, backup }, { ...backend }, "the settings");
      const { hasCounts, slowStartMs } = this.#setup;
      assert(backend.entries >= 0, "fewer than no entries");
      if (!hasCounts && slowStartMs === 0) {
        const entries = backend.leased - (this.#unasked.get(backend) ?? 0);
        assertEquals(backend.entries, entries, "what was sent to it");
      }
      const isWanted = !model.isRetiring && !model.isRemoved;
      if (isWanted) assertEquals(backend.order, at);
    }
    assertEquals(this.#pool.readyCount, this.#ready().length);
    assertEquals(new Set(this.#pool.checked), this.#checked());
    for (const backend of this.#gone) assert(!backends.includes(backend), "it is gone, and there");
  }

  #checked(): Set<Backend> {
    const checked = this.#models.filter((each) => stateOf(each) !== "disabled");
    return new Set(checked.map(({ backend }) => backend));
  }

  #ready(): readonly Model[] {
    return this.#models.filter((each) => stateOf(each) === "ready");
  }

  #isFull(model: Model): boolean {
    return this.#heldOf(model) >= model.settings.max;
  }

  #heldOf({ backend }: Model): number {
    return this.#leases.filter((each) => each.backend === backend).length;
  }

  #of(lease: Lease): Model | undefined {
    return this.#models.find(({ backend }) => backend === lease.backend);
  }

  #mayRamp({ readySinceMs }: Model): boolean {
    return this.#isOpen && this.#clock.now() <= readySinceMs + this.#setup.slowStartMs;
  }
}

function newModel(backend: Backend, settings: BackendSettings): Model {
  return {
    backend,
    settings,
    isKnown: false,
    isHealthy: false,
    contrary: 0,
    steered: null,
    isRetiring: false,
    isRemoved: false,
    failures: 0,
    isEjected: false,
    failedChecks: false,
    countsFromMs: -Infinity,
    readySinceMs: Infinity,
    told: "down",
  };
}

function stateOf({ steered, isHealthy, isEjected }: Model): BackendState {
  return steered ?? (isHealthy && !isEjected ? "ready" : "down");
}

Deno.test("Pool: in any history its counts are those of the leases held, and nobody gets a backend that is not for it", async () => {
  const histories = fc.tuple(SETUPS, historiesOf(KINDS, 80));
  await checkModel({ runs: RUNS, of: histories }, async ([setup, history]) => {
    const bench = new Bench(setup);
    if (setup.isTrusting) await bench.live({ kind: "trust" });
    for (const happens of history) await bench.live(happens);
    await bench.end();
  });
});
