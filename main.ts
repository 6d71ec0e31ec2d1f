/** `loadbalancer [OPTIONS] PORT SERVER [SERVER...]`: arguments in, exit code out. */
import { run } from "./lib/program.ts";

if (import.meta.main) Deno.exit(await run(Deno.args));
