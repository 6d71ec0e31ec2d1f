/**
 * Diagnostics, through LogTape to stderr. Lines wait in a bounded buffer and are written in the
 * background, so a stalled reader of stderr never holds up the data path; what does not fit is
 * dropped and counted.
 */
import {
  configure,
  dispose,
  getAnsiColorFormatter,
  getJsonLinesFormatter,
  getLogger,
  getStreamSink,
  getTextFormatter,
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
let linesDropped = 0;

/** How many lines were dropped since the start because stderr was slow. */
export function droppedLines(): number {
  return linesDropped;
}

/** Starts writing to stderr. Disposing of it waits until all lines are out. */
export async function startLog(
  options: { readonly level: LogLevel; readonly format: LogFormat },
): Promise<AsyncDisposable> {
  const sink = getStreamSink(Deno.stderr.writable, {
    formatter: formatter(options.format),
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
    loggers: [
      { category: "loadbalancer", lowestLevel: options.level, sinks: ["stderr"] },
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["stderr"] },
    ],
  });
  return { [Symbol.asyncDispose]: dispose };
}

function formatter(format: LogFormat): TextFormatter {
  if (format === "json") {
    return getJsonLinesFormatter({ message: "rendered", properties: "flatten" });
  }
  const options: TextFormatterOptions = {
    timestamp: "rfc3339",
    level: (level) => level.toUpperCase().padEnd(7),
    value: String,
    format: ({ timestamp, level, message }) => `${timestamp} ${level} ${message}`,
  };
  return Deno.stderr.isTerminal() ? getAnsiColorFormatter(options) : getTextFormatter(options);
}
