/** SERVER as typed on the command line: an address, and settings behind commas. Pure. */
import { parseAddress } from "./address.ts";
import type { BackendSettings } from "./backend.ts";
import { parseWholeNumber } from "./whole_number.ts";

/** The host of a lone port number: this machine. */
export const LOCAL_HOSTNAME = "127.0.0.1";
/** The bounds of a weight. */
export const WEIGHT = { min: 1, max: 1000 } as const;
const MAX = { min: 1, max: 1_000_000 } as const;

/** What may stand behind a comma. */
type Settings = Omit<BackendSettings, "address">;

/** What may stand behind a comma, for people. */
export const BACKEND_SETTINGS: Readonly<Record<string, string>> = {
  "weight=N": `its share compared with others, ${WEIGHT.min} to ${WEIGHT.max} (default 1)`,
  "max=N": "the most connections that it is given at once; if all are full, clients wait",
  "backup": "it is used only when no other server is ready",
};

/** What holds for a server that is given without settings. */
const DEFAULTS: Settings = { weight: 1, max: Infinity, backup: false };

/**
 * Reads `1234`, `host:1234` or `[::1]:1234`, each with or without `,weight=N`, `,max=N` and
 * `,backup` behind it. Throws a `RangeError` that says what was expected.
 */
export function parseBackend(text: string): BackendSettings {
  const [host = "", ...settings] = text.split(",");
  const address = parseAddress(host, { defaultHostname: LOCAL_HOSTNAME, portMin: 1 });
  let given: Partial<Settings> = {};
  for (const setting of settings) {
    const [name, value] = parseSetting(setting);
    if (name in given) throw new RangeError(`${name} is given twice; expected it once`);
    given = { ...given, [name]: value };
  }
  return { address, ...DEFAULTS, ...given };
}

function parseSetting(text: string): [name: keyof Settings, value: number | true] {
  if (text === "backup") return ["backup", true];
  const [, name, value = ""] = /^(weight|max)=(.*)$/s.exec(text) ?? [];
  if (name === "weight") return [name, parseNumber(name, value, WEIGHT)];
  if (name === "max") return [name, parseNumber(name, value, MAX)];
  const known = Object.keys(BACKEND_SETTINGS).join(", ").replace(/, (?=[^,]*$)/, " or ");
  throw new RangeError(`unknown setting behind a comma; expected ${known}`);
}

function parseNumber(name: string, text: string, bounds: { min: number; max: number }): number {
  try {
    return parseWholeNumber(text, bounds);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new RangeError(`${name}: ${error.message}`);
  }
}
