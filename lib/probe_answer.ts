/**
 * Reads the answer to a probe out of the bytes received so far. Pure; used by `probe.ts`.
 *
 * It follows RFC 9112 where a probe needs it: status line (4), interim answers (RFC 9110, 15.2),
 * Content-Length and chunked (6, 7.1), and the end of the connection as the end of the body.
 * Everything has a bound, so an endless answer is an error, not a wait.
 */

/** The longest head that is read, in bytes. */
export const HEAD_BYTES_MAX = 16 * 1024;
/** The longest body that is read, in bytes: two numbers need far less. */
export const BODY_BYTES_MAX = 1024;
/** The most bytes worth reading: a longer answer breaks one of the bounds. */
export const ANSWER_BYTES_MAX: number = HEAD_BYTES_MAX + 8 * BODY_BYTES_MAX;

/** A whole answer. */
export interface ProbeAnswer {
  /** The final status code. */
  readonly status: number;
  /** The body, one character a byte; empty where only the head was asked for. */
  readonly body: string;
}

/** What has come so far. */
export interface ReceivedAnswer {
  /** All bytes received. */
  readonly bytes: Uint8Array;
  /** Has the backend ended the stream? */
  readonly ended: boolean;
  /** Is the body wanted, or only the head? */
  readonly wanted: "head" | "body";
}

/** The answer is not one that a health check can use; the message says why, after a colon. */
export class ProbeAnswerError extends Error {
  /** Always the same. */
  override readonly name = "ProbeAnswerError";
}

/** So much of the end of a head may have come already without the rest of it. */
const PARTIAL_BLANK_BYTES = 3;
const LATIN1 = new TextDecoder("latin1");

/** The answer, or null while it is not complete. Throws a {@linkcode ProbeAnswerError}. */
export function readProbeAnswer(received: ReceivedAnswer): ProbeAnswer | null {
  const answer = completeAnswer(LATIN1.decode(received.bytes), received);
  if (answer === null && received.ended) {
    throw new ProbeAnswerError(
      received.bytes.length === 0
        ? "closed the connection without an answer"
        : "closed the connection in the middle of its answer",
    );
  }
  return answer;
}

/**
 * The two numbers of an `entries` check: errors, then entries, a line each; the last line may
 * lack its end. Throws a {@linkcode ProbeAnswerError}.
 */
export function readCounts(body: string): { errors: number; entries: number } {
  const match = /^(\d{1,16})\r?\n(\d{1,16})(?:\r?\n)?$/.exec(body);
  const errors = Number(match?.[1] ?? NaN);
  const entries = Number(match?.[2] ?? NaN);
  if (!Number.isSafeInteger(errors) || !Number.isSafeInteger(entries)) {
    const shown = JSON.stringify(body.length > 40 ? `${body.slice(0, 40)}…` : body);
    throw new ProbeAnswerError(`answered ${shown} in place of two numbers, errors then entries`);
  }
  return { errors, entries };
}

interface Head {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly rest: string;
}

function completeAnswer(text: string, received: ReceivedAnswer): ProbeAnswer | null {
  const head = finalHead(text);
  if (head === null) return null;
  if (received.wanted === "head") return { status: head.status, body: "" };
  const body = completeBody(head, received.ended);
  return body === null ? null : { status: head.status, body };
}

/** The head of the first answer that is not an interim one. */
function finalHead(text: string): Head | null {
  const blank = /\r?\n\r?\n/.exec(text);
  const length = blank?.index ?? text.length - PARTIAL_BLANK_BYTES;
  if (length > HEAD_BYTES_MAX) throw new ProbeAnswerError("sent a head of more than 16 KiB");
  if (!"HTTP/1.".startsWith(text.slice(0, 7))) throw new ProbeAnswerError("did not answer in HTTP");
  if (blank === null) return null;

  const [statusLine = "", ...lines] = text.slice(0, length).split(/\r?\n/);
  const status = Number(/^HTTP\/1\.[01] ([1-9]\d\d)(?: .*)?$/.exec(statusLine)?.[1] ?? NaN);
  if (Number.isNaN(status)) throw new ProbeAnswerError("sent a malformed status line");
  const rest = text.slice(length + blank[0].length);
  if (status < 200 && status !== 101) return finalHead(rest);
  return { status, headers: lines.map(readHeader), rest };
}

function readHeader(line: string): readonly [string, string] {
  const colon = line.indexOf(":");
  if (colon < 1) throw new ProbeAnswerError("sent a malformed header");
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}

function completeBody(head: Head, ended: boolean): string | null {
  if (head.status === 204 || head.status === 304) return "";
  const coding = header(head, "transfer-encoding");
  if (coding !== null) {
    if (coding.toLowerCase() !== "chunked") {
      throw new ProbeAnswerError(`sent an unknown transfer coding, ${JSON.stringify(coding)}`);
    }
    return chunkedBody(head.rest);
  }
  const length = header(head, "content-length");
  if (length === null) return ended ? bounded(head.rest) : (bounded(head.rest), null);
  if (!/^\d{1,15}$/.test(length)) throw new ProbeAnswerError("sent a malformed Content-Length");
  const size = boundedSize(Number(length));
  return head.rest.length < size ? null : head.rest.slice(0, size);
}

/** The only value of a header; null where there is none. */
function header(head: Head, name: string): string | null {
  const values = new Set(head.headers.filter(([each]) => each === name).map(([, value]) => value));
  if (values.size > 1) throw new ProbeAnswerError(`sent differing ${name} headers`);
  return values.values().next().value ?? null;
}

function chunkedBody(text: string): string | null {
  let body = "";
  let at = 0;
  for (;;) {
    const line = /\r?\n/.exec(text.slice(at));
    if (line === null) return null;
    const digits = /^[0-9a-f]{1,8}(?=$|[\t ;])/i.exec(text.slice(at, at + line.index))?.[0];
    if (digits === undefined) throw new ProbeAnswerError("sent a malformed chunk");
    const start = at + line.index + line[0].length;
    const size = parseInt(digits, 16);
    if (size === 0) return body;
    boundedSize(body.length + size);
    const after = /^\r?\n/.exec(text.slice(start + size));
    if (after === null) {
      if (text.length < start + size + 2) return null;
      throw new ProbeAnswerError("sent a malformed chunk");
    }
    body += text.slice(start, start + size);
    at = start + size + after[0].length;
  }
}

function bounded(body: string): string {
  boundedSize(body.length);
  return body;
}

function boundedSize(size: number): number {
  if (size > BODY_BYTES_MAX) throw new ProbeAnswerError("sent a body of more than 1 KiB");
  return size;
}
