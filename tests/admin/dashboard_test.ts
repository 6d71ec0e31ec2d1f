/** The dashboard without a browser: its routes, and the parts of its scripts that need none. */
import { readEvents } from "../../lib/admin/dashboard/live.js";
import { sparkArea, sparkPath, sparkWords } from "../../lib/admin/dashboard/spark.js";
import {
  bytesWords,
  clockWords,
  countWords,
  durationWords,
  rateWords,
  sentence,
  timesWords,
  timeWords,
} from "../../lib/admin/dashboard/words.js";
import { Dashboard } from "../../lib/admin/dashboard.ts";
import { assert, assertEquals, assertMatch, assertNotMatch } from "../support/assert.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";

const BOX = { width: 100, height: 28, lengthMax: 11 };

function make(clock = new FakeClock()): Dashboard {
  return new Dashboard({
    status: () => ({ backends: [] }),
    numbers: () => null,
    clock,
    epochNow: () => 0,
  });
}

function answer(dashboard: Dashboard, path: string): Response {
  const route = dashboard.routes.find((each) => each.path === path);
  if (route === undefined) throw new RangeError(`There is no ${path}`);
  return route.handle({ request: new Request(`http://127.0.0.1${path}`) });
}

Deno.test("Dashboard: every file that its files name is there, and nothing from elsewhere", async () => {
  using dashboard = make();
  for (const { path, lasting } of dashboard.routes) {
    if (lasting || path.startsWith("/uplot")) continue;
    const text = await answer(dashboard, path).text();
    const named = [...text.matchAll(/(?:href|src)="(\/[^"]*)"|from "\.(\/[^"]*)"/g)]
      .map(([, absolute, relative]) => absolute ?? relative ?? "");
    for (const name of named) assertEquals(answer(dashboard, name).status, 200, name);
    assertNotMatch(text.replaceAll("http://www.w3.org/2000/svg", ""), /https?:\/\//, path);
  }
});

Deno.test("Dashboard: its files may do nothing but what they are there for", () => {
  using dashboard = make();
  for (const { path, access, lasting } of dashboard.routes) {
    if (lasting) continue;
    const { headers } = answer(dashboard, path);
    const policy = headers.get("content-security-policy") ?? "";
    assertMatch(policy, /default-src 'none'; script-src 'self'; style-src 'self'/, path);
    assertNotMatch(policy, /unsafe|http|\*|data:/, path);
    assertEquals(headers.get("x-content-type-options"), "nosniff", path);
    assertEquals(access, "anyone", `${path} cannot be shown a token`);
  }
});

Deno.test("Dashboard: no file of it sets HTML, or a style from within HTML", async () => {
  using dashboard = make();
  const sinks = /innerHTML|outerHTML|insertAdjacent|document\.write|srcdoc|eval\(|style=|\bon\w+="/;
  for (const { path, lasting } of dashboard.routes) {
    if (!lasting) assertNotMatch(await answer(dashboard, path).text(), sinks, path);
  }
});

Deno.test("Dashboard: its events are for those who may read, and last", () => {
  using dashboard = make();
  const [events, ...others] = dashboard.routes.filter(({ lasting }) => lasting);
  assertEquals([events?.path, events?.access, others.length], ["/events", "reader", 0]);
});

Deno.test("Dashboard: tells each second, at a change, and not after its end", async () => {
  const clock = new FakeClock();
  const dashboard = make(clock);
  const seen: string[] = [];
  const { body } = answer(dashboard, "/events");
  assert(body !== null, "there is no stream");
  const read = readEvents(body, (event) => seen.push(event));
  await clock.advance(1000);
  assertEquals(seen, ["status", "history", "status"]);
  dashboard.changed();
  await clock.advance(100);
  assertEquals(seen.length, 4);
  dashboard[Symbol.dispose]();
  await read;
  assertEquals(clock.pending, 0);
});

Deno.test("readEvents: reads them whole, however they are cut into pieces", async () => {
  const bytes = new TextEncoder().encode(
    'retry: 1000\n\nevent: status\ndata: {"name":"ä€😀"}\n\n: a comment\n\nevent: history\ndata: []\n\n',
  );
  for (let length = 1; length <= bytes.length; length++) {
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += length) pieces.push(bytes.subarray(at, at + length));
    const seen: [string, string][] = [];
    await readEvents(ReadableStream.from(pieces), (event, data) => seen.push([event, data]));
    assertEquals(seen, [["status", '{"name":"ä€😀"}'], ["history", "[]"]], `${length}`);
  }
  await settle();
});

/** With usual blanks in place of those that keep a number and its unit together. */
function plain(text: string): string {
  return text.replaceAll("\u00a0", " ");
}

Deno.test("words: no line break parts a number from its unit", () => {
  const all = [timeWords(0), timeWords(1), timeWords(2000), bytesWords(1), durationWords(60)];
  for (const each of all) assertNotMatch(each, / /);
  assertEquals(plain(durationWords(7500)), "2 h 5 min");
  assertEquals(durationWords(7500).split(" ").length, 2);
});

Deno.test("words: counts, rates and amounts are short and have their unit", () => {
  assertEquals([0, 7, 12_345].map(countWords), ["0", "7", "12,345"]);
  assertEquals([0, 0.04, 0.4, 12.34, 99.94, 99.96, 1234.5].map(rateWords), [
    "0",
    "0.0",
    "0.4",
    "12.3",
    "99.9",
    "100",
    "1,235",
  ]);
  assertEquals(
    [0, 999, 1000, 9949, 9950, 999_499, 999_500, 34e6, 1.5e12].map(bytesWords).map(plain),
    [
      "0 B",
      "999 B",
      "1.0 kB",
      "9.9 kB",
      "10 kB",
      "999 kB",
      "1.0 MB",
      "34 MB",
      "1.5 TB",
    ],
  );
});

Deno.test("words: times are short and have their unit, and one of them is enough for two", () => {
  assertEquals([null, 0, 0.44, 9.94, 9.95, 999.4, 999.5, 9949, 12_000].map(timeWords).map(plain), [
    "–",
    "0 ms",
    "0.4 ms",
    "9.9 ms",
    "10 ms",
    "999 ms",
    "1.0 s",
    "9.9 s",
    "12 s",
  ]);
  assertEquals(plain(timesWords(7.5, 230)), "7.5 / 230 ms");
  assertEquals(plain(timesWords(750, 2300)), "750 ms / 2.3 s");
  assertEquals(plain(timesWords(2000, 2300)), "2.0 / 2.3 s");
  assertEquals(timesWords(null, null), "–");
  const durations = [-3, 0, 59.9, 60, 3599, 3600, 7500, 86_399, 86_400, 273_600];
  assertEquals(durations.map(durationWords).map(plain), [
    "0 s",
    "0 s",
    "59 s",
    "1 min",
    "59 min",
    "1 h 0 min",
    "2 h 5 min",
    "23 h 59 min",
    "1 d 0 h",
    "3 d 4 h",
  ]);
  assertEquals(clockWords(new Date(2026, 0, 2, 3, 4, 5)), "03:04:05");
});

Deno.test("sentence: begins with a capital and ends with a stop, one stop", () => {
  assertEquals(sentence("it answered 404"), "It answered 404.");
  assertEquals(sentence(" It did. "), "It did.");
});

Deno.test("sparkPath: ends at the right, the highest value at the top, the lowest at the bottom", () => {
  assertEquals(sparkPath([], BOX), "");
  assertEquals(sparkPath([0, 5, 10], BOX), "M80.0 26.0L90.0 14.0L100.0 2.0");
  assertEquals(sparkPath(Array(11).fill(0), BOX).startsWith("M0.0 26.0L10.0 26.0"), true);
});

Deno.test("sparkArea: is the same path, closed along the bottom", () => {
  const path = sparkPath([5, 10], BOX);
  assertEquals(sparkArea(path, [5, 10], BOX), `${path}L100 28L90.0 28Z`);
  assertEquals([sparkArea("", [], BOX), sparkArea("M1 1", [1], BOX)], ["", ""]);
});

Deno.test("sparkWords: tells what the path shows", () => {
  assertEquals(sparkWords([]), "no history");
  assertEquals(
    sparkWords([1, 40, 12.3]),
    "12.3 per second now, at most 40.0 in the last 3 seconds",
  );
});
