/** Backends and leases without a pool, and the settings of a pool. */
import { Backend, type BackendOptions, type BackendSettings } from "../../lib/backend.ts";
import { Ejection } from "../../lib/ejection.ts";
import { Lease } from "../../lib/lease.ts";
import { SlowStart } from "../../lib/slow_start.ts";
import { Random } from "./random.ts";

/** A backend on that port of this machine, with no settings but those given. */
export function backendSettings(
  port: number,
  settings: Partial<BackendSettings> = {},
): BackendSettings {
  const address = { hostname: "127.0.0.1", port };
  return { address, weight: 1, max: Infinity, backup: false, ...settings };
}

/** A backend of which nothing is known, that is never ejected and never starts slowly. */
export function makeBackend(options: Partial<BackendOptions> = {}): Backend {
  const random = new Random(1);
  return new Backend({
    ...backendSettings(80),
    order: 0,
    fall: 2,
    rise: 1,
    ejection: new Ejection({ failuresMax: 0, random: () => random.next() }),
    slowStart: new SlowStart(0),
    now: () => 0,
    ...options,
  });
}

/** A lease that no pool has given out. */
export function leaseOf(backend: Backend): Lease {
  return new Lease(backend, () => {});
}
