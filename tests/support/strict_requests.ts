/**
 * A second opinion on what a stream of requests says: a plain reader, written from RFC 9112 alone and
 * sharing nothing with lib/http1/. It reads a whole text at once and mends nothing, so that what it
 * finds in a client's bytes can be held against what it finds in those that the backend got.
 */

/** Whose bytes they are. From the balancer, only what it may write itself is in order. */
export type Sender = "client" | "balancer";

/** A request as it was read. */
export interface StrictRequest {
  /** The method. */
  readonly method: string;
  /** Path and query, or `*`: what a URL in its place comes down to. */
  readonly target: string;
  /** The host that it is for; null where none was named. */
  readonly host: string | null;
  /** The headers, Host aside, each as `Name: value`. */
  readonly headers: readonly string[];
  /** So much of the body as has come. */
  readonly body: string;
  /** Has all of it come? */
  readonly isWhole: boolean;
}

/** What was found in a text. */
export interface Reading {
  /** The requests; only the last may not be whole. */
  readonly requests: readonly StrictRequest[];
  /** How much of the text the whole ones take up. */
  readonly length: number;
  /** Why nothing behind that is a request, and never will be; null: more may come. */
  readonly fault: string | null;
}

interface Head {
  readonly method: string;
  readonly target: string;
  readonly host: string | null;
  readonly headers: readonly string[];
  readonly framing: "chunked" | number;
  /** Where the body starts. */
  readonly end: number;
}

interface Body {
  readonly body: string;
  /** Where the request ends; null: it does not. */
  readonly end: number | null;
}

/** Text that is no request. */
class Fault extends Error {}

const REQUEST_LINE = /^([\w!#$%&'*+.^`|~-]+) ([!"$-~]+) HTTP\/1\.([01])$/;
const HEADER_LINE = /^([\w!#$%&'*+.^`|~-]+):[\t ]*([\t -~\x80-\xff]*)$/;
const URL_TARGET = /^https?:\/\/([^/?]+)([^?]*)(.*)$/i;
const HOST = /^[^\s/?#@]*$/;
const CHUNK_LINE = {
  client: /^([\da-f]{1,16})(?:[\t ]*;[\t -~\x80-\xff]*)?$/i,
  balancer: /^([1-9a-f][\da-f]*|0)$/,
} as const;

/** Reads all requests that begin in a text of one character a byte. */
export function readRequests(text: string, sender: Sender): Reading {
  const requests: StrictRequest[] = [];
  let length = 0;
  try {
    for (;;) {
      const head = readHead(text, { from: length, sender });
      if (head === null) return { requests, length, fault: null };
      const { end, framing, ...about } = head;
      const index = requests.push({ ...about, body: "", isWhole: false }) - 1;
      const take = (body: string, isWhole: boolean): void => {
        requests[index] = { ...about, body, isWhole };
      };
      const body = framing === "chunked"
        ? readChunks(text, { from: end, sender, onData: (data) => take(data, false) })
        : readLength(text, { from: end, length: framing });
      take(body.body, body.end !== null);
      if (body.end === null) return { requests, length, fault: null };
      length = body.end;
    }
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { requests, length, fault: error.message };
  }
}

/** A head; null: its end has not come. */
function readHead(
  text: string,
  { from, sender }: { readonly from: number; readonly sender: Sender },
): Head | null {
  // One empty line too many may stand behind a body (section 2.2), but not of the balancer's making.
  const start = sender === "client" && text.startsWith("\r\n", from) ? from + 2 : from;
  const end = text.indexOf("\r\n\r\n", start);
  if (end < 0) return null;
  const [requestLine = "", ...lines] = text.slice(start, end).split("\r\n");
  const [, method = "", written = "", minor] = REQUEST_LINE.exec(requestLine) ?? [];
  if (method === "") throw new Fault(`a request line: ${JSON.stringify(requestLine)}`);
  if (sender === "balancer" && minor !== "1") throw new Fault("HTTP/1.0");
  const fields = lines.map(readHeader);
  const hosts = valuesOf(fields, "host");
  if (hosts.length > 1 || hosts.length === 0 && minor === "1") throw new Fault("a doubt of Host");
  const { target, host } = readTarget(method, { written, sender });
  const framing = readFraming(fields, minor === "1");
  const headers = fields.filter(([name]) => name.toLowerCase() !== "host")
    .map(([name, value]) => `${name}: ${value}`);
  const named = host ?? hosts[0] ?? null;
  if (named !== null && !HOST.test(named)) throw new Fault(`a Host: ${JSON.stringify(named)}`);
  return { method, target, host: named, headers, framing, end: end + 4 };
}

function readHeader(line: string): readonly [name: string, value: string] {
  const [, name = "", value = ""] = HEADER_LINE.exec(line) ?? [];
  if (name === "") throw new Fault(`a header line: ${JSON.stringify(line)}`);
  return [name, value.replace(/[\t ]+$/, "")];
}

function valuesOf(
  fields: readonly (readonly [name: string, value: string])[],
  wanted: string,
): readonly string[] {
  return fields.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value);
}

/** Section 3.2. */
function readTarget(
  method: string,
  { written, sender }: { readonly written: string; readonly sender: Sender },
): { readonly target: string; readonly host: string | null } {
  if (written.startsWith("/")) return { target: written, host: null };
  if (written === "*" && method === "OPTIONS") return { target: written, host: null };
  const [, host, path = "", query = ""] = URL_TARGET.exec(written) ?? [];
  if (host === undefined || sender === "balancer") throw new Fault(`a target: ${written}`);
  const bare = method === "OPTIONS" && query === "" ? "*" : `/${query}`;
  return { target: path === "" ? bare : path + query, host };
}

/** Section 6.3, of what leaves no doubt. */
function readFraming(
  fields: readonly (readonly [name: string, value: string])[],
  knowsChunks: boolean,
): "chunked" | number {
  if (fields.some(([name]) => /^(content_length|transfer_encoding)$/i.test(name))) {
    throw new Fault("a header that some take for one of framing");
  }
  const lengths = valuesOf(fields, "content-length");
  const codings = valuesOf(fields, "transfer-encoding");
  if (lengths.length + codings.length > 1) throw new Fault("framing said twice");
  const [coding] = codings;
  if (coding !== undefined) {
    if (coding.toLowerCase() === "chunked" && knowsChunks) return "chunked";
    throw new Fault(`a coding: ${JSON.stringify(coding)}`);
  }
  const [length = "0"] = lengths;
  if (!/^\d+$/.test(length) || Number(length) > Number.MAX_SAFE_INTEGER) {
    throw new Fault(`a length: ${JSON.stringify(length)}`);
  }
  return Number(length);
}

function readLength(
  text: string,
  { from, length }: { readonly from: number; readonly length: number },
): Body {
  const end = from + length;
  return { body: text.slice(from, end), end: end <= text.length ? end : null };
}

/** Section 7.1. Tells of the data as it is read, since what follows may be a fault. */
function readChunks(
  text: string,
  { from, sender, onData }: {
    readonly from: number;
    readonly sender: Sender;
    readonly onData: (body: string) => void;
  },
): Body {
  let body = "";
  let at = from;
  for (;;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) return { body, end: null };
    const line = text.slice(at, lineEnd);
    const [, size] = CHUNK_LINE[sender].exec(line) ?? [];
    if (size === undefined) throw new Fault(`a chunk size: ${JSON.stringify(line)}`);
    at = lineEnd + 2;
    const length = parseInt(size, 16);
    if (length === 0) return { body, end: readTrailers(text, { from: at, sender }) };
    body += text.slice(at, at + length);
    onData(body);
    at += length;
    if (text.length < at + 2) return { body, end: null };
    if (!text.startsWith("\r\n", at)) throw new Fault("a chunk that is longer than its size");
    at += 2;
  }
}

/** Where the trailers end, which are of no account; null: they do not. */
function readTrailers(
  text: string,
  { from, sender }: { readonly from: number; readonly sender: Sender },
): number | null {
  for (let at = from;;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) return null;
    if (lineEnd === at) return at + 2;
    readHeader(text.slice(at, lineEnd));
    if (sender === "balancer") throw new Fault("a trailer");
    at = lineEnd + 2;
  }
}
