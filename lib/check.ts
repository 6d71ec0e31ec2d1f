/** What `--check` says: what would run, and where each part of it is set. Pure. */
import { formatAddress } from "./address.ts";
import { formatBackend } from "./backend_argument.ts";
import { type Option, OPTIONS, type Setting, SETTINGS } from "./options.ts";
import type { Loaded } from "./load.ts";

const DEFAULT = "default";
const COMMAND_LINE = "command line";

type Row = readonly [name: string, value: string, origin: string];

/** The report, with a line end behind each line. */
export function checkReport(loaded: Loaded): string {
  const { config, line, file } = loaded;
  const backends = config.backends.map((backend, at): Row => [
    at === 0 ? "servers" : "",
    formatBackend(backend),
    line.backends !== undefined || file === null ? COMMAND_LINE : file.name,
  ]);
  const listen = line.listen !== undefined || file === null ? COMMAND_LINE : file.name;
  const rows: Row[] = [
    ["listen", formatAddress(config.listen), listen],
    ...backends,
    ...SETTINGS.flatMap(([setting, option]) => settingRow(loaded, setting, option)),
  ];
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const table = rows.map(([name, value, origin]) =>
    `  ${name.padEnd(widths[0] ?? 0)}  ${value.padEnd(widths[1] ?? 0)}  ${origin}`
  );
  return [
    "This would run:",
    ...table,
    "Everything else has its default (see --help).",
    "",
  ].join("\n");
}

/** Nothing where it has its default, but for what everybody wants to know. */
function settingRow(
  { config, line, file }: Loaded,
  setting: Setting,
  option: Option<unknown>,
): Row[] {
  const onLine = line.settings?.[setting];
  const inFile = file?.given.settings?.[setting];
  const show = (text: string): string => option.secret === true ? "(not shown)" : text;
  if (onLine !== undefined) {
    const other = inFile === undefined ? "" : `, in place of ${show(inFile)} in ${file?.name}`;
    return [[option.name, show(onLine), `${COMMAND_LINE}${other}`]];
  }
  if (inFile !== undefined) return [[option.name, show(inFile), file?.name ?? ""]];
  if (setting !== "mode" && setting !== "policy") return [];
  return [[OPTIONS[setting].name, config[setting], DEFAULT]];
}
