/**
 * A strict reader of Prometheus' text format, version 0.0.4. It takes less than Prometheus does: each
 * metric has its HELP and TYPE once and before its samples, which stand together and have no time;
 * names and labels are spelt without blanks; no series comes twice; histograms add up.
 */

/** One number. */
export interface TextSample {
  /** The name, with `_bucket`, `_sum` or `_count` in the case of a histogram. */
  readonly name: string;
  /** The labels, unescaped. */
  readonly labels: Readonly<Record<string, string>>;
  /** The number. */
  readonly value: number;
}

/** One metric. */
export interface TextFamily {
  readonly help: string;
  readonly type: string;
  readonly samples: TextSample[];
}

const NAME = /^[a-z_][a-z0-9_]*$/;
const LABEL = /^([a-z_][a-z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/;
const VALUE = /^(?:\+Inf|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;

/** All metrics of a scrape, by name. Throws a `SyntaxError` that quotes the line. */
export function readMetrics(text: string): Map<string, TextFamily> {
  if (!text.endsWith("\n")) throw new SyntaxError("The last line has no end");
  const families = new Map<string, TextFamily>();
  let current: { name: string; family: TextFamily } | null = null;
  let help: { name: string; text: string } | null = null;
  const seen = new Set<string>();
  for (const line of text.split("\n").filter((line) => line !== "")) {
    const wrong = (why: string): SyntaxError => new SyntaxError(`${why}: ${line}`);
    const [, kind, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (kind === "HELP") {
      if (families.has(name)) throw wrong("A metric comes twice");
      help = { name, text: rest };
    } else if (kind === "TYPE") {
      if (help?.name !== name) throw wrong("A TYPE without its HELP before it");
      if (!NAME.test(name)) throw wrong("A bad name");
      if (!/^(?:counter|gauge|histogram)$/.test(rest)) throw wrong("A bad type");
      current = { name, family: { help: help.text, type: rest, samples: [] } };
      families.set(name, current.family);
    } else {
      const sample = readSample(line);
      if (current === null || !belongs(sample.name, current)) throw wrong("A sample out of place");
      const series = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
      if (seen.has(series)) throw wrong("A series comes twice");
      seen.add(series);
      current.family.samples.push(sample);
    }
  }
  for (const [name, family] of families) if (family.type === "histogram") checkSums(name, family);
  return families;
}

/** The number of a series; null where it is not there. Labels that are left out may be any. */
export function valueOf(
  families: ReadonlyMap<string, TextFamily>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | null {
  const family = families.get(name) ?? families.get(name.replace(/_(?:bucket|sum|count)$/, ""));
  const found = (family?.samples ?? []).filter((each) =>
    each.name === name && Object.entries(labels).every(([key, value]) => each.labels[key] === value)
  );
  if (found.length > 1) throw new RangeError(`${name}: ${found.length} series have these labels`);
  return found[0]?.value ?? null;
}

function belongs(
  sampleName: string,
  { name, family }: { name: string; family: TextFamily },
): boolean {
  if (family.type !== "histogram") return sampleName === name;
  return ["_bucket", "_sum", "_count"].some((suffix) => sampleName === name + suffix);
}

function readSample(line: string): TextSample {
  const [, name, inner = "", value] = /^([^\s{]+)(?:\{(.+)\})? (\S+)$/.exec(line) ?? [];
  if (name === undefined || value === undefined || !VALUE.test(value)) {
    throw new SyntaxError(`Not a sample: ${line}`);
  }
  const labels: Record<string, string> = {};
  for (let left = inner; left !== "";) {
    const [all, key, escaped] = LABEL.exec(left) ?? [];
    if (all === undefined || key === undefined || key in labels) {
      throw new SyntaxError(`Bad labels: ${line}`);
    }
    labels[key] = (escaped ?? "").replace(/\\(.)/g, (_, each) => each === "n" ? "\n" : each);
    left = left.slice(all.length);
  }
  return { name, labels, value: value === "+Inf" ? Infinity : Number(value) };
}

/** Buckets rise, in the order of their bounds, to `+Inf`, which is the count. */
function checkSums(name: string, { samples }: TextFamily): void {
  const groups = Map.groupBy(samples, ({ labels: { le: _, ...others } }) => JSON.stringify(others));
  for (const [labels, group] of groups) {
    const wrong = (why: string): SyntaxError => new SyntaxError(`${name} ${labels}: ${why}`);
    const buckets = group.filter((each) => each.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels: { le = "" } }) => le === "+Inf" ? Infinity : Number(le));
    const rises = (list: readonly number[], least: number): boolean =>
      list.every((each, at) => at === 0 || each - (list[at - 1] ?? NaN) >= least);
    if (bounds.at(-1) !== Infinity || !rises(bounds, Number.MIN_VALUE)) throw wrong("its bounds");
    if (!rises(buckets.map(({ value }) => value), 0)) throw wrong("a bucket is less than the last");
    const count = group.filter((each) => each.name === `${name}_count`).map(({ value }) => value);
    if (count.length !== 1 || count[0] !== buckets.at(-1)?.value) throw wrong("its count");
    if (group.filter((each) => each.name === `${name}_sum`).length !== 1) throw wrong("its sum");
  }
}
