/**
 * `--compress`: whether an answer is sent compressed, and what becomes of its head. The exchange asks
 * for each answer, then has a compressor make the body. Pure.
 *
 * To HEAD the answer is that to GET, for its head is to be the same (RFC 9110 section 9.3.2), and a
 * Content-Length that GET would not have is forbidden (section 8.6). There is only no body then, and
 * nothing for a compressor to do.
 *
 * What is answered 304 keeps its ETag as the backend sent it: without its content nobody knows
 * whether that would have been compressed.
 */
import { type Encoding, preferredEncoding } from "./accept_encoding.ts";
import type { Header, RequestHead, ResponseHead } from "./head_parser.ts";

/**
 * How an answer is sent: in that encoding, or as it is, though another client may get it compressed
 * (`identity`).
 */
export type ContentCoding = Encoding | "identity";

/** What is looked at. */
export interface Exchanged {
  /** As the client sent it. */
  readonly request: RequestHead;
  /** As the backend sent it. */
  readonly response: ResponseHead;
  /** How many bytes its body has; null: that is not known. To HEAD: what Content-Length says. */
  readonly length: number | null;
}

/** A shorter body fits into one packet either way. */
const LENGTH_MIN = 1024;
/** Besides text/* and what is built on JSON or XML: text in all but name, and wasm, which shrinks too. */
const TYPES: ReadonlySet<string> = new Set([
  "application/ecmascript",
  "application/graphql",
  "application/javascript",
  "application/json",
  "application/jsonl",
  "application/rtf",
  "application/wasm",
  "application/x-javascript",
  "application/x-ndjson",
  "application/xml",
]);
/** Small events that must leave at once: there is little to gain and much to hold up. */
const EVENT_STREAM = "text/event-stream";
/**
 * Who sends a digest wants those very bytes to arrive (RFC 9530, and RFC 3230 and 1864 before it). It
 * would be wrong afterwards, and to drop it would take from the client what it may rely on.
 */
const BYTES_MATTER: ReadonlySet<string> = new Set([
  "content-digest",
  "content-md5",
  "digest",
  "repr-digest",
]);

/** How to send this answer to this request; null: as it is, to everybody: there is nothing to do. */
export function negotiate({ request, response, length }: Exchanged): ContentCoding | null {
  if (!isCompressible(response, length)) return null;
  // RFC 9111 section 5.2.1.6: the client wants it as it is.
  return isForbidden(request.headers) ? "identity" : preferredEncoding(request.headers);
}

/**
 * The head of an answer that is sent in that encoding. Caches learn that it depends on
 * Accept-Encoding (RFC 9110 section 12.5.5). Unless it is sent as it is, its length is not known any
 * more, a part of it cannot be had (a range would be one of other bytes), and a strong ETag is made
 * weak, as it stands for the bytes of another representation (section 8.8.1).
 */
export function compressedHead(head: ResponseHead, coding: ContentCoding): ResponseHead {
  const headers = coding === "identity" ? [...head.headers] : encodedHeaders(head.headers, coding);
  if (!variesByEncoding(headers)) headers.push({ name: "Vary", value: "Accept-Encoding" });
  return { ...head, headers };
}

function encodedHeaders(headers: readonly Header[], encoding: Encoding): Header[] {
  const encoded: Header[] = [];
  for (const header of headers) {
    switch (header.name.toLowerCase()) {
      case "content-length":
      case "accept-ranges":
        break;
      case "etag":
        encoded.push({ name: header.name, value: header.value.replace(/^"/, 'W/"') });
        break;
      default:
        encoded.push(header);
    }
  }
  encoded.push({ name: "Content-Encoding", value: encoding });
  return encoded;
}

/** Could it be sent compressed, to whoever wants that? */
function isCompressible({ status, headers }: ResponseHead, length: number | null): boolean {
  if (length !== null && length < LENGTH_MIN) return false;
  // No content: RFC 9110 sections 15.2, 15.3.5, 15.3.6 and 15.4.5; a part of it: 15.3.7.
  if (status < 200 || status === 204 || status === 205 || status === 206 || status === 304) {
    return false;
  }
  let type: string | null = null;
  for (const { name, value } of headers) {
    const lower = name.toLowerCase();
    if (lower === "content-encoding" || lower === "content-range") return false;
    if (BYTES_MATTER.has(lower)) return false;
    if (lower !== "content-type") continue;
    if (type !== null) return false; // Two of them: nobody knows what it is.
    type = mediaType(value);
  }
  return type !== null && isText(type) && !isForbidden(headers);
}

/** Without its parameters. */
function mediaType(value: string): string {
  return (value.split(";", 1)[0] ?? "").trim().toLowerCase();
}

function isText(type: string): boolean {
  if (type.startsWith("text/")) return type !== EVENT_STREAM;
  return TYPES.has(type) || type.endsWith("+json") || type.endsWith("+xml");
}

/** `no-transform` (RFC 9111 sections 5.2.1.6 and 5.2.2.6). Where a quoted text has it, it may count. */
function isForbidden(headers: readonly Header[]): boolean {
  return headers.some(({ name, value }) =>
    name.toLowerCase() === "cache-control" && listed(value, "no-transform")
  );
}

function variesByEncoding(headers: readonly Header[]): boolean {
  return headers.some(({ name, value }) =>
    name.toLowerCase() === "vary" && (listed(value, "accept-encoding") || listed(value, "*"))
  );
}

/** Is that word, in lower case, in a list of words? */
function listed(list: string, word: string): boolean {
  return list.toLowerCase().split(",").some((each) => each.trim() === word);
}
