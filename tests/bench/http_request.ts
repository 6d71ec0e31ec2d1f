/** One kept-alive request for the small body over a plain connection: the readiness check and the idle clients use it. */

import { SMALL_BODY } from "./backends.ts";

const REQUEST = new TextEncoder().encode("GET /small HTTP/1.1\r\nHost: bench\r\n\r\n");
const ANSWER_BYTES_MAX = 2_048;

/** Asks for the small body on `conn` and reads exactly its answer; throws when it is not the expected 200. */
export async function requestSmallBody(conn: Deno.Conn): Promise<void> {
  for (let start = 0; start < REQUEST.length;) start += await conn.write(REQUEST.subarray(start));
  const buffer = new Uint8Array(ANSWER_BYTES_MAX);
  let text = "";
  for (let bytes = 0; !text.endsWith(`\r\n\r\n${SMALL_BODY}`);) {
    const count = bytes < buffer.length ? await conn.read(buffer.subarray(bytes)) : null;
    if (count === null) {
      throw new Error(`Cannot get /small: the answer was ${JSON.stringify(text)}`);
    }
    bytes += count;
    text = new TextDecoder().decode(buffer.subarray(0, bytes));
  }
  if (!text.startsWith("HTTP/1.1 200 ")) {
    throw new Error(`Cannot get /small: the answer was ${JSON.stringify(text)}`);
  }
}
