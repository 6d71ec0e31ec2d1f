/** The log, in a process of its own: it has stderr for itself. */
import { assertEquals, assertMatch } from "./support/assert.ts";

/** Runs a program that has `log` and `startLog`; what it wrote to stderr. */
async function stderrOf(program: string): Promise<string> {
  const log = new URL("../lib/log.ts", import.meta.url).href;
  const config = new URL("../deno.json", import.meta.url).pathname;
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--config", config, `import { log, startLog } from "${log}"; ${program}`],
    stdin: "null",
    stdout: "null",
  }).output();
  const text = new TextDecoder().decode(stderr);
  assertEquals(code, 0, text);
  return text;
}

Deno.test("startLog: writes what is important enough, all of it before the end", async () => {
  const text = await stderrOf(`
    await using _log = await startLog({ level: "warning", format: "text" });
    log.info("not this");
    log.warning("{who} this", { who: "but" });
    log.error("and this");
  `);
  assertMatch(text, /^\S+ WARNING but this\n\S+ ERROR {3}and this\n$/);
});

Deno.test("startLog: a value in a message has no quotes around it, in JSON as in text", async () => {
  const text = await stderrOf(`
    await using _log = await startLog({ level: "info", format: "json" });
    log.info("Reloaded: {changes}, {count} in all", { changes: "changed --mode", count: 1 });
  `);
  const { message, changes, count } = JSON.parse(text);
  assertEquals([message, changes, count], [
    "Reloaded: changed --mode, 1 in all",
    "changed --mode",
    1,
  ]);
});

Deno.test("RunningLog.change: later lines go by the new level and form, earlier ones are not lost", async () => {
  const text = await stderrOf(`
    await using running = await startLog({ level: "error", format: "text" });
    log.info("not this");
    log.error("one");
    running.change({ level: "info", format: "json" });
    log.info("two");
  `);
  assertEquals(/not this/.test(text), false);
  const lines = text.trimEnd().split("\n");
  assertEquals(lines.length, 2, text);
  assertEquals(lines.map((line) => /one|two/.exec(line)?.[0]), ["one", "two"]);
  assertEquals(JSON.parse(lines[1] ?? "").level, "INFO");
});
