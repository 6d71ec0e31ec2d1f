/** What is simulated: servers and their load. */
import type { Setting } from "../../lib/options.ts";
import type { Random } from "../support/random.ts";
import type { Restart, ServerSettings } from "./server_model.ts";

/** One situation. */
export interface Scenario {
  /** For the command line. */
  readonly name: string;
  /** For people, in a few words. */
  readonly title: string;
  /** The servers, in the order given. */
  readonly servers: readonly ServerSettings[];
  /** Clients in a second. */
  readonly rate: number;
  /** How long a request takes, compared with the average: drawn for each, 1 in the mean. */
  readonly work: (random: Random) => number;
  /** The place of the server that is not like the others, where there is one. */
  readonly odd?: number;
  /** What happens to it a third into the run. */
  readonly restart?: Restart;
  /** What the balancer is told, other than the policy; the rest is the defaults. */
  readonly settings?: Readonly<Partial<Record<Setting, string>>>;
}

/** Clients come at this share of what the servers can do when all is well. */
const LOAD = 0.7;
const PLAIN: ServerSettings = { weight: 1, slots: 4, meanMs: 100, failing: 0 };

const eleven = (odd: Partial<ServerSettings>): ServerSettings[] => [
  ...Array<ServerSettings>(5).fill(PLAIN),
  { ...PLAIN, ...odd },
  ...Array<ServerSettings>(5).fill(PLAIN),
];
const weighted = (weight: number): ServerSettings => ({ ...PLAIN, weight, slots: 4 * weight });

/** All of them. The odd one of eleven stands in the middle: order is not to matter. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: "equal",
    title: "eleven equal servers",
    servers: eleven({}),
    rate: rateOf(11),
    work: exponential,
  },
  {
    name: "slow",
    title: "one of eleven ten times as slow",
    servers: eleven({ meanMs: 10 * PLAIN.meanMs }),
    rate: rateOf(11),
    work: exponential,
    odd: 5,
  },
  {
    name: "failing",
    title: "one of eleven fails fast, with --eject 0",
    servers: eleven({ failing: 1 }),
    rate: rateOf(11),
    work: exponential,
    odd: 5,
    settings: { ejectAfter: "0" },
  },
  {
    name: "ejected",
    title: "one of eleven fails fast",
    servers: eleven({ failing: 1 }),
    rate: rateOf(11),
    work: exponential,
    odd: 5,
  },
  {
    name: "weights",
    title: "weights 1, 2, 4 and 8",
    servers: [1, 2, 4, 8].map(weighted),
    rate: rateOf(15),
    work: exponential,
  },
  {
    name: "restart",
    title: "one of five restarts",
    servers: Array<ServerSettings>(5).fill(PLAIN),
    rate: rateOf(5),
    work: exponential,
    odd: 2,
    restart: { awayMs: 3000, coldMs: 5000, slowdown: 3 },
  },
  {
    name: "mixed",
    title: "one request in twenty is thirty times as long",
    servers: eleven({}),
    rate: rateOf(11),
    work: mixed,
  },
];

/** Clients in a second for so many plain servers. */
function rateOf(servers: number): number {
  return LOAD * servers * PLAIN.slots * 1000 / PLAIN.meanMs;
}

/** Exponential with a mean of 1. */
export function exponential(random: Random): number {
  return -Math.log(1 - random.next());
}

const LONG = { share: 1 / 20, times: 30 } as const;

function mixed(random: Random): number {
  const short = 1 / (1 + LONG.share * (LONG.times - 1));
  return (random.chance(LONG.share) ? LONG.times * short : short) * exponential(random);
}
