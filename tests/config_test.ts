import { ConfigError } from "../lib/config_error.ts";
import { type Config, type ConfigSource, makeConfig } from "../lib/config.ts";
import { type Option, optionName, OPTIONS, type Setting, SETTINGS } from "../lib/options.ts";
import { assert, assertEquals, assertThrows } from "./support/assert.ts";

/** The smallest source that will do, with changes. */
function source(change: Partial<ConfigSource> = {}): ConfigSource {
  return { listen: "8080", backends: ["1234"], ...change };
}

function withSetting(setting: Setting, text: string): Config {
  return makeConfig(source({ settings: { [setting]: text } }));
}

/** What the error says of that setting; fails if there is none. */
function complaint(setting: Setting, text: string): string {
  return assertThrows(
    () => withSetting(setting, text),
    ConfigError,
    "",
    `${setting} ${JSON.stringify(text)} was taken`,
  ).message;
}

function backendsComplaint(listen: string, ...backends: string[]): string {
  return assertThrows(() => makeConfig({ listen, backends }), ConfigError).message;
}

Deno.test("makeConfig: without settings, everything has the default that is documented", () => {
  const { trustProxy, given, ...config } = makeConfig(source());
  assertEquals(given.size, 0);
  assertEquals(trustProxy.isTrusted("127.0.0.1"), false);
  assertEquals(config, {
    listen: { hostname: "::", port: 8080 },
    backends: [{
      address: { hostname: "127.0.0.1", port: 1234 },
      weight: 1,
      max: Infinity,
      backup: false,
    }],
    parallel: 1024,
    requests: 100,
    intervalMs: 3000,
    mode: "bridge",
    policy: "least-entries",
    health: "entries",
    healthPath: "/healthcheck",
    probeTimeoutMs: 2000,
    fall: 2,
    rise: 1,
    resolveMs: 30_000,
    ejectAfter: 5,
    slowStartMs: 10_000,
    connectTimeoutMs: 3000,
    firstByteTimeoutMs: 60_000,
    idleTimeoutMs: 600_000,
    upgradedIdleTimeoutMs: 600_000,
    headTimeoutMs: 10_000,
    keepAliveTimeoutMs: 60_000,
    backendKeepAliveMs: 4000,
    sticky: null,
    stickyKey: null,
    compress: "off",
    admin: null,
    adminToken: null,
    lingerTimeoutMs: 5000,
    queueMax: 10_000,
    queueTimeoutMs: 30_000,
    drainDelayMs: 0,
    drainTimeoutMs: 30_000,
    accessLog: "off",
    logLevel: "info",
    logFormat: "text",
  });
});

Deno.test("OPTIONS: each default can be typed, and setting it changes nothing", () => {
  const { given: none, ...defaults } = makeConfig(source());
  assertEquals([...none], []);
  for (const [setting, option] of Object.entries(OPTIONS) as [Setting, Option<unknown>][]) {
    if (option.default === "") continue;
    const { given, ...config } = withSetting(setting, option.default);
    assertEquals([[...given], config], [[setting], defaults]);
  }
});

Deno.test("OPTIONS: names and letters are unique, and every help is one line", () => {
  const options: Option<unknown>[] = Object.values(OPTIONS);
  const names = options.flatMap(({ name, letter }) =>
    letter === undefined ? [name] : [name, letter]
  );
  assertEquals(new Set(names).size, names.length);
  for (const { name, help } of options) {
    assert(/^[a-z]+(-[a-z]+)*$/.test(name), name);
    assert(help.length > 0 && !/[\n|]/.test(help), `${name}: its help breaks the README's table`);
  }
});

Deno.test("OPTIONS: what is a key or a token is never printed", () => {
  const secrets = SETTINGS.filter(([, { name }]) => /(?:^|-)(?:key|token|password)$/.test(name));
  assert(secrets.length > 0);
  for (const [, { name, secret }] of secrets) assertEquals(secret, true, name);
  assertEquals(complaint("stickyKey", "hushhush"), "--sticky-key: expected at least 16 characters");
});

const COUNTS: readonly (readonly [Setting, number, number])[] = [
  ["parallel", 1, 1_000_000],
  ["requests", 0, 1_000_000_000],
  ["fall", 1, 100],
  ["rise", 1, 100],
  ["queueMax", 0, 100_000],
];

for (const [setting, min, max] of COUNTS) {
  Deno.test(`makeConfig: ${setting} is a whole number from ${min} to ${max}`, () => {
    assertEquals(withSetting(setting, `${min}`)[setting], min);
    assertEquals(withSetting(setting, `${max}`)[setting], max);
    const wrong = [
      `${min - 1}`,
      `${max + 1}`,
      "",
      "x",
      "1.5",
      "1e1",
      "0x1",
      "+1",
      " 1",
      "9".repeat(99),
    ];
    for (const text of wrong) {
      const message = complaint(setting, text);
      assert(message.endsWith(`: expected a whole number from ${min} to ${max}`), message);
      assert(message.startsWith(optionName(OPTIONS[setting])), message);
    }
  });
}

const DURATIONS: readonly (readonly [Setting, number])[] = [
  ["intervalMs", 100],
  ["probeTimeoutMs", 10],
  ["resolveMs", 1000],
  ["connectTimeoutMs", 10],
  ["firstByteTimeoutMs", 10],
  ["idleTimeoutMs", 100],
  ["lingerTimeoutMs", 100],
  ["queueTimeoutMs", 10],
  ["drainTimeoutMs", 0],
];

for (const [setting, minMs] of DURATIONS) {
  Deno.test(`makeConfig: ${setting} is a time from ${minMs}ms to 24h`, () => {
    assertEquals(withSetting(setting, `${minMs}ms`)[setting], minMs);
    assertEquals(withSetting(setting, "24h")[setting], 86_400_000);
    const tooSmall = minMs === 0 ? "-1ms" : `${minMs - 1}ms`;
    for (const text of [tooSmall, "24.001h", "86400001ms"]) {
      const message = complaint(setting, text);
      assert(message.endsWith(`such as 250ms, 3s or 10m, from ${minMs}ms to 24h`), message);
    }
  });
}

Deno.test("makeConfig: a time carries its unit: ms, s, m or h", () => {
  const readings = { "250ms": 250, "3s": 3000, "0.5s": 500, "1.25s": 1250, "10m": 600_000 };
  for (const [text, ms] of Object.entries({ ...readings, "2h": 7_200_000 })) {
    assertEquals(withSetting("intervalMs", text).intervalMs, ms, text);
  }
  const wrong = [
    "",
    "3",
    "3000",
    "s",
    "3 s",
    "3S",
    "3sec",
    "-3s",
    "+3s",
    "1e3ms",
    ".5s",
    "3.s",
    "1h30m",
    "∞",
  ];
  for (const text of wrong) complaint("intervalMs", text);
});

Deno.test("makeConfig: a choice is one of the words listed, letter for letter", () => {
  assertEquals(withSetting("mode", "tcp").mode, "tcp");
  assertEquals(withSetting("health", "off").health, "off");
  assertEquals(withSetting("logLevel", "debug").logLevel, "debug");
  assertEquals(withSetting("logFormat", "json").logFormat, "json");
  assertEquals(complaint("mode", "TCP"), '--mode "TCP": expected bridge, tcp or http');
  assertEquals(complaint("mode", ""), '--mode "": expected bridge, tcp or http');
  assertEquals(
    complaint("health", "https"),
    '--health "https": expected entries, http, tcp or off',
  );
  assertEquals(
    complaint("policy", "fastest"),
    '--policy "fastest": expected least-entries, round-robin, random, least-connections, p2c, ' +
      "peak-ewma, ip-hash or maglev",
  );
});

Deno.test("makeConfig: a health path starts with a slash and cannot break the request", () => {
  assertEquals(withSetting("healthPath", "/").healthPath, "/");
  assertEquals(withSetting("healthPath", "/a/b?c=d&e=%20").healthPath, "/a/b?c=d&e=%20");
  assertEquals(withSetting("healthPath", `/${"a".repeat(2047)}`).healthPath.length, 2048);
  const wrong = [
    "",
    "a",
    "http://host/",
    "/a b",
    "/a\r\nX: y",
    "/a\n",
    "/ä",
    `/${"a".repeat(2048)}`,
  ];
  for (const text of wrong) complaint("healthPath", text);
});

Deno.test("makeConfig: without a policy the kind of health check decides", () => {
  assertEquals(withSetting("health", "entries").policy, "least-entries");
  for (const health of ["http", "tcp", "off"]) {
    assertEquals(withSetting("health", health).policy, "round-robin");
  }
  assertEquals(withSetting("policy", "round-robin").policy, "round-robin");
});

Deno.test("makeConfig: a policy that needs counts is refused where no check brings them", () => {
  for (const health of ["http", "tcp", "off"]) {
    const error = assertThrows(
      () => makeConfig(source({ settings: { health, policy: "least-entries" } })),
      ConfigError,
    );
    assertEquals(
      error.message,
      `--policy least-entries: needs the counts of --health entries, but --health is ${health}; ` +
        "expected another policy, such as round-robin",
    );
  }
});

Deno.test("makeConfig: the listening port alone is on every address, a server on this machine", () => {
  const config = makeConfig({ listen: "0", backends: ["1", "host:2", "[::1]:3"] });
  assertEquals(config.listen, { hostname: "::", port: 0 });
  assertEquals(config.backends.map(({ address }) => address), [
    { hostname: "127.0.0.1", port: 1 },
    { hostname: "host", port: 2 },
    { hostname: "::1", port: 3 },
  ]);
});

Deno.test("makeConfig: an unreadable address is named with its place and what was expected", () => {
  const expected = "host:port or [ipv6]:port";
  assertEquals(
    backendsComplaint("http", "1234"),
    `PORT "http": expected a port (0 to 65535), ${expected}`,
  );
  assertEquals(
    backendsComplaint("8080", "1234", "0"),
    `SERVER "0": expected a port (1 to 65535), ${expected}`,
  );
});

Deno.test("makeConfig: a wrong setting of a server is named with the whole argument", () => {
  assertEquals(
    backendsComplaint("8080", "1234,weight=0"),
    'SERVER "1234,weight=0": weight: expected a whole number from 1 to 1000',
  );
  assertEquals(
    backendsComplaint("8080", "1234,weight=2", "127.0.0.1:1234,weight=3"),
    "SERVER 127.0.0.1:1234: given twice; expected each once",
  );
});

Deno.test("makeConfig: at least one server, at most 10000, each once", () => {
  assertEquals(backendsComplaint("8080"), "SERVER: missing; expected at least one");
  const many = Array.from({ length: 10_000 }, (_, index) => `${index + 10_000}`);
  assertEquals(makeConfig({ listen: "80", backends: many }).backends.length, 10_000);
  assertEquals(
    backendsComplaint("80", ...many, "9999"),
    "SERVER: expected at most 10000 of them",
  );
  assertEquals(
    backendsComplaint("80", "1234", "127.0.0.1:1234"),
    "SERVER 127.0.0.1:1234: given twice; expected each once",
  );
});

Deno.test("makeConfig: a server is the same however its host is written", () => {
  const pairs = [
    ["127.0.0.1:1", "[::ffff:127.0.0.1]:1"],
    ["127.0.0.1:1", "[::ffff:7f00:1]:1"],
    ["[::1]:1", "[0:0::0001]:1"],
    ["web:1", "Web:1"],
  ] as const;
  for (const [one, other] of pairs) {
    assertEquals(
      backendsComplaint("80", one, other),
      `SERVER ${other}: given twice; expected each once`,
    );
  }
});

Deno.test("makeConfig: the balancer is not among its own servers", () => {
  const itself = "is this balancer itself; expected another port";
  assertEquals(backendsComplaint("8080", "1234", "8080"), `SERVER 127.0.0.1:8080: ${itself}`);
  assertEquals(backendsComplaint("8080", "localhost:8080"), `SERVER localhost:8080: ${itself}`);
  assertEquals(backendsComplaint("8080", "[::1]:8080"), `SERVER [::1]:8080: ${itself}`);
  assertEquals(
    backendsComplaint("0.0.0.0:8080", "127.0.0.1:8080"),
    `SERVER 127.0.0.1:8080: ${itself}`,
  );
  assertEquals(backendsComplaint("host:8080", "host:8080"), `SERVER host:8080: ${itself}`);
});

Deno.test("makeConfig: the same port on another machine is not the balancer", () => {
  const allowed: [string, string][] = [["8080", "host:8080"], ["host:8080", "8080"]];
  for (const [listen, backend] of allowed) {
    assertEquals(makeConfig({ listen, backends: [backend] }).backends[0]?.address.port, 8080);
  }
});

Deno.test("makeConfig: an admin port alone is of this machine, where no token is needed", () => {
  assertEquals(withSetting("admin", "9000").admin, { hostname: "127.0.0.1", port: 9000 });
  assertEquals(withSetting("admin", "0").admin?.port, 0);
  for (const text of ["127.0.0.1:9000", "127.1.2.3:9000", "[::1]:9000", "localhost:9000"]) {
    assertEquals(withSetting("admin", text).adminToken, null, text);
  }
});

Deno.test("makeConfig: an admin port that others reach needs a token", () => {
  const adminToken = "sixteen-and-more";
  for (const admin of ["0.0.0.0:9000", "[::]:9000", "10.0.0.1:9000", "lb.internal:9000"]) {
    assertEquals(
      complaint("admin", admin),
      `--admin ${admin}: is reached from other machines; expected --admin-token too, or an ` +
        "address of this machine such as 127.0.0.1:9000",
    );
    assert(makeConfig(source({ settings: { admin, adminToken } })).admin !== null, admin);
  }
});

Deno.test("makeConfig: a token has 16 characters or more, which can stand in a header", () => {
  for (
    const text of ["", "fifteen-letters", "sixteen and more", "sixteen-and-möre", "a".repeat(1025)]
  ) {
    assertEquals(
      complaint("adminToken", text).endsWith(
        ": expected 16 to 1024 characters of ASCII without blanks",
      ),
      true,
      text,
    );
  }
  assertEquals(withSetting("adminToken", "sixteen-and-more").adminToken, "sixteen-and-more");
});

Deno.test("makeConfig: the admin port is neither where clients come in nor a server", () => {
  const own = "is where clients come in; expected another port";
  assertEquals(complaint("admin", "8080"), `--admin 127.0.0.1:8080: ${own}`);
  assertEquals(complaint("admin", "[::1]:8080"), `--admin [::1]:8080: ${own}`);
  assertEquals(
    complaint("admin", "1234"),
    "--admin 127.0.0.1:1234: is one of the servers; expected another port",
  );
});

Deno.test("ConfigError: is one line, of bounded length, whatever was typed", () => {
  const hostile = ["a\nb", "\r\n", "\u001b[31m", "x".repeat(100_000), "\u0000"];
  for (const text of hostile) {
    const messages = [
      complaint("parallel", text),
      complaint("intervalMs", text),
      complaint("mode", text),
      complaint("healthPath", text),
      backendsComplaint(text, "1234"),
      backendsComplaint("8080", text),
    ];
    for (const message of messages) {
      assert(!hasControl(message), JSON.stringify(message));
      assert(message.length < 300, `${message.length} characters`);
    }
  }
});

function hasControl(text: string): boolean {
  return [...text].some((character) => character < " ");
}

Deno.test("makeConfig: what it returns is frozen", () => {
  assert(Object.isFrozen(makeConfig(source())));
});

// Regression: only the outermost object was frozen.
Deno.test("makeConfig: what it returns is frozen all the way down", () => {
  const { backends, listen } = makeConfig(source());
  assert(Object.isFrozen(listen), "listen can be changed");
  assert(Object.isFrozen(backends), "the list of servers can be changed");
  for (const backend of backends) {
    assert(Object.isFrozen(backend), "a server can be changed");
    assert(Object.isFrozen(backend.address), "a server's address can be changed");
  }
});

Deno.test("optionName: names an option by its letter too, where it has one", () => {
  assertEquals(optionName(OPTIONS.parallel), "-N/--parallel");
  assertEquals(optionName(OPTIONS.mode), "--mode");
});
