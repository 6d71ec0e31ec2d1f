/** Types for what the tests use from `npm:deno-std/assert`, which ships plain JavaScript. */

type ErrorClass<E extends Error> = abstract new (...args: never[]) => E;

/** Fails unless `value` is truthy. */
export function assert(value: unknown, message?: string): asserts value;
/** Fails unless both are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, message?: string): void;
/** Fails if both are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, message?: string): void;
/** Fails unless both are the same value. */
export function assertStrictEquals<T>(actual: unknown, expected: T, message?: string): void;
/** Fails unless `actual` contains `expected`. */
export function assertStringIncludes(actual: string, expected: string, message?: string): void;
/** Fails unless `actual` matches. */
export function assertMatch(actual: string, expected: RegExp, message?: string): void;
/** Fails if `actual` matches. */
export function assertNotMatch(actual: string, expected: RegExp, message?: string): void;
/** Fails unless `low < actual`. */
export function assertGreater<T>(actual: T, low: T, message?: string): void;
/** Fails unless `low <= actual`. */
export function assertGreaterOrEqual<T>(actual: T, low: T, message?: string): void;
/** Fails unless `actual < high`. */
export function assertLess<T>(actual: T, high: T, message?: string): void;
/** Fails unless `actual <= high`. */
export function assertLessOrEqual<T>(actual: T, high: T, message?: string): void;
/** Fails unless `actual` is an instance of the class. */
export function assertInstanceOf<E extends Error>(
  actual: unknown,
  expected: ErrorClass<E>,
  message?: string,
): asserts actual is E;
/** Fails unless the call throws; returns what it threw. */
export function assertThrows<E extends Error = Error>(
  call: () => unknown,
  errorClass?: ErrorClass<E>,
  messageIncludes?: string,
  message?: string,
): E;
/** Fails unless the promise rejects; returns what it rejected with. */
export function assertRejects<E extends Error = Error>(
  call: () => PromiseLike<unknown>,
  errorClass?: ErrorClass<E>,
  messageIncludes?: string,
  message?: string,
): Promise<E>;
/** Fails always. */
export function fail(message?: string): never;
