/**
 * The connection to the balancer's events. By `fetch` and not by EventSource, because that cannot
 * show a token, nor tell why it was turned away. It comes back by itself whenever it is lost.
 */

/**
 * @typedef {object} Rates
 * @property {number} perSecond
 * @property {number} failuresPerSecond
 * @property {number | null} p50Ms
 * @property {number | null} p99Ms
 */

/**
 * One point of the charts.
 * @typedef {Rates & { at: number, carried: number, waiting: number }} Sample
 */

/**
 * @typedef {object} ServerFacts
 * @property {string} name
 * @property {"ready" | "down" | "draining" | "disabled"} state
 * @property {string} reason
 * @property {string} since
 * @property {number} weight
 * @property {number | null} max
 * @property {boolean} backup
 * @property {number} entries
 * @property {number} errors
 * @property {number} inFlight
 * @property {number} failures
 * @property {number} bytesUp
 * @property {number} bytesDown
 */

/** @typedef {ServerFacts & Rates} Server */

/**
 * A server whose name has no address.
 * @typedef {object} Unresolved
 * @property {string} name
 * @property {string} reason
 * @property {string} since
 */

/**
 * @typedef {object} Status
 * @property {string} version
 * @property {"starting" | "serving" | "draining"} state
 * @property {string} mode
 * @property {string} policy
 * @property {string} listen
 * @property {string} startedAt
 * @property {number} uptimeSeconds
 * @property {{ accepted: number, carried: number, waiting: number, lingering: number, turnedAway: number }} clients
 * @property {Server[]} backends
 * @property {Unresolved[]} unresolved
 * @property {Rates} total
 * @property {Sample | null} sample
 */

/**
 * The last minutes, a list of each number.
 * @typedef {object} Picture
 * @property {{ [Name in keyof Sample]: Sample[Name][] }} total
 * @property {{ name: string, perSecond: number[] }[]} backends
 */

/**
 * @typedef {object} LiveOptions
 * @property {(status: Status) => void} onStatus
 * @property {(picture: Picture) => void} onHistory
 * @property {() => void} onOpen
 * @property {(reason: string) => void} onLost
 * @property {() => Record<string, string>} headers  what shows the token, if there is one
 * @property {(reason: string) => Promise<boolean>} askToken  false: there is none
 */

/** Something comes each second; after so long without, the connection is no more. */
const SILENCE_MS = 5000;
/** After how long it is tried again. */
const RETRY_MS = 1000;

/**
 * Listens for as long as the page is open.
 * @param {LiveOptions} options
 * @returns {Promise<never>}
 */
export async function listen(options) {
  for (;;) {
    const reason = await listenOnce(options);
    options.onLost(reason);
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/**
 * Listens until the connection ends, and tells why it did.
 * @param {LiveOptions} options
 * @returns {Promise<string>}
 */
async function listenOnce(options) {
  const silence = new Silence();
  try {
    const response = await fetch("/events", {
      headers: options.headers(),
      signal: silence.signal,
      cache: "no-store",
    });
    if (response.status === 401) {
      silence.end(); // A person takes longer.
      await options.askToken("The balancer shows its state only to those who have its token.");
      return "it wants a token";
    }
    if (!response.ok || response.body === null) return `it answered ${response.status}`;
    options.onOpen();
    await readEvents(response.body, (event, data) => {
      silence.begin();
      show(event, data, options);
    });
    return "it ended the connection";
  } catch {
    // `fetch` tells no more of it.
    return silence.signal.aborted ? "it is silent" : "it cannot be reached";
  } finally {
    silence.end();
  }
}

/**
 * A defect in what shows it is told in the console, and the next event is another try.
 * @param {string} event
 * @param {string} data
 * @param {LiveOptions} options
 */
function show(event, data, { onStatus, onHistory }) {
  try {
    if (event === "status") onStatus(JSON.parse(data));
    if (event === "history") onHistory(JSON.parse(data));
  } catch (error) {
    reportError(error);
  }
}

/** Ends a connection on which nothing comes any more. */
class Silence {
  #controller = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  constructor() {
    this.begin();
  }

  /** @returns {AbortSignal} */
  get signal() {
    return this.#controller.signal;
  }

  /** Waits anew. */
  begin() {
    this.end();
    this.#timer = setTimeout(() => this.#controller.abort(), SILENCE_MS);
  }

  /** Waits no more. */
  end() {
    clearTimeout(this.#timer);
  }
}

/**
 * Reads events until the stream ends, each with one line of data, as the balancer sends them.
 * @param {ReadableStream<Uint8Array>} body
 * @param {(event: string, data: string) => void} onEvent
 * @returns {Promise<void>}
 */
export async function readEvents(body, onEvent) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const [, event = "", data = ""] = /^event: (.*)\ndata: (.*)$/.exec(block) ?? [];
      if (event !== "") onEvent(event, data);
    }
  }
}
