import { type Config, makeConfig } from "../lib/config.ts";
import { OPTIONS, type Setting } from "../lib/options.ts";
import { ConfigChanges, type Part } from "../lib/config_changes.ts";
import { assertEquals } from "./support/assert.ts";

/** A configuration as typed: options, PORT and servers with blanks between them. */
function config(
  backends: string,
  settings: Readonly<Partial<Record<Setting, string>>> = {},
  listen = "8080",
): Config {
  return makeConfig({ listen, backends: backends.split(" "), settings });
}

function changes(before: Config, after: Config): ConfigChanges {
  return new ConfigChanges(before, after);
}

/** For each setting, a value that is not its default and goes with those of all others. */
const OTHERS: Readonly<Record<Setting, string>> = {
  parallel: "7",
  requests: "7",
  intervalMs: "7s",
  mode: "http",
  policy: "random",
  health: "tcp",
  healthPath: "/other",
  probeTimeoutMs: "7s",
  fall: "7",
  rise: "7",
  resolveMs: "7s",
  ejectAfter: "7",
  slowStartMs: "7s",
  connectTimeoutMs: "7s",
  firstByteTimeoutMs: "7s",
  idleTimeoutMs: "7s",
  headTimeoutMs: "7s",
  keepAliveTimeoutMs: "7s",
  backendKeepAliveMs: "7s",
  trustProxy: "loopback",
  sticky: "other",
  stickyKey: "sixteen letters and more",
  compress: "on",
  lingerTimeoutMs: "7s",
  queueMax: "7",
  queueTimeoutMs: "7s",
  drainDelayMs: "7s",
  drainTimeoutMs: "7s",
  admin: "9000",
  adminToken: "a-token-of-sixteen",
  accessLog: "text",
  logLevel: "error",
  logFormat: "json",
};

Deno.test("ConfigChanges: the same text read twice changes nothing, whatever is set", () => {
  for (const settings of [{}, OTHERS]) {
    const same = changes(config("1 2", settings), config("1 2", settings));
    assertEquals(String(same), "nothing has changed");
    assertEquals([same.listen, same.settings, same.reordered], [false, [], false]);
  }
});

for (const setting of Object.keys(OPTIONS) as Setting[]) {
  Deno.test(`ConfigChanges: sees that --${OPTIONS[setting].name} changes, and that a part goes by it`, () => {
    // Settings on which the default of others depends are the same on both sides.
    const base = { policy: "round-robin", slowStartMs: "1s", idleTimeoutMs: "1s" };
    const found = changes(config("1", base), config("1", { ...base, [setting]: OTHERS[setting] }));
    assertEquals(found.settings, [setting]);
    assertEquals(String(found), `changed --${OPTIONS[setting].name}`);
    const parts: readonly Part[] = [
      "carrier",
      "pool",
      "prober",
      "resolver",
      "stop",
      "log",
      "start",
    ];
    assertEquals(parts.filter((part) => found.concern(part)).length, 1);
  });
}

Deno.test("ConfigChanges: a default that follows from another setting changes with it", () => {
  assertEquals(changes(config("1"), config("1", { mode: "http" })).settings, [
    "mode",
    "idleTimeoutMs",
  ]);
  const explicit = config("1", { mode: "http", idleTimeoutMs: "60s" });
  assertEquals(changes(config("1", { mode: "http" }), explicit).settings, ["idleTimeoutMs"]);
});

Deno.test("ConfigChanges: what changes by the default of another setting is not told as if it were given", () => {
  const mode = changes(config("1"), config("1", { mode: "http" }));
  assertEquals(String(mode), "changed --mode");
  const gone = changes(config("1", { mode: "http", idleTimeoutMs: "1s" }), config("1"));
  assertEquals(String(gone), "changed --mode, --idle-timeout");
});

Deno.test("ConfigChanges: tells servers that come, go, change, and change places", () => {
  const found = changes(config("1 2 3,weight=2 web:4"), config("web:4,max=9 3,weight=2 5 1"));
  assertEquals(found.added, ["127.0.0.1:5"]);
  assertEquals(found.removed, ["127.0.0.1:2"]);
  assertEquals(found.changed, ["web:4"]);
  assertEquals(found.reordered, true);
  assertEquals(
    String(found),
    "added 127.0.0.1:5; removed 127.0.0.1:2; changed web:4; servers in another order",
  );
});

Deno.test("ConfigChanges: the address is PORT, and so are its port and its host", () => {
  for (const listen of ["8081", "127.0.0.1:8080"]) {
    const found = changes(config("1"), config("1", {}, listen));
    assertEquals([found.listen, String(found)], [true, "changed PORT"]);
  }
});

Deno.test("ConfigChanges: of many servers the first ten are named", () => {
  const many = Array.from({ length: 13 }, (_, index) => `${index + 1}`).join(" ");
  const text = String(changes(config("1"), config(many)));
  assertEquals(text.endsWith("127.0.0.1:11 and 2 more"), true, text);
});
