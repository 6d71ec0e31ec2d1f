/** The HTTP server as a program of its own. */

import { assert, assertEquals, assertMatch } from "./assert.ts";
import { curl, decoder, withDirectory } from "./http_clients.ts";
import { startHttpServer } from "./httpserver.ts";

const PROGRAM = new URL("./httpserver.ts", import.meta.url).pathname;

/** Runs the program until `test` is over, then SIGTERM; it must end with 0. */
async function withProgram(
  args: string[],
  test: (port: number, pid: number) => Promise<void>,
  flags: readonly string[] = ["--allow-read", "--allow-write"],
): Promise<void> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-net", ...flags, PROGRAM, ...args],
    stdin: "null",
    stdout: "piped",
  });
  await using process = command.spawn();
  const lines = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  try {
    const { value = "" } = await lines.read();
    const port = /^httpserver listens on http:\/\/127\.0\.0\.1:([0-9]+)\/\n$/.exec(value)?.[1];
    assert(port !== undefined, `the first line was: ${value}`);
    await test(Number(port), process.pid);
    process.kill("SIGTERM");
    assertEquals((await process.status).code, 0);
  } finally {
    await lines.cancel();
  }
}

/** The most memory the process has held so far; 0 where there is no /proc. */
async function peakMiB(pid: number): Promise<number> {
  if (Deno.build.os !== "linux") return 0;
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmHWM:\s+([0-9]+)/.exec(status)?.[1]) / 1024;
}

Deno.test("program: serves a directory in constant memory, logs, stops on SIGTERM with 0", async () => {
  await withDirectory(async (directory) => {
    const bytes = 192 * 1024 * 1024;
    await Deno.mkdir(`${directory}/root`);
    using file = await Deno.open(`${directory}/root/large`, { write: true, create: true });
    await file.truncate(bytes);
    const args = ["-l", `${directory}/log`, "--root", `${directory}/root`, "0", "--name=one"];
    await withProgram(args, async (port, pid) => {
      const base = `http://127.0.0.1:${port}`;
      await curl(`${base}/none`);
      const before = await peakMiB(pid);
      const discard = ["--output", "/dev/null", "--write-out", "%{size_download}"];
      assertEquals((await curl(...discard, `${base}/large`)).text, String(bytes));
      const put = ["--upload-file", `${directory}/root/large`, "--write-out", "%{http_code}"];
      assertEquals((await curl(...put, `${base}/copy`)).text, "created\n201");
      assertEquals((await curl(`${base}/healthcheck`)).text, "1\n3\n");
      const grown = await peakMiB(pid) - before;
      assert(grown < 64, `the peak grew by ${grown} MiB`);
    });
    assertEquals((await Deno.stat(`${directory}/root/copy`)).size, bytes);
    const log = (await Deno.readTextFile(`${directory}/log`)).trimEnd().split("\n");
    assertEquals(log.length, 4);
    assertMatch(log[1] ?? "", /^\d{4}-\S+Z GET \/large 200 in=0 out=201\d+$/);
    assertMatch(log[2] ?? "", /^\S+ PUT \/copy 201 in=201326592 out=\d+$/);
  });
});

Deno.test("program: misbehaves by its options", async () => {
  const root = new URL(".", import.meta.url).pathname;
  const faults = ["--healthcheck", "1\\n2\\n", "--slow", "1ms", "--close", "answer"];
  const args = [...faults, "--root", root, "0"];
  await withProgram(args, async (port) => {
    assertEquals((await curl(`http://127.0.0.1:${port}/healthcheck`)).text, "1\n2\n");
    assertEquals((await curl(`http://127.0.0.1:${port}/assert.ts`)).code, 18); // partial file
  });
});

Deno.test("program: answers 403 where it has no permission to read or write", async () => {
  await withDirectory(async (directory) => {
    await Deno.writeTextFile(`${directory}/open`, "open");
    await Deno.writeTextFile(`${directory}/shut`, "shut");
    const flags = [`--allow-read=${directory}`, `--deny-read=${directory}/shut`];
    const status = ["--output", "/dev/null", "--write-out", "%{http_code}"];
    await withProgram(["--root", directory, "0"], async (port) => {
      const base = `http://127.0.0.1:${port}`;
      assertEquals((await curl(...status, `${base}/open`)).text, "200");
      assertEquals((await curl(...status, `${base}/shut`)).text, "403");
      const upload = ["--upload-file", `${directory}/open`];
      assertEquals((await curl(...status, ...upload, `${base}/new`)).text, "403");
    }, flags);
  });
});

Deno.test("program: bad usage is one line that names the argument, exit 2; a bad start, exit 1", async () => {
  await using taken = await startHttpServer({ files: {} });
  const expected: [string[], number, RegExp][] = [
    [[], 2, /PORT: missing/],
    [["1", "2"], 2, /2: expected one PORT/],
    [["x"], 2, /PORT "x": expected a whole number from 0 to 65535/],
    [["65536"], 2, /PORT "65536": expected/],
    [["--lgo", "x", "0"], 2, /--lgo: no such option/],
    [["0", "-l"], 2, /--log: expected a value/],
    [["--slow", "5", "0"], 2, /--slow "5": expected a time such as 200ms or 3s/],
    [["--rate", "0", "0"], 2, /--rate "0": expected a whole number from 1/],
    [["--reset", "now", "0"], 2, /--reset "now": expected one of accept, head, request, answer/],
    [["--root", "/no/such/directory", "0"], 1, /\/no\/such\/directory/],
    [[String(taken.port)], 1, /EADDRINUSE|address/i],
  ];
  for (const [args, code, message] of expected) {
    const { code: actual, stderr, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--allow-net", "--allow-read", PROGRAM, ...args],
      stdin: "null",
    }).output();
    const text = decoder.decode(stderr);
    assertMatch(text, /^httpserver: [^\n]+\n$/, args.join(" "));
    assertMatch(text, message);
    assertEquals([actual, stdout.length], [code, 0], args.join(" "));
  }
});
