/** README.md against the code that it describes. */
import { accessFieldsTable } from "../lib/access_line.ts";
import { METRICS, metricsTable } from "../lib/admin/metric_list.ts";
import { backendSettingsTable, optionsTable, policiesTable, switchesTable } from "../lib/cli.ts";
import { endingsTable } from "../lib/ending.ts";
import { assert, assertEquals } from "./support/assert.ts";
import { has } from "./support/programs.ts";
import { codeBlocksOf, codeBlockUnder, NO_README, readReadme, tableOf } from "./support/readme.ts";

const readme = readReadme();
const skipped = readme === null ? ` (${NO_README})` : "";

Deno.test(`README: its table of options is that of optionsTable()${skipped}`, {
  ignore: readme === null,
}, () => {
  // Cell by cell, because the formatter of Markdown pads the cells.
  assertEquals(tableOf(readme ?? "", "Option"), tableOf(optionsTable(), "Option"));
});

Deno.test(`README: its table of switches is that of switchesTable()${skipped}`, {
  ignore: readme === null,
}, () => {
  assertEquals(tableOf(readme ?? "", "Switch"), tableOf(switchesTable(), "Switch"));
});

Deno.test(`README: its table of settings of servers is that of backendSettingsTable()${skipped}`, {
  ignore: readme === null,
}, () => {
  assertEquals(tableOf(readme ?? "", "Setting"), tableOf(backendSettingsTable(), "Setting"));
});

Deno.test(`README: its table of policies is that of policiesTable()${skipped}`, {
  ignore: readme === null,
}, () => {
  assertEquals(tableOf(readme ?? "", "Policy"), tableOf(policiesTable(), "Policy"));
});

Deno.test(`README: its table of fields is that of accessFieldsTable()${skipped}`, {
  ignore: readme === null,
}, () => {
  assertEquals(tableOf(readme ?? "", "Field"), tableOf(accessFieldsTable(), "Field"));
});

Deno.test(`README: its table of endings is that of endingsTable()${skipped}`, {
  ignore: readme === null,
}, () => {
  assertEquals(tableOf(readme ?? "", "End"), tableOf(endingsTable(), "End"));
});

Deno.test(`README: its line of the access log has the fields of a real one${skipped}`, {
  ignore: readme === null,
}, () => {
  const [line = ""] = codeBlockUnder(readme ?? "", "Access log");
  const names = [...line.replace(/"[^"]*"/, "").matchAll(/ (\w+)=/g)].map(([, name]) => name);
  const rows = tableOf(accessFieldsTable(), "Field").slice(2);
  assertEquals(names, rows.map(([name = ""]) => name.replaceAll("`", "")));
});

Deno.test(`README: its table of metrics is that of metricsTable()${skipped}`, {
  ignore: readme === null,
}, () => {
  assertEquals(tableOf(readme ?? "", "Metric"), tableOf(metricsTable(), "Metric"));
});

Deno.test(`README: its examples of queries name metrics that there are${skipped}`, {
  ignore: readme === null,
}, () => {
  const queries = codeBlockUnder(readme ?? "", "Metrics");
  const names = queries.flatMap((query) => query.match(/loadbalancer_\w+/g) ?? []);
  assert(names.length >= queries.length, "a query names no metric");
  const known = METRICS.flatMap(({ name, type }) =>
    type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]
  );
  assertEquals(names.filter((name) => !known.includes(name)), []);
});

// Regression: its configuration had a server on the port that its other examples give to --admin.
Deno.test(`README: no server of its configuration is on the port of its --admin${skipped}`, {
  ignore: readme === null,
}, () => {
  const [config = ""] = codeBlocksOf(readme ?? "", "jsonc");
  const admin = / --admin (\d+)/.exec(readme ?? "")?.[1] ?? "there is none";
  assert(!new RegExp(`\\b${admin}\\b`).test(config), `${admin} is in:\n${config}`);
  assert(/\b1234\b/.test(config), "there is no such configuration");
});

const noPromtool = has("promtool") ? "" : " (skipped: there is no promtool)";
Deno.test(`README: its examples of queries are understood by promtool${skipped || noPromtool}`, {
  ignore: readme === null || noPromtool !== "",
}, async () => {
  const rules = codeBlockUnder(readme ?? "", "Metrics")
    .map((expr, at) => ({ record: `query_${at}`, expr }));
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  try {
    // JSON is YAML.
    await Deno.writeTextFile(file, JSON.stringify({ groups: [{ name: "readme", rules }] }));
    const { code, stderr } = await new Deno.Command("promtool", {
      args: ["check", "rules", file],
      stdout: "null",
      stderr: "piped",
    }).output();
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  } finally {
    await Deno.remove(file);
  }
});
