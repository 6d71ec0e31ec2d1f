/** Random settings, each written as on the command line and as in the configuration file. */
import { type Option, SETTINGS } from "../../lib/options.ts";
import type { Random } from "./random.ts";

/** The same settings in both ways. */
export interface RandomSettings {
  /** Arguments: options, PORT and SERVERs. */
  readonly args: readonly string[];
  /** The content of a file. */
  readonly file: Readonly<Record<string, unknown>>;
}

interface Pair {
  readonly typed: string;
  readonly json: unknown;
}

/** What options of free text may be set to; others stay as they are by default. */
const TEXTS: Readonly<Record<string, readonly string[]>> = {
  "health-path": ["/", "/up?a=b%20c", '/"quoted"'],
  sticky: ["id", "a-b_c"],
  "sticky-key": ["sixteen-and-more", "ein Schlüssel mit Leerzeichen"],
};
const LISTS = [["10.0.0.0/8"], ["loopback", "private"], ["::1", "192.168.1.1", "2001:db8::/32"]];

/** Each option is set every other time; the servers are 1 to 5. */
export function randomSettings(random: Random): RandomSettings {
  const listen = random.integer(0, 999);
  const args: string[] = [];
  const file: Record<string, unknown> = {};
  for (const [, option] of SETTINGS) {
    const pair = random.chance(0.5) ? randomValue(option, random) : null;
    if (pair === null) continue;
    args.push(`--${option.name}=${pair.typed}`);
    file[option.name] = pair.json;
  }
  const servers = Array.from(
    { length: random.integer(1, 5) },
    (_, at) => randomServer(1000 + at, random),
  );
  return {
    args: [...args, String(listen), ...servers.map(({ typed }) => typed)],
    file: {
      ...file,
      listen: random.pick([listen, String(listen)]),
      servers: servers.map(({ json }) => json),
    },
  };
}

function randomValue({ name, form, alone }: Option<unknown>, random: Random): Pair | null {
  if (alone !== undefined && random.chance(0.5)) return { typed: alone, json: true };
  if (form?.kind === "count") {
    const count = random.integer(form.min, form.max);
    return { typed: String(count), json: count };
  }
  if (form?.kind === "list") {
    const list = random.pick(LISTS);
    return { typed: list.join(","), json: random.pick([list, list.join(",")]) };
  }
  const text = form?.kind === "duration"
    ? `${random.integer(1, 1000)}${random.pick(["s", "m"])}`
    : form?.kind === "choice"
    ? random.pick(form.choices)
    : random.pick(TEXTS[name] ?? [""]);
  return text === "" ? null : { typed: text, json: text };
}

function randomServer(port: number, random: Random): Pair {
  const address = random.pick([String(port), `web.internal:${port}`, `[::1]:${port}`]);
  const weight = random.chance(0.5) ? random.integer(1, 1000) : undefined;
  const max = random.chance(0.5) ? random.integer(1, 1_000_000) : undefined;
  const backup = random.chance(0.5);
  const typed = [
    address,
    ...(weight === undefined ? [] : [`weight=${weight}`]),
    ...(max === undefined ? [] : [`max=${max}`]),
    ...(backup ? ["backup"] : []),
  ].join(",");
  return { typed, json: random.chance(0.3) ? typed : { address, weight, max, backup } };
}
