/**
 * The dashboard: the page at `/` of the admin port, its files, and the events that keep it live.
 * The admin server has its routes; whoever wires the balancer tells it of changes.
 *
 * The files are taken in as text, so that they need no permission and are inside a compiled binary.
 */
import changesScript from "./dashboard/changes.js" with { type: "text" };
import chartScript from "./dashboard/chart.js" with { type: "text" };
import dashboardScript from "./dashboard/dashboard.js" with { type: "text" };
import elementsScript from "./dashboard/elements.js" with { type: "text" };
import liveScript from "./dashboard/live.js" with { type: "text" };
import plotScript from "./dashboard/plot.js" with { type: "text" };
import serversScript from "./dashboard/servers.js" with { type: "text" };
import sparkScript from "./dashboard/spark.js" with { type: "text" };
import steeringScript from "./dashboard/steering.js" with { type: "text" };
import weightFieldScript from "./dashboard/weight_field.js" with { type: "text" };
import wordsScript from "./dashboard/words.js" with { type: "text" };
import dashboardStyle from "./dashboard/dashboard.css" with { type: "text" };
import icon from "./dashboard/icon.svg" with { type: "text" };
import page from "./dashboard/index.html" with { type: "text" };
import uplotScript from "uplot/dist/uPlot.iife.min.js" with { type: "text" };
import uplotStyle from "uplot/dist/uPlot.min.css" with { type: "text" };
import type { Clock } from "../clock.ts";
import { Events } from "./events.ts";
import type { History } from "./history.ts";
import { type Numbers, Sampler } from "./sampler.ts";

/** Nothing but the files below runs on the page, and nothing is loaded from anywhere else. */
const HEADERS = {
  "cache-control": "no-cache",
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join("; "),
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
} as const;

const SCRIPT = "text/javascript; charset=utf-8";
const STYLE = "text/css; charset=utf-8";

/** The files of the page, by their path. */
const FILES: ReadonlyMap<string, readonly [type: string, text: string]> = new Map([
  ["/", ["text/html; charset=utf-8", page]],
  ["/icon.svg", ["image/svg+xml", icon]],
  ["/dashboard.css", [STYLE, dashboardStyle]],
  ["/uplot.css", [STYLE, uplotStyle]],
  ["/uplot.js", [SCRIPT, uplotScript]],
  ["/changes.js", [SCRIPT, changesScript]],
  ["/chart.js", [SCRIPT, chartScript]],
  ["/dashboard.js", [SCRIPT, dashboardScript]],
  ["/elements.js", [SCRIPT, elementsScript]],
  ["/live.js", [SCRIPT, liveScript]],
  ["/plot.js", [SCRIPT, plotScript]],
  ["/servers.js", [SCRIPT, serversScript]],
  ["/spark.js", [SCRIPT, sparkScript]],
  ["/steering.js", [SCRIPT, steeringScript]],
  ["/weight_field.js", [SCRIPT, weightFieldScript]],
  ["/words.js", [SCRIPT, wordsScript]],
]);

/** One call that the dashboard answers, as the admin server wants it. */
export interface DashboardRoute {
  /** HEAD is answered too. */
  readonly method: "GET";
  /** The whole path. */
  readonly path: string;
  /** The files are for anyone, for they tell nothing; the events are for those who may read. */
  readonly access: "anyone" | "reader";
  /** Does its answer go on for long? */
  readonly lasting: boolean;
  /** Answers it. */
  readonly handle: (call: { readonly request: Request }) => Response;
}

/** What the dashboard works with. */
export interface DashboardOptions {
  /** What `GET /status` would answer with right now. */
  readonly status: () => object;
  /** Where the numbers are; null: there is no balancer yet. */
  readonly numbers: () => Numbers | null;
  /** The source of time. */
  readonly clock: Clock;
  /** What time it is, in milliseconds since 1970. */
  readonly epochNow: () => number;
}

/** The page and what keeps it live. */
export class Dashboard implements Disposable {
  readonly #sampler: Sampler;
  readonly #events: Events;

  /** Begins to keep the history at once. */
  constructor(options: DashboardOptions) {
    const { status, clock } = options;
    this.#sampler = new Sampler({ ...options, onSample: () => this.#events.sampled() });
    this.#events = new Events({ status, history: this.#sampler.history, clock });
  }

  /** The last minutes, of which it keeps account whether or not a page is open. */
  get history(): History {
    return this.#sampler.history;
  }

  /** All that it answers. */
  get routes(): readonly DashboardRoute[] {
    const files = [...FILES].map(([path, [type, text]]): DashboardRoute => ({
      method: "GET",
      path,
      access: "anyone",
      lasting: false,
      handle: () => new Response(text, { headers: { ...HEADERS, "content-type": type } }),
    }));
    return [...files, {
      method: "GET",
      path: "/events",
      access: "reader",
      lasting: true,
      handle: ({ request }) => this.#events.open(request),
    }];
  }

  /** Something has changed that is to be seen at once: a state, a weight, which servers there are. */
  changed(): void {
    this.#events.changed();
  }

  /** Ends the events of all open pages; to be done before the server is asked to finish. */
  [Symbol.dispose](): void {
    this.#sampler[Symbol.dispose]();
    this.#events[Symbol.dispose]();
  }
}
