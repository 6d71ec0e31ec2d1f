/**
 * The selection policies: the interface, and the only list of their names.
 *
 * A policy only picks. It is given backends that may be used, and answers with one of them; it
 * does not filter, count or log, and it is synchronous. Counts live in the candidates.
 */
import { leastEntries } from "./least_entries.ts";
import { roundRobin } from "./round_robin.ts";

/** What a policy may know about a backend. */
export interface Candidate {
  /** Its place on the command line, from 0. */
  readonly order: number;
  /** Its share compared with others, above 0. */
  readonly weight: number;
  /** Its entries as last probed, plus what was sent to it since. */
  readonly entries: number;
  /** Its errors as last probed. */
  readonly errors: number;
  /** Connections that it serves right now. */
  readonly inFlight: number;
}

/** A way to choose. */
export interface Policy {
  /** Picks one of the candidates, of which there is at least one, in the order given. */
  pick<T extends Candidate>(candidates: readonly T[]): T;
}

/** A policy as it is offered to people. */
export interface PolicyChoice {
  /** When to take it, in one line. */
  readonly help: string;
  /** Does it choose by the counts that only the `entries` check brings? */
  readonly needsCounts: boolean;
  /** Makes one, with no state yet. */
  readonly create: () => Policy;
}

/** The names of all policies. */
export type PolicyName = "least-entries" | "round-robin";

/** All policies by name. */
export const POLICIES: Readonly<Record<PolicyName, PolicyChoice>> = {
  "least-entries": {
    help: "the server with the fewest entries; for servers that count them",
    needsCounts: true,
    create: leastEntries,
  },
  "round-robin": {
    help: "one after the other; for servers of the same size",
    needsCounts: false,
    create: roundRobin,
  },
};
