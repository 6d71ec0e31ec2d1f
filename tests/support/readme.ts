/** What the tests read out of README.md, so that it says only what is true. */

/** Why a test of the README is skipped; to be put into the test's name. */
export const NO_README = "skipped: there is no README.md yet";

/** The README; null until there is one. */
export function readReadme(): string | null {
  try {
    return Deno.readTextFileSync(new URL("../../README.md", import.meta.url));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** The lines of the first fenced code block under a heading. */
export function codeBlockUnder(markdown: string, heading: string): string[] {
  const lines = markdown.split(/\r?\n/);
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.includes(heading));
  const open = lines.findIndex((line, at) => start !== -1 && at > start && line.startsWith("```"));
  const close = lines.findIndex((line, at) => open !== -1 && at > open && line.startsWith("```"));
  if (close === -1) throw new RangeError(`README.md: no code block under a heading "${heading}"`);
  return lines.slice(open + 1, close);
}

/** The lines of all fenced code blocks in a section, up to the next heading of its kind. */
export function codeBlocksIn(markdown: string, heading: string): string[] {
  const section = markdown.split(/^## /m).find((each) => each.split("\n")[0] === heading) ?? "";
  const blocks = [...section.matchAll(/^```\w*\n(?<lines>[\s\S]*?)^```$/gm)];
  if (blocks.length === 0) throw new RangeError(`README.md: no code block in "${heading}"`);
  return blocks.flatMap((block) => (block.groups?.["lines"] ?? "").trimEnd().split("\n"));
}

/** The text of each code block in that language. */
export function codeBlocksOf(markdown: string, language: string): string[] {
  const blocks = markdown.matchAll(/^```(?<language>\w*)\n(?<text>[\s\S]*?)^```$/gm);
  return [...blocks].flatMap(({ groups }) =>
    groups?.["language"] === language ? [groups["text"] ?? ""] : []
  );
}

/**
 * The table whose first row begins with that cell: the cells of its rows, without the row of
 * dashes. Blanks around a cell do not count, because the formatter sets them.
 */
export function tableOf(markdown: string, firstCell: string): string[][] {
  const lines = markdown.split(/\r?\n/);
  const start = lines.findIndex((line) => line.startsWith("|") && cells(line)[0] === firstCell);
  if (start === -1) throw new RangeError(`README.md: no table that begins with "${firstCell}"`);
  const length = lines.slice(start).findIndex((line) => !line.startsWith("|"));
  const rows = lines.slice(start, length === -1 ? undefined : start + length).map(cells);
  return rows.filter((row) => !row.every((cell) => /^:?-+:?$/.test(cell)));
}

function cells(row: string): string[] {
  return row.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim());
}
