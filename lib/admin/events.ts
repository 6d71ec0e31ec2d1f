/**
 * Server-sent events: the balancer as it stands, told to every open dashboard each second, and at
 * once when something changes.
 *
 * Invariants: there are never more than `LISTENERS_MAX` listeners; what waits for one of them are at
 * most `BEHIND_MAX` messages, of which there is one copy for all. Who is further behind misses some:
 * each tells everything, so the next one makes up for it. Who misses `MISSED_MAX` is dropped.
 */
import type { Clock } from "../clock.ts";
import type { History, Sample } from "./history.ts";

/** How many pages may listen at once. */
export const LISTENERS_MAX = 64;
/** How many messages may wait for a listener. */
export const BEHIND_MAX = 2;
/** How many a listener may miss in a row: half a minute's, where nothing changes. */
export const MISSED_MAX = 30;
/** How long a change waits for others, so that many at once are one message, in milliseconds. */
const GATHER_MS = 50;
/** After what time a page comes back that lost its connection, in milliseconds. */
const RETRY_MS = 1000;

const HEADERS = { "content-type": "text/event-stream", "cache-control": "no-store" } as const;
const ENCODER = new TextEncoder();

/** What event "status" adds to what `GET /status` answers with. */
export interface StatusSample {
  /** The newest point of the charts; null before there is one. */
  readonly sample: Sample | null;
}

/** What events are made of. */
export interface EventsOptions {
  /** What `GET /status` would answer with right now. */
  readonly status: () => object;
  /** The last minutes. */
  readonly history: History;
  /** The source of time. */
  readonly clock: Clock;
}

type Listener = ReadableStreamDefaultController<Uint8Array>;

/** Tells all who listen. */
export class Events implements Disposable {
  readonly #options: EventsOptions;
  /** How many messages each of them missed in a row. */
  readonly #listeners = new Map<Listener, number>();
  /** What cancels the message about a change; null: nothing has changed. */
  #cancel: (() => void) | null = null;
  #disposed = false;

  /** Nobody listens yet. */
  constructor(options: EventsOptions) {
    this.#options = options;
  }

  /** How many listen. */
  get listeners(): number {
    return this.#listeners.size;
  }

  /** Answers one who wants to listen: the whole picture first, then what is new. */
  open({ method }: Request): Response {
    if (this.#disposed || this.#listeners.size >= LISTENERS_MAX) return tooMany();
    if (method === "HEAD") return new Response(null, { headers: HEADERS });
    let listener: Listener;
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        listener = controller;
        this.#listeners.set(controller, 0);
        const history = message("history", this.#options.history.picture());
        controller.enqueue(ENCODER.encode(`retry: ${RETRY_MS}\n\n${this.#status()}${history}`));
      },
      cancel: () => {
        this.#listeners.delete(listener);
      },
    }, new CountQueuingStrategy({ highWaterMark: BEHIND_MAX }));
    return new Response(stream, { headers: HEADERS });
  }

  /** A second has passed: tells all. It is a sign of life as well, so there is no other. */
  sampled(): void {
    this.#tell();
  }

  /** Something has changed that is to be seen at once: tells all within a moment. */
  changed(): void {
    if (this.#disposed) return;
    this.#cancel ??= this.#options.clock.after(GATHER_MS, () => this.#tell());
  }

  /** Ends all streams; there are no new ones. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#cancel?.();
    for (const listener of this.#listeners.keys()) listener.close();
    this.#listeners.clear();
  }

  #tell(): void {
    this.#cancel?.();
    this.#cancel = null;
    if (this.#listeners.size === 0) return;
    const bytes = ENCODER.encode(this.#status());
    for (const listener of this.#listeners.keys()) this.#send(listener, bytes);
  }

  #send(listener: Listener, bytes: Uint8Array): void {
    const reads = (listener.desiredSize ?? 0) > 0;
    const missed = reads ? 0 : (this.#listeners.get(listener) ?? 0) + 1;
    this.#listeners.set(listener, missed);
    if (reads) listener.enqueue(bytes);
    if (missed < MISSED_MAX) return;
    this.#listeners.delete(listener);
    listener.close(); // Not an error: the HTTP server would print that on stderr.
  }

  #status(): string {
    const { status, history } = this.#options;
    const more: StatusSample = { sample: history.newest };
    return message("status", { ...status(), ...more });
  }
}

/** One event; JSON has no line breaks but escaped ones. */
function message(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

function tooMany(): Response {
  return new Response("As many dashboards are open as may be, or the balancer is stopping.\n", {
    status: 503,
    headers: { "retry-after": "5", "content-type": "text/plain; charset=utf-8" },
  });
}
