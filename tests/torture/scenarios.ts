/** All scenarios, in the order in which they run. */
import { faults } from "./faults.ts";
import { hostile } from "./hostile.ts";
import type { Scenario } from "./scenario.ts";

/** The only list of them. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: "faults",
    help: "backends that are killed, stopped, reset, flap and talk nonsense under load",
    share: 1,
    run: faults,
  },
  {
    name: "hostile",
    help: "slow, idle, flooding, resetting and lying clients beside good ones",
    share: 1,
    run: hostile,
  },
];
