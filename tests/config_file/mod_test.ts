import { ConfigFileError } from "../../lib/config_file/error.ts";
import { jsonSchema, parseConfigFile } from "../../lib/config_file/mod.ts";
import type { Given } from "../../lib/config.ts";
import { type Option, OPTIONS, SETTINGS } from "../../lib/options.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { areValid, hasJsonSchema } from "../support/json_schema.ts";
import { Random } from "../support/random.ts";
import { randomSettings } from "../support/random_settings.ts";

function given(content: unknown): Given {
  return parseConfigFile(JSON.stringify(content), "lb.jsonc").given;
}

/** The lines about a text that is wrong, without the name of the file. */
function problems(text: string): string[] {
  const error = assertThrows(
    () => parseConfigFile(text, "lb.jsonc"),
    ConfigFileError,
    "",
    `${text} was taken`,
  );
  return error.message.split("\n").map((line) => line.replace(/^lb\.jsonc:/, ""));
}

/** What is said of one value that is wrong, without its place. */
function complaint(key: string, value: unknown): string {
  const [problem = "", ...others] = problems(JSON.stringify({ [key]: value }));
  assertEquals(others, []);
  return problem.replace(/^1:\d+: /, "");
}

Deno.test("parseConfigFile: comments and commas before a closing bracket are allowed", () => {
  const text = `// one
  { /* two */ "listen": 8080, "servers": [1234, "web:80",], } // three`;
  assertEquals(parseConfigFile(text, "lb.jsonc").given, {
    listen: "8080",
    backends: ["1234", "web:80"],
    settings: {},
  });
});

Deno.test("parseConfigFile: an empty object gives nothing", () => {
  assertEquals(given({}), { settings: {} });
});

Deno.test("parseConfigFile: $schema is for editors", () => {
  assertEquals(given({ $schema: "./lb.schema.json" }), { settings: {} });
});

Deno.test("parseConfigFile: takes each option by its long name, with its default", () => {
  for (const [setting, option] of SETTINGS) {
    if (option.default === "") continue;
    const value = option.form?.kind === "count" ? Number(option.default) : option.default;
    assertEquals(given({ [option.name]: value }).settings, { [setting]: option.default });
  }
});

Deno.test("parseConfigFile: true is what an option means alone, false as if it were not given", () => {
  const alone = SETTINGS.filter(([, option]) => option.alone !== undefined);
  assert(alone.length > 0);
  for (const [setting, { name, alone: value }] of alone) {
    assertEquals(given({ [name]: true }).settings, { [setting]: value });
    assertEquals(given({ [name]: false }).settings, {});
  }
  assertEquals(given({ sticky: "id" }).settings, { sticky: "id" });
});

Deno.test("parseConfigFile: a list may be text with commas or a list of texts", () => {
  for (const value of ["10.0.0.0/8,loopback", ["10.0.0.0/8", "loopback"]]) {
    assertEquals(given({ "trust-proxy": value }).settings, { trustProxy: "10.0.0.0/8,loopback" });
  }
});

Deno.test("parseConfigFile: a server is text as on the command line, a port, or an object", () => {
  const servers = [
    "web1:80,weight=3",
    1234,
    { address: "web2:80" },
    { address: 5678, weight: 2, max: 10, backup: true },
    { address: "[::1]:80", backup: false },
  ];
  assertEquals(given({ servers }).backends, [
    "web1:80,weight=3",
    "1234",
    "web2:80",
    "5678,weight=2,max=10,backup",
    "[::1]:80",
  ]);
});

const PORT = "expected a port (0 to 65535), host:port or [ipv6]:port";
const ADDRESS = "expected a port (1 to 65535), host:port or [ipv6]:port";
const TIME = "expected a time with its unit, such as 250ms, 3s or 10m, from 100ms to 24h";

const WRONG: readonly (readonly [key: string, value: unknown, message: string])[] = [
  ["listen", 65_536, `listen 65536: ${PORT}`],
  ["listen", "x", `listen "x": ${PORT}`],
  ["listen", null, `listen null: ${PORT}`],
  ["listen", [8080], `listen [8080]: ${PORT}`],
  ["parallel", 0, "parallel 0: expected a whole number from 1 to 1000000"],
  ["parallel", 1.5, "parallel 1.5: expected a whole number from 1 to 1000000"],
  ["parallel", "8", 'parallel "8": expected a whole number from 1 to 1000000, without quotes'],
  ["parallel", true, "parallel true: expected a whole number from 1 to 1000000, without quotes"],
  ["interval", "3", `interval "3": ${TIME}`],
  ["interval", "99ms", `interval "99ms": ${TIME}`],
  ["interval", 3000, `interval 3000: ${TIME}, in double quotes`],
  ["mode", "TCP", 'mode "TCP": expected bridge, tcp or http'],
  ["mode", {}, "mode {}: expected bridge, tcp or http, in double quotes"],
  [
    "health-path",
    "up",
    'health-path "up": expected a path that starts with a slash, without blanks',
  ],
  ["health-path", 7, "health-path 7: expected text in double quotes"],
  ["sticky", "a b", 'sticky "a b": expected the name of a cookie: letters, digits, - and _'],
  ["sticky", 1, "sticky 1: expected text in double quotes, or true or false"],
  ["compress", "yes", 'compress "yes": expected on or off'],
  ["compress", 1, "compress 1: expected on or off, in double quotes, or true or false"],
  [
    "trust-proxy",
    ["10.0.0.0/8", "x"],
    'trust-proxy ["10.0.0.0/8","x"]: "x": expected an IP address, a block as 10.0.0.0/8, ' +
    "loopback or private",
  ],
  [
    "trust-proxy",
    [1],
    "trust-proxy[0] 1: expected text in double quotes, or a list of such",
  ],
  ["servers", "1234", 'servers "1234": expected a list of servers in brackets'],
  ["servers", [0], `servers[0] 0: ${ADDRESS}`],
  [
    "servers",
    ["1234,weight=0"],
    'servers[0] "1234,weight=0": weight: expected a whole number ' +
    "from 1 to 1000",
  ],
  [
    "servers",
    [1, null],
    'servers[1] null: expected a server, such as "web1:80,weight=3", ' +
    "or an object with its address",
  ],
  ["servers", [{}], `servers[0].address: missing; ${ADDRESS}`],
  // What stands behind a comma has keys of its own here.
  ["servers", [{ address: "1,backup" }], `servers[0].address "1,backup": ${ADDRESS}`],
  [
    "servers",
    [{ address: 1, weight: 1001 }],
    "servers[0].weight 1001: expected a whole number " +
    "from 1 to 1000",
  ],
  [
    "servers",
    [{ address: 1, max: "9" }],
    'servers[0].max "9": expected a whole number ' +
    "from 1 to 1000000",
  ],
  ["servers", [{ address: 1, backup: 1 }], "servers[0].backup 1: expected true or false"],
  [
    "servers",
    [{ address: 1, wieght: 2 }],
    'servers[0]: "wieght": unknown key; ' +
    'did you mean "weight"?',
  ],
  ["intervall", "3s", '"intervall": unknown key; did you mean "interval"?'],
  ["healthPath", "/", '"healthPath": unknown key; did you mean "health-path"?'],
  ["N", 8, '"N": unknown key; did you mean "parallel"?'],
  ["xyzzy", 8, '"xyzzy": unknown key; --config-schema lists those that are known'],
  ["config", "a", '"config": unknown key; --config-schema lists those that are known'],
];

for (const [key, value, message] of WRONG) {
  Deno.test(`parseConfigFile: { "${key}": ${JSON.stringify(value)} } is refused and explained`, () => {
    assertEquals(complaint(key, value), message);
  });
}

Deno.test("parseConfigFile: keys from the prototypes of objects are keys like others", () => {
  for (const key of ["__proto__", "constructor", "toString"]) {
    assertEquals(problems(`{ "${key}": 1 }`), [
      `1:3: "${key}": unknown key; --config-schema lists those that are known`,
    ]);
  }
  assertEquals(problems('{ "servers": [{ "__proto__": { "address": 1 } }] }').length, 2);
});

Deno.test("parseConfigFile: tells all problems at once, by their places in the file", () => {
  const text = [
    "{",
    '  "queue": -1, // never',
    '  "servers": [1234, { "address": 1, "backup": "yes" }],',
    '  "mode": "tpc", "fall": 0,',
    '  "ristretto": 2,',
    "}",
  ].join("\n");
  assertEquals(problems(text), [
    "2:12: queue -1: expected a whole number from 0 to 100000",
    '3:47: servers[1].backup "yes": expected true or false',
    '4:11: mode "tpc": expected bridge, tcp or http',
    "4:26: fall 0: expected a whole number from 1 to 100",
    '5:3: "ristretto": unknown key; --config-schema lists those that are known',
  ]);
});

Deno.test("parseConfigFile: a key given twice is refused, also in a server", () => {
  assertEquals(problems('{ "mode": "tcp",\n  "mode": "tcp" }'), [
    '2:3: "mode": given twice; expected it once',
  ]);
  assertEquals(problems('{ "servers": [{ "address": 1, "address": 2 }] }'), [
    '1:31: "address": given twice; expected it once',
  ]);
});

// Regression: a key given twice hid all else that was wrong.
Deno.test("parseConfigFile: a key given twice is told with all else, and the first is looked at", () => {
  const text = [
    "{",
    '  "mode": "htp", "mode": "http",',
    '  "servers": [{ "address": 1, "weight": 0, "weight": 2 }],',
    '  "intervall": "5s"',
    "}",
  ].join("\n");
  assertEquals(problems(text), [
    '2:11: mode "htp": expected bridge, tcp or http',
    '2:18: "mode": given twice; expected it once',
    "3:41: servers[0].weight 0: expected a whole number from 1 to 1000",
    '3:44: "weight": given twice; expected it once',
    '4:3: "intervall": unknown key; did you mean "interval"?',
  ]);
});

Deno.test("parseConfigFile: a list of no servers is refused, with its place; so says the schema", () => {
  assertEquals(problems('{ "listen": 1,\n"servers": [] }'), [
    "2:12: servers []: expected at least one",
  ]);
  assertEquals(JSON.parse(jsonSchema()).properties.servers.minItems, 1);
});

Deno.test("parseConfigFile: what is no object is refused", () => {
  for (const text of ["[]", "3", '"x"', "null", "true"]) {
    assertEquals(problems(text), [
      '1:1: expected an object in braces, such as { "listen": 8080, "servers": ["web1:80"] }',
    ], text);
  }
});

Deno.test("parseConfigFile: ten thousand servers are taken, one more is not", () => {
  const servers = Array.from({ length: 10_000 }, (_, at) => at + 1);
  assertEquals(given({ servers }).backends?.length, 10_000);
  const message = complaint("servers", [...servers, 10_001]);
  assert(message.startsWith("servers [1,2,3,"), message);
  assert(message.endsWith("…: expected at most 10000 of them"), message);
});

Deno.test("parseConfigFile: never tells a secret", () => {
  const secrets = SETTINGS.filter(([, { secret }]) => secret === true);
  assert(secrets.some(([setting]) => setting === "stickyKey"));
  for (const value of ["hushhush", 12345678, ["hushhush"]]) {
    const message = complaint(OPTIONS.stickyKey.name, value);
    assert(!/hushhush|12345678/.test(message), message);
  }
});

Deno.test("parseConfigFile: lists no more than twenty problems, in lines of bounded length", () => {
  const keys = Array.from({ length: 5000 }, (_, at) => [`${"k".repeat(200)}${at}`, at]);
  const lines = problems(JSON.stringify(Object.fromEntries(keys)));
  assertEquals(lines.length, 21);
  assertEquals(lines.at(-1), "and more of the kind");
  for (const line of lines) assert(line.length < 300, line);
});

Deno.test("parseConfigFile: each problem is one line, whatever stands in the file", () => {
  const hostile = ["a\nb", "\r\n", "\u001b[31m", "x".repeat(100_000), "\u0000"];
  for (const text of hostile) {
    for (const content of [{ [text]: 1 }, { mode: text }, { servers: [text] }, { fall: [text] }]) {
      const lines = problems(JSON.stringify(content));
      assertEquals(lines.length, 1);
      // deno-lint-ignore no-control-regex
      assert(!/[\u0000-\u001f]/.test(lines[0] ?? "") && (lines[0] ?? "").length < 300, lines[0]);
    }
  }
});

Deno.test("jsonSchema: describes every option with its help and its default", () => {
  const { properties, additionalProperties } = JSON.parse(jsonSchema());
  assertEquals(additionalProperties, false);
  assertEquals(
    Object.keys(properties).sort(),
    ["$schema", "listen", "servers", ...SETTINGS.map(([, { name }]) => name)].sort(),
  );
  for (const [, option] of SETTINGS) {
    const { description, default: initial } = properties[option.name];
    assertEquals([description, String(initial ?? "")], [option.help, option.default], option.name);
  }
  const { parallel, mode, interval } = properties;
  assertEquals([parallel.type, parallel.minimum, parallel.maximum], ["integer", 1, 1_000_000]);
  assertEquals(mode.enum, ["bridge", "tcp", "http"]);
  assertEquals(new RegExp(interval.pattern).test("250ms"), true);
});

const isHere = hasJsonSchema();
const skipped = isHere ? "" : " (skipped: python3 has no jsonschema)";

Deno.test(`jsonSchema: what the loader takes is valid, by a validator of others${skipped}`, {
  ignore: !isHere,
}, async () => {
  const random = new Random(5);
  const files = Array.from({ length: 200 }, () => randomSettings(random).file);
  for (const file of files) given(file);
  const valid = await areValid(JSON.parse(jsonSchema()), files);
  assertEquals(files.filter((_, at) => valid[at] !== true), []);
});

Deno.test(
  `jsonSchema: wrong types, bounds and keys are invalid, by a validator of others${skipped}`,
  {
    ignore: !isHere,
  },
  async () => {
    const wrong = [
      ...WRONG.filter(([key, value]) => !isLooser(key, value)).map(([key, value]) => ({
        [key]: value,
      })),
      ...(SETTINGS as [string, Option<unknown>][]).map(([, { name }]) => ({ [name]: {} })),
    ];
    const valid = await areValid(JSON.parse(jsonSchema()), wrong);
    assertEquals(wrong.filter((_, at) => valid[at] !== false), []);
  },
);

/** A schema does not say what text may be beyond its type, but for times and choices. */
function isLooser(key: string, value: unknown): boolean {
  if (["listen", "health-path", "sticky"].includes(key)) return typeof value === "string";
  if (key === "trust-proxy") return JSON.stringify(value).includes('"x"');
  if (key === "interval") return value === "99ms";
  return key === "servers" &&
    ["1,backup", "1234,weight=0"].some((text) => JSON.stringify(value).includes(text));
}
