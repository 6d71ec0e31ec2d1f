/** A balancer for tests of the admin port: it does nothing, and remembers what it was told. */
import type { Steerable, SteerableSnapshot } from "../../lib/admin/steerable.ts";
import type { BackendSettings } from "../../lib/backend.ts";
import type { BackendSnapshot, UnresolvedSnapshot } from "../../lib/backend_snapshot.ts";
import type { BalancerState } from "../../lib/balancer.ts";
import { type Config, makeConfig } from "../../lib/config.ts";
import type { SteeringError } from "../../lib/errors.ts";

/** A backend of which a test only says what matters to it. */
export function backendSnapshot(change: Partial<BackendSnapshot> = {}): BackendSnapshot {
  return {
    name: "127.0.0.1:1234",
    weight: 1,
    max: Infinity,
    backup: false,
    state: "ready",
    reason: "its checks succeed",
    sinceMs: 0,
    entries: 0,
    errors: 0,
    inFlight: 0,
    leased: 0,
    failures: 0,
    bytesUp: 0,
    bytesDown: 0,
    ...change,
  };
}

/** What it pretends to be can be changed at any time. */
export class FakeSteerable implements Steerable {
  readonly config: Config = makeConfig({ listen: "8080", backends: ["1234"] });
  readonly address = this.config.listen;
  state: BalancerState = "serving";
  backends: readonly BackendSnapshot[] = [backendSnapshot()];
  unresolved: readonly UnresolvedSnapshot[] = [];
  /** What it was told, each as text. */
  readonly told: string[] = [];
  /** What it throws when it is told anything; null: nothing. */
  error: SteeringError | Error | null = null;

  snapshot(): SteerableSnapshot {
    const { state, backends, unresolved } = this;
    const counts = { accepted: 9, carried: 2, waiting: 1, lingering: 3, turnedAway: 4 };
    return { state, ...counts, backends, unresolved };
  }

  addServer({ address, ...settings }: BackendSettings): void {
    this.#take(`add ${address.hostname}:${address.port} ${JSON.stringify(settings)}`);
  }

  removeServer(name: string): void {
    this.#take(`remove ${name}`);
  }

  setWeight(name: string, weight: number): void {
    this.#take(`weight ${name} ${weight}`);
  }

  steer(name: string, to: string, reason: string): void {
    this.#take(`steer ${name} ${to}: ${reason}`);
  }

  #take(what: string): void {
    if (this.error !== null) throw this.error;
    this.told.push(what);
  }
}
