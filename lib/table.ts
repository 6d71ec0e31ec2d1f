/** Aligned tables of text that fit a width. Pure. */

/** One column. */
export interface Column {
  /** What stands above it. */
  readonly head: string;
  /** Its cells, one for each row. */
  readonly cells: readonly string[];
  /** Where they stand; the default is left, for numbers take right. */
  readonly align?: "left" | "right";
  /** Where there is no room, columns of a higher rank go first; 0, the default: it never goes. */
  readonly rank?: number;
  /** May its cells be cut where there is no room? For the last column. */
  readonly flexible?: boolean;
  /** What a cell is put in, such as codes of a terminal for a colour, which take no room. */
  readonly paint?: (cell: string) => readonly [before: string, after: string];
}

const GAP = "  ";
/**
 * A flexible column is not cut to less than the first while there are columns of a higher rank that
 * can go in its place, and never to less than the second.
 */
const FLEXIBLE_MIN = { good: 32, least: 16 } as const;

/** The lines of the table, its head first, none longer than `width`; null: as long as they are. */
export function tableLines(columns: readonly Column[], width: number | null): string[] {
  const kept = fitting(columns, width ?? Infinity);
  const widths = kept.map(widthOf);
  // Blanks behind the last column would count as text that does not fit.
  if (kept.at(-1)?.align !== "right") widths[widths.length - 1] = 0;
  const rows = Math.max(0, ...kept.map(({ cells }) => cells.length));
  const heads = kept.map(({ head, align = "left" }) => ({ head, align, cells: [head] }));
  return [
    rowLine(heads, 0, { widths, room: width ?? Infinity }),
    ...Array.from(
      { length: rows },
      (_, row) => rowLine(kept, row, { widths, room: width ?? Infinity }),
    ),
  ];
}

function rowLine(
  columns: readonly Column[],
  row: number,
  { widths, room }: { readonly widths: readonly number[]; readonly room: number },
): string {
  let text = "";
  let left = room;
  for (const [at, { cells, align = "left", paint }] of columns.entries()) {
    const cell = cells[row] ?? "";
    const blanks = " ".repeat(Math.max(0, (widths[at] ?? 0) - [...cell].length));
    const padded = align === "left" ? cell + blanks : blanks + cell;
    const shown = cut(at === 0 ? padded : GAP + padded, left);
    left -= [...shown].length;
    const [before, after] = paint?.(cell) ?? ["", ""];
    text += `${before}${shown}${after}`;
  }
  return text.trimEnd();
}

/** The text, if need be cut to a width, with a sign that it was. */
export function cut(text: string, width: number): string {
  const characters = [...text];
  if (characters.length <= width) return text;
  return width <= 0 ? "" : `${characters.slice(0, width - 1).join("")}…`;
}

/** Without the columns that there is no room for. */
function fitting(columns: readonly Column[], width: number): readonly Column[] {
  const highest = Math.max(0, ...columns.map(rankOf));
  const needed = columns.reduce(
    (sum, column, at) => sum + (at === 0 ? 0 : GAP.length) + leastOf(column, highest),
    0,
  );
  if (needed <= width || highest === 0) return columns;
  const goes = columns.map(rankOf).lastIndexOf(highest);
  return fitting(columns.filter((_, at) => at !== goes), width);
}

function rankOf({ rank = 0 }: Column): number {
  return rank;
}

function leastOf(column: Column, highest: number): number {
  const full = widthOf(column);
  if (column.flexible !== true) return full;
  const { good, least } = FLEXIBLE_MIN;
  return Math.min(full, rankOf(column) < highest ? good : least);
}

function widthOf({ head, cells }: Column): number {
  return Math.max(...[head, ...cells].map((text) => [...text].length));
}
