/** What is logged, kept in place of being written. */
import { configure, reset } from "@logtape/logtape";

/** Keeps the lines from its making until it is disposed of. One at a time. */
export class CapturedLog implements AsyncDisposable {
  /** The lines so far, each with its level before it. */
  readonly lines: string[] = [];

  /** Starts to keep them. */
  static async start(): Promise<CapturedLog> {
    const captured = new CapturedLog();
    await configure({
      sinks: {
        lines: ({ level, message }) => void captured.lines.push(`${level}: ${message.join("")}`),
      },
      loggers: [
        { category: "loadbalancer", lowestLevel: "debug", sinks: ["lines"] },
        { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["lines"] },
      ],
    });
    return captured;
  }

  /** Keeps no more. */
  [Symbol.asyncDispose](): Promise<void> {
    return reset();
  }
}
