/**
 * The selection policies: the interface, and the only list of their names.
 *
 * A policy only picks. It is given backends that may be used, and answers with one of them; it
 * does not filter, count or log, and it is synchronous. Counts live in the candidates.
 */
import type { Hash } from "./hash.ts";
import { ipHash } from "./ip_hash.ts";
import { leastConnections } from "./least_connections.ts";
import { leastEntries } from "./least_entries.ts";
import { maglev } from "./maglev.ts";
import { p2c } from "./p2c.ts";
import { peakEwma } from "./peak_ewma.ts";
import { random } from "./random.ts";
import { roundRobin } from "./round_robin.ts";

/** What a policy may know about a backend. */
export interface Candidate {
  /** Its place in the list of backends, from 0. */
  readonly order: number;
  /** Of its name: the same in every balancer that has this backend. */
  readonly hash: Hash;
  /** Its share compared with others: a whole number above 0; only {@linkcode Policy.prepare} tells of another. */
  readonly weight: number;
  /** Its entries as last probed, plus what was sent to it since. */
  readonly entries: number;
  /** Its errors as last probed. */
  readonly errors: number;
  /** Connections that it serves right now. */
  readonly inFlight: number;
  /** How long clients wait for the first byte of its answers, as a moving average; 0: not known. */
  readonly latencyMs: number;
}

/** What a policy may know about a client. */
export interface PolicyClient {
  /** Its address, written in one way only. */
  readonly ip: string;
}

/** A way to choose. */
export interface Policy {
  /**
   * Told of all backends, ready or not, in the order given: before the first pick, and again when
   * that list or a weight in it changes. For what is made of the whole list and would cost too much at each pick.
   */
  prepare?(backends: readonly Candidate[]): void;

  /** Picks one of the candidates: at least one of those backends, in the same order. */
  pick<T extends Candidate>(candidates: readonly T[], client: PolicyClient): T;
}

/** What policies need from outside. */
export interface PolicySources {
  /** Numbers from 0 to just under 1, such as `Math.random`. */
  readonly random: () => number;
}

/** A policy as it is offered to people. */
export interface PolicyChoice {
  /** When to take it, in one line. */
  readonly help: string;
  /** What a pick costs with n backends. */
  readonly cost: string;
  /** Does it choose by the counts that only the `entries` check brings? */
  readonly needsCounts: boolean;
  /** Does a backend that comes back look idle to it, and so the best, until it has its share? */
  readonly rushes: boolean;
  /** Makes one, with no state yet. */
  readonly create: (sources: PolicySources) => Policy;
}

/** The names of all policies. */
export type PolicyName =
  | "least-entries"
  | "round-robin"
  | "random"
  | "least-connections"
  | "p2c"
  | "peak-ewma"
  | "ip-hash"
  | "maglev";

/** All policies by name. */
export const POLICIES: Readonly<Record<PolicyName, PolicyChoice>> = {
  "least-entries": {
    help: "the server with the fewest entries; for servers that count them",
    cost: "O(n)",
    needsCounts: true,
    rushes: true,
    create: leastEntries,
  },
  "round-robin": {
    help: "one after the other; for requests that all cost about the same",
    cost: "O(n)",
    needsCounts: false,
    rushes: false,
    create: roundRobin,
  },
  "random": {
    help: "any one; where many balancers side by side are not to fall into step",
    cost: "O(1), with different weights O(n)",
    needsCounts: false,
    rushes: false,
    create: random,
  },
  "least-connections": {
    help: "the server with the fewest connections; for connections of very different lengths",
    cost: "O(n)",
    needsCounts: false,
    rushes: true,
    create: leastConnections,
  },
  "p2c": {
    help: "of any two the one with fewer connections; for many servers or many balancers",
    cost: "O(1), with different weights O(n)",
    needsCounts: false,
    rushes: true,
    create: p2c,
  },
  "peak-ewma": {
    help: "of any two the one that answers sooner; where some servers are slow, or at times",
    cost: "O(1), with different weights O(n)",
    needsCounts: false,
    rushes: true,
    create: peakEwma,
  },
  "ip-hash": {
    help: "each client address to its own server; for servers with sessions or caches",
    cost: "O(n)",
    needsCounts: false,
    rushes: false,
    create: ipHash,
  },
  "maglev": {
    help: "the same by a table; for hundreds of servers with sessions or caches",
    cost: "O(1), with a server down O(n)",
    needsCounts: false,
    rushes: false,
    create: maglev,
  },
};
