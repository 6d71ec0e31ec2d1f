import { DateHeader } from "../../lib/http1/date_header.ts";
import { errorAnswer } from "../../lib/http1/error_answer.ts";
import { assertEquals } from "../support/assert.ts";

const date = new DateHeader(() => Date.UTC(1994, 10, 6, 8, 49, 37));

Deno.test("errorAnswer: has a date, no body, and ends the connection", () => {
  assertEquals(
    new TextDecoder().decode(errorAnswer(408, date)),
    "HTTP/1.1 408 Request Timeout\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n" +
      "Content-Length: 0\r\nConnection: close\r\n\r\n",
  );
});

Deno.test("errorAnswer: 503 says when to try again", () => {
  assertEquals(
    new TextDecoder().decode(errorAnswer(503, date)),
    "HTTP/1.1 503 Service Unavailable\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n" +
      "Retry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
  );
});
