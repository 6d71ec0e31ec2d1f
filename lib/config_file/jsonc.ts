/**
 * JSON with comments and commas before a closing bracket: text to a value, and for each part of it
 * the place where it stands. Pure.
 */
import {
  createScanner,
  findNodeAtLocation,
  getNodeValue,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from "jsonc-parser";

/** The way from the outermost value to one inside: keys of objects, places in lists. */
export type Path = readonly PropertyKey[];

/** Something that is wrong, at that character of the text. */
export interface Problem {
  /** From 0. */
  readonly offset: number;
  /** What is wrong, in words that follow a colon. */
  readonly text: string;
}

/** Deeper than this no configuration is; the parser takes a piece of the stack for each level. */
const DEPTH_MAX = 64;

/** What jsonc-parser's codes mean to whoever typed the file. */
const SYNTAX: Readonly<Record<string, string>> = {
  InvalidSymbol: "text that is no value; expected text in double quotes, a number, true or false",
  InvalidNumberFormat: "a number that cannot be read",
  PropertyNameExpected: "expected a key in double quotes",
  ValueExpected: "expected a value",
  ColonExpected: "expected a colon between a key and its value",
  CommaExpected: "expected a comma before what follows",
  CloseBraceExpected: "expected a closing brace }",
  CloseBracketExpected: "expected a closing bracket ]",
  EndOfFileExpected: "expected the end, but something follows",
  InvalidCommentToken: "a comment that cannot be read",
  UnexpectedEndOfComment: "a comment without its end */",
  UnexpectedEndOfString: "text without its closing quote",
  UnexpectedEndOfNumber: "a number that breaks off",
  InvalidUnicode: "expected four hexadecimal digits behind \\u",
  InvalidEscapeCharacter:
    'a backslash before a character that it cannot escape; for \\ write "\\\\"',
  InvalidCharacter: "a control character inside text; write it as \\n, \\t or \\u0000",
};

/** A text that was parsed. */
export class Jsonc {
  /**
   * What it says; undefined where it has problems. Its objects have no prototypes. Of a key given twice
   * the first counts.
   */
  readonly value: unknown;
  /** Why it is not text in this form. */
  readonly problems: readonly Problem[];
  /** The keys that are given twice. */
  readonly duplicates: readonly Problem[];
  readonly #text: string;
  readonly #root: Node | undefined;

  /** Parses; never throws. */
  constructor(text: string) {
    this.#text = text;
    const tooDeep = depthProblem(text);
    const errors: ParseError[] = [];
    this.#root = tooDeep === null
      ? parseTree(text, errors, { allowTrailingComma: true })
      : undefined;
    this.problems = tooDeep !== null ? [tooDeep] : errors.length > 0 ? [syntaxProblem(errors)] : [];
    this.duplicates = this.problems.length > 0 ? [] : takeDuplicates(this.#root);
    this.value = this.#root === undefined || this.problems.length > 0
      ? undefined
      : getNodeValue(this.#root);
  }

  /** Where the value stands, or the next one around it that is there. */
  offsetOf(path: Path): number {
    return this.#nodeAt(path)?.offset ?? 0;
  }

  /** Where the key stands that the path ends with. */
  offsetOfKey(path: Path): number {
    return this.#nodeAt(path)?.parent?.offset ?? 0;
  }

  /** The value at a path; undefined where there is none. */
  valueAt(path: Path): unknown {
    const node = this.#exactNodeAt(path);
    return node === undefined ? undefined : getNodeValue(node);
  }

  /** Line and column of a character, from 1, as `3:15`. */
  lineAndColumn(offset: number): string {
    const lines = this.#text.slice(0, offset).split(/\r\n|\r|\n/);
    return `${lines.length}:${[...lines.at(-1) ?? ""].length + 1}`;
  }

  #nodeAt(path: Path): Node | undefined {
    const node = this.#exactNodeAt(path);
    return node === undefined && path.length > 0 ? this.#nodeAt(path.slice(0, -1)) : node;
  }

  #exactNodeAt(path: Path): Node | undefined {
    const segments = path.filter((each) => typeof each !== "symbol");
    return this.#root === undefined ? undefined : findNodeAtLocation(this.#root, segments);
  }
}

/** A path for people: `servers[1].weight`. */
export function formatPath(path: Path): string {
  return path.map((each, at) => {
    if (typeof each === "number") return `[${each}]`;
    return at === 0 ? String(each) : `.${String(each)}`;
  }).join("");
}

/** The first error; those behind it follow from it as a rule. */
function syntaxProblem(errors: readonly ParseError[]): Problem {
  const [first] = errors.toSorted((one, other) => one.offset - other.offset);
  const code = first === undefined ? "" : printParseErrorCode(first.error);
  return { offset: first?.offset ?? 0, text: SYNTAX[code] ?? code };
}

/** Takes keys out that their objects have already, so that one reading of the rest is left. */
function takeDuplicates(node: Node | undefined): Problem[] {
  const children = node?.children ?? [];
  const problems: Problem[] = [];
  const seen = new Set<string>();
  let kept = 0;
  for (const child of children) {
    const name = child.type === "property" ? String(child.children?.[0]?.value) : null;
    if (name !== null && seen.has(name)) {
      const text = `${JSON.stringify(name.slice(0, 80))}: given twice; expected it once`;
      problems.push({ offset: child.offset, text });
      continue;
    }
    if (name !== null) seen.add(name);
    children[kept++] = child;
  }
  children.length = kept;
  return problems.concat(children.flatMap(takeDuplicates));
}

function depthProblem(text: string): Problem | null {
  const scanner = createScanner(text, true);
  let depth = 0;
  while (scanner.getPosition() < text.length) {
    scanner.scan();
    const token = text.slice(scanner.getTokenOffset(), scanner.getPosition());
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
    if (depth <= DEPTH_MAX) continue;
    return { offset: scanner.getTokenOffset(), text: `nested more than ${DEPTH_MAX} levels deep` };
  }
  return null;
}
