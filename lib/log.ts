/**
 * Diagnostics, through LogTape to stderr. Lines wait in a bounded buffer and are written in the
 * background, so a stalled reader of stderr never holds up the data path; what does not fit is
 * dropped and counted.
 */
import {
  compareLogLevel,
  configure,
  dispose,
  getAnsiColorFormatter,
  getJsonLinesFormatter,
  getLogger,
  getStreamSink,
  getTextFormatter,
  type LogRecord,
  type TextFormatter,
  type TextFormatterOptions,
} from "@logtape/logtape";

/** The levels, most talkative first. */
export const LOG_LEVELS = ["debug", "info", "warning", "error"] as const;
/** How much is logged. */
export type LogLevel = (typeof LOG_LEVELS)[number];
/** The forms of a line. */
export const LOG_FORMATS = ["text", "json"] as const;
/** For people, or for programs. */
export type LogFormat = (typeof LOG_FORMATS)[number];

/** What is logged with. A `{name}` in a message stands for the property of that name. */
export interface Log {
  /** What an operator wants to have seen. */
  info(message: string, properties?: Record<string, unknown>): void;
  /** What an operator should look at some time. */
  warning(message: string, properties?: Record<string, unknown>): void;
  /** What an operator should look at now. */
  error(message: string, properties?: Record<string, unknown>): void;
}

/** Where all lines of this program go. Silent until {@linkcode startLog} is called. */
export const log: Log = getLogger(["loadbalancer"]);

const LINES_MAX = 1000;
const FLUSH_MS = 20;
/** How long the last lines may take to be written at the end. */
const END_TIMEOUT_MS = 5000;
let linesDropped = 0;

/** How many lines were dropped since the start because stderr was slow. */
export function droppedLines(): number {
  return linesDropped;
}

/** What is written, and how. */
export interface LogOptions {
  /** The least important lines that are written. */
  readonly level: LogLevel;
  /** What a line looks like. */
  readonly format: LogFormat;
}

/** The log while it is written to stderr. Disposing of it waits until all lines are out, for a while. */
export interface RunningLog extends AsyncDisposable {
  /** From now on lines are chosen and written that way. */
  change(options: LogOptions): void;
}

/** Starts writing to stderr. */
export async function startLog(options: LogOptions): Promise<RunningLog> {
  let { level } = options;
  let format = formatter(options.format);
  const sink = getStreamSink(Deno.stderr.writable, {
    formatter: (record) => format(record),
    closeStream: false,
    nonBlocking: {
      bufferSize: LINES_MAX,
      flushInterval: FLUSH_MS,
      onDrop: ({ count }) => {
        linesDropped += count;
        setTimeout(() => log.warning("{count} log lines were dropped: stderr is slow", { count }));
      },
    },
  });
  await configure({
    sinks: { stderr: sink },
    filters: { wanted: (record) => isWanted(record, level) },
    loggers: [
      { category: "loadbalancer", lowestLevel: "debug", filters: ["wanted"], sinks: ["stderr"] },
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["stderr"] },
    ],
  });
  return {
    change(next): void {
      level = next.level;
      format = formatter(next.format);
    },
    [Symbol.asyncDispose]: endLog,
  };
}

/** Nobody may be reading stderr: the process ends all the same. */
async function endLog(): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, END_TIMEOUT_MS);
  await Promise.race([dispose(), late]);
  clearTimeout(timer);
}

/** Is that line important enough? LogTape's levels that are none of ours lie beyond both ends. */
function isWanted(record: LogRecord, level: LogLevel): boolean {
  return compareLogLevel(record.level, level) >= 0;
}

function formatter(format: LogFormat): TextFormatter {
  if (format === "json") {
    const toJson = getJsonLinesFormatter({ message: "rendered", properties: "flatten" });
    // Left to itself, it puts quotes around the values in a message.
    return (record) => toJson({ ...record, message: [record.message.map(String).join("")] });
  }
  const options: TextFormatterOptions = {
    timestamp: "rfc3339",
    level: (level) => level.toUpperCase().padEnd(7),
    value: String,
    format: ({ timestamp, level, message }) => `${timestamp} ${level} ${message}`,
  };
  return Deno.stderr.isTerminal() ? getAnsiColorFormatter(options) : getTextFormatter(options);
}
