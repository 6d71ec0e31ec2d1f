// deno-lint-ignore-file no-undef -- `deno task check` knows what browsers have.
/** The page: listens to the balancer, and shows what it tells. */
import { Changes } from "./changes.js";
import { Charts } from "./chart.js";
import { byId, setAttribute, setText } from "./elements.js";
import { listen } from "./live.js";
import { Servers } from "./servers.js";
import { askToken, tokenHeaders } from "./steering.js";
import { countWords, durationWords, rateWords, timeWords } from "./words.js";

/** @import { Picture, Server, Status, Unresolved } from "./live.js" */

const charts = new Charts();
const servers = new Servers();
const changes = new Changes(byId("changes", HTMLElement), byId("changes-none", HTMLElement));
let sampledAt = 0;

/** @param {Status} status */
function showStatus(status) {
  const nowMs = Date.parse(status.startedAt) + 1000 * status.uptimeSeconds;
  showHeader(status);
  showHeadline(status);
  showTotals(status);
  servers.update(status.backends, nowMs);
  showUnresolved(status.unresolved, nowMs);
  changes.update(status.backends);
  const { sample } = status;
  if (sample === null || sample.at === sampledAt) return;
  sampledAt = sample.at;
  charts.add(sample);
  servers.addSample();
}

/** @param {Picture} picture */
function showHistory({ total, backends }) {
  charts.begin(total);
  servers.begin(backends);
}

/** @param {Status} status */
function showHeader({ version, mode, policy, listen, uptimeSeconds, backends, unresolved }) {
  const ready = backends.filter(({ state }) => state === "ready").length;
  const what = mode === "http" ? "Requests" : "Connections";
  setText(byId("listen", HTMLElement), listen);
  setText(
    byId("about", HTMLElement),
    `${mode} mode · ${policy} · version ${version} · up ${durationWords(uptimeSeconds)}`,
  );
  for (const id of ["per-second-title", "rate-title"]) {
    setText(byId(id, HTMLElement), `${what} per second`);
  }
  const title = `${ready}/${backends.length + unresolved.length} ready · ${listen} · loadbalancer`;
  if (document.title !== title) document.title = title;
}

/** @param {Status} status */
function showHeadline(status) {
  const headline = byId("headline", HTMLElement);
  const [level, text] = headlineOf(status);
  setAttribute(headline, "data-level", level);
  setText(headline, text);
}

/**
 * How it stands, in one sentence.
 * @param {Status} status
 * @returns {[level: string, text: string]}
 */
function headlineOf({ state, backends, unresolved }) {
  const all = backends.length + unresolved.length;
  const ready = backends.filter((each) => each.state === "ready").length;
  const of = `${countWords(ready)} of ${countWords(all)} ${all === 1 ? "server" : "servers"} ready`;
  if (state === "starting") {
    return ["unknown", "Starting: clients wait until all servers were looked at."];
  }
  if (state === "draining") return ["draining", `Stopping: what runs may finish. ${of}.`];
  if (ready === 0) return ["down", "No server is ready: clients cannot be served."];
  if (ready === all) return ["ready", `Serving. ${of}.`];
  const isDown = unresolved.length > 0 || backends.some((each) => each.state === "down");
  return [
    isDown ? "down" : "draining",
    `Serving. ${of}${missing(backends, unresolved)}.`,
  ];
}

/**
 * Who is not ready, if they are few.
 * @param {Server[]} backends
 * @param {Unresolved[]} unresolved
 * @returns {string}
 */
function missing(backends, unresolved) {
  const others = [
    ...backends.filter(({ state }) => state !== "ready"),
    ...unresolved.map(({ name }) => ({ name, state: "unresolved" })),
  ];
  if (others.length > 3) return "";
  return `; ${others.map(({ name, state }) => `${name} is ${state}`).join(", ")}`;
}

/**
 * The servers that are no row of the table, because there is no address to send anybody to.
 * @param {Unresolved[]} unresolved
 * @param {number} nowMs  on the balancer's clock, since 1970
 */
function showUnresolved(unresolved, nowMs) {
  const list = byId("unresolved", HTMLElement);
  list.hidden = unresolved.length === 0;
  while (list.children.length > unresolved.length) list.lastElementChild?.remove();
  for (const [place, { name, reason, since }] of unresolved.entries()) {
    const item = list.children[place] ?? list.appendChild(document.createElement("li"));
    const duration = durationWords((nowMs - Date.parse(since)) / 1000);
    setText(item, `${name} is unresolved for ${duration}: ${reason}`);
  }
}

/** @param {Status} status */
function showTotals({ total, clients }) {
  showTotal("perSecond", rateWords(total.perSecond));
  showTotal("p50Ms", timeWords(total.p50Ms));
  showTotal("p99Ms", timeWords(total.p99Ms));
  showTotal("carried", countWords(clients.carried));
  showTotal("waiting", countWords(clients.waiting), clients.waiting > 0 ? "warning" : "");
  const failing = total.failuresPerSecond > 0 ? "alarm" : "";
  showTotal("failuresPerSecond", rateWords(total.failuresPerSecond), failing);
  showTotal("turnedAway", countWords(clients.turnedAway));
}

/**
 * @param {string} name
 * @param {string} text
 * @param {"" | "warning" | "alarm"} level
 */
function showTotal(name, text, level = "") {
  const cell = document.querySelector(`[data-total=${name}]`);
  if (cell === null) return;
  setText(cell, text);
  setAttribute(cell, "data-level", level);
}

/**
 * @param {"live" | "lost"} state
 * @param {string} text
 */
function showConnection(state, text) {
  const badge = byId("connection", HTMLElement);
  setAttribute(badge, "data-state", state);
  setText(badge, text);
  document.body.classList.toggle("stale", state === "lost");
}

listen({
  onStatus: showStatus,
  onHistory: showHistory,
  onOpen: () => showConnection("live", "Live"),
  onLost: (reason) => showConnection("lost", `Reconnecting: ${reason}`),
  headers: tokenHeaders,
  askToken,
});
