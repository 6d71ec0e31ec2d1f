/**
 * What Prometheus scrapes. The data path keeps plain numbers and knows nothing of this; they are read
 * when somebody asks. Made by the admin server.
 *
 * Invariants: the registry is this program's own, so that nothing else gets in; the labels are
 * bounded: backends, and words of this program. With more than {@linkcode DETAILED_BACKENDS_MAX}
 * backends what is told of each is thinned out. The numbers of a backend that is removed go with it;
 * those of all passages together stay.
 */
import { type Metric as PrometheusMetric, Registry } from "prom-client";
import denoJson from "../../deno.json" with { type: "json" };
import type { AccessLog } from "../access_log.ts";
import type { Balancer } from "../balancer.ts";
import { oneTurn, systemClock } from "../clock.ts";
import type { Mode } from "../options.ts";
import { BOUNDS_MS, Histogram } from "../histogram.ts";
import { droppedLines } from "../log.ts";
import type { Metric, Reading, Sample } from "./metric.ts";
import { metricsOf } from "./metric_list.ts";
import { readProcess, STARTED_SECONDS } from "./process_numbers.ts";

/** Where the numbers are. */
export type MetricsSource = Pick<
  Balancer,
  "config" | "backends" | "journal" | "delays" | "snapshot"
>;

/** What else there may be to read from. */
export interface MetricsParts {
  /** The access log, if there is one. */
  readonly accessLog?: Pick<AccessLog, "dropped"> | null;
}

/**
 * With more backends there are no histograms of single ones, and no series of theirs that are 0: a
 * histogram is twenty lines.
 */
export const DETAILED_BACKENDS_MAX = 100;

/** One line, as prom-client wants it. */
interface Line {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** All metrics as text. */
export class Metrics {
  readonly #source: MetricsSource;
  readonly #parts: MetricsParts;
  readonly #registry = new Registry();
  #reading: Reading;
  /** The mode whose metrics are registered. */
  #mode: Mode | null = null;
  /** The scrape under way. */
  #scraping: Promise<string> | null = null;
  /** Resolves when it is the turn of the last metric that was asked for. */
  #lastTurn: Promise<void> = Promise.resolve();

  /** Reads from there at each scrape. */
  constructor(source: MetricsSource, parts: MetricsParts = {}) {
    this.#source = source;
    this.#parts = parts;
    this.#reading = this.#read();
  }

  /** The content type of {@linkcode text}. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All metrics in Prometheus' text format. Whoever asks during a scrape gets that one. */
  text(): Promise<string> {
    return this.#scraping ??= this.#scrape().finally(() => this.#scraping = null);
  }

  async #scrape(): Promise<string> {
    this.#reading = this.#read();
    this.#registerAll(this.#reading.config.mode);
    return await this.#registry.metrics();
  }

  /** A reload may change the mode, and with it what there is. */
  #registerAll(mode: Mode): void {
    if (mode === this.#mode) return;
    this.#mode = mode;
    this.#registry.clear();
    for (const metric of metricsOf(mode)) this.#register(metric);
  }

  #register({ name, type, help, ...metric }: Metric): void {
    const get = async (): Promise<unknown> => {
      // With thousands of backends all metrics at once would hold up the data path for too long.
      await (this.#lastTurn = this.#lastTurn.then(() => oneTurn(systemClock)));
      const samples = wanted(metric.read(this.#reading), this.#reading);
      return { name, type, help, values: [...lines(name, samples)] };
    };
    // The classes of prom-client keep numbers of their own, and its histograms cannot be set. A
    // registry asks nothing of a metric but its name and `get`, which its type does not say.
    this.#registry.registerMetric({ name, get } as unknown as PrometheusMetric);
  }

  #read(): Reading {
    const { config, backends, journal, delays } = this.#source;
    return {
      config,
      backends,
      journal,
      delays,
      counts: this.#source.snapshot(),
      linesDropped: droppedLines(),
      accessLinesDropped: this.#parts.accessLog?.dropped ?? null,
      process: readProcess(),
      startedSeconds: STARTED_SECONDS,
      build: { version: denoJson.version, deno: Deno.version.deno },
    };
  }
}

/** Leaves out what is too much with many backends. */
function* wanted(samples: Iterable<Sample>, { backends }: Reading): Iterable<Sample> {
  const isThin = backends.length > DETAILED_BACKENDS_MAX;
  for (const sample of samples) {
    const { labels, value } = sample;
    const isLeftOut = isThin && "backend" in labels && (value === 0 || value instanceof Histogram);
    if (!isLeftOut) yield sample;
  }
}

function* lines(name: string, samples: Iterable<Sample>): Iterable<Line> {
  for (const { labels, value } of samples) {
    if (value instanceof Histogram) yield* histogramLines(name, labels, value);
    else yield { labels, value };
  }
}

/** Prometheus counts in each bucket all that is not above its bound, which is in seconds. */
function* histogramLines(
  name: string,
  labels: Line["labels"],
  { counts, sumMs }: Histogram,
): Iterable<Line> {
  const metricName = `${name}_bucket`;
  let below = 0;
  for (const [bucket, count] of counts.entries()) {
    below += count;
    const boundMs = BOUNDS_MS[bucket];
    const le = boundMs === undefined ? "+Inf" : String(boundMs / 1000);
    yield { metricName, labels: { ...labels, le }, value: below };
  }
  yield { metricName: `${name}_sum`, labels, value: sumMs / 1000 };
  yield { metricName: `${name}_count`, labels, value: below };
}
