/** The body of a call: one JSON object, bounded in length and time. Read by the admin server. */
import type { Clock } from "../clock.ts";
import { Refusal } from "./refusal.ts";

/** The longest body, in bytes. */
export const BODY_BYTES_MAX = 65_536;
/** How long a body may take to come, in milliseconds. */
export const BODY_MS = 10_000;

/**
 * Reads the body: an object; nothing is the same as `{}`. Throws a {@linkcode Refusal}.
 */
export async function readJsonBody(
  { body }: Request,
  clock: Clock,
): Promise<Readonly<Record<string, unknown>>> {
  const bytes = body === null ? new Uint8Array(0) : await readBytes(body, clock);
  if (bytes.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new Refusal(400, "the body is not JSON; expected an object"); // Its reason is no help.
  }
  if (isRecord(value)) return value;
  throw new Refusal(400, "the body is JSON but no object; expected an object");
}

async function readBytes(body: ReadableStream<Uint8Array>, clock: Clock): Promise<Uint8Array> {
  const reader = body.getReader();
  const bytes = new Uint8Array(BODY_BYTES_MAX);
  let length = 0;
  let late = false;
  const cancel = clock.after(BODY_MS, () => {
    late = true;
    reader.cancel().catch(() => {}); // It is broken already; the read below says so.
  });
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (late) throw new Refusal(408, `the body took longer than ${BODY_MS / 1000} s to come`);
      if (done) return bytes.subarray(0, length);
      if (length + value.length > BODY_BYTES_MAX) {
        throw new Refusal(413, `the body is too long; expected at most ${BODY_BYTES_MAX} bytes`);
      }
      bytes.set(value, length);
      length += value.length;
    }
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(400, "the body broke off"); // And nobody is there to hear of it.
  } finally {
    cancel();
  }
}

/** Is that an object of JSON, and no array? */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
