/** What clients are told in http mode when there is no answer of a backend. */
import type { ErrorStatus } from "./client_request.ts";
import type { DateHeader } from "./date_header.ts";

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

/** The answer, after which the connection ends. It has a date (RFC 9110, 6.6.1). */
export function errorAnswer(status: ErrorStatus, date: DateHeader): Uint8Array<ArrayBuffer> {
  const retry = status === 503 ? ["Retry-After: 1"] : [];
  return ENCODER.encode(
    [
      `HTTP/1.1 ${status} ${REASONS[status]}`,
      `Date: ${date.get().value}`,
      ...retry,
      "Content-Length: 0",
      "Connection: close",
      "",
      "",
    ].join("\r\n"),
  );
}
