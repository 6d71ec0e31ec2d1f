/** The configuration file and the switches about it, with the program as users run it. */
import { ConfigFileError } from "../../lib/config_file/error.ts";
import { jsonSchema, parseConfigFile } from "../../lib/config_file/mod.ts";
import { makeConfig } from "../../lib/config.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "../support/assert.ts";
import {
  BalancerProcess,
  BINARY,
  type ProcessEnd,
  type ProcessOptions,
} from "../support/balancer_process.ts";
import { askOnce, get } from "../support/byte_client.ts";
import { FILES } from "../support/http_clients.ts";
import { type HttpServer, startHttpServer } from "../support/httpserver.ts";
import { areValid, hasJsonSchema } from "../support/json_schema.ts";
import { has } from "../support/programs.ts";
import { codeBlockUnder, NO_README, readReadme } from "../support/readme.ts";
import { until } from "../support/until.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
/** A compiled balancer has its permissions compiled in. */
const ignore = BINARY !== undefined;

async function runToEnd(
  args: readonly string[],
  options: ProcessOptions = {},
): Promise<ProcessEnd> {
  await using process = new BalancerProcess(args, options);
  return await process.end();
}

function server(): Promise<HttpServer> {
  return startHttpServer({ files: FILES });
}

/** A file with that text, while the other function runs. */
async function withFile(text: string, use: (path: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/lb.jsonc`;
    await Deno.writeTextFile(path, text);
    await use(path);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function reading(path: string): ProcessOptions {
  return { permissions: ["--allow-net", `--allow-read=${path}`] };
}

function end(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGTERM");
  } catch {
    // It has ended already.
  }
}

/** Does it serve what the backend has? */
async function assertServes(process: BalancerProcess): Promise<void> {
  const port = await process.port();
  await process.says(/Serving: 1 of 1 servers ready/);
  assertStringIncludes(await askOnce(port, get("/a.txt")), "alpha");
  process.kill("SIGTERM");
  assertEquals((await process.end()).code, 0);
}

Deno.test("program: serves what a file says, with leave to read that file alone", async () => {
  await using backend = await server();
  const text = `{ "listen": 0, "servers": [${backend.port}], /* few */ "parallel": 3, }`;
  await withFile(text, async (path) => {
    await using process = new BalancerProcess(["--config", path], reading(path));
    await assertServes(process);
    assertMatch(process.stderr, /bridge mode, least-entries, 3 bridges/);
  });
});

Deno.test("program: serves what standard input says, without a permission for it", async () => {
  await using backend = await server();
  const stdin = JSON.stringify({ listen: 0, servers: [{ address: backend.port }], parallel: 3 });
  await using process = new BalancerProcess(["--config", "-", "-N5"], { stdin });
  await assertServes(process);
  assertMatch(process.stderr, /bridge mode, least-entries, 5 bridges/);
});

Deno.test(
  "program: a file that may not be read is named with the flag, exit 1",
  { ignore },
  () =>
    withFile("{}", async (path) => {
      assertEquals(await runToEnd(["--config", path]), {
        code: 1,
        stdout: "",
        stderr: `loadbalancer: Cannot read ${path}: not allowed by Deno ` +
          `(run with --allow-read=${path})\n`,
      });
    }),
);

Deno.test("program: a file that is not there is named, exit 1", async () => {
  const path = "/nowhere/lb.jsonc";
  const { code, stderr } = await runToEnd(["--config", path], reading(path));
  assertEquals([code, stderr], [1, `loadbalancer: Cannot read ${path}: there is no such file\n`]);
});

const scriptIsHere = has("script");

Deno.test(
  `program: at a terminal too, nobody is asked for a permission${
    scriptIsHere ? "" : " (skipped: there is no script)"
  }`,
  { ignore: ignore || !scriptIsHere },
  () =>
    withFile("{}", async (path) => {
      // util-linux's script runs it at a terminal, from which nothing comes.
      const command = `${Deno.execPath()} run --allow-net ${MAIN} --config ${path}`;
      const child = new Deno.Command("script", {
        args: ["--quiet", "--return", "--command", command, "/dev/null"],
        stdin: "piped",
        stdout: "piped",
        stderr: "null",
      }).spawn();
      let said = "";
      const read = (async () => {
        for await (const bytes of child.stdout) said += new TextDecoder().decode(bytes);
      })();
      try {
        await until(() => /Deno requests|run with/.test(said), () =>
          `it says what is missing: ${said}`);
        assertStringIncludes(said, `(run with --allow-read=${path})`);
      } finally {
        await child.stdin.close();
        end(child);
        await Promise.all([child.status, read]);
      }
    }),
);

const WRONG = '{\n  "intervall": "3s",\n  "queue": -1,\n}';

Deno.test("program: a wrong file is told line by line, exit 2, and 1 with --check", () =>
  withFile(WRONG, async (path) => {
    const stderr =
      `loadbalancer: ${path}:2:3: "intervall": unknown key; did you mean "interval"?\n` +
      `loadbalancer: ${path}:3:12: queue -1: expected a whole number from 0 to 100000\n`;
    const args = ["--config", path, "0", "1234"];
    assertEquals(await runToEnd(args, reading(path)), { code: 2, stdout: "", stderr });
    args.push("--check");
    assertEquals(await runToEnd(args, reading(path)), { code: 1, stdout: "", stderr });
  }));

Deno.test("program: --check says what would run, exit 0, without any permission or port", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const listen = `127.0.0.1:${taken.addr.port}`;
  const stdin = JSON.stringify({ listen, servers: ["web.invalid:80"], mode: "tcp" });
  const { code, stdout, stderr } = await runToEnd(["--check", "--config", "-", "--rise", "2"], {
    stdin,
    permissions: [],
  });
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, new RegExp(`^  listen +${listen} +standard input$`, "m"));
  assertMatch(stdout, /^ {2}servers +web\.invalid:80 +standard input$/m);
  assertMatch(stdout, /^ {2}mode +tcp +standard input$/m);
  assertMatch(stdout, /^ {2}rise +2 +command line$/m);
});

Deno.test("program: --check of a wrong command line says why, exit 1", async () => {
  const { code, stdout, stderr } = await runToEnd(["8080", "1234", "--check", "--wat"]);
  assertEquals([code, stdout], [1, ""]);
  assertEquals(stderr, "loadbalancer: --wat: unknown option (see --help)\n");
});

Deno.test("program: --config-schema goes to stdout, without any permission", async () => {
  const end = await runToEnd(["--config-schema"], { permissions: [] });
  assertEquals(end, { code: 0, stdout: jsonSchema(), stderr: "" });
});

Deno.test("program: the command line in the unit that --systemd-unit prints serves", async () => {
  await using backend = await server();
  const text = JSON.stringify({ listen: 0, servers: [backend.port] });
  await withFile(text, async (path) => {
    const permissions = ["--allow-net", "--allow-read"];
    const { code, stdout, stderr } = await runToEnd(["--config", path, "--systemd-unit"], {
      permissions,
    });
    assertEquals([code, stderr], [0, ""]);
    const command = /^ExecStart=(.*)$/m.exec(stdout)?.[1] ?? "";
    const [executable = "", ...args] = command.split(" "); // There is nothing that is escaped.
    const child = new Deno.Command(executable, {
      args,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    let said = "";
    const read = (async () => {
      for await (const bytes of child.stderr) said += new TextDecoder().decode(bytes);
    })();
    try {
      await until(() => said.includes("Serving: 1 of 1 servers ready"), () => `it serves: ${said}`);
    } finally {
      child.kill("SIGTERM");
      await Promise.all([child.status, read]);
    }
  });
});

const readme = readReadme();
const skipped = readme === null ? ` (${NO_README})` : "";

function example(): string {
  return codeBlockUnder(readme ?? "", "Configuration file").join("\n");
}

Deno.test(`README: its example of a configuration file is one that is served${skipped}`, {
  ignore: readme === null,
}, async () => {
  const { given } = parseConfigFile(example(), "README.md");
  assert(given.listen !== undefined && given.backends !== undefined);
  makeConfig({ ...given, listen: given.listen, backends: given.backends });
  await using backend = await server();
  // Its ports may be taken here, and the server here has nothing at its path.
  const instead = ["0", `${backend.port}`, "--health-path", "/a.txt"];
  await using process = new BalancerProcess(["--config", "-", ...instead], { stdin: example() });
  await assertServes(process);
  assertMatch(process.stderr, /http mode, least-connections/);
});

Deno.test(`README: what it shows of a wrong file is what is said${skipped}`, {
  ignore: readme === null,
}, () => {
  const error = assertThrows(() => parseConfigFile(WRONG, "lb.jsonc"), ConfigFileError);
  const said = error.message.split("\n").map((line) => `loadbalancer: ${line}\n`).join("");
  assertStringIncludes(readme ?? "", `\n${said}`);
});

const isHere = hasJsonSchema();

Deno.test(
  `README: its example of a configuration file is valid${
    isHere ? skipped : " (skipped: python3 has no jsonschema)"
  }`,
  { ignore: readme === null || !isHere },
  async () => {
    const { Jsonc } = await import("../../lib/config_file/jsonc.ts");
    const { value } = new Jsonc(example());
    assertEquals(await areValid(JSON.parse(jsonSchema()), [value]), [true]);
  },
);

/** What is loaded with a module, by `deno info`; what is imported while it runs is not. */
interface Graph {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly code?: { readonly specifier: string };
      readonly isDynamic?: boolean;
      readonly specifier: string;
    }[];
  }[];
}

Deno.test("program: without a configuration file, nothing of what reads one is loaded", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", MAIN],
    stderr: "null",
  }).output();
  const { modules }: Graph = JSON.parse(new TextDecoder().decode(stdout));
  const loaded = new Set<string>();
  const visit = (specifier: string): void => {
    if (loaded.has(specifier)) return;
    loaded.add(specifier);
    const found = modules.find((each) => each.specifier === specifier);
    for (const { code, isDynamic } of found?.dependencies ?? []) {
      if (code !== undefined && isDynamic !== true) visit(code.specifier);
    }
  };
  // main.ts loads the program in any case, but only once SIGHUP is held.
  for (const each of ["main.ts", "lib/program.ts"]) {
    visit(new URL(`../../${each}`, import.meta.url).href);
  }
  const names = [...loaded];
  assert(names.some((name) => name.endsWith("lib/load.ts")), "the graph is read");
  assertEquals(names.filter((name) => /zod|jsonc|config_file\/(mod|schema)/.test(name)), []);
});
