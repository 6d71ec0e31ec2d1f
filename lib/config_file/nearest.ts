/** The word that was meant: the nearest of those known. Pure. */

/** Words longer than this are not looked at: comparing takes the product of two lengths. */
const LENGTH_MAX = 40;

/**
 * The nearest word to one that is misspelled; undefined where none is near. Capitals, `-` and `_` do
 * not count: who writes `healthPath` means `health-path`.
 */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (word.length > LENGTH_MAX) return undefined;
  const letters = bare(word);
  let best: { readonly word: string; readonly distance: number } | undefined;
  for (const each of known) {
    const distance = editDistance(letters, bare(each));
    if (distance < (best?.distance ?? Infinity)) best = { word: each, distance };
  }
  // A third of the letters may be wrong: below that, what is offered helps more than it puzzles.
  return best !== undefined && best.distance <= letters.length / 3 ? best.word : undefined;
}

function bare(word: string): string {
  return word.toLowerCase().replaceAll(/[-_]/g, "");
}

/** Letters to add, to drop, to change or to swap with the next one (Damerau; optimal alignment). */
export function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const isSame = from[row - 1] === to[column - 1];
      const isSwapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      current.push(Math.min(
        at(last, column) + 1,
        at(current, column - 1) + 1,
        at(last, column - 1) + (isSame ? 0 : 1),
        isSwapped ? at(beforeLast, column - 2) + 1 : Infinity,
      ));
    }
    [beforeLast, last] = [last, current];
  }
  return at(last, to.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity;
}
