/**
 * What a pick costs: `deno task bench:pick`. Clients of many addresses, connections
 * in flight that differ; all weights the same, or from 1 to 5.
 */
import type { Backend } from "../../lib/backend.ts";
import { POLICIES, type PolicyName } from "../../lib/policy/mod.ts";
import { backendSettings, leaseOf, makeBackend } from "../support/backends.ts";
import { clients } from "../support/candidates.ts";
import { Random } from "../support/random.ts";

const SIZES = [3, 100, 1000];
const CLIENTS = clients(1024);
const now = (): number => performance.now();
const NOBODY = { ip: "" };

function makeBackends(size: number, weightMax: number): readonly Backend[] {
  const random = new Random(1);
  return Array.from({ length: size }, (_, order) => {
    const weight = random.integer(1, weightMax);
    const backend = makeBackend({ ...backendSettings(1 + order, { weight }), order, now });
    backend.latency.answered(random.integer(1, 50), now());
    for (let count = random.integer(0, 9); count > 0; count--) leaseOf(backend);
    return backend;
  });
}

for (const weights of ["alike", "different"] as const) {
  for (const size of SIZES) {
    for (const name of Object.keys(POLICIES) as PolicyName[]) {
      const backends = makeBackends(size, weights === "alike" ? 1 : 5);
      const policy = POLICIES[name].create({ random: Math.random });
      policy.prepare?.(backends);
      let turn = 0;
      Deno.bench(name, { group: `${size} backends, weights ${weights}` }, () => {
        policy.pick(backends, CLIENTS[turn++ & 1023] ?? NOBODY);
      });
    }
  }
}

for (const size of SIZES) {
  const all = makeBackends(size, 1);
  const ready = all.slice(1);
  const policy = POLICIES.maglev.create({ random: Math.random });
  policy.prepare?.(all);
  let turn = 0;
  Deno.bench(`${size} backends`, { group: "maglev: one is down" }, () => {
    policy.pick(ready, CLIENTS[turn++ & 1023] ?? NOBODY);
  });
  Deno.bench(`${size} backends`, { group: "maglev: making the table" }, () => {
    policy.prepare?.(all);
  });
}
