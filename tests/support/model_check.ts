/**
 * Model checks: a state machine and a much simpler model of it live through the same random history,
 * and must agree at every step. fast-check makes the histories, and cuts one that fails down to the
 * shortest that still does.
 *
 * The seed is fixed, so that a test that fails fails again. A failure prints `seed` and `path`:
 * `MODEL_SEED=… MODEL_PATH=… deno test --allow-all tests/models/…` replays that one history. To look
 * further, `MODEL_SEED` takes another seed, and `MODEL_RUNS` so many times as many histories.
 */
import fc from "fast-check";

const SEED = 6;

/** A kind of event in a history, and how often it comes compared with the others. */
export interface EventKind<E> {
  /** A whole number above 0. */
  readonly weight: number;
  /** The event itself. */
  readonly arbitrary: fc.Arbitrary<E>;
}

/** An event named `kind`, with the fields that are drawn for it. */
export function event<K extends string, F extends Record<string, unknown> = Record<never, never>>(
  kind: K,
  weight: number,
  fields: { [N in keyof F]: fc.Arbitrary<F[N]> } = {} as { [N in keyof F]: fc.Arbitrary<F[N]> },
): EventKind<{ readonly kind: K } & Readonly<F>> {
  const arbitrary = fc.record(fields).map((drawn) => ({ kind, ...drawn as F }));
  return { weight, arbitrary };
}

/** The events of those kinds. */
export type EventOf<K> = K extends readonly EventKind<infer E>[] ? E : never;

/** Histories of those kinds of events, of any length up to `lengthMax`. */
export function historiesOf<K extends EventKind<unknown>>(
  kinds: readonly K[],
  lengthMax: number,
): fc.Arbitrary<EventOf<K[]>[]> {
  const any = fc.oneof(...kinds) as fc.Arbitrary<EventOf<K[]>>;
  return fc.array(any, { maxLength: lengthMax, size: "max" });
}

/**
 * Lives through so many histories of those. Fails with the shortest one found that `live` does not
 * survive.
 */
export async function checkModel<T>(
  { runs, of }: { readonly runs: number; readonly of: fc.Arbitrary<T> },
  live: (drawn: T) => Promise<void> | void,
): Promise<void> {
  const path = Deno.env.get("MODEL_PATH");
  const parameters = {
    seed: Number(Deno.env.get("MODEL_SEED") ?? SEED),
    numRuns: runs * Number(Deno.env.get("MODEL_RUNS") ?? 1),
    ...path === undefined ? {} : { path },
  };
  await fc.assert(fc.asyncProperty(of, async (drawn) => await live(drawn)), parameters);
}
