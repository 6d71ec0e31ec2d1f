/** What the commands that talk to a running balancer, `ctl` and `top`, have in common. */
// @ts-types="../std_parse_args.d.ts"
import { parseArgs } from "@std/cli/parse-args";
import { type Address, parseAddress } from "../address.ts";
import { ConfigError, quoted } from "../config_error.ts";
import { BalancerError } from "../errors.ts";
import { complain, harmless } from "../terminal.ts";
import { AdminClient } from "./client.ts";

/** What a process of these commands answers with. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const;

/** Where the admin port is looked for by default. */
const ADMIN_DEFAULT = "127.0.0.1:9000";
/** The longest token on standard input, in characters. */
const TOKEN_CHARACTERS_MAX = 4096;

/** The options of each of these commands, for their help. */
export const CLIENT_OPTIONS: readonly (readonly [form: string, help: string])[] = [
  ["--admin ADDRESS", `its admin port, as it was given to it (default ${ADMIN_DEFAULT})`],
  ["--token TEXT", "its --admin-token; -: the first line of standard input, which ps does not see"],
];

/** The arguments of a command. */
export interface ClientArguments {
  /** Those that are no options. */
  readonly operands: readonly string[];
  /** The switches that were given. */
  readonly switches: ReadonlySet<string>;
  /** The admin port of the balancer. Asks for the token where that is on standard input. */
  readonly connect: () => Promise<AdminClient>;
}

/** Reads arguments with these switches, and `--help`. Throws a `ConfigError`. */
export function parseClientArguments(
  args: readonly string[],
  switches: readonly string[],
): ClientArguments {
  const parsed = parseArgs(args.flatMap(spellOut), {
    string: ["_", "admin", "token"],
    boolean: ["help", ...switches],
    alias: { help: "h" },
    unknown: (argument, key) => {
      if (key !== undefined) throw new ConfigError(quoted(argument), "unknown option");
    },
  });
  const { admin = ADMIN_DEFAULT, token } = parsed as { admin?: string; token?: string };
  return {
    operands: parsed._.map(String),
    switches: new Set(["help", ...switches].filter((name) => parsed[name] === true)),
    connect: async () =>
      new AdminClient({ address: readAddress(admin), token: await readToken(token) }),
  };
}

/** Runs a command; what goes wrong is said in one line. Resolves to the exit code. */
export async function runClient(name: string, act: () => Promise<number>): Promise<number> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof ConfigError) {
      complain(`${error.message} (see loadbalancer ${name} --help)`);
      return EXIT.usage;
    }
    if (!(error instanceof BalancerError)) throw error;
    complain(harmless(error.message));
    return EXIT.failed;
  }
}

/** `--token -` as `--token=-`: to the parser a dash alone is an operand. */
function spellOut(argument: string, at: number, args: readonly string[]): string[] {
  if (argument === "--token" && args[at + 1] === "-") return ["--token=-"];
  return argument === "-" && args[at - 1] === "--token" ? [] : [argument];
}

function readAddress(text: string): Address {
  try {
    return parseAddress(text, { defaultHostname: "127.0.0.1", portMin: 1 });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ConfigError(`--admin ${quoted(text)}`, error.message);
  }
}

async function readToken(given: string | undefined): Promise<string | null> {
  const token = given === "-" ? await firstLine() : given ?? null;
  if (token === null || /^[\x21-\x7e]+$/.test(token)) return token;
  throw new ConfigError("--token", "expected characters of ASCII without blanks");
}

/** The first line of standard input. */
async function firstLine(): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(TOKEN_CHARACTERS_MAX);
  let text = "";
  while (!text.includes("\n") && text.length < TOKEN_CHARACTERS_MAX) {
    const length = await Deno.stdin.read(buffer);
    if (length === null) break;
    text += decoder.decode(buffer.subarray(0, length), { stream: true });
  }
  return text.split("\n")[0]?.trim() ?? "";
}
