/**
 * The access log: one line for each passage that is over, as text for people and `grep`, or as one
 * JSON object. Lines gather in a buffer that is written in the background, all at once: a line costs
 * the data path no system call and never waits for whoever reads. Made by the program, told by the
 * journal.
 *
 * A write that fails, as on a full disk, is tried again, with pauses between; a reader that has gone
 * ends it.
 *
 * Invariants: lines come in the order in which passages ended, whole; one that a failed write cut is
 * ended where it was cut, and what follows begins a line; each line that is not written is counted,
 * and none comes twice but those of a write that failed; one write is under way at a time.
 */
import { jsonLine, type Line, textLine } from "./access_line.ts";
import { type Clock, GrowingPause } from "./clock.ts";
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
/** The pauses between a write that failed and the next. */
const RETRY = { firstMs: 500, mostMs: 4000 } as const;
/** The least time between two warnings about a slow reader. */
const WARN_MS = 5000;
/** At the end, a reader that takes nothing for so long is waited for no longer. */
const STALLED_MS = 5000;
/** At the end, nobody is waited for longer than that. */
const END_MS_MAX = 30_000;
/** So many bytes are written at once at the end, so that one sees whether a slow reader still reads. */
const END_WRITE_BYTES = 4 * 1024;

const NEWLINE = 0x0a;

/** Writes lines. */
export class AccessLog implements AsyncDisposable {
  /** Lines that were dropped: the reader was too slow, or has gone, or a write that failed cut them. */
  dropped = 0;
  readonly #options: AccessLogOptions;
  /** Null: there are no lines. */
  #format: ((line: Line) => string) | null;
  #lines = "";
  /** Texts of {@linkcode WRITE_BYTES} or so that wait to be written. */
  readonly #waiting: string[] = [];
  #waitingLength = 0;
  /** What is being written … */
  #bytes = new Uint8Array(0);
  /** … from here on. */
  #at = 0;
  /** How many bytes were written since the start. */
  #written = 0;
  #writing: Promise<void> | null = null;
  #cancelPause: (() => void) | null = null;
  /** How many lines had been dropped when writing began to fail; null: it does not. */
  #droppedBefore: number | null = null;
  /** How many dropped lines the log has told of. */
  #told = 0;
  #cancelWarning: (() => void) | null = null;
  #ending = false;
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

  /** Writes what is left, as long as somebody reads it, and tells what was dropped in all. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { clock } = this.#options;
    const endMs = clock.now() + END_MS_MAX;
    this.#ending = true;
    this.#flush();
    for (let before = NaN; this.#written !== before && clock.now() < endMs;) {
      before = this.#written;
      if (await this.#writtenWithin(STALLED_MS)) break;
    }
    if (this.#writing !== null) this.#giveUp();
    this.#cancelWarning?.();
    const { dropped } = this;
    if (dropped > 0) log.warning(`The access log has dropped ${linesOf(dropped)}`, { dropped });
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
    for (let text = this.#waiting.shift(); text !== undefined; text = this.#waiting.shift()) {
      this.#bytes = encoder.encode(text);
      this.#at = 0;
      await this.#writeBytes();
      this.#waitingLength -= text.length;
    }
    this.#writing = null;
  }

  async #writeBytes(): Promise<void> {
    const { output, clock } = this.#options;
    const pause = new GrowingPause(clock, RETRY);
    while (!this.#broken && this.#at < this.#bytes.length) {
      try {
        const count = await output.write(this.#bytes.subarray(this.#at, this.#endOfPiece()));
        this.#at += count;
        this.#written += count;
      } catch (error) {
        if (error instanceof Deno.errors.BrokenPipe) return this.#readerGone();
        this.#failed(error);
        await pause.wait();
      }
    }
    this.#worksAgain();
  }

  /**
   * Where the next write is to end. Of one that fails Deno's stdout may have written some, and does not
   * tell how much; so while writing fails, no more than one line may come twice.
   */
  #endOfPiece(): number {
    if (this.#droppedBefore !== null) return this.#bytes.indexOf(NEWLINE, this.#at) + 1;
    return this.#ending ? this.#at + END_WRITE_BYTES : this.#bytes.length;
  }

  #failed(error: unknown): void {
    const droppedBefore = this.dropped;
    this.#endCutLine();
    if (this.#droppedBefore !== null || this.#broken) return;
    this.#droppedBefore = droppedBefore;
    log.error("The access log cannot be written, which is tried again: {error}", {
      error: String(error),
    });
  }

  /** What was written of a line may be gone when writing works again: all that is left is to end it. */
  #endCutLine(): void {
    if (this.#at === 0 || this.#bytes[this.#at - 1] === NEWLINE) return;
    const end = this.#bytes.indexOf(NEWLINE, this.#at);
    if (end > this.#at) this.dropped++;
    this.#at = end;
  }

  #worksAgain(): void {
    if (this.#droppedBefore === null || this.#broken) return;
    const dropped = this.dropped - this.#droppedBefore;
    this.#droppedBefore = null;
    this.#told = this.dropped;
    log.warning(`The access log is written again; ${linesOf(dropped)} dropped meanwhile`, {
      dropped,
    });
  }

  #readerGone(): void {
    if (this.#broken) return;
    this.#giveUp();
    log.error("The access log ends here: its reader has gone");
  }

  /** Nothing is written from now on. */
  #giveUp(): void {
    this.#broken = true;
    for (let at = this.#at; (at = this.#bytes.indexOf(NEWLINE, at) + 1) > 0;) this.dropped++;
    for (const text of [...this.#waiting, this.#lines]) this.dropped += text.split("\n").length - 1;
    this.#waiting.length = 0;
    this.#lines = "";
  }

  #drop(): void {
    this.dropped++;
    if (this.#broken || this.#droppedBefore !== null || this.#cancelWarning !== null) return;
    log.warning("The access log is read too slowly: lines are dropped from now on");
    this.#warnLater();
  }

  #warnLater(): void {
    this.#cancelWarning = this.#options.clock.after(WARN_MS, () => this.#warn());
  }

  /** Tells how many were dropped since the last time, until there are none. */
  #warn(): void {
    this.#cancelWarning = null;
    const dropped = this.dropped - this.#told;
    if (this.#broken || this.#droppedBefore !== null || dropped === 0) return;
    this.#told = this.dropped;
    log.warning(`The access log is read too slowly: ${linesOf(dropped)} dropped`, { dropped });
    this.#warnLater();
  }

  /** Is all of it written before so much time has passed? */
  async #writtenWithin(timeoutMs: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<"late">();
    const cancel = this.#options.clock.after(timeoutMs, () => resolve("late"));
    const how = await Promise.race([this.#writing, promise]);
    cancel();
    return how !== "late";
  }
}

/** The number of `dropped` in a message. */
function linesOf(dropped: number): string {
  return dropped === 1 ? "{dropped} line" : "{dropped} lines";
}
