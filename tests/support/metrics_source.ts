/** What metrics are read from, without a balancer. */
import type { MetricsSource } from "../../lib/admin/metrics.ts";
import type { Backend } from "../../lib/backend.ts";
import type { BalancerSnapshot } from "../../lib/balancer.ts";
import { makeConfig } from "../../lib/config.ts";
import { Histogram } from "../../lib/histogram.ts";
import { Journal } from "../../lib/journal.ts";
import { FakeClock } from "./fake_clock.ts";
import type { Settings } from "./balancer.ts";

/** The numbers of a balancer that a test sets by hand. */
export class FakeSource implements MetricsSource {
  config: MetricsSource["config"];
  backends: readonly Backend[] = [];
  readonly clock = new FakeClock(1000);
  readonly journal = new Journal(this.clock);
  readonly delays = new Histogram();
  counts: Omit<BalancerSnapshot, "backends"> = {
    state: "serving",
    uptimeMs: 1000,
    readyCount: 1,
    accepted: 0,
    exhaustions: { accept: 0, connect: 0 },
    clients: 0,
    carried: 0,
    waiting: 0,
    lingering: 0,
    turnedAway: 0,
    unresolved: [],
    http: null,
  };

  /** Nothing has happened yet. */
  constructor(settings: Settings = {}) {
    this.config = configOf(settings);
  }

  /** Takes over other settings. */
  reload(settings: Settings): void {
    this.config = configOf(settings);
  }

  snapshot(): BalancerSnapshot {
    return { ...this.counts, backends: [] };
  }
}

function configOf(settings: Settings): MetricsSource["config"] {
  return makeConfig({ listen: "0", backends: ["1"], settings });
}
