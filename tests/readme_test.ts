/** README.md against the code that it describes. */
import { backendSettingsTable, optionsTable, policiesTable, switchesTable } from "../lib/cli.ts";
import { assertEquals } from "./support/assert.ts";
import { NO_README, readReadme, tableOf } from "./support/readme.ts";

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
