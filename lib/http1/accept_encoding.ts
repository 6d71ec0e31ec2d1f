/** Which of the codings that we can make a client wants best (RFC 9110 section 12.5.3). Pure. */
import type { Header } from "./head_parser.ts";

/** A content coding that we can make. */
export type Encoding = "zstd" | "gzip" | "br";

/**
 * Ours, in the order of what they cost, which decides where the client does not mind: at the levels
 * that can be spent on answers as they pass (see compressor.ts), what the three make of text, JSON and
 * HTML differs by a few percent. zstd takes a third to a half of the others' time, but for small
 * bodies. br takes at least as long as gzip and several times its memory, for 4 % less at best; so it
 * is for clients who ask for it more than for the others, or for nothing else.
 */
const ENCODINGS: readonly Encoding[] = ["zstd", "gzip", "br"];

/** `coding` or `coding;q=0.5`, with the blanks allowed (RFC 9110 sections 5.6.2 and 12.4.2). */
const ELEMENT =
  /^[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*(?:;[ \t]*[qQ]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)[ \t]*)?$/;

/**
 * What a client wants best of all that we can make, and of the answer as it is (`identity`). The
 * latter comes last where the client does not mind, or names codings and says nothing of it; and it
 * is what is left when nothing else is wanted, even if it is refused too. A client without the header
 * gets it: such clients as a rule decode nothing. What is not well-formed counts as not said; of a
 * coding named twice the first counts.
 */
export function preferredEncoding(headers: readonly Header[]): Encoding | "identity" {
  const weights = weightsIn(headers);
  const others = weights.get("*") ?? 0;
  let bestWeight = weights.get("identity") ?? others;
  let best: Encoding | "identity" = "identity";
  for (const encoding of ENCODINGS) {
    const weight = weights.get(encoding) ?? others;
    const better = best === "identity" ? weight >= bestWeight : weight > bestWeight;
    if (weight === 0 || !better) continue;
    best = encoding;
    bestWeight = weight;
  }
  return best;
}

function weightsIn(headers: readonly Header[]): Map<string, number> {
  const weights = new Map<string, number>();
  for (const { name, value } of headers) {
    if (name.length !== "accept-encoding".length || name.toLowerCase() !== "accept-encoding") {
      continue;
    }
    for (const element of value.split(",")) {
      const [, coding, weight = "1"] = ELEMENT.exec(element) ?? [];
      if (coding === undefined) continue;
      const named = plainName(coding);
      if (!weights.has(named)) weights.set(named, Number(weight));
    }
  }
  return weights;
}

/** In lower case, and without the old form of gzip (RFC 9110 section 8.4.1.3). */
function plainName(coding: string): string {
  const lower = coding.toLowerCase();
  return lower === "x-gzip" ? "gzip" : lower;
}
