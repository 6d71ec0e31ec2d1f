/**
 * What body follows a head, and whether its sender keeps the connection open (RFC 9112, sections 6
 * and 9.3). Pure; asked by the session and the exchange.
 *
 * Where the RFC leaves a choice between mending and refusing, what could be understood in two ways is
 * refused: a request that ends at one place for the balancer and at another for a backend carries a
 * second request in it that nobody has seen.
 */
import { withoutBlanks } from "./characters.ts";
import { malformed } from "./head_lines.ts";
import {
  type Header,
  type HeadError,
  isNamed,
  type RequestHead,
  type ResponseHead,
} from "./head_parser.ts";

/** A body of that many bytes: at least one. */
export interface BodyLength {
  /** At most `Number.MAX_SAFE_INTEGER`. */
  readonly length: number;
}

/** What follows the head of a request. "none": not a byte. */
export type RequestBody = "none" | "chunked" | BodyLength;

/** What follows the head of a response. "until-close": all that comes before the connection ends. */
export type ResponseBody = RequestBody | "until-close";

const LENGTH_AND_CODING = malformed("both Content-Length and Transfer-Encoding");
const LENGTHS = malformed("more than one Content-Length");
const INVALID_LENGTH = malformed("an invalid Content-Length");
const LOOKALIKE = malformed("the name of a framing header with _ for -");
const CODING_IN_1_0 = malformed("Transfer-Encoding in HTTP/1.0");
const INVALID_CODING = malformed("a Transfer-Encoding that does not end in one chunked");
const UNKNOWN_CODING: HeadError = {
  state: "error",
  status: 501,
  reason: "a transfer coding other than chunked",
};

/**
 * What follows the head of a request (section 6.3).
 *
 * Refused, with the status to answer: Content-Length with Transfer-Encoding (6.3, item 3); more than
 * one Content-Length, or a list in one, even of equal numbers, which could be mended (6.3, item 5);
 * one that is no number, or above 2^53 - 1; Transfer-Encoding in HTTP/1.0 (6.1); any that is not
 * chunked, once and last (6.3, item 4); and with 501 a coding ahead of it, as none is known here (6.1).
 */
export function requestBody(head: RequestHead): RequestBody | HeadError {
  const body = readFraming(head.headers, head.minor);
  return body === "unsaid" ? "none" : body;
}

/**
 * What follows the head of a response to a request of that method (section 6.3). Refused, with an
 * answer of 502 in its place: the same as in {@linkcode requestBody}, even where no body can follow,
 * because the client reads it as well.
 */
export function responseBody(head: ResponseHead, method: string): ResponseBody | HeadError {
  const body = readFraming(head.headers, head.minor);
  if (typeof body === "object" && "state" in body) return body;
  if (hasNoBody(head.status, method)) return "none";
  return body === "unsaid" ? "until-close" : body;
}

/**
 * Does the sender of that head keep the connection open behind this message (section 9.3)? Not asked
 * of a body until close. A connection of HTTP/1.0 is kept where "keep-alive" says so.
 */
export function keepsAlive(head: Pick<RequestHead, "minor" | "headers">): boolean {
  let asked = head.minor === 1;
  for (const header of head.headers) {
    if (!isNamed(header, "connection")) continue;
    const options = listOf(header.value);
    if (options.includes("close")) return false;
    if (options.includes("keep-alive")) asked = true;
  }
  return asked;
}

/** The members of a list, in small letters (RFC 9110, section 5.6.1); empty ones are left out. */
export function listOf(value: string): readonly string[] {
  const text = value.toLowerCase();
  if (!text.includes(",")) return text === "" ? [] : [text];
  return text.split(",").map(withoutBlanks).filter((member) => member !== "");
}

/** Section 6.3, items 1 and 2. */
function hasNoBody(status: number, method: string): boolean {
  return status < 200 || status === 204 || status === 304 || method === "HEAD" ||
    method === "CONNECT" && status < 300;
}

/** What the headers say of the body; "unsaid": nothing. */
function readFraming(
  headers: readonly Header[],
  minor: 0 | 1,
): RequestBody | "unsaid" | HeadError {
  let length: string | null = null;
  let coding: string | null = null;
  for (const header of headers) {
    switch (framingName(header)) {
      case "content-length":
        if (length !== null) return LENGTHS;
        length = header.value;
        break;
      case "transfer-encoding":
        // Several headers are one list (RFC 9110, section 5.3).
        coding = coding === null ? header.value : `${coding},${header.value}`;
        break;
      case "lookalike":
        return LOOKALIKE;
      case "other":
        break;
    }
  }
  if (coding === null) return length === null ? "unsaid" : readLength(length);
  return length === null ? readCoding(coding, minor) : LENGTH_AND_CODING;
}

/** Tells by the length first, which nearly always decides. */
function framingName(
  { name }: Header,
): "content-length" | "transfer-encoding" | "lookalike" | "other" {
  if (name.length !== "content-length".length && name.length !== "transfer-encoding".length) {
    return "other";
  }
  const lower = name.toLowerCase();
  if (lower === "content-length" || lower === "transfer-encoding") return lower;
  // Servers that put headers into variables, as CGI does, read one as the other.
  const isLookalike = lower === "content_length" || lower === "transfer_encoding";
  return isLookalike ? "lookalike" : "other";
}

function readLength(value: string): RequestBody | HeadError {
  if (!/^\d+$/.test(value)) return INVALID_LENGTH;
  const length = Number(value);
  if (!Number.isSafeInteger(length)) return INVALID_LENGTH;
  return length === 0 ? "none" : { length };
}

function readCoding(value: string, minor: 0 | 1): "chunked" | HeadError {
  if (minor === 0) return CODING_IN_1_0;
  const codings = value.toLowerCase().split(",").map(withoutBlanks);
  const last = codings.pop();
  // Empty members included: what is mended here could be read in another way elsewhere.
  if (last !== "chunked" || codings.includes("chunked") || codings.includes("")) {
    return INVALID_CODING;
  }
  return codings.length === 0 ? "chunked" : UNKNOWN_CODING;
}
