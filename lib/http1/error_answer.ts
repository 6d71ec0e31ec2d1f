/** What clients are told in http mode when there is no answer of a backend. */
import type { ErrorStatus } from "./client_request.ts";

/** Words for people (RFC 9110, 15.5 and 15.6). */
const REASONS: Readonly<Record<ErrorStatus, string>> = {
  400: "Bad Request",
  408: "Request Timeout",
  414: "URI Too Long",
  431: "Request Header Fields Too Large",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};

const ENCODER = new TextEncoder();
const ANSWERS = new Map<number, Uint8Array<ArrayBuffer>>();

/** The answer, after which the connection ends. */
export function errorAnswer(status: ErrorStatus): Uint8Array<ArrayBuffer> {
  let answer = ANSWERS.get(status);
  if (answer === undefined) {
    const retry = status === 503 ? "Retry-After: 1\r\n" : "";
    const head = `HTTP/1.1 ${status} ${REASONS[status]}\r\n`;
    answer = ENCODER.encode(`${head}${retry}Content-Length: 0\r\nConnection: close\r\n\r\n`);
    ANSWERS.set(status, answer);
  }
  return answer;
}
