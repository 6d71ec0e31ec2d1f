// deno-lint-ignore-file no-undef -- `deno task check` knows what browsers have.
/** The table of the servers: a row for each, kept up to date in place. */
import { byId, setAttribute, setText, within } from "./elements.js";
import { sparkArea, sparkPath, sparkWords } from "./spark.js";
import { steer } from "./steering.js";
import { WeightField } from "./weight_field.js";
import { bytesWords, countWords, durationWords, rateWords, sentence, timesWords } from "./words.js";

/** @import { Picture, Server } from "./live.js" */

/** A minute, as much as the balancer keeps. */
const SPARK = { width: 118, height: 28, lengthMax: 60 };
/** With more servers than that the balancer keeps no history of each, and neither does the page. */
const HISTORIES_MAX = 200;
/** With fewer servers than that a filter is of no use. */
const FILTER_MIN = 8;

/** @type {Record<string, Server["state"][]>} The states in which an action changes nothing. */
const NEEDLESS = { enable: ["ready", "down"], drain: ["draining"], disable: ["disabled"] };

/** All rows, the filter, and the count of the servers. */
export class Servers {
  #body = byId("servers", HTMLElement);
  #filter = byId("filter", HTMLFormElement);
  #text = byId("filter-text", HTMLInputElement);
  #troubled = byId("filter-troubled", HTMLInputElement);
  /** @type {Map<string, ServerRow>} */
  #rows = new Map();
  /** @type {Map<string, number[]>} */
  #histories = new Map();
  /** @type {Server[]} */
  #servers = [];

  constructor() {
    this.#filter.addEventListener("input", () => this.#applyFilter());
    this.#filter.addEventListener("submit", (event) => event.preventDefault());
  }

  /**
   * Begins with what is known of the last minute.
   * @param {Picture["backends"]} backends
   */
  begin(backends) {
    this.#histories = new Map(backends.map(({ name, perSecond }) => [name, perSecond]));
    this.#drawHistories();
  }

  /**
   * A second has passed: the small histories go on.
   */
  addSample() {
    const isFew = this.#servers.length <= HISTORIES_MAX;
    this.#histories = new Map(
      (isFew ? this.#servers : []).map(({ name, perSecond }) => [
        name,
        [...(this.#histories.get(name) ?? []), perSecond].slice(-SPARK.lengthMax),
      ]),
    );
    this.#drawHistories();
  }

  /**
   * Shows them as they are now.
   * @param {Server[]} servers
   * @param {number} nowMs  on the balancer's clock, since 1970
   */
  update(servers, nowMs) {
    this.#servers = servers;
    this.#removeOthers(new Set(servers.map(({ name }) => name)));
    for (const [place, server] of servers.entries()) {
      const row = this.#rows.get(server.name) ?? this.#makeRow(server.name);
      row.update(server, nowMs);
      this.#put(row.element, place);
    }
    this.#filter.hidden = servers.length < FILTER_MIN;
    this.#applyFilter();
  }

  /** @param {Set<string>} names */
  #removeOthers(names) {
    for (const [name, row] of this.#rows) {
      if (names.has(name)) continue;
      row.element.remove();
      this.#rows.delete(name);
    }
  }

  /**
   * Puts a row in its place. One that is moved loses the focus, so it is the one before it that is
   * moved where that will do.
   * @param {HTMLElement} row
   * @param {number} place
   */
  #put(row, place) {
    const there = this.#body.children[place] ?? null;
    if (there === row) return;
    if (there?.nextElementSibling === row) this.#body.append(there);
    else this.#body.insertBefore(row, there);
  }

  /**
   * @param {string} name
   * @returns {ServerRow}
   */
  #makeRow(name) {
    const row = new ServerRow(name, (action) => this.#mayLeave(name, action));
    this.#rows.set(name, row);
    return row;
  }

  /**
   * Is a person sure who takes the last server away?
   * @param {string} name
   * @param {string} action
   * @returns {boolean}
   */
  #mayLeave(name, action) {
    const ready = this.#servers.filter(({ state }) => state === "ready");
    if (action === "enable" || ready.length !== 1 || ready[0]?.name !== name) return true;
    return confirm(`${name} is the only server that is ready. Without it no client is served.`);
  }

  #drawHistories() {
    for (const [name, row] of this.#rows) row.drawHistory(this.#histories.get(name) ?? []);
  }

  #applyFilter() {
    const isOn = !this.#filter.hidden;
    const wanted = isOn ? this.#text.value.trim().toLowerCase() : "";
    const onlyTroubled = isOn && this.#troubled.checked;
    let shown = 0;
    for (const { name, state, reason } of this.#servers) {
      const fits = `${name} ${state} ${reason}`.toLowerCase().includes(wanted) &&
        !(onlyTroubled && state === "ready");
      if (fits) shown++;
      const element = this.#rows.get(name)?.element;
      if (element !== undefined && element.hidden === fits) element.hidden = !fits;
    }
    const all = this.#servers.length;
    const count = shown === all ? countWords(all) : `${countWords(shown)} of ${countWords(all)}`;
    setText(byId("servers-count", HTMLElement), count);
    byId("servers-none", HTMLElement).hidden = shown > 0 || all === 0;
  }
}

/** One row. */
class ServerRow {
  /** @type {HTMLElement} */
  element;
  #name;
  #mayDo;
  /** @type {Map<string, HTMLElement>} */
  #cells;
  #weight;
  /** Is a call under way? */
  #busy = false;

  /**
   * @param {string} name
   * @param {(action: string) => boolean} mayDo  asked before an action
   */
  constructor(name, mayDo) {
    const { content } = byId("server-row", HTMLTemplateElement);
    this.element = within(
      /** @type {DocumentFragment} */ (content.cloneNode(true)),
      "tr",
      HTMLTableRowElement,
    );
    this.#name = name;
    this.#mayDo = mayDo;
    /** @type {NodeListOf<HTMLElement>} */
    const cells = this.element.querySelectorAll("[data-cell]");
    this.#cells = new Map([...cells].map((cell) => [cell.dataset["cell"] ?? "", cell]));
    this.#show("name", name);
    this.#weight = new WeightField(
      within(this.element, "form", HTMLFormElement),
      name,
      async (weight) => await this.#steer("weight", { weight }) === null,
    );
    this.#nameControls();
    within(this.element, ".buttons", HTMLElement).addEventListener("click", (event) => {
      const button = event.target instanceof Element ? event.target.closest("button") : null;
      const action = button?.dataset["action"];
      if (action === undefined || button?.ariaDisabled === "true") return;
      if (this.#mayDo(action)) this.#steer(action);
    });
  }

  /**
   * @param {Server} server
   * @param {number} nowMs
   */
  update(server, nowMs) {
    const { state, reason, weight, backup, max } = server;
    setAttribute(this.element, "data-state", state);
    setAttribute(within(this.element, "use", SVGElement), "href", `#shape-${state}`);
    this.#show("tags", tagsOf(backup, max));
    this.#show("word", state);
    this.#show("since", sinceOf(server, nowMs));
    this.#show("reason", state === "ready" || reason === "" ? "" : sentence(reason));
    this.#show("inFlight", countWords(server.inFlight));
    this.#show("perSecond", rateWords(server.perSecond));
    this.#show("times", timesWords(server.p50Ms, server.p99Ms));
    this.#show("entries", `${countWords(server.entries)} / ${countWords(server.errors)}`);
    this.#show("bytes", `${bytesWords(server.bytesUp)} / ${bytesWords(server.bytesDown)}`);
    this.#weight.update(weight);
    for (const [action, states] of Object.entries(NEEDLESS)) {
      const button = within(this.element, `[data-action=${action}]`, HTMLButtonElement);
      // Not `disabled`, which would take the focus away from who has just pressed it.
      setAttribute(button, "aria-disabled", String(states.includes(state)));
    }
  }

  /** @param {readonly number[]} values */
  drawHistory(values) {
    const svg = within(this.element, ".spark svg", SVGElement);
    const path = sparkPath(values, SPARK);
    setAttribute(within(svg, ".line", SVGElement), "d", path);
    setAttribute(within(svg, ".area", SVGElement), "d", sparkArea(path, values, SPARK));
    setAttribute(svg, "aria-label", sparkWords(values));
  }

  #nameControls() {
    const group = within(this.element, ".buttons", HTMLElement);
    group.setAttribute("aria-label", `Steer ${this.#name}`);
    for (const button of group.querySelectorAll("button")) {
      button.setAttribute("aria-label", `${button.textContent} ${this.#name}`);
    }
  }

  /**
   * @param {string} action
   * @param {object} [body]
   * @returns {Promise<string | null>} why it did not work; null: it did
   */
  async #steer(action, body) {
    if (this.#busy) return "another call is under way";
    this.#busy = true;
    this.#showError(null);
    setAttribute(this.element, "aria-busy", "true");
    const error = await steer(this.#name, action, body);
    this.#busy = false;
    setAttribute(this.element, "aria-busy", "false");
    this.#showError(error);
    return error;
  }

  /** @param {string | null} error */
  #showError(error) {
    this.#show("error", error === null ? "" : `${this.#name}: ${sentence(error)}`);
    const cell = this.#cells.get("error");
    if (cell !== undefined) cell.hidden = error === null;
  }

  /**
   * @param {string} cell
   * @param {string} text
   */
  #show(cell, text) {
    const element = this.#cells.get(cell);
    if (element !== undefined) setText(element, text);
  }
}

/**
 * For how long, and what is left to wait for.
 * @param {Server} server
 * @param {number} nowMs
 * @returns {string}
 */
function sinceOf({ state, since, inFlight }, nowMs) {
  const duration = durationWords((nowMs - Date.parse(since)) / 1000);
  return state === "draining" ? `${duration}, ${countWords(inFlight)} left` : duration;
}

/**
 * @param {boolean} backup
 * @param {number | null} max
 * @returns {string}
 */
function tagsOf(backup, max) {
  return [backup ? "backup" : "", max === null ? "" : `at most ${countWords(max)}`]
    .filter((tag) => tag !== "").join(", ");
}
