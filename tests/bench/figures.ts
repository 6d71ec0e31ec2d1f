/**
 * From samples to figures: medians, and ratios to the best peer. Pure.
 *
 * A ratio is taken inside each repetition, against the better peer of that repetition, and the median of
 * these is reported: what slows the machine for a while then cancels out. It may differ a little from the
 * ratio of the two medians in the same table.
 */

import { type Contestant, type ContestantName } from "./contestants.ts";
import { IDLE_CLIENTS, type IdleSamples } from "./idle.ts";
import { type LoadSample, type LoadSamples, type Workload } from "./load.ts";

/** Medians of one contestant under one workload. `errors` is the sum over the repetitions. */
export interface LoadRow {
  readonly workload: Workload["name"];
  readonly workloadTitle: string;
  readonly balancer: ContestantName;
  readonly label: string;
  readonly requestsPerSecond: number;
  readonly p99Ms: number;
  readonly errors: number;
  readonly cpuMicrosecondsPerRequest: number;
  /** Undefined for the peers, and when there is none. */
  readonly cpuToBestPeer: number | undefined;
  /** Undefined for the peers, and when there is none. */
  readonly p99ToBestPeer: number | undefined;
  readonly ratioMax: Workload["ratioMax"];
  readonly samples: readonly LoadSample[];
}

/** The median of one contestant's memory per idle connection. */
export interface IdleRow {
  readonly balancer: ContestantName;
  readonly label: string;
  readonly kibPerConnection: number;
  readonly samples: readonly number[];
}

/** A figure we set out to reach, and what was measured; runs with errors never reach it. */
export interface Goal {
  readonly workload: string;
  readonly figure: string;
  readonly measured: number;
  readonly limit: number;
  readonly isReached: boolean;
}

const IDLE_KIB_MAX = 40;

/** The middle value; of an even number of values the mean of the two in the middle. NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const high = sorted[sorted.length >> 1] ?? NaN;
  const low = sorted[(sorted.length - 1) >> 1] ?? NaN;
  return (low + high) / 2;
}

/** One row per contestant that has samples. */
export function loadRows(
  workload: Workload,
  options: { readonly contestants: readonly Contestant[]; readonly samples: LoadSamples },
): LoadRow[] {
  const { contestants, samples } = options;
  const peers = contestants.filter(({ isPeer }) => isPeer).map(({ name }) =>
    samples.get(name) ?? []
  );
  return contestants.map(({ name, label, isPeer }) => {
    const own = samples.get(name) ?? [];
    const ratio = (of: (sample: LoadSample) => number): number | undefined =>
      isPeer || peers.length === 0 ? undefined : ratioToBestPeer(own, { peers, of });
    return {
      workload: workload.name,
      workloadTitle: workload.title,
      balancer: name,
      label,
      requestsPerSecond: median(own.map((sample) => sample.requestsPerSecond)),
      p99Ms: median(own.map((sample) => sample.p99Ms)),
      errors: own.reduce((sum, sample) => sum + sample.errors, 0),
      cpuMicrosecondsPerRequest: median(own.map((sample) => sample.cpuMicrosecondsPerRequest)),
      cpuToBestPeer: ratio((sample) => sample.cpuMicrosecondsPerRequest),
      p99ToBestPeer: ratio((sample) => sample.p99Ms),
      ratioMax: workload.ratioMax,
      samples: own,
    };
  });
}

/** One row per contestant. */
export function idleRows(contestants: readonly Contestant[], samples: IdleSamples): IdleRow[] {
  return contestants.map(({ name, label }) => {
    const own = samples.get(name) ?? [];
    return { balancer: name, label, kibPerConnection: median(own), samples: own };
  });
}

/** What our balancer is to reach, as far as it was measured, with peers to compare it to. */
export function goals(rows: {
  readonly load: readonly LoadRow[];
  readonly idle: readonly IdleRow[];
}): Goal[] {
  return [
    ...rows.load.filter(({ balancer }) => balancer === "ours").flatMap(loadGoals),
    ...rows.idle.filter(({ balancer }) => balancer === "ours").map(idleGoal),
  ];
}

function loadGoals(row: LoadRow): Goal[] {
  const { workloadTitle: workload, errors, cpuToBestPeer, p99ToBestPeer, ratioMax } = row;
  const figures = [
    { figure: "CPU per request ÷ best peer", measured: cpuToBestPeer, limit: ratioMax.cpu },
    { figure: "p99 ÷ best peer", measured: p99ToBestPeer, limit: ratioMax.p99 },
  ];
  return figures.flatMap(({ figure, measured, limit }) => {
    if (measured === undefined || limit === undefined) return [];
    return [{ workload, figure, measured, limit, isReached: errors === 0 && measured <= limit }];
  });
}

function idleGoal({ kibPerConnection: measured }: IdleRow): Goal {
  return {
    workload: `${IDLE_CLIENTS} idle connections`,
    figure: "KiB per connection",
    measured,
    limit: IDLE_KIB_MAX,
    isReached: measured <= IDLE_KIB_MAX,
  };
}

function ratioToBestPeer(
  own: readonly LoadSample[],
  options: {
    readonly peers: readonly (readonly LoadSample[])[];
    readonly of: (sample: LoadSample) => number;
  },
): number {
  const { peers, of } = options;
  return median(own.map((sample, repetition) => {
    const figures = peers.flatMap((peer) => peer.slice(repetition, repetition + 1)).map(of);
    return of(sample) / Math.min(...figures);
  }));
}
