/** Garbage collection on demand, for tests of what is kept. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { settle } from "./fake_clock.ts";

/** Collects all garbage. What a `WeakRef` was made for in the same turn is kept for that turn. */
export async function collectGarbage(): Promise<void> {
  setFlagsFromString("--expose-gc");
  const gc: unknown = runInNewContext("gc");
  if (typeof gc !== "function") throw new TypeError("Cannot collect garbage: V8 offers no gc");
  await settle();
  gc();
  await settle();
}
