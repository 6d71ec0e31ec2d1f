/** The command, as a program of its own without any permission. */
import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { SCENARIOS } from "./scenarios.ts";
import { simulateAll } from "./simulate.ts";
import { markdownTables, terminalTables } from "./tables.ts";

const PROGRAM = new URL("simulate.ts", import.meta.url).pathname;
const SHORT = ["--scenario", "failing", "--seconds", "10", "--seed", "7"];

/** Runs it to its end. */
async function run(...args: string[]): Promise<{ code: number; out: string; log: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--frozen", "--no-prompt", PROGRAM, ...args],
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), log: decoder.decode(stderr) };
}

Deno.test("simulate: prints what was asked for, the same in every process", async () => {
  const scenarios = SCENARIOS.filter(({ name }) => name === "failing");
  const all = await simulateAll({ scenarios, seconds: 10, seed: 7 });
  assertEquals(await run(...SHORT), { code: 0, out: terminalTables(all), log: "" });
  assertEquals((await run(...SHORT, "--markdown")).out, markdownTables(all));
});

Deno.test("simulate: help names every option and scenario", async () => {
  const { code, out } = await run("--help");
  assertEquals(code, 0);
  const options = ["--scenario", "--seconds", "--seed", "--markdown"];
  for (const word of [...options, ...SCENARIOS.map(({ name }) => name)]) {
    assertStringIncludes(out, word);
  }
});

Deno.test("simulate: wrong usage names the argument and ends with 2", async () => {
  for (const args of [["--seed", "x"], ["--seconds", "9"], ["--scenario", "x"], ["--speed", "1"]]) {
    const { code, out, log } = await run(...args);
    assertEquals([code, out], [2, ""], args.join(" "));
    assertMatch(log, new RegExp(`^simulate: .*${args[0]}.*\nTry: deno task simulate --help\n$`));
  }
});
