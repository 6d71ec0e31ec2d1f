/** All scenarios, in the order in which they run. */
import { exhaustion } from "./exhaustion.ts";
import { faults } from "./faults.ts";
import { hostile } from "./hostile.ts";
import { network } from "./network.ts";
import type { Scenario } from "./scenario.ts";
import { soak } from "./soak.ts";

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
  {
    name: "exhaustion",
    help: "no descriptors, no memory, no bridges, no processor time, and 500 servers",
    share: 1,
    run: exhaustion,
  },
  {
    name: "soak",
    help: "a constant mixed load; memory and sockets end where they began",
    share: 1,
    run: soak,
  },
  {
    name: "network",
    help: "delay, loss and a pulled cable between hosts, where network namespaces are permitted",
    share: 0.5,
    run: network,
  },
];
