/** Tells those who wait for an end how long it still is. Used by the balancer and the carriers. */
import type { Clock } from "./clock.ts";

/** How often it is told, in milliseconds. */
export const TELL_MS = 5000;

/** What a count-down works with. */
export interface CountDownOptions {
  /** The source of time. */
  readonly clock: Clock;
  /** Called with the whole seconds that are left, at least one. */
  readonly tell: (seconds: number) => void;
}

/** Tells at once and every {@linkcode TELL_MS}, until that time is over; returns what ends it before. */
export function countDown(durationMs: number, { clock, tell }: CountDownOptions): () => void {
  const endsMs = clock.now() + durationMs;
  let cancel = (): void => {};
  const next = (): void => {
    const seconds = Math.ceil((endsMs - clock.now()) / 1000);
    if (seconds <= 0) return;
    tell(seconds);
    cancel = clock.after(TELL_MS, next);
  };
  next();
  return () => cancel();
}
