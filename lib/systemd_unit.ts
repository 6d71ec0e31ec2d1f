/**
 * What `--systemd-unit` prints: a unit that runs this very command line, with as few rights as it can
 * do with. Pure. Sources: systemd.service(5), systemd.exec(5), systemd.syntax(7).
 */
import { endOfOptions } from "./cli.ts";
import { quoted } from "./config_error.ts";
import type { Config } from "./config.ts";
import { SETTINGS } from "./options.ts";
import { allowRead } from "./config_file/text.ts";
import type { Loaded } from "./load.ts";

/** The program that runs, in absolute paths. */
export interface Program {
  /** The executable: the compiled balancer, or Deno. */
  readonly executable: string;
  /** What Deno runs: `main.ts`, as a path or an address; null where the balancer is compiled. */
  readonly main: string | null;
  /** Where it was called, from which other paths are told. */
  readonly directory: string;
}

/** Descriptors for idle clients and connections, for which there is no bound to go by. */
const IDLE_FILES = 65_536;
/** The most that a kernel grants as it comes (fs.nr_open); with more the service would not start. */
const FILES_MAX = 1_048_576;
/** What a stop may take beyond those times, in seconds: most of it for the last lines of the logs. */
const STOP_MARGIN_S = 40;
/** Ports below this one are the system's. */
const PRIVILEGED_PORTS = 1024;
const NAME = "loadbalancer";
/** What ProtectHome=yes hides. */
const HOMES = ["/home/", "/root/", "/run/user/"];
/** What PrivateTmp=yes hides. */
const TEMPORARY = ["/tmp/", "/var/tmp/"];

/** The unit for that command line, of which `loaded` came. `--config` must not be `-`. */
export function systemdUnit(
  args: readonly string[],
  { loaded, program }: { readonly loaded: Loaded; readonly program: Program },
): string {
  const { config } = loaded;
  const configFile = loaded.configFile === null
    ? null
    : absolute(loaded.configFile, program.directory);
  const paths = [program.executable, program.main, configFile].filter((path) => path !== null);
  const command = [...invocation(program, configFile), ...serving(args, configFile)];
  const ports = [config.listen, ...config.admin === null ? [] : [config.admin]]
    .map(({ port }) => port)
    .filter((port) => port > 0 && port < PRIVILEGED_PORTS);
  const isPrivileged = ports.length > 0;
  return [
    `# systemd unit of loadbalancer, printed by --systemd-unit: /etc/systemd/system/${NAME}.service`,
    ...notes(loaded, { paths, configFile }),
    "[Unit]",
    "Description=loadbalancer",
    "Wants=network-online.target",
    "After=network-online.target",
    "# However often it fails, it is started again.",
    "StartLimitIntervalSec=0",
    "",
    "[Service]",
    "Type=exec",
    `ExecStart=${command.map((word, at) => escaped(word, at === 0)).join(" ")}`,
    "ExecReload=/bin/kill -HUP $MAINPID",
    "Restart=on-failure",
    "RestartSec=1s",
    "# A wrong command line or configuration does not mend itself.",
    "RestartPreventExitStatus=2",
    "KillSignal=SIGTERM",
    `TimeoutStopSec=${stopSeconds(config)}s`,
    `LimitNOFILE=${files(config)}`,
    ...denoDirectory(program),
    "",
    "# Nobody's rights, nobody's files.",
    "DynamicUser=yes",
    "UMask=0077",
    "NoNewPrivileges=yes",
    `CapabilityBoundingSet=${isPrivileged ? "CAP_NET_BIND_SERVICE" : ""}`,
    ...(isPrivileged
      ? [
        `# A port below ${PRIVILEGED_PORTS} is privileged: ${ports.join(", ")}.`,
        "AmbientCapabilities=CAP_NET_BIND_SERVICE",
      ]
      : []),
    "ProtectSystem=strict",
    `ProtectHome=${liesIn(paths, HOMES).length > 0 ? "read-only" : "yes"}`,
    `PrivateTmp=${liesIn(paths, TEMPORARY).length > 0 ? "no" : "yes"}`,
    ...HARDENING,
    "",
    "[Install]",
    "WantedBy=multi-user.target",
    "",
  ].join("\n");
}

const HARDENING = [
  "PrivateDevices=yes",
  "ProtectClock=yes",
  "ProtectControlGroups=yes",
  "ProtectHostname=yes",
  "ProtectKernelLogs=yes",
  "ProtectKernelModules=yes",
  "ProtectKernelTunables=yes",
  "ProtectProc=invisible",
  "LockPersonality=yes",
  "RemoveIPC=yes",
  "RestrictNamespaces=yes",
  "RestrictRealtime=yes",
  "RestrictSUIDSGID=yes",
  "# AF_UNIX and AF_NETLINK are what the system looks names up by.",
  "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
  "SystemCallArchitectures=native",
  "SystemCallFilter=@system-service",
  "# An error in place of the end: V8 asks for memory protection keys, and goes on without them.",
  "SystemCallErrorNumber=EPERM",
  "# No MemoryDenyWriteExecute: V8 compiles JavaScript to machine code while it runs.",
];

/** Deno keeps the packages and compiled code there; at the first start it fetches the packages. */
function denoDirectory({ main }: Program): string[] {
  if (main === null) return [];
  return [
    `CacheDirectory=${NAME}`,
    `Environment=DENO_DIR=/var/cache/${NAME} DENO_NO_UPDATE_CHECK=1`,
  ];
}

/** What whoever installs the unit has to know. */
function notes(
  { line }: Loaded,
  { paths, configFile }: { readonly paths: readonly string[]; readonly configFile: string | null },
): string[] {
  const hidden = [
    ...liesIn(paths, HOMES).map((path) => [path, "lies in a home directory"]),
    ...liesIn(paths, TEMPORARY).map((path) => [path, "lies among temporary files"]),
  ].map(([path = "", where]) =>
    `# CHECK: ${quoted(path)} ${where}; the service's user may not be able to read it there. ` +
    "Better move it, to /usr/local or /etc, and print this unit again."
  );
  const secrets = SETTINGS.filter(([setting, { secret }]) =>
    secret === true && line.settings?.[setting] !== undefined
  ).map(([, { name }]) =>
    `# CHECK: --${name} stands in the command line, where all users of this machine can read it. ` +
    "Better put it into the configuration file."
  );
  const readable = configFile === null ? [] : [
    `# The service's user, who is nobody in particular, has to be able to read ${
      quoted(configFile)
    }.`,
  ];
  return [...hidden, ...secrets, ...readable];
}

function liesIn(paths: readonly string[], directories: readonly string[]): string[] {
  return paths.filter((path) => directories.some((directory) => path.startsWith(directory)));
}

function invocation({ executable, main }: Program, configFile: string | null): string[] {
  if (main === null) return [executable];
  const read = configFile === null ? [] : [allowRead(configFile)];
  return [executable, "run", "--no-prompt", "--allow-net", ...read, main];
}

/** The arguments without the switch that asked for a unit, and with the file where it really is. */
function serving(args: readonly string[], configFile: string | null): string[] {
  const end = endOfOptions(args);
  const options = args.slice(0, end).filter((each) => !/^--systemd-unit(?:=|$)/.test(each));
  const named = options.map((each, at) => {
    if (configFile === null) return each;
    if (options[at - 1] === "--config") return configFile;
    return each.startsWith("--config=") ? `--config=${configFile}` : each;
  });
  return [...named, ...args.slice(end)];
}

function absolute(path: string, directory: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${directory}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** As long as a stop may take: what the balancer waits for, and a margin. */
function stopSeconds(config: Config): number {
  return Math.ceil((config.drainDelayMs + config.drainTimeoutMs) / 1000) + STOP_MARGIN_S;
}

/** Each client that is carried has two connections, each that waits has one. */
function files({ parallel, queueMax }: Config): number {
  return Math.min(2 * parallel + queueMax + IDLE_FILES, FILES_MAX);
}

/**
 * A word of ExecStart. `%` begins a specifier everywhere, `$` a variable in all words but the first,
 * which is the program.
 */
function escaped(word: string, isProgram: boolean): string {
  const doubled = word.replaceAll("%", "%%");
  const literal = isProgram ? doubled : doubled.replaceAll("$", "$$$$");
  if (/^[\w%$+=:,./@-]+$/.test(literal)) return literal;
  const escapes = literal
    .replaceAll(/["\\]/g, "\\$&")
    .replaceAll(/\p{Cc}/gu, (each) => `\\x${each.charCodeAt(0).toString(16).padStart(2, "0")}`);
  return `"${escapes}"`;
}
