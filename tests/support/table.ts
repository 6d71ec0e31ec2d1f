/** Tables with aligned columns, for a terminal and in Markdown. Pure. */

/** The texts of all cells. */
export interface Table {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** How a table is to look. */
export interface Layout {
  readonly isMarkdown: boolean;
  /** So many columns are text, set to the left; the others are numbers, set to the right. */
  readonly textColumns: number;
}

/** The table as lines of text, each with its end. */
export function layOut({ header, rows }: Table, { isMarkdown, textColumns }: Layout): string {
  const widths = header.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => row[column]?.length ?? 0))
  );
  const line = (cells: readonly string[]): string => {
    const padded = cells.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column < textColumns ? cell.padEnd(width) : cell.padStart(width);
    });
    return isMarkdown ? `| ${padded.join(" | ")} |\n` : `${padded.join("  ").trimEnd()}\n`;
  };
  const rule = widths.map((width, column) => {
    const dashes = "-".repeat(width);
    return isMarkdown && column >= textColumns ? `${dashes.slice(1)}:` : dashes;
  });
  return [header, rule, ...rows].map(line).join("");
}
