/** What most scenarios stand on: origins, and a seed for each part. */
import { freePort } from "../bench/ports.ts";
import { type Ledger, OriginProcess } from "./origin_process.ts";

/** Starts so many origins, which end with the stack. */
export async function startOrigins(
  count: number,
  { stack, ledger }: { readonly stack: AsyncDisposableStack; readonly ledger?: Ledger },
): Promise<OriginProcess[]> {
  const origins: OriginProcess[] = [];
  while (origins.length < count) {
    const port = await freePort();
    origins.push(
      stack.use(await OriginProcess.start(ledger === undefined ? { port } : { port, ledger })),
    );
  }
  return origins;
}

/** A stack that may be disposed of sooner than the one that it stands on. */
export function innerStack(outer: AsyncDisposableStack): AsyncDisposableStack {
  return outer.use(new globalThis.AsyncDisposableStack());
}

/** As the balancer's arguments name them. */
export function serversOf(origins: readonly OriginProcess[]): string[] {
  return origins.map(({ name }) => name);
}

/** Waits: for as long as an attack is to last, never for something to happen. */
export function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
}
