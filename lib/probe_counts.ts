/** What became of the probes of one backend, in plain numbers. */
import { Histogram } from "./histogram.ts";

/** The sums over all probes of a backend. Those that were broken off are not among them. */
export class ProbeCounts {
  /** How many found it well. */
  ok = 0;
  /** How many did not. */
  failed = 0;
  /** How long they took, either way. */
  readonly lasted: Histogram = new Histogram();

  /** Takes in one that is over. */
  ended(ok: boolean, lastedMs: number): void {
    if (ok) this.ok++;
    else this.failed++;
    this.lasted.observe(lastedMs);
  }
}
