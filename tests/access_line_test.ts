import { accessFieldsTable, jsonLine, type Line, textLine } from "../lib/access_line.ts";
import { ENDING } from "../lib/ending.ts";
import { Passage } from "../lib/passage.ts";
import { assert, assertEquals } from "./support/assert.ts";
import { leaseOf, makeBackend } from "./support/backends.ts";
import { tableOf } from "./support/readme.ts";

const DATE_MS = Date.UTC(2026, 1, 3, 4, 5, 6, 7);

/** A request that was served, as the line about it sees it. */
function served(target = "/a?b=c"): Line {
  let nowMs = 1000;
  const client = { transport: "tcp", hostname: "::ffff:10.0.0.7", port: 4711 } as const;
  const passage = new Passage(client, nowMs, { method: "GET", target, minor: 1 });
  nowMs += 0.25;
  const lease = leaseOf(makeBackend({ now: () => nowMs }));
  passage.leased(lease);
  nowMs += 1.0004;
  lease.connected();
  nowMs += 2;
  lease.answered();
  passage.status = 200;
  passage.bytesUp = 3;
  passage.bytesDown = 1234;
  passage.end(ENDING.served);
  return { passage, endedMs: nowMs + 10, dateMs: DATE_MS };
}

/** A client that was turned away. */
function turnedAway(): Line {
  const passage = new Passage({ transport: "tcp", hostname: "::1", port: 5 }, 1000);
  passage.end(ENDING.queueTimeout);
  return { passage, endedMs: 31_000, dateMs: DATE_MS + 60_000 };
}

Deno.test("textLine: tells all of a request that was served", () => {
  const line = served();
  const backend = line.passage.backend?.name;
  assertEquals(
    textLine(line),
    `2026-02-03T04:05:06.007Z client=10.0.0.7:4711 backend=${backend} attempts=1 ` +
      `request="GET /a?b=c HTTP/1.1" status=200 up=3 down=1234 wait_ms=0.25 connect_ms=1 ` +
      "first_ms=3.25 total_ms=13.25 end=served by=backend reason=-\n",
  );
});

Deno.test("textLine: has a dash for what is not known", () => {
  assertEquals(
    textLine(turnedAway()),
    "2026-02-03T04:06:06.007Z client=[::1]:5 backend=- attempts=0 request=- status=- up=0 down=0 " +
      "wait_ms=30000 connect_ms=- first_ms=- total_ms=30000 end=queue-timeout by=balancer reason=-\n",
  );
});

Deno.test("jsonLine: is one JSON object with the same fields, null for what is not known", () => {
  for (const line of [served(), turnedAway()]) {
    const object = JSON.parse(jsonLine(line));
    const text = textLine(line);
    for (const [name, value] of Object.entries(object)) {
      if (name === "time") assert(text.startsWith(`${value} `), text);
      else {
        const shown = name === "request" && value !== null ? JSON.stringify(value) : value ?? "-";
        assert(`${text.trimEnd()} `.includes(` ${name}=${shown} `), `${name} in ${text}`);
      }
    }
    assertEquals(Object.keys(object).length, [...text.matchAll(/ \w+=/g)].length + 1);
  }
});

Deno.test("textLine and jsonLine: a target cannot end the line or its quotes, nor grow without bound", () => {
  for (const target of ['/"x" end=served', "/\u00ff\u0080", `/${"a".repeat(10_000)}`]) {
    const line = served(target);
    const text = textLine(line);
    assertEquals(text.indexOf("\n"), text.length - 1);
    assert(text.length < 2500);
    const quoted = / request=("(?:[^"\\]|\\.)*") status=/.exec(text)?.[1] ?? "";
    assertEquals(JSON.parse(quoted), JSON.parse(jsonLine(line)).request);
    assert(JSON.parse(quoted).startsWith(`GET ${target.slice(0, 2000)}`));
  }
});

Deno.test("accessFieldsTable: has a row for each field of a line", () => {
  const names = tableOf(accessFieldsTable(), "Field").slice(1).map(([name = ""]) => name);
  assertEquals(
    names.map((name) => name.replaceAll("`", "")),
    Object.keys(JSON.parse(jsonLine(served()))),
  );
});
