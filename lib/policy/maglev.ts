/**
 * `maglev`: the same client goes to the same backend, as long as that is ready; looked up in a
 * table (D. Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI
 * 2016, section 3.4). Each backend has its own permutation of the table's slots; in turns, each
 * takes the next free slot in its permutation, until none is free. A backend of less weight sits
 * out turns.
 *
 * Unlike the paper's, the table is made of all backends, ready or not. A client whose backend is
 * not among the candidates, be it down or tried, walks on to the next slot whose backend is: in
 * strides of its own, because neighbouring slots go to the same pairs of backends too often. So a
 * backend that goes down moves its own clients and no others, spread over the rest; they are back
 * when it is; and nothing is built while clients wait. Several balancers with the same servers
 * choose alike, whatever the order.
 *
 * O(1) while all backends are ready, else O(n). Building the table takes about ten milliseconds,
 * once for each list of backends. When the list itself changes, a few more clients move than need
 * to. For servers that keep sessions or caches, if there are hundreds of them.
 */
import { type Hash, hash32, mix32 } from "./hash.ts";
import type { Candidate, Policy, PolicyClient } from "./mod.ts";

/** A prime, the paper's smaller one: up to 650 backends of one weight differ by 1 % at the most. */
const SLOTS = 65_537;

/** Makes the policy. Its state is the table, which is a function of the list of backends. */
export function maglev(): Policy {
  let backends: readonly Candidate[] = [];
  let table: Uint16Array = new Uint16Array(0);
  return {
    prepare(all: readonly Candidate[]): void {
      backends = all;
      table = buildTable(all);
    },
    pick<T extends Candidate>(candidates: readonly T[], client: PolicyClient): T {
      const clientHash = hash32(client.ip);
      const everybody = candidates.length === backends.length;
      const stride = 1 + (mix32(clientHash) >>> 0) % (SLOTS - 1);
      let slot = (clientHash >>> 0) % SLOTS;
      for (let step = 0; step < SLOTS; step++) {
        const place = table[slot] ?? -1;
        const picked = everybody ? candidates[place] : find(candidates, backends[place]);
        if (picked !== undefined) return picked;
        slot = (slot + stride) % SLOTS;
      }
      throw new RangeError("Cannot pick: no candidate is among the backends prepared for");
    },
  };
}

const FREE = 0xffff;

/** The slots, each with the place of its backend in the list. */
function buildTable(backends: readonly Candidate[]): Uint16Array {
  const table = new Uint16Array(backends.length === 0 ? 0 : SLOTS).fill(FREE);
  const heaviest = backends.reduce((most, { weight }) => Math.max(most, weight), 0);
  const takers = backends.map((backend, place) => new Taker(backend, place)).sort(byHash);
  let left = table.length;
  for (let round = 1; left > 0; round++) {
    for (const taker of takers) {
      if (left === 0 || !taker.hasTurn(round, heaviest)) continue;
      taker.takeSlot(table);
      left--;
    }
  }
  return table;
}

/** A backend while the table is made. */
class Taker {
  readonly hash: Hash;
  readonly #weight: number;
  readonly #place: number;
  readonly #skip: number;
  #slot: number;
  #dueWeight = 0;

  constructor({ hash, weight }: Candidate, place: number) {
    this.hash = hash;
    this.#weight = weight;
    this.#place = place;
    this.#slot = (hash.high >>> 0) % SLOTS;
    this.#skip = (hash.low >>> 0) % (SLOTS - 1) + 1;
  }

  /** Whether it takes a slot in that round: the heaviest always does. */
  hasTurn(round: number, heaviest: number): boolean {
    if (round * this.#weight < this.#dueWeight) return false;
    this.#dueWeight += heaviest;
    return true;
  }

  /** Takes the next free slot of its permutation. */
  takeSlot(table: Uint16Array): void {
    while (table[this.#slot] !== FREE) this.#slot = (this.#slot + this.#skip) % SLOTS;
    table[this.#slot] = this.#place;
  }
}

/** An order that does not depend on that of the command line. */
function byHash(one: Taker, other: Taker): number {
  return one.hash.high - other.hash.high || one.hash.low - other.hash.low;
}

/** The same backend among the candidates. */
function find<T extends Candidate>(
  candidates: readonly T[],
  backend: Candidate | undefined,
): T | undefined {
  for (const candidate of candidates) if (candidate === backend) return candidate;
  return undefined;
}
