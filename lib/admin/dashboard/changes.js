// deno-lint-ignore-file no-undef -- `deno task check` knows what browsers have.
/** What changed since the page was opened: shown, and read out by screen readers. */
import { clockWords, sentence } from "./words.js";

/** @import { Server } from "./live.js" */

const SHOWN_MAX = 30;
/** More at once are told of in one sentence. */
const AT_ONCE_MAX = 5;

/** The list of changes. */
export class Changes {
  #list;
  #none;
  /** @type {Map<string, Server> | null} */
  #known = null;

  /**
   * @param {HTMLElement} list
   * @param {HTMLElement} none  shown while there are none
   */
  constructor(list, none) {
    this.#list = list;
    this.#none = none;
  }

  /**
   * Tells what is not as it was.
   * @param {Server[]} servers
   */
  update(servers) {
    const known = this.#known;
    this.#known = new Map(servers.map((server) => [server.name, server]));
    if (known === null) return;
    const changes = servers.flatMap((server) => changeOf(known.get(server.name), server));
    const gone = [...known.keys()].filter((name) => !this.#known?.has(name));
    changes.push(...gone.map((name) => ({ word: "gone", text: `${name} is gone.` })));
    if (changes.length <= AT_ONCE_MAX) {
      for (const { word, text } of changes) {
        this.#add(word, text);
      }
    } else this.#add("many", `${changes.length} changes at once: ${tally(changes)}.`);
  }

  /**
   * @param {string} word
   * @param {string} text
   */
  #add(word, text) {
    const item = document.createElement("li");
    const time = document.createElement("time");
    const now = new Date();
    time.dateTime = now.toISOString();
    time.textContent = clockWords(now);
    const said = document.createElement("span");
    said.textContent = text;
    item.dataset["state"] = word;
    item.append(time, " ", said);
    this.#list.prepend(item);
    while (this.#list.childElementCount > SHOWN_MAX) this.#list.lastElementChild?.remove();
    this.#none.hidden = true;
  }
}

/**
 * @param {Server | undefined} before
 * @param {Server} after
 * @returns {{ word: string, text: string }[]}
 */
function changeOf(before, { name, state, reason, weight }) {
  const why = state === "ready" || reason === "" ? "" : `: ${reason}`;
  if (before === undefined) {
    return [{ word: state, text: sentence(`${name} is new, and ${state}${why}`) }];
  }
  if (before.state !== state) return [{ word: state, text: sentence(`${name} is ${state}${why}`) }];
  if (before.weight === weight) return [];
  return [{ word: "weight", text: `${name} has weight ${weight}; it was ${before.weight}.` }];
}

/**
 * How many of each: "3 down, 2 ready".
 * @param {{ word: string }[]} changes
 * @returns {string}
 */
function tally(changes) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { word } of changes) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].map(([word, count]) => `${count} ${word}`).join(", ");
}
