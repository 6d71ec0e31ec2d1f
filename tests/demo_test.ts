/** The demo as a program: what it prints works, and it leaves nothing behind. */

import { assert, assertEquals, assertMatch, assertRejects } from "./support/assert.ts";

const DEMO = new URL("./demo.ts", import.meta.url).pathname;
const FLAGS = ["run", "--no-prompt", "--allow-net", "--allow-read", "--allow-write"];

/** Starts the demo without a terminal, and reads what it prints until it says how to end it. */
async function startDemo(): Promise<{
  process: Deno.ChildProcess;
  output: ReadableStreamDefaultReader<string>;
  port: string;
  directory: string;
}> {
  const command = new Deno.Command(Deno.execPath(), {
    args: [...FLAGS, DEMO, "0"],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  });
  const process = command.spawn();
  const output = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("Ctrl-C ends the demo")) {
    const { value, done } = await output.read();
    assert(!done, `the demo ended after: ${text}`);
    text += value;
  }
  const [, port = ""] = /listens on http:\/\/localhost:([0-9]+)\//.exec(text) ?? [];
  const [, directory = ""] = /They serve (\S+)\.\n/.exec(text) ?? [];
  return { process, output, port, directory };
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`demo: serves by all three servers, and on ${signal} leaves nothing, exit 0`, async () => {
    const { process: started, output, port, directory } = await startDemo();
    await using process = started;
    try {
      const names = new Set<string | null>();
      for (let i = 0; i < 6; i++) {
        const response = await fetch(`http://127.0.0.1:${port}/hello.txt`, {
          headers: { Connection: "close" },
        });
        assertEquals(await response.text(), "Hello from behind the balancer.\n");
        names.add(response.headers.get("x-backend"));
      }
      assertEquals([...names].sort(), ["one", "three", "two"]);
      assert((await Deno.stat(directory)).isDirectory);
      process.kill(signal);
      assertEquals((await process.status).code, 0);
      await assertRejects(() => Deno.stat(directory), Deno.errors.NotFound);
    } finally {
      await output.cancel();
    }
  });
}

Deno.test("demo: a port that is taken or wrong is told, with what to do", async () => {
  using taken = Deno.listen({ hostname: "::", port: 0 });
  const { port } = taken.addr;
  const expected: [string[], number, RegExp][] = [
    [
      [String(port)],
      1,
      new RegExp(`^demo: Cannot listen on .*${port}: .*\\n.*deno task demo 8081`),
    ],
    [["web"], 2, /^demo: web: expected one port; usage: deno task demo \[PORT\]\n$/],
    [["70000"], 2, /^demo: 70000: expected one port/],
    [["0", "1"], 2, /^demo: 1: expected one port/],
  ];
  for (const [args, code, message] of expected) {
    const result = await new Deno.Command(Deno.execPath(), {
      args: [...FLAGS, DEMO, ...args],
      stdin: "null",
    }).output();
    assertMatch(new TextDecoder().decode(result.stderr), message);
    assertEquals(result.code, code);
  }
});
