/** SERVER as typed on the command line: an address, and settings behind commas. Pure. */
import { type Address, formatAddress, parseAddress } from "./address.ts";
import type { BackendSettings } from "./backend.ts";
import { parseWholeNumber } from "./whole_number.ts";

/** The host of a lone port number: this machine. */
export const LOCAL_HOSTNAME = "127.0.0.1";
/** The bounds of a weight. */
export const WEIGHT = { min: 1, max: 1000 } as const;
const MAX = { min: 1, max: 1_000_000 } as const;

/** What may stand behind a comma. */
type Settings = Omit<BackendSettings, "address">;

/** One setting of a server. */
export interface BackendSetting {
  /** How it is typed, for people. */
  readonly form: string;
  /** What it sets, in one line. */
  readonly help: string;
  /** The whole numbers that it may be; left out: it is a switch, with no value. */
  readonly bounds?: { readonly min: number; readonly max: number };
}

/** What may stand behind a comma, by its name. */
export const BACKEND_SETTINGS: Readonly<
  Record<Exclude<keyof BackendSettings, "address">, BackendSetting>
> = {
  weight: {
    form: "weight=N",
    help: `its share compared with others, ${WEIGHT.min} to ${WEIGHT.max} (default 1)`,
    bounds: WEIGHT,
  },
  max: {
    form: "max=N",
    help: "the most connections that it is given at once; if all are full, clients wait",
    bounds: MAX,
  },
  backup: { form: "backup", help: "it is used only when no other server is ready" },
};

/** What holds for a server that is given without settings. */
const DEFAULTS: Settings = { weight: 1, max: Infinity, backup: false };

/**
 * Reads `1234`, `host:1234` or `[::1]:1234`, each with or without `,weight=N`, `,max=N` and
 * `,backup` behind it. Throws a `RangeError` that says what was expected.
 */
export function parseBackend(text: string): BackendSettings {
  const [host = "", ...settings] = text.split(",");
  const address = parseBackendAddress(host);
  let given: Partial<Settings> = {};
  for (const setting of settings) {
    const [name, value] = parseSetting(setting);
    if (name in given) throw new RangeError(`${name} is given twice; expected it once`);
    given = { ...given, [name]: value };
  }
  return { address, ...DEFAULTS, ...given };
}

/** Reads the address alone. Throws a `RangeError` that says what was expected. */
export function parseBackendAddress(text: string): Address {
  return parseAddress(text, { defaultHostname: LOCAL_HOSTNAME, portMin: 1 });
}

/** Prints a server the way it can be typed, without the settings that are as they are by default. */
export function formatBackend({ address, ...settings }: BackendSettings): string {
  const names = Object.keys(BACKEND_SETTINGS) as (keyof Settings)[];
  const given = names.filter((name) => settings[name] !== DEFAULTS[name]);
  return [formatAddress(address), ...given.map((name) => formatSetting(name, settings[name]))]
    .join(",");
}

/** Prints one setting the way it is typed behind a comma. */
export function formatSetting(name: string, value: number | boolean): string {
  return value === true ? name : `${name}=${value}`;
}

function parseSetting(text: string): [name: keyof Settings, value: number | true] {
  for (const [name, { bounds }] of Object.entries(BACKEND_SETTINGS)) {
    if (bounds === undefined && text === name) return [name as keyof Settings, true];
    if (bounds === undefined || !text.startsWith(`${name}=`)) continue;
    return [name as keyof Settings, parseNumber(name, text.slice(name.length + 1), bounds)];
  }
  const forms = Object.values(BACKEND_SETTINGS).map(({ form }) => form);
  const known = forms.join(", ").replace(/, (?=[^,]*$)/, " or ");
  throw new RangeError(`unknown setting behind a comma; expected ${known}`);
}

function parseNumber(
  name: string,
  text: string,
  bounds: { readonly min: number; readonly max: number },
): number {
  try {
    return parseWholeNumber(text, bounds);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new RangeError(`${name}: ${error.message}`);
  }
}
