/** Whole numbers as people type them. Pure. */

/** Reads digits and nothing else. Throws a `RangeError` that says what was expected. */
export function parseWholeNumber(
  text: string,
  bounds: { readonly min: number; readonly max: number },
): number {
  const { min, max } = bounds;
  const number = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (number >= min && number <= max) return number;
  throw new RangeError(`expected a whole number from ${min} to ${max}`);
}
