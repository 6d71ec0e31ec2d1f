import { checkReport } from "../lib/check.ts";
import { parseConfigFile } from "../lib/config_file/mod.ts";
import { parseCommandLine } from "../lib/cli.ts";
import { combine } from "../lib/load.ts";
import { assert, assertEquals } from "./support/assert.ts";

/** The report for a command line, and a file where there is one. */
function report(line: string, content: unknown = null): string {
  const command = parseCommandLine(line.split(" "));
  assert("given" in command);
  const file = content === null ? null : parseConfigFile(JSON.stringify(content), "lb.jsonc");
  const { given, configFile } = command;
  return checkReport({ config: combine(given, file), line: given, file, configFile });
}

Deno.test("checkReport: tells where it listens, the servers, the mode and the policy", () => {
  assertEquals(
    report("8080 1234"),
    `\
This would run:
  listen   [::]:8080       command line
  servers  127.0.0.1:1234  command line
  mode     bridge          default
  policy   least-entries   default
Everything else has its default (see --help).
`,
  );
});

Deno.test("checkReport: tells of each setting where it comes from", () => {
  const content = {
    listen: "127.0.0.1:80",
    servers: [1, { address: "web:80", weight: 3, max: 9, backup: true }],
    mode: "http",
    parallel: 5,
    compress: true,
    "trust-proxy": ["loopback", "private"],
  };
  assertEquals(
    report("90 -N8 --config lb.jsonc --rise 2", content),
    `\
This would run:
  listen       [::]:90                       command line
  servers      127.0.0.1:1                   lb.jsonc
               web:80,weight=3,max=9,backup  lb.jsonc
  parallel     8                             command line, in place of 5 in lb.jsonc
  mode         http                          lb.jsonc
  policy       least-entries                 default
  rise         2                             command line
  trust-proxy  loopback,private              lb.jsonc
  compress     on                            lb.jsonc
Everything else has its default (see --help).
`,
  );
});

Deno.test("checkReport: the policy that follows from the health checks is a default", () => {
  assert(report("8080 1234 --health tcp").includes("policy   round-robin     default\n"));
});

Deno.test("checkReport: shows no secret, wherever it was given", () => {
  const [line, file] = ["secret-of-the-line", "secret-of-the-file"];
  const text = report(`8080 1234 --sticky-key ${line}`, { "sticky-key": file });
  assertEquals([text.includes(line), text.includes(file)], [false, false]);
  assert(
    text.includes("(not shown)     command line, in place of (not shown) in lb.jsonc"),
    text,
  );
});
