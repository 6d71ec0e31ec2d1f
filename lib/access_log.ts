/**
 * The access log: one line for each passage that is over, as text for people and `grep`, or as one
 * JSON object. Lines gather in a buffer that is written in the background, all at once: a line costs
 * the data path no system call and never waits for whoever reads. Made by the program, told by the
 * journal.
 *
 * Invariants: lines come in the order in which passages ended, whole; what does not fit because the
 * reader is slow is dropped and counted; one write is under way at a time.
 */
import { jsonLine, type Line, textLine } from "./access_line.ts";
import type { Clock } from "./clock.ts";
import { log } from "./log.ts";
import type { Passage } from "./passage.ts";

/** The forms of a line. */
export const ACCESS_LOG_FORMATS = ["off", "text", "json"] as const;
/** For people, or for programs; or none. */
export type AccessLogFormat = (typeof ACCESS_LOG_FORMATS)[number];

/** Where lines go, such as `Deno.stdout`. */
export interface AccessLogOutput {
  /** Writes some of it, at least one byte; resolves to how many. */
  write(bytes: Uint8Array): Promise<number>;
}

/** What an access log is made of. */
export interface AccessLogOptions {
  /** The form of a line, or that there are none. */
  readonly format: AccessLogFormat;
  /** Where lines go. */
  readonly output: AccessLogOutput;
  /** The source of time for the pauses between writes, and of the passages. */
  readonly clock: Clock;
  /** Milliseconds since 1970, as `Date.now` tells them. */
  readonly date: () => number;
}

const FORMATTERS: Readonly<Record<AccessLogFormat, ((line: Line) => string) | null>> = {
  off: null,
  text: textLine,
  json: jsonLine,
};

/** Lines are written this long after the first of them, unless there are many. */
const PAUSE_MS = 100;
/** So many bytes are written at once without a pause. */
const WRITE_BYTES = 64 * 1024;
/** So much may wait for a slow reader; lines beyond are dropped. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024;
/** How long the last lines may take to be written at the end. */
const END_TIMEOUT_MS = 5000;
/** The least time between two warnings about dropped lines. */
const WARN_MS = 5000;

/** Writes lines. */
export class AccessLog implements AsyncDisposable {
  /** Lines that were dropped because the reader was too slow, or has gone. */
  dropped = 0;
  readonly #options: AccessLogOptions;
  /** Null: there are no lines. */
  #format: ((line: Line) => string) | null;
  #lines = "";
  /** Texts of {@linkcode WRITE_BYTES} or so that wait to be written. */
  readonly #waiting: string[] = [];
  #waitingLength = 0;
  #writing: Promise<void> | null = null;
  #cancelPause: (() => void) | null = null;
  #warnedMs = -Infinity;
  #broken = false;

  /** Nothing is written yet. */
  constructor(options: AccessLogOptions) {
    this.#options = options;
    this.#format = FORMATTERS[options.format];
  }

  /** Lines have that form from now on. */
  change(format: AccessLogFormat): void {
    this.#format = FORMATTERS[format];
  }

  /** Takes in a passage that is over. */
  write(passage: Passage, endedMs: number): void {
    if (this.#format === null) return;
    if (this.#broken || this.#waitingLength + this.#lines.length > WAITING_BYTES_MAX) {
      return this.#drop();
    }
    const dateMs = this.#options.date() - (endedMs - passage.arrivedMs);
    this.#lines += this.#format({ passage, endedMs, dateMs });
    if (this.#lines.length >= WRITE_BYTES) this.#flush();
    else if (this.#cancelPause === null) this.#pause();
  }

  /** Writes what is left, as long as somebody reads it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#flush();
    const { promise, resolve } = Promise.withResolvers<"late">();
    const cancel = this.#options.clock.after(END_TIMEOUT_MS, () => resolve("late"));
    const how = await Promise.race([this.#writing, promise]);
    cancel();
    if (how === "late") log.error("The end of the access log is lost: nobody reads it");
  }

  #pause(): void {
    this.#cancelPause = this.#options.clock.after(PAUSE_MS, () => this.#flush());
  }

  #flush(): void {
    this.#cancelPause?.();
    this.#cancelPause = null;
    if (this.#lines === "") return;
    this.#waiting.push(this.#lines);
    this.#waitingLength += this.#lines.length;
    this.#lines = "";
    this.#writing ??= this.#writeWaiting();
  }

  /** Never rejects. */
  async #writeWaiting(): Promise<void> {
    const encoder = new TextEncoder();
    try {
      for (let text = this.#waiting.shift(); text !== undefined; text = this.#waiting.shift()) {
        const bytes = encoder.encode(text);
        for (let at = 0; at < bytes.length;) {
          at += await this.#options.output.write(bytes.subarray(at));
        }
        this.#waitingLength -= text.length;
      }
    } catch (error) {
      this.#broken = true;
      log.error("The access log ends here: {error}", { error: String(error) });
    }
    this.#writing = null;
  }

  #drop(): void {
    this.dropped++;
    const nowMs = this.#options.clock.now();
    if (this.#broken || nowMs - this.#warnedMs < WARN_MS) return;
    this.#warnedMs = nowMs;
    log.warning("The access log is too slow: {dropped} lines dropped so far", {
      dropped: this.dropped,
    });
  }
}
