/**
 * What a metric is, and the forms that metrics have: one number, a few numbers by a label, and the
 * same for each backend. The list of metrics is made of them. Pure: whoever scrapes brings the
 * numbers.
 */
import type { Backend } from "../backend.ts";
import type { BalancerSnapshot } from "../balancer.ts";
import type { RequestCarrierSnapshot } from "../carrier.ts";
import type { Config } from "../config.ts";
import type { Mode } from "../options.ts";
import type { Histogram } from "../histogram.ts";
import type { Journal } from "../journal.ts";
import type { ProcessNumbers } from "./process_numbers.ts";

/** Everything that metrics are read from, at the moment of one scrape. */
export interface Reading {
  /** The settings. */
  readonly config: Pick<Config, "mode" | "policy" | "health" | "parallel" | "queueMax">;
  /** The backends, each with its own numbers. */
  readonly backends: readonly Backend[];
  /** The sums over all passages. */
  readonly journal: Journal;
  /** How many clients are where. */
  readonly counts: Omit<BalancerSnapshot, "backends">;
  /** How late the sweep of the deadlines came. */
  readonly delays: Histogram;
  /** Lines of diagnostics that were dropped. */
  readonly linesDropped: number;
  /** Lines of the access log that were dropped; null where there is no access log. */
  readonly accessLinesDropped: number | null;
  /** What the process takes. */
  readonly process: ProcessNumbers;
  /** When the process started, in seconds since 1970. */
  readonly startedSeconds: number;
  /** Which program this is, and on which version of Deno. */
  readonly build: { readonly version: string; readonly deno: string };
}

/** One number, or one histogram, of a metric. */
export interface Sample {
  /** What sets it apart from the others of its metric. */
  readonly labels: Readonly<Record<string, string>>;
  /** What it is; a histogram is in milliseconds, as everywhere in this program. */
  readonly value: number | Histogram;
}

/** What may be said of a metric. */
export interface MetricText {
  /** What it means, in one line. */
  readonly help: string;
  /** The only modes in which it is there; left out: in all. */
  readonly modes?: readonly Mode[];
}

/** One metric. */
export interface Metric extends MetricText {
  /** Its whole name. */
  readonly name: string;
  /** Does it only grow, does it go up and down, or is it a histogram of times? */
  readonly type: MetricType;
  /** The names of its labels. */
  readonly labels: readonly string[];
  /** Its numbers now. */
  readonly read: (reading: Reading) => Iterable<Sample>;
}

/** The types of metrics. */
export type MetricType = "counter" | "gauge" | "histogram";

/** What a metric of some form is made of: its text, and where its numbers are. */
export interface Form<From, Numbers> extends MetricText {
  /** Its numbers now. */
  readonly read: (from: From) => Numbers;
}

/** A metric of one number, or of none where that cannot be known. */
export function one(
  name: string,
  { read, ...text }: Form<Reading, number | Histogram | null>,
): Metric {
  return {
    ...text,
    ...named(name),
    labels: [],
    read: (reading) => {
      const value = read(reading);
      return value === null ? [] : [{ labels: {}, value }];
    },
  };
}

/** A metric of a few numbers, each with its value of the one label. */
export function split(
  name: string,
  { label, read, ...text }: Form<Reading, Record<string, number>> & { label: string },
): Metric {
  return {
    ...text,
    ...named(name),
    labels: [label],
    read: (reading) =>
      Object.entries(read(reading)).map(([each, value]) => ({ labels: { [label]: each }, value })),
  };
}

/** A metric that is there only in http mode. */
export function ofHttp(
  name: string,
  { help, read }: Form<RequestCarrierSnapshot, number>,
): Metric {
  const readHttp = ({ counts: { http } }: Reading): number | null => http && read(http);
  return one(name, { help, modes: ["http"], read: readHttp });
}

/** A metric of one number for each backend. */
export function ofBackend(
  name: string,
  { read, ...text }: Form<Backend, number | Histogram>,
): Metric {
  return {
    ...text,
    ...named(name),
    labels: ["backend"],
    read: ({ backends }) =>
      backends.map((backend) => ({ labels: { backend: backend.name }, value: read(backend) })),
  };
}

/** A metric of what backends count themselves, which only one kind of checks brings. */
export function countOfBackend(
  name: string,
  options: Form<Backend, number>,
): Metric {
  const metric = ofBackend(name, options);
  return {
    ...metric,
    read: (reading) => reading.config.health === "entries" ? metric.read(reading) : [],
  };
}

/** A metric of a few numbers for each backend, each with its value of one more label. */
export function splitOfBackend(
  name: string,
  { label, read, ...text }: Form<Backend, Record<string, number>> & { label: string },
): Metric {
  return {
    ...text,
    ...named(name),
    labels: ["backend", label],
    read: ({ backends }) =>
      backends.flatMap((backend) =>
        Object.entries(read(backend)).map(([each, value]) => ({
          labels: { backend: backend.name, [label]: each },
          value,
        }))
      ),
  };
}

/** Its whole name, and the type that goes with such a name. */
export function named(name: string): { name: string; type: MetricType } {
  const isTime = name.endsWith("_seconds") && !name.endsWith("_time_seconds");
  const type = name.endsWith("_total") ? "counter" : isTime ? "histogram" : "gauge";
  return { name: `loadbalancer_${name}`, type };
}
