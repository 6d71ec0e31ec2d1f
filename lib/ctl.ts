/** `loadbalancer ctl`: steers a running balancer over its admin port, and shows how it stands. */
import type { AdminCall, AdminClient } from "./admin/client.ts";
import { CLIENT_OPTIONS, EXIT, parseClientArguments, runClient } from "./admin/client_command.ts";
import type { BackendStatus } from "./admin/status.ts";
import { backendLines, summaryLines } from "./admin/status_table.ts";
import type { ReloadAnswer, SteeringAnswer } from "./admin/steering.ts";
import { pause, systemClock } from "./clock.ts";
import { ConfigError, quoted } from "./config_error.ts";
import { complain, harmless, print, stdoutLook } from "./terminal.ts";
import { parseWholeNumber } from "./whole_number.ts";

/** What is answered; each call has its own part of it. */
type Answer = SteeringAnswer & ReloadAnswer;

/** One thing that can be asked for. */
interface Verb {
  /** What stands behind it, for people. */
  readonly operands: readonly string[];
  /** What it does, in one line. */
  readonly help: string;
  /** What is called for it. */
  readonly call: (operands: readonly string[]) => AdminCall;
  /** What is said of the answer; null: it is a status, and shown as a table. */
  readonly tell: ((answer: Answer) => string) | null;
}

/** What was asked for. */
interface CtlOptions {
  readonly verb: Verb;
  readonly call: AdminCall;
  readonly json: boolean;
  readonly wait: boolean;
}

const WAIT_MS = 500;

const VERBS: Readonly<Record<string, Verb>> = {
  status: {
    operands: [],
    help: "how the balancer and its servers stand",
    call: () => ({ path: "/status" }),
    tell: null,
  },
  list: {
    operands: [],
    help: "its servers alone",
    call: () => ({ path: "/status" }),
    tell: null,
  },
  add: {
    operands: ["SERVER"],
    help: "take a server in, such as 10.0.0.3:80,weight=2",
    call: ([server]) => ({ method: "POST", path: "/backends", body: { server } }),
    // Of a name it is not known yet whether there is any server behind it.
    tell: ({ name, left }) =>
      `${name} was added${left === null ? "; its name is looked up, as ctl list tells" : ""}`,
  },
  remove: {
    operands: ["NAME"],
    help: "let a server go: it drains, and is gone after its last connection",
    call: ([name]) => ({ method: "DELETE", path: pathOf(name) }),
    tell: (answer) => `${answer.name} was removed${leftWords(answer)}`,
  },
  drain: {
    operands: ["NAME"],
    help: "send it no new clients; those that it has may finish",
    call: ([name]) => ({ method: "POST", path: pathOf(name, "drain") }),
    tell: (answer) => `${answer.name} is draining${leftWords(answer)}`,
  },
  disable: {
    operands: ["NAME"],
    help: "the same, and check it no more",
    call: ([name]) => ({ method: "POST", path: pathOf(name, "disable") }),
    tell: (answer) => `${answer.name} is disabled${leftWords(answer)}`,
  },
  enable: {
    operands: ["NAME"],
    help: "put it back",
    call: ([name]) => ({ method: "POST", path: pathOf(name, "enable") }),
    tell: (answer) => `${answer.name} is enabled${standing(answer)}`,
  },
  weight: {
    operands: ["NAME", "N"],
    help: "set its share compared with others",
    call: ([name, weight = ""]) => ({
      method: "POST",
      path: pathOf(name, "weight"),
      body: { weight: readWeight(weight) },
    }),
    tell: ({ name, backend }) => `${name} has ${weightWords(backend)}`,
  },
  reload: {
    operands: [],
    help: "read the configuration file again",
    call: () => ({ method: "POST", path: "/reload" }),
    tell: ({ changes }) => `The configuration was read again: ${changes}`,
  },
};

/** Runs a command; resolves to the exit code. */
export async function ctl(args: readonly string[]): Promise<number> {
  return await runClient("ctl", async () => {
    const { operands, switches, connect } = parseClientArguments(args, ["json", "wait"]);
    if (switches.has("help") || operands.length === 0) {
      print(ctlUsage());
      return switches.has("help") ? EXIT.done : EXIT.usage;
    }
    const options = readOptions(operands, switches);
    using client = await connect();
    return await run(client, options);
  });
}

/** The help. */
export function ctlUsage(): string {
  const rows = Object.entries(VERBS).map(([name, { operands, help }]) =>
    [[name, ...operands].join(" "), help] as const
  );
  const options: readonly (readonly [string, string])[] = [
    ...CLIENT_OPTIONS,
    ["--json", "what it answers, for programs"],
    ["--wait", "with drain, disable or remove: end when no connection is left"],
    ["-h, --help", "show this and exit"],
  ];
  const lines = (pairs: readonly (readonly [string, string])[]): string[] =>
    pairs.map(([what, help]) => `  ${what.padEnd(17)}${help}`);
  return [
    "Usage: loadbalancer ctl [OPTIONS] COMMAND",
    "",
    "Looks at a running balancer and steers it, over the port given to it by --admin.",
    "",
    "Commands:",
    ...lines(rows),
    "",
    "Options:",
    ...lines(options),
    "",
    "Exit codes: 0 done, 1 not reached or refused, 2 usage.",
    "",
  ].join("\n");
}

function readOptions(
  [name = "", ...operands]: readonly string[],
  switches: ReadonlySet<string>,
): CtlOptions {
  const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
  if (verb === undefined) {
    throw new ConfigError(quoted(name), `unknown command; expected ${anyOf(Object.keys(VERBS))}`);
  }
  if (operands.length !== verb.operands.length) {
    throw new ConfigError(name, `expected ${["ctl", name, ...verb.operands].join(" ")}`);
  }
  const wait = switches.has("wait");
  const waitable = ["drain", "disable", "remove"];
  if (wait && !waitable.includes(name)) {
    throw new ConfigError("--wait", `expected only with ${anyOf(waitable)}`);
  }
  return { verb, call: verb.call(operands), json: switches.has("json"), wait };
}

async function run(client: AdminClient, options: CtlOptions): Promise<number> {
  const { verb, call, json, wait } = options;
  if (verb.tell === null) return await show(client, { all: verb === VERBS["status"], json });
  const answer = await client.call(call) as unknown as Answer;
  print(json ? written(answer) : `${harmless(verb.tell(answer))}\n`);
  return wait ? await waitFor(client, answer, { json }) : EXIT.done;
}

async function show(
  client: AdminClient,
  { all, json }: { readonly all: boolean; readonly json: boolean },
): Promise<number> {
  const status = await client.status();
  if (json) {
    const { backends, unresolved } = status;
    print(written(all ? status : { backends, unresolved }));
    return EXIT.done;
  }
  const options = { ...stdoutLook(), height: null };
  const summary = all ? [...summaryLines(status, options), ""] : [];
  print([...summary, ...backendLines(status, options), ""].join("\n"));
  return EXIT.done;
}

/** Waits until a server has no connection left. */
async function waitFor(
  client: AdminClient,
  { name, left: first, backend }: SteeringAnswer,
  { json }: { readonly json: boolean },
): Promise<number> {
  if (first === null) {
    complain(`${name} may stand for several servers; wait for each by its address (see ctl list)`);
    return EXIT.failed;
  }
  let told = first;
  for (let now = backend; now !== null && now.inFlight > 0;) {
    await pause(WAIT_MS, systemClock);
    now = await find(client, name);
    if (now?.state === "ready" || now?.state === "down") {
      complain(`${name} was put back meanwhile: it is ${now.state}`);
      return EXIT.failed;
    }
    const count = now?.inFlight ?? 0;
    if (count !== told && !json) print(`${connections(count)} left\n`);
    told = count;
  }
  return EXIT.done;
}

async function find(client: AdminClient, name: string): Promise<BackendStatus | null> {
  const { backends } = await client.status();
  return backends.find((each) => each.name === name) ?? null;
}

function pathOf(name: string | undefined, way?: string): string {
  const path = `/backends/${encodeURIComponent(name ?? "")}`;
  return way === undefined ? path : `${path}/${way}`;
}

function readWeight(text: string): number {
  try {
    return parseWholeNumber(text, { min: 1, max: 1000 });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ConfigError(`weight ${quoted(text)}`, error.message);
  }
}

function weightWords(backend: BackendStatus | null): string {
  return backend === null ? "another weight" : `a weight of ${backend.weight}`;
}

function leftWords({ left }: SteeringAnswer): string {
  return left === null ? "" : `: ${connections(left)} left`;
}

function connections(count: number): string {
  return count === 1 ? "1 connection" : `${count} connections`;
}

function standing({ backend }: SteeringAnswer): string {
  return backend === null ? "" : `: it is ${backend.state}, ${backend.reason}`;
}

function written(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function anyOf(words: readonly string[]): string {
  return words.join(", ").replace(/, (?=[^,]*$)/, " or ");
}
