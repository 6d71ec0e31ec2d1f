// deno-lint-ignore-file no-undef -- `deno task check` knows what browsers have.
/** How uPlot, which comes as a script of its own, is told to draw a chart. */
import { clockWords, rateWords, timeWords } from "./words.js";

/** @import { Sample } from "./live.js" */

/**
 * What is used of a chart of uPlot.
 * @typedef {object} Plot
 * @property {(data: (number | null)[][]) => void} setData
 * @property {(size: { width: number, height: number }) => void} setSize
 * @property {() => void} destroy
 * @property {{ idx?: number | null }} cursor
 */

/**
 * One line of a chart.
 * @typedef {object} Line
 * @property {keyof Sample} of
 * @property {string} label
 * @property {string} color  the name of a custom property
 * @property {boolean} [area]
 * @property {number[]} [dash]
 */

/**
 * What a chart shows.
 * @typedef {object} Kind
 * @property {Line[]} lines
 * @property {(value: number | null | undefined) => string} words
 * @property {boolean} logarithmic
 */

/** How far back charts go. */
export const SECONDS = 300;
const HEIGHT_PX = 180;
/** The least that the scale of rates goes up to: next to nothing is not to look like a mountain. */
const RATE_TOP_MIN = 2;
/** The steps between lines of that scale. */
const RATE_STEPS = [
  0.5,
  ...[1, 10, 100, 1000, 10_000, 100_000].flatMap((one) => [one, 2 * one, 5 * one]),
];
/** Both charts are read off at the same time. */
const SYNC_KEY = "time";

/**
 * Times are drawn on a logarithmic scale: else the slowest of a hundred would press all others flat.
 * @type {Record<"rate" | "time", Kind>}
 */
export const KINDS = {
  rate: {
    lines: [
      { of: "perSecond", label: "all", color: "--line-rate", area: true },
      { of: "failuresPerSecond", label: "failed", color: "--line-failed" },
    ],
    words: (value) => rateWords(value ?? 0),
    logarithmic: false,
  },
  time: {
    lines: [
      { of: "p50Ms", label: "p50", color: "--line-p50" },
      { of: "p99Ms", label: "p99", color: "--line-p99", dash: [6, 3] },
    ],
    words: timeWords,
    logarithmic: true,
  },
};

/**
 * The size of a chart in that box.
 * @param {HTMLElement} box
 * @returns {{ width: number, height: number }}
 */
export function plotSize(box) {
  return { width: box.clientWidth, height: HEIGHT_PX };
}

/**
 * Draws an empty chart.
 * @param {HTMLElement} box
 * @param {Kind} kind
 * @param {() => void} onCursor  called when the pointer moved over it
 * @returns {Plot}
 */
export function makePlot(box, kind, onCursor) {
  const style = getComputedStyle(box);
  /** @type {(name: string) => string} */
  const color = (name) => style.getPropertyValue(name).trim();
  const axis = {
    font: `12px ${style.fontFamily}`,
    stroke: color("--quiet"),
    grid: { stroke: color("--grid"), width: 1 },
    ticks: { show: false },
  };
  const times = { ...axis, grid: { show: false }, size: 28, space: 48, incrs: [60, 120, 300] };
  const options = {
    ...plotSize(box),
    padding: [12, 20, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: false, y: false },
      sync: { key: SYNC_KEY },
      points: { size: 7 },
    },
    scales: { x: { range: timeRange }, y: yScale(kind) },
    axes: [{ ...times, values: clockTimes }, { ...axis, ...yAxis(kind) }],
    series: [
      {},
      ...kind.lines.map((line) => ({
        stroke: color(line.color),
        width: 1.75,
        points: { show: false },
        ...(line.area ? { fill: color("--fill-rate") } : {}),
        ...(line.dash === undefined ? {} : { dash: line.dash }),
      })),
    ],
    hooks: { setCursor: [onCursor] },
  };
  // @ts-expect-error: the script has put it there.
  const Uplot = globalThis.uPlot;
  return new Uplot(options, [[], ...kind.lines.map(() => [])], box);
}

/**
 * Always as long, so that a time has the same width however much is known.
 * @param {unknown} _plot
 * @param {number | null} _min
 * @param {number | null} max
 * @returns {[number, number]}
 */
function timeRange(_plot, _min, max) {
  const to = max ?? Date.now() / 1000;
  return [to - SECONDS, to];
}

/**
 * @param {Kind} kind
 * @returns {object}
 */
function yScale({ logarithmic }) {
  if (logarithmic) {
    return {
      distr: 3,
      range: (
        /** @type {unknown} */ _plot,
        /** @type {number | null} */ min,
        /** @type {number | null} */ max,
      ) => decades(min ?? 1, max ?? 10),
    };
  }
  return {
    range: (
      /** @type {unknown} */ _plot,
      /** @type {number | null} */ _min,
      /** @type {number | null} */ max,
    ) => [0, Math.max(RATE_TOP_MIN, 1.1 * (max ?? 0))],
  };
}

/**
 * @param {Kind} kind
 * @returns {object}
 */
function yAxis({ logarithmic, words }) {
  /** @type {(plot: unknown, splits: number[]) => string[]} */
  const values = (_plot, splits) => splits.map((split) => words(split).replace(/\.0(?=\s|$)/, ""));
  const plain = { size: 58, space: 34, values };
  if (!logarithmic) return { ...plain, incrs: RATE_STEPS };
  return {
    ...plain,
    filter: (/** @type {unknown} */ _plot, /** @type {number[]} */ splits) => splits,
    splits: (
      /** @type {unknown} */ _plot,
      /** @type {number} */ _axis,
      /** @type {number} */ min,
      /** @type {number} */ max,
    ) => powersOfTen(min, max),
  };
}

/**
 * From a power of ten to another, with all that is in between.
 * @param {number} min
 * @param {number} max
 * @returns {[number, number]}
 */
export function decades(min, max) {
  const from = Math.floor(Math.log10(Math.max(0.01, min)));
  const to = Math.ceil(Math.log10(Math.max(0.01, max)));
  return [10 ** from, 10 ** Math.max(to, from + 1)];
}

/**
 * @param {number} min
 * @param {number} max
 * @returns {number[]}
 */
function powersOfTen(min, max) {
  const from = Math.round(Math.log10(min));
  return Array.from(
    { length: Math.round(Math.log10(max)) - from + 1 },
    (_, at) => 10 ** (from + at),
  );
}

/**
 * @param {unknown} _plot
 * @param {number[]} splits
 * @returns {string[]}
 */
function clockTimes(_plot, splits) {
  return splits.map((at) => clockWords(new Date(1000 * at)).slice(0, "hh:mm".length));
}
