/**
 * Each command that stands in the README is run as it stands there, in a shell, but for its ports and
 * its directory: what is not run here is named, with the test that does.
 */
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { BINARY } from "../support/balancer_process.ts";
import { askOnce, get } from "../support/byte_client.ts";
import { startHttpServer } from "../support/httpserver.ts";
import { deadPort } from "../support/raw_server.ts";
import { has } from "../support/programs.ts";
import { codeBlocksOf, readReadme } from "../support/readme.ts";
import { until } from "../support/until.ts";

const readme = readReadme() ?? "";
const ROOT = new URL("../../", import.meta.url).pathname;
const FILES = { "/": new TextEncoder().encode("hello") };

/** The ports in the README, in the order of first use. */
const PORTS = ["8080", "1234", "5678", "1248", "1249", "9000", "5432"] as const;

/** Commands that are run elsewhere. */
const ELSEWHERE: readonly (readonly [RegExp, string])[] = [
  [/ task demo$/, "tests/demo_test.ts"],
  [/ task test$/, ".ci/run"],
  [/^deno task compile$/, ".ci/compile"],
  [/^systemctl /, "nowhere: it changes the machine"],
];

/** The commands of all shell blocks: lines that end in a backslash go on, comments are left out. */
function commands(): string[] {
  return codeBlocksOf(readme, "sh")
    .flatMap((block) => block.replaceAll(/ *\\\n */g, " ").split("\n"))
    .map((line) => line.replace(/ +#.*$/, "").trim())
    .filter((line) => line !== "" && !ELSEWHERE.some(([pattern]) => pattern.test(line)));
}

/** Other ports for those of the README, so that nothing that runs here is in the way. */
class Ports {
  readonly #ports = new Map<string, number>(PORTS.map((port) => [port, deadPort()]));

  of(port: (typeof PORTS)[number]): number {
    return this.#ports.get(port) ?? 0;
  }

  in(text: string): string {
    const pattern = new RegExp(`(?<![\\d.])(?:${PORTS.join("|")})(?!\\d)`, "g");
    return text.replaceAll(pattern, (port) => String(this.#ports.get(port) ?? port));
  }
}

/** A shell in a directory like that of a clone, with the file that the README shows. */
class Shell implements AsyncDisposable {
  readonly ports = new Ports();
  readonly #directory = Deno.makeTempDirSync();

  constructor() {
    const [config = ""] = codeBlocksOf(readme, "jsonc");
    Deno.writeTextFileSync(`${this.#directory}/lb.jsonc`, this.ports.in(config));
  }

  start(command: string): Deno.ChildProcess {
    const own = this.ports.in(command)
      .replaceAll("main.ts", `${ROOT}main.ts`)
      .replaceAll(/^deno /g, `exec ${Deno.execPath()} `)
      .replaceAll("/etc/loadbalancer.jsonc", "lb.jsonc")
      .replaceAll("/etc/systemd/system/", "");
    return new Deno.Command("sh", {
      args: ["-c", own],
      cwd: this.#directory,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#directory, { recursive: true });
  }
}

interface End {
  readonly code: number;
  readonly said: string;
}

/** Runs a command to its end. */
async function run(shell: Shell, command: string): Promise<End> {
  const { code, stdout, stderr } = await shell.start(command).output();
  const [out, error] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, said: `${out}${error}` };
}

/** Runs a balancer while `meanwhile` runs, and stops it. */
async function serve(
  shell: Shell,
  { command, meanwhile }: { command: string; meanwhile: () => Promise<void> },
): Promise<void> {
  const child = shell.start(command);
  let said = "";
  const reading = (async (): Promise<void> => {
    for await (const bytes of child.stderr) said += new TextDecoder().decode(bytes);
  })();
  try {
    await until(() => said.includes("Serving: "), () => `${command} serves: ${said}`);
    await meanwhile();
  } finally {
    child.kill("SIGTERM");
  }
  const [{ code }] = await Promise.all([child.status, reading, child.stdout.cancel()]);
  assertEquals(code, 0, said);
}

const ignore = BINARY !== undefined || readme === "";
const [steering, starting] = [/^curl |main\.ts (?:ctl|top)\b/, /^deno run .*main\.ts/];

Deno.test("README: each of its commands is run by a test", () => {
  const rest = commands().filter((each) => !steering.test(each) && !starting.test(each));
  assertEquals(rest, []);
  assert(commands().length > 10);
});

for (const command of commands().filter((each) => starting.test(each) && !steering.test(each))) {
  Deno.test(`README: ${command}`, { ignore }, async () => {
    await using shell = new Shell();
    await using first = await startHttpServer({ files: FILES, port: shell.ports.of("1234") });
    await using second = await startHttpServer({ files: FILES, port: shell.ports.of("5678") });
    const isOver = /--check|--systemd-unit/.test(command);
    if (isOver) return assertEquals((await run(shell, command)).code, 0, command);
    await serve(shell, {
      command,
      meanwhile: async () => {
        if (command.includes("5432")) return; // Its servers are nowhere: that it runs is enough.
        const answer = await askOnce(shell.ports.of("8080"), get("/"));
        assertMatch(answer, /^HTTP\/1\.1 200 OK\r\n[\s\S]*hello$/);
      },
    });
    assert(command.includes("5432") || first.requests.length + second.requests.length > 0);
  });
}

Deno.test("README: the calls and commands that steer a balancer, one after the other", {
  ignore: ignore || !has("curl"),
}, async () => {
  await using shell = new Shell();
  const { ports } = shell;
  await using _first = await startHttpServer({ files: FILES, port: ports.of("1234") });
  await using _second = await startHttpServer({ files: FILES, port: ports.of("5678") });
  await using _third = await startHttpServer({ files: FILES, port: ports.of("1248") });
  const [command = ""] = commands().filter((each) => each.includes("--admin"));
  await serve(shell, {
    command,
    meanwhile: async () => {
      for (const each of commands().filter((line) => steering.test(line))) {
        const isCtl = !each.startsWith("curl");
        const own = isCtl
          ? `${each} --admin 9000`
          : each.replace("curl", "curl --fail-with-body -sS");
        const { code, said } = await run(shell, own);
        assertEquals(code, 0, `${each}: ${said}`);
        assert(said.length > 0, each);
      }
    },
  });
});
