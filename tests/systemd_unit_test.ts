import type { Given } from "../lib/config.ts";
import { OPTIONS, type Setting, SETTINGS } from "../lib/options.ts";
import { combine } from "../lib/load.ts";
import { parseCommandLine } from "../lib/cli.ts";
import { type Program, systemdUnit } from "../lib/systemd_unit.ts";
import { assert, assertEquals, assertMatch } from "./support/assert.ts";
import { has } from "./support/programs.ts";

const COMPILED: Program = {
  executable: "/usr/local/bin/loadbalancer",
  main: null,
  directory: "/work",
};
const BY_DENO: Program = {
  executable: "/usr/bin/deno",
  main: "/opt/loadbalancer/main.ts",
  directory: "/work",
};

/** The unit for these arguments; a file that they name is not read. */
function unitOf(args: readonly string[], program: Program = COMPILED): string {
  const command = parseCommandLine(args);
  assert("given" in command);
  const { given, configFile } = command;
  const file: Given = { listen: "8080", backends: ["1234"] };
  const config = combine(configFile === null ? given : { ...file, ...given }, null);
  return systemdUnit(args, { loaded: { config, line: given, file: null, configFile }, program });
}

function unit(line: string, program: Program = COMPILED): string {
  return unitOf(line.split(" "), program);
}

/** What a key of the unit is set to; undefined where it is not set. */
function value(text: string, key: string): string | undefined {
  const line = text.split("\n").find((each) => each.startsWith(`${key}=`));
  return line?.slice(key.length + 1);
}

function execStart(args: readonly string[], program: Program = COMPILED): string | undefined {
  return value(unitOf(args, program), "ExecStart");
}

Deno.test("systemdUnit: runs the compiled balancer with the arguments given, but for its switch", () => {
  assertEquals(
    execStart(["8080", "--systemd-unit", "-N", "8", "1234,weight=3", "[::1]:80"]),
    '/usr/local/bin/loadbalancer 8080 -N 8 1234,weight=3 "[::1]:80"',
  );
});

Deno.test("systemdUnit: run by Deno, it names Deno, its permissions and main.ts", () => {
  assertEquals(
    execStart(["8080", "1234", "--systemd-unit"], BY_DENO),
    "/usr/bin/deno run --no-prompt --allow-net /opt/loadbalancer/main.ts 8080 1234",
  );
  const text = unit("8080 1234", BY_DENO);
  assertEquals(value(text, "CacheDirectory"), "loadbalancer");
  assertMatch(value(text, "Environment") ?? "", /^DENO_DIR=\/var\/cache\/loadbalancer /);
  assertEquals(value(unit("8080 1234"), "Environment"), undefined);
});

Deno.test("systemdUnit: the configuration file has its whole path, and leave to be read", () => {
  const spelled = [["--config", "lb.jsonc"], ["--config=lb.jsonc"], [
    "--config",
    "./a/../lb.jsonc",
  ]];
  for (const args of spelled) {
    const given = args.length === 1 ? "--config=/work/lb.jsonc" : "--config /work/lb.jsonc";
    assertEquals(execStart(args), `/usr/local/bin/loadbalancer ${given}`);
  }
  assertEquals(
    execStart(["--config", "/etc/a,b.jsonc"], BY_DENO),
    "/usr/bin/deno run --no-prompt --allow-net --allow-read=/etc/a,,b.jsonc " +
      "/opt/loadbalancer/main.ts --config /etc/a,b.jsonc",
  );
});

Deno.test("systemdUnit: escapes what means something to systemd", () => {
  const escapes = {
    "/100%": "/100%%",
    "/$HOME": "/$$HOME",
    "/${x}%h": '"/$${x}%%h"',
    '/"a"\\': '"/\\"a\\"\\\\"',
    "/;": '"/;"',
    "/'a'": "\"/'a'\"",
    "/#": '"/#"',
  };
  for (const [path, escaped] of Object.entries(escapes)) {
    const args = ["8080", "1234", "--health-path", path];
    assertEquals(
      execStart(args),
      `/usr/local/bin/loadbalancer 8080 1234 --health-path ${escaped}`,
    );
  }
  const key = "with blanks\tand\nlines";
  assertEquals(
    execStart(["8080", "1234", `--sticky-key=${key}`]),
    '/usr/local/bin/loadbalancer 8080 1234 "--sticky-key=with blanks\\x09and\\x0alines"',
  );
});

Deno.test("systemdUnit: in the path of the program a dollar is one", () => {
  const program = { ...COMPILED, executable: "/opt/$a 100%/loadbalancer" };
  assertEquals(
    execStart(["8080", "1234"], program),
    '"/opt/$a 100%%/loadbalancer" 8080 1234',
  );
});

Deno.test("systemdUnit: a capability goes with a port below 1024, and with no other", () => {
  for (const port of ["1", "80", "1023"]) {
    const text = unit(`${port} 1234`);
    assertEquals(value(text, "AmbientCapabilities"), "CAP_NET_BIND_SERVICE", port);
    assertEquals(value(text, "CapabilityBoundingSet"), "CAP_NET_BIND_SERVICE", port);
  }
  for (const port of ["0", "1024", "8080"]) {
    const text = unit(`${port} 1234`);
    assertEquals(value(text, "AmbientCapabilities"), undefined, port);
    assertEquals(value(text, "CapabilityBoundingSet"), "", port);
  }
});

Deno.test("systemdUnit: may stop for as long as the balancer takes to drain", () => {
  assertEquals(value(unit("8080 1234"), "TimeoutStopSec"), "70s");
  assertEquals(value(unit("8080 1234 --drain-timeout 0s"), "TimeoutStopSec"), "40s");
  const drains = SETTINGS.filter(([, { name }]) => name.startsWith("drain-"));
  assert(drains.length > 0);
  // Whatever else is added to a stop has to be waited for as well.
  const before = stopSeconds("8080 1234", drains.map(([setting]) => setting), "0s");
  const after = stopSeconds("8080 1234", drains.map(([setting]) => setting), "7m");
  assertEquals(after - before, drains.length * 420);
});

function stopSeconds(line: string, settings: readonly Setting[], time: string): number {
  const options = settings.map((setting) => `--${OPTIONS[setting].name} ${time}`);
  return parseInt(value(unit([line, ...options].join(" ")), "TimeoutStopSec") ?? "", 10);
}

Deno.test("systemdUnit: has descriptors for all clients, within what a kernel grants", () => {
  assertEquals(value(unit("8080 1234 -N 1000 --queue 5000"), "LimitNOFILE"), "72536");
  assertEquals(value(unit("8080 1234 -N 1000000"), "LimitNOFILE"), "1048576");
});

Deno.test("systemdUnit: what lies in a home directory or in /tmp is pointed out, and not hidden", () => {
  const plain = unit("8080 1234", BY_DENO);
  assertEquals([value(plain, "ProtectHome"), value(plain, "PrivateTmp")], ["yes", "yes"]);
  assertEquals(plain.includes("# CHECK"), false);
  const atHome = unit("8080 1234", { ...BY_DENO, executable: "/root/.deno/bin/deno" });
  assertEquals([value(atHome, "ProtectHome"), value(atHome, "PrivateTmp")], ["read-only", "yes"]);
  assertMatch(atHome, /^# CHECK: "\/root\/\.deno\/bin\/deno" lies in a home directory; /m);
  const inTmp = unit("--config /tmp/lb.jsonc");
  assertEquals([value(inTmp, "ProtectHome"), value(inTmp, "PrivateTmp")], ["yes", "no"]);
  assertMatch(inTmp, /^# CHECK: "\/tmp\/lb\.jsonc" lies among temporary files; /m);
});

Deno.test("systemdUnit: a secret in the command line is pointed out, without being told again", () => {
  const text = unit("8080 1234 --sticky-key sixteen-and-more");
  assertMatch(text, /^# CHECK: --sticky-key stands in the command line/m);
  assertEquals(text.split("sixteen-and-more").length, 2);
});

Deno.test("systemdUnit: leaves writable memory executable, for V8, and says so", () => {
  const text = unit("8080 1234");
  assertEquals(value(text, "MemoryDenyWriteExecute"), undefined);
  assertMatch(text, /^# No MemoryDenyWriteExecute: V8 /m);
});

const isHere = has("systemd-analyze");
const skipped = isHere ? "" : " (skipped: there is no systemd-analyze)";

/** What systemd-analyze says of a unit. */
async function analyze(text: string, ...args: string[]): Promise<{ code: number; said: string }> {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/loadbalancer.service`;
    await Deno.writeTextFile(path, text);
    const { code, stdout, stderr } = await new Deno.Command("systemd-analyze", {
      args: [...args, path],
      env: { SYSTEMD_COLORS: "0", SYSTEMD_PAGER: "" },
    }).output();
    const decoder = new TextDecoder();
    return { code, said: decoder.decode(stderr) + decoder.decode(stdout) };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test(`systemdUnit: systemd-analyze verify has nothing to say against it${skipped}`, {
  ignore: !isHere,
}, async () => {
  // A program that is there: what is verified includes whether it can be run.
  const program = { ...BY_DENO, executable: Deno.execPath() };
  const lines = [
    ["8080", "1234"],
    ["80", "1234", "--config", "lb.jsonc"],
    ["8080", "1234", "--health-path", "/\"%h${x}$y\\;'#", "--sticky-key", "blanks and\nlines too"],
  ];
  for (const args of lines) {
    assertEquals(await analyze(unitOf(args, program), "verify", "--man=no"), { code: 0, said: "" });
  }
});

Deno.test(`systemdUnit: systemd-analyze verify would find a mistake${skipped}`, {
  ignore: !isHere,
}, async () => {
  const text = unit("8080 1234", { ...BY_DENO, executable: Deno.execPath() });
  const { said } = await analyze(text.replace("Type=exec", "Type=exce"), "verify", "--man=no");
  assertMatch(said, /service type/);
});

Deno.test(`systemdUnit: systemd-analyze security finds it hardened${skipped}`, {
  ignore: !isHere,
}, async () => {
  const args = ["security", "--offline=true", "--no-pager", "--threshold=25"];
  const { code, said } = await analyze(unit("80 1234"), ...args);
  assert(code === 0, said);
});
