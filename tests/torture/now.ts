/** The time of a run. */

/**
 * Milliseconds since 1970, as this process has lived them: unlike those of `Date.now()` they never
 * jump, which clocks of virtual machines do.
 */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}
