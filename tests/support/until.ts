/** Waiting for a condition, in place of sleeping for a time. */

/** How long a condition may take before the test fails; generous, because machines are shared. */
const PATIENCE_MS = 20_000;
const LOOK_EVERY_MS = 5;

/** Resolves as soon as `condition` holds; rejects with `what` if it never does. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string | (() => string),
): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!await condition()) {
    if (performance.now() > deadline) {
      throw new Error(`It never came true that ${typeof what === "string" ? what : what()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
