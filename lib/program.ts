/** The program: command line to exit code. What `main.ts` runs. */
import denoJson from "../deno.json" with { type: "json" };
import { checkReport } from "./check.ts";
import { asksToCheck, usage } from "./cli.ts";
import { ConfigError } from "./config_error.ts";
import type { Config } from "./config.ts";
import { ConfigFileError } from "./config_file/error.ts";
import { BalancerError } from "./errors.ts";
import { type Command, load } from "./load.ts";
import { serve } from "./service.ts";
import type { Hangups } from "./signals.ts";
import { type Program, systemdUnit } from "./systemd_unit.ts";
import { complain, print } from "./terminal.ts";

/** What the process answers with. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** Runs until it is stopped. Resolves to the exit code. Hangups end `ctl` and `top`. */
export async function run(args: readonly string[], hangups: Hangups): Promise<number> {
  try {
    const [word, ...rest] = args;
    if (word === "ctl" || word === "top") hangups[Symbol.dispose]();
    if (word === "ctl") return await (await import("./ctl.ts")).ctl(rest);
    if (word === "top") return await (await import("./top.ts")).top(rest);
    return await obey(await load(args), { args, hangups });
  } catch (error) {
    const wrong = asksToCheck(args) ? EXIT.failed : EXIT.usage;
    if (error instanceof ConfigFileError) return fail(error.message, wrong);
    if (error instanceof ConfigError) return fail(`${error.message} (see --help)`, wrong);
    if (error instanceof BalancerError) return fail(error.message, EXIT.failed);
    throw error;
  }
}

async function obey(
  command: Command,
  { args, hangups }: { readonly args: readonly string[]; readonly hangups: Hangups },
): Promise<number> {
  switch (command.kind) {
    case "help":
      return tell(usage());
    case "version":
      return tell(`loadbalancer ${denoJson.version}\n`);
    case "config-schema":
      return tell(command.schema);
    case "check":
      return tell(checkReport(command.loaded));
    case "systemd-unit":
      return tell(systemdUnit(args, { loaded: command.loaded, program: thisProgram() }));
    case "serve":
      await serve(command.loaded.config, { loadAgain: () => loadConfig(args), hangups });
      return EXIT.ok;
  }
}

/** The same arguments asked to serve once, and do so again. */
async function loadConfig(args: readonly string[]): Promise<Config> {
  const command = await load(args);
  if (command.kind === "serve") return command.loaded.config;
  throw new ConfigError(`--${command.kind}`, "there is nothing to serve; expected PORT SERVER...");
}

function thisProgram(): Program {
  const main = new URL("../main.ts", import.meta.url);
  const path = main.protocol === "file:" ? decodeURIComponent(main.pathname) : main.href;
  return {
    executable: Deno.execPath(),
    main: Deno.build.standalone ? null : path,
    directory: Deno.cwd(),
  };
}

function tell(text: string): number {
  print(text);
  return EXIT.ok;
}

function fail(text: string, exitCode: number): number {
  complain(text);
  return exitCode;
}
