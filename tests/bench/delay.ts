/** Waits for `milliseconds`: the pause between two looks at a condition, never a guess at a duration. */
export function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
