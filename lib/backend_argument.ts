/** SERVER as typed on the command line: an address, and settings behind commas. Pure. */
import { parseAddress } from "./address.ts";
import type { BackendSettings } from "./backend.ts";
import { parseWholeNumber } from "./whole_number.ts";

const LOCAL_HOSTNAME = "127.0.0.1";
const WEIGHT = { min: 1, max: 1000, default: 1 } as const;

/**
 * Reads `1234`, `host:1234` or `[::1]:1234`, each with `,weight=N` behind it or without.
 * Throws a `RangeError` that says what was expected.
 */
export function parseBackend(text: string): BackendSettings {
  const [host = "", ...settings] = text.split(",");
  const address = parseAddress(host, { defaultHostname: LOCAL_HOSTNAME, portMin: 1 });
  let weight: number | undefined;
  for (const setting of settings) {
    const value = /^weight=(.*)$/s.exec(setting)?.[1];
    if (value === undefined) {
      throw new RangeError("unknown setting behind a comma; expected weight=N");
    }
    if (weight !== undefined) throw new RangeError("weight is given twice; expected it once");
    weight = parseWeight(value);
  }
  return { address, weight: weight ?? WEIGHT.default };
}

function parseWeight(text: string): number {
  try {
    return parseWholeNumber(text, WEIGHT);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new RangeError(`weight: ${error.message}`);
  }
}
