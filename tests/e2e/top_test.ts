/** `loadbalancer top` as users run it, in a terminal and without one. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { BalancerProcess } from "../support/balancer_process.ts";
import { askOnce, get } from "../support/byte_client.ts";
import { FILES } from "../support/http_clients.ts";
import { startHttpServer } from "../support/httpserver.ts";
import { has } from "../support/programs.ts";
import { deadPort } from "../support/raw_server.ts";
import { Terminal, TERMINAL_MAKER } from "../support/terminal.ts";
import { until } from "../support/until.ts";

const ENTER = "\x1b[?1049h";
const LEAVE = "\x1b[?1049l";
const SHOW_CURSOR = "\x1b[?25h";
/** The end of a picture. */
// deno-lint-ignore no-control-regex -- the terminal is told so
const WHOLE = /\x1b\[J/;
const SIZE = { columns: 70, rows: 10 } as const;
const ignore = !has(TERMINAL_MAKER);
const skipped = ignore ? ` (skipped: no ${TERMINAL_MAKER})` : "";

function start(...args: string[]): BalancerProcess {
  return new BalancerProcess(["127.0.0.1:0", ...args]);
}

/** The lines of a picture as they are seen. The terminal puts in carriage returns of its own. */
function linesOf(picture: string): string[] {
  // deno-lint-ignore no-control-regex -- these are what is taken away
  return picture.replaceAll(/\x1b\[[?\d;]*[A-Za-z]/g, "").split(/\r+\n/);
}

/** The last whole picture. */
function lastPicture(output: string): string {
  const pictures = output.split("\x1b[H").filter((picture) => picture.includes("\x1b[J"));
  return pictures.at(-1) ?? "";
}

Deno.test("top: without a terminal it shows all once, without escapes, exit 0", async () => {
  const dead = deadPort();
  await using process = start(`${dead}`, "--admin", "0", "--health", "off");
  const admin = `${await process.adminPort()}`;
  await process.says(/Serving/);
  for (const more of [[], ["--once"]]) {
    await using top = new BalancerProcess(["top", "--admin", admin, ...more]);
    const { code, stdout, stderr } = await top.end();
    assertEquals([code, stderr], [0, ""]);
    assertMatch(
      stdout,
      /^127\.0\.0\.1:\d+ is serving: .*\nclients: .*\nlast 5s: .*\n\nSERVER .*\n/,
    );
    assertStringIncludes(stdout, `127.0.0.1:${dead}  ready`);
    assert(!/\p{Cc}/u.test(stdout.replaceAll("\n", "")), stdout);
  }
});

Deno.test("top: wrong usage is exit 2, nobody there exit 1, --help exit 0", async () => {
  const run = async (...args: string[]): Promise<readonly [code: number, text: string]> => {
    await using process = new BalancerProcess(["top", ...args]);
    const { code, stdout, stderr } = await process.end();
    return [code, stdout + stderr];
  };
  assertEquals(await run("9000"), [
    2,
    'loadbalancer: "9000": unexpected; expected options only (see loadbalancer top --help)\n',
  ]);
  const [code, text] = await run("--admin", `${deadPort()}`);
  assertEquals(code, 1);
  assertMatch(text, /^loadbalancer: Cannot reach the balancer at .*: nobody listens there .*\n$/);
  const [good, help] = await run("--help");
  assertEquals(good, 0);
  for (const word of ["--admin", "--token", "--once"]) assertStringIncludes(help, word);
});

// Regression: SIGHUP left the other screen on.
for (const what of ["Ctrl-C", "SIGTERM", "SIGHUP"] as const) {
  Deno.test(
    `top: ${what} gives the terminal back as it was, exit 0${skipped}`,
    { ignore },
    async () => {
      await using process = start(`${deadPort()}`, "--admin", "0", "--health", "off");
      await using terminal = new Terminal(["top", "--admin", `${await process.adminPort()}`], SIZE);
      const pid = await terminal.pid();
      await terminal.shows(/SERVER/);
      assertStringIncludes(terminal.output, ENTER);
      assert(!terminal.output.includes(LEAVE), "it left the other screen before its end");
      if (what === "Ctrl-C") await terminal.type("\x03");
      else Deno.kill(pid, what);
      assertEquals(await terminal.end(), 0);
      const after = terminal.output.slice(terminal.output.lastIndexOf("\x1b[J"));
      assertStringIncludes(after, SHOW_CURSOR);
      assertStringIncludes(after, LEAVE);
    },
  );
}

Deno.test(
  `top: shows changes and rates, within the size of the terminal${skipped}`,
  { ignore },
  async () => {
    await using backend = await startHttpServer({ files: FILES });
    const dead = Array.from({ length: 12 }, () => `${deadPort()}`);
    await using process = start(`${backend.port}`, ...dead, "--admin", "0", "--health", "tcp");
    const admin = await process.adminPort();
    await process.says(/Serving/);
    await using terminal = new Terminal(["top", "--admin", `${admin}`], SIZE);
    await terminal.shows(/1 of 13 servers/);
    await terminal.shows(/PER S/);
    terminal.forget();
    await until(async () => {
      await askOnce(await process.port(), get("/a.txt"));
      return /last 5s: (?!0 )[\d.]+ per second/.test(terminal.output);
    }, "it shows a rate");
    const drain = await fetch(`http://127.0.0.1:${admin}/backends/${backend.port}/drain`, {
      method: "POST",
      headers: { "content-type": "application/json" },
    });
    await drain.body?.cancel();
    terminal.forget();
    await terminal.shows(new RegExp(`${backend.port}.*draining`));
    await terminal.shows(WHOLE);
    const lines = linesOf(lastPicture(terminal.output));
    assertEquals(lines.length, SIZE.rows);
    for (const line of lines) assert([...line].length <= SIZE.columns, `too wide: ${line}`);
    assertMatch(lines.at(-1) ?? "", /^… \d+ more, \d+ of them not ready$/);
  },
);

Deno.test(
  `top: says when the balancer cannot be reached, and goes on trying${skipped}`,
  { ignore },
  async () => {
    const port = `${deadPort()}`;
    await using terminal = new Terminal(["top", "--admin", port], { ...SIZE, columns: 120 });
    const trouble = /Cannot reach the balancer at .*: nobody listens there .*; it is tried again/;
    await terminal.shows(trouble);
    const dead = deadPort();
    {
      await using process = start(`${dead}`, "--admin", port, "--health", "off");
      await process.says(/Serving/);
      await terminal.shows(new RegExp(`127\\.0\\.0\\.1:${dead}`));
      terminal.forget();
    }
    await terminal.shows(trouble);
    await terminal.shows(WHOLE);
    assertStringIncludes(
      lastPicture(terminal.output),
      `127.0.0.1:${dead}`,
      "what was known is gone",
    );
  },
);

// An empty one is none, and stands for that of whoever runs the tests.
for (const [env, coloured] of [[{ NO_COLOR: "" }, true], [{ NO_COLOR: "1" }, false]] as const) {
  const what = coloured ? "colours states in a terminal" : "colours nothing with NO_COLOR";
  Deno.test(`top: ${what}${skipped}`, { ignore }, async () => {
    await using process = start(`${deadPort()}`, "--admin", "0", "--health", "off");
    const admin = `${await process.adminPort()}`;
    await process.says(/Serving/);
    await using terminal = new Terminal(["top", "--admin", admin], { ...SIZE, env });
    await terminal.shows(/ready/);
    await terminal.shows(WHOLE);
    assertEquals(terminal.output.includes("\x1b[32m"), coloured);
  });
}
