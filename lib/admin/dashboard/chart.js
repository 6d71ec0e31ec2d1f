// deno-lint-ignore-file no-undef -- `deno task check` knows what browsers have.
/** The charts of the last five minutes. */
import { byId, setText } from "./elements.js";
import { KINDS, makePlot, plotSize, SECONDS } from "./plot.js";
import { clockWords } from "./words.js";

/** @import { Picture, Sample } from "./live.js" */
/** @import { Line, Plot } from "./plot.js" */

/** Both charts, over the same points. */
export class Charts {
  #charts = [new Chart("rate"), new Chart("time")];
  /** @type {Sample[]} */
  #samples = [];

  constructor() {
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", () => {
      for (const chart of this.#charts) chart.forget();
      this.#draw();
    });
  }

  /**
   * Begins with what is known.
   * @param {Picture["total"]} total
   */
  begin(total) {
    this.#samples = total.at.map((at, place) => ({
      at,
      carried: total.carried[place] ?? 0,
      waiting: total.waiting[place] ?? 0,
      perSecond: total.perSecond[place] ?? 0,
      failuresPerSecond: total.failuresPerSecond[place] ?? 0,
      p50Ms: total.p50Ms[place] ?? null,
      p99Ms: total.p99Ms[place] ?? null,
    }));
    this.#draw();
  }

  /**
   * Goes on with one more point; one that is known already is none.
   * @param {Sample} sample
   */
  add(sample) {
    if (sample.at <= (this.#samples.at(-1)?.at ?? 0)) return;
    this.#samples.push(sample);
    this.#samples = this.#samples.filter(({ at }) => at > sample.at - SECONDS - 1);
    this.#draw();
  }

  #draw() {
    for (const chart of this.#charts) chart.draw(this.#samples);
  }
}

/** One chart and its legend. */
class Chart {
  #kind;
  #box;
  #time;
  #values;
  /** @type {Plot | null} */
  #plot = null;
  /** @type {Sample[]} */
  #samples = [];

  /** @param {"rate" | "time"} name */
  constructor(name) {
    const legend = byId(`${name}-legend`, HTMLElement);
    this.#kind = KINDS[name];
    this.#box = byId(`${name}-chart`, HTMLElement);
    this.#time = legend.appendChild(document.createElement("time"));
    this.#values = this.#kind.lines.map((line) => addToLegend(legend, line));
    new ResizeObserver(() => this.#plot?.setSize(plotSize(this.#box))).observe(this.#box);
  }

  /** Colours are others now: it is drawn anew. */
  forget() {
    this.#plot?.destroy();
    this.#plot = null;
  }

  /** @param {Sample[]} samples */
  draw(samples) {
    this.#samples = samples;
    this.#plot ??= makePlot(this.#box, this.#kind, () => this.#tell());
    const lines = this.#kind.lines.map(({ of }) =>
      samples.map((sample) => this.#drawn(sample[of]))
    );
    this.#plot.setData([samples.map(({ at }) => at), ...lines]);
    this.#tell();
  }

  /**
   * A logarithmic scale has no 0.
   * @param {number | null} value
   * @returns {number | null}
   */
  #drawn(value) {
    return this.#kind.logarithmic && value !== null ? Math.max(0.01, value) : value;
  }

  /** The values under the pointer, or else the newest. */
  #tell() {
    const pointed = this.#plot?.cursor.idx ?? null;
    const sample = this.#samples.at(pointed ?? -1);
    const isPast = pointed !== null && sample !== undefined;
    setText(this.#time, isPast ? clockWords(new Date(1000 * sample.at)) : "");
    for (const [place, { of }] of this.#kind.lines.entries()) {
      const value = this.#values[place];
      if (value !== undefined) setText(value, this.#kind.words(sample?.[of]));
    }
  }
}

/**
 * Adds a line to a legend; returns where its value goes.
 * @param {HTMLElement} legend
 * @param {Line} line
 * @returns {HTMLElement}
 */
function addToLegend(legend, { label, of }) {
  const entry = document.createElement("span");
  const value = document.createElement("b");
  entry.dataset["line"] = of;
  entry.append(`${label} `, value);
  legend.append(entry, " ");
  return value;
}
