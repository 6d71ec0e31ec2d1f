/** All scenarios, in the order in which they run. */
import { faults } from "./faults.ts";
import type { Scenario } from "./scenario.ts";

/** The only list of them. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: "faults",
    help: "backends that are killed, stopped, reset, flap and talk nonsense under load",
    share: 1,
    run: faults,
  },
];
