/**
 * Hostile clients, in a process of their own so that they do not slow the good ones down more than the
 * machine does: `deno run --allow-net attacker.ts NAME PORT SEED SERIAL`. Attacks until its stdin ends
 * and prints how many connections that took.
 */
import { Random } from "../support/random.ts";
import { type Attack, type AttackName, ATTACKS } from "./attacks.ts";

if (import.meta.main) {
  const [name = "", port, seed, serial] = Deno.args;
  const attack: Attack | undefined = ATTACKS[name as AttackName];
  const abort = new AbortController();
  Deno.stdin.readable.pipeTo(new WritableStream()).finally(() => abort.abort());
  const connections = await attack.run({
    port: Number(port),
    random: new Random(Number(seed)),
    serial: Number(serial),
    signal: abort.signal,
  });
  Deno.stdout.writeSync(new TextEncoder().encode(String(connections)));
  Deno.exit(0); // Whatever is left open is reset or closed by the kernel, as with any client that dies.
}
