/** `loadbalancer top`: how a running balancer stands, in the terminal, anew each second. */
import type { AdminClient } from "./admin/client.ts";
import { CLIENT_OPTIONS, EXIT, parseClientArguments, runClient } from "./admin/client_command.ts";
import type { Status } from "./admin/status.ts";
import { backendLines, summaryLines } from "./admin/status_table.ts";
import { systemClock } from "./clock.ts";
import { ConfigError, quoted } from "./config_error.ts";
import { BalancerError } from "./errors.ts";
import { Hangups, StopSignals } from "./signals.ts";
import { cut } from "./table.ts";
import { harmless, print, stdoutLook, terminalSize } from "./terminal.ts";

const EVERY_MS = 1000;
/** The other screen, without a cursor; and back again. */
const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const CLEAR_LINE = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

/** Runs it until it is stopped; resolves to the exit code. */
export async function top(args: readonly string[]): Promise<number> {
  return await runClient("top", async () => {
    const { operands, switches, connect } = parseClientArguments(args, ["once"]);
    if (switches.has("help")) {
      print(topUsage());
      return EXIT.done;
    }
    if (operands.length > 0) {
      throw new ConfigError(quoted(operands[0] ?? ""), "unexpected; expected options only");
    }
    using client = await connect();
    const once = switches.has("once") || !Deno.stdout.isTerminal();
    return once ? await showOnce(client) : await watch(client);
  });
}

/** The help. */
export function topUsage(): string {
  const options = [
    ...CLIENT_OPTIONS,
    ["--once", "show it once"],
    ["-h, --help", "show this and exit"],
  ] as const;
  return [
    "Usage: loadbalancer top [OPTIONS]",
    "",
    "Shows how a running balancer stands, anew each second, until Ctrl-C; over the port given to it",
    "by --admin. Without a terminal it shows it once.",
    "",
    "Options:",
    ...options.map(([form, help]) => `  ${form.padEnd(17)}${help}`),
    "",
  ].join("\n");
}

async function showOnce(client: AdminClient): Promise<number> {
  const status = await client.status();
  const options = { ...stdoutLook(), height: null };
  print([...summaryLines(status, options), "", ...backendLines(status, options), ""].join("\n"));
  return EXIT.done;
}

async function watch(client: AdminClient): Promise<number> {
  using signals = new StopSignals();
  let stopped = false;
  const hungUp = Promise.withResolvers<void>();
  using hangups = new Hangups(); // Else it would end without giving the screen back.
  hangups.answer(hungUp.resolve);
  const stop = Promise.race([signals.first, hungUp.promise]).then(() => {
    stopped = true;
  });
  let seen: Status | null = null;
  print(ENTER);
  try {
    while (!stopped) {
      let trouble: string | null = null;
      const asked = client.status().then((status) => {
        seen = status;
      }, (error) => {
        if (!(error instanceof BalancerError)) throw error;
        trouble = error.message;
      });
      await Promise.race([asked, stop]);
      if (stopped || !print(frame(seen, trouble))) break;
      await restOrStop(stop);
    }
  } finally {
    print(LEAVE);
  }
  return EXIT.done;
}

/** Waits for the next look, or for the end. */
async function restOrStop(stop: Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = systemClock.after(EVERY_MS, resolve);
  await Promise.race([promise, stop]);
  cancel();
}

/** One picture, no larger than the screen. */
function frame(seen: Status | null, trouble: string | null): string {
  const { columns: width, rows } = terminalSize();
  const look = { width, colour: !Deno.noColor };
  const news = trouble === null ? [] : [cut(harmless(`${trouble}; it is tried again`), width)];
  const above = seen === null
    ? news
    : [...news, ...summaryLines(seen, { ...look, height: null }), ""];
  const height = rows - above.length;
  const below = seen === null ? [] : backendLines(seen, { ...look, height });
  const shown = [...above, ...below].slice(0, rows);
  const picture = shown.map((line) => `${line}${CLEAR_LINE}`).join("\r\n");
  return `${HOME}${picture}${CLEAR_BELOW}`;
}
