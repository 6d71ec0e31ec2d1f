/** README.md against the code that it describes. */
import { accessFieldsTable } from "../lib/access_line.ts";
import { backendSettingsTable, optionsTable, policiesTable } from "../lib/cli.ts";
import { endingsTable } from "../lib/ending.ts";
import { assertEquals } from "./support/assert.ts";
import { codeBlockUnder, NO_README, readReadme, tableOf } from "./support/readme.ts";

const readme = readReadme();
const skipped = readme === null ? ` (${NO_README})` : "";

Deno.test(`README: its table of options is that of optionsTable()${skipped}`, {
  ignore: readme === null,
}, () => {
  // Cell by cell, because the formatter of Markdown pads the cells.
  assertEquals(tableOf(readme ?? "", "Option"), tableOf(optionsTable(), "Option"));
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
