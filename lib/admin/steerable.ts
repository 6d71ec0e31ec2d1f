/** What the admin port needs of a balancer; a fake stands for it in tests. */
import type { Address } from "../address.ts";
import type { BackendSettings } from "../backend.ts";
import type { BalancerSnapshot } from "../balancer.ts";
import type { Config } from "../config.ts";

/** What is told of a balancer as it stands. */
export type SteerableSnapshot = Pick<
  BalancerSnapshot,
  | "state"
  | "accepted"
  | "carried"
  | "waiting"
  | "lingering"
  | "turnedAway"
  | "backends"
  | "unresolved"
>;

/** A balancer that can be looked at and steered. What cannot be done throws a `SteeringError`. */
export interface Steerable {
  /** Its settings as they are now. */
  readonly config: Config;
  /** Where clients come in. */
  readonly address: Address;
  /** How it stands. */
  snapshot(): SteerableSnapshot;
  /** Takes a server in; it is used once it has been looked at. */
  addServer(settings: BackendSettings): void;
  /** Lets a server go: it drains and is gone after its last connection. */
  removeServer(name: string): void;
  /** Sets a server's share. */
  setWeight(name: string, weight: number): void;
  /** Takes a server out of use, for a reason in words, or puts it back. */
  steer(name: string, to: "draining" | "disabled" | "enabled", reason: string): void;
}
