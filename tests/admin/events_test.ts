import { BEHIND_MAX, Events, LISTENERS_MAX, MISSED_MAX } from "../../lib/admin/events.ts";
import { History } from "../../lib/admin/history.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";

interface Event {
  readonly event: string;
  // deno-lint-ignore no-explicit-any -- It is what JSON holds, and each test knows what.
  readonly data: any;
}

/** What a page reads: what has come so far. */
class Page {
  readonly events: Event[] = [];
  text = "";
  ended: "no" | "yes" | "broken" = "no";
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor({ body }: Response) {
    if (body === null) throw new TypeError("There is no body");
    this.#reader = body.getReader();
    this.#read().then(() => this.ended = "yes", () => this.ended = "broken");
  }

  leave(): Promise<void> {
    return this.#reader.cancel();
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for (;;) {
      const { done, value } = await this.#reader.read();
      if (done) return;
      const text = decoder.decode(value, { stream: true });
      this.text += text;
      for (const [, event = "", data = ""] of text.matchAll(/event: (.*)\ndata: (.*)\n\n/g)) {
        this.events.push({ event, data: JSON.parse(data) });
      }
    }
  }
}

interface Subject {
  readonly clock: FakeClock;
  readonly history: History;
  readonly events: Events;
  readonly backends: { name: string; reason: string }[];
}

function make(): Subject {
  const clock = new FakeClock();
  const history = new History(0);
  const backends = [{ name: "127.0.0.1:9001", reason: "" }];
  const events = new Events({ status: () => ({ version: "1", backends }), history, clock });
  return { clock, history, events, backends };
}

function get(method = "GET"): Request {
  return new Request("http://127.0.0.1/events", { method });
}

Deno.test("Events: whoever comes gets the whole picture, history included", async () => {
  const { events, history } = make();
  const sums = { ended: 0, failed: 0, answered: [] };
  const backends = [{ name: "127.0.0.1:9001", ...sums, inFlight: 3 }];
  history.take({ atMs: 0, carried: 1, waiting: 2, backends, ...sums });
  history.take({ atMs: 1000, carried: 1, waiting: 2, backends, ...sums, ended: 8 });
  const response = events.open(get());
  assertEquals(response.headers.get("content-type"), "text/event-stream");
  const page = new Page(response);
  await settle();
  assertStringIncludes(page.text, "retry: ");
  const [status, picture] = page.events;
  assertEquals([status?.event, picture?.event, page.events.length], ["status", "history", 2]);
  assertEquals(status?.data.version, "1");
  assertEquals([status?.data.sample.at, status?.data.sample.waiting], [1, 2]);
  assertEquals(status?.data.sample.perSecond, 8);
  assertEquals(status?.data.backends, [{ name: "127.0.0.1:9001", reason: "" }]);
  assertEquals(picture?.data.total.perSecond, [0, 8]);
  assertEquals(picture?.data.backends[0].inFlight, [3, 3]);
  events[Symbol.dispose]();
});

Deno.test("Events: each second all are told how it stands", async () => {
  const { events, backends } = make();
  const pages = [new Page(events.open(get())), new Page(events.open(get()))];
  await settle();
  for (const backend of backends) backend.reason = "it is\n\ndata: tired";
  events.sampled();
  await settle();
  for (const page of pages) {
    assertEquals(page.events.length, 3);
    assertEquals(page.events[2]?.data.backends[0].reason, "it is\n\ndata: tired");
  }
  events[Symbol.dispose]();
});

Deno.test("Events: a change is told within 100 ms, and many at once in one message", async () => {
  const { events, clock } = make();
  const page = new Page(events.open(get()));
  await settle();
  for (let count = 0; count < 500; count++) events.changed();
  assertEquals(page.events.length, 2, "nothing yet: more may come");
  await clock.advance(100);
  assertEquals(page.events.length, 3);
  await clock.advance(1000);
  assertEquals(page.events.length, 3);
  events.changed();
  await clock.advance(100);
  assertEquals(page.events.length, 4);
  events[Symbol.dispose]();
});

Deno.test("Events: what is told each second includes the changes so far", async () => {
  const { events, clock } = make();
  const page = new Page(events.open(get()));
  events.changed();
  events.sampled();
  await clock.advance(1000);
  assertEquals([page.events.length, clock.pending], [3, 0]);
  events[Symbol.dispose]();
});

Deno.test("Events: one too many is told to come back later", async () => {
  const { events } = make();
  const pages = Array.from({ length: LISTENERS_MAX }, () => new Page(events.open(get())));
  const response = events.open(get());
  assertEquals(response.status, 503);
  assert(Number(response.headers.get("retry-after")) > 0, "there is no Retry-After");
  await pages[0]?.leave();
  assertEquals(events.listeners, LISTENERS_MAX - 1);
  assertEquals(events.open(get()).status, 200);
  events[Symbol.dispose]();
});

Deno.test("Events: one that is behind misses messages, and the next one makes up for it", async () => {
  const { events, backends } = make();
  const response = events.open(get());
  for (let count = 0; count < MISSED_MAX; count++) {
    for (const backend of backends) backend.reason = `${count}`;
    events.sampled();
  }
  assertEquals(events.listeners, 1);
  const page = new Page(response);
  await settle();
  const waited = page.events.filter(({ event }) => event === "status");
  assertEquals(waited.length, BEHIND_MAX, "no more waited");
  events.sampled();
  await settle();
  assertEquals(page.events.at(-1)?.data.backends[0].reason, `${MISSED_MAX - 1}`);
  for (let count = 0; count < 3 * MISSED_MAX; count++) {
    events.sampled();
    await settle();
  }
  assertEquals([page.ended, events.listeners], ["no", 1], "who reads is not dropped");
  events[Symbol.dispose]();
});

Deno.test("Events: one that does not read at all is dropped", async () => {
  const { events } = make();
  const response = events.open(get());
  const page = new Page(events.open(get()));
  let told = 0;
  for (; events.listeners === 2 && told < 1000; told++) {
    events.sampled();
    await settle();
  }
  // The whole picture was the first that waited.
  assertEquals([told, events.listeners], [BEHIND_MAX - 1 + MISSED_MAX, 1]);
  assertEquals([page.events.length, page.ended], [2 + told, "no"], "those that read go on");
  const dropped = new Page(response);
  await settle();
  assertEquals(dropped.ended, "yes");
  events[Symbol.dispose]();
});

Deno.test("Events: at the end all streams end, and there are no new ones", async () => {
  const { events, clock } = make();
  const page = new Page(events.open(get()));
  events.changed();
  events[Symbol.dispose]();
  await settle();
  assertEquals([page.ended, events.listeners, clock.pending], ["yes", 0, 0]);
  assertEquals(events.open(get()).status, 503);
  events.changed();
  events.sampled();
  assertEquals(clock.pending, 0);
});

Deno.test("Events: HEAD is answered, and nobody listens", () => {
  const { events } = make();
  const response = events.open(get("HEAD"));
  assertEquals([response.status, response.body, events.listeners], [200, null, 0]);
});
