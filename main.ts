/** `loadbalancer [OPTIONS] PORT SERVER [SERVER...]`: arguments in, exit code out. */
import { Hangups } from "./lib/signals.ts";

if (import.meta.main) {
  const hangups = new Hangups(); // Before the rest is loaded: until now SIGHUP ends the process.
  const { run } = await import("./lib/program.ts");
  Deno.exit(await run(Deno.args, hangups));
}
