/**
 * The ways in which the HTTP server can misbehave, and what carries them out. The unprefixed faults
 * concern every request but the health checks, the `health…` ones those alone; at the stage "accept"
 * it is not yet known what comes, so `reset` and `close` there concern every connection.
 */

import type { TcpConnection } from "./tcp_connection.ts";

const encoder = new TextEncoder();
const DRIPS_PER_SECOND = 20;
const PIECE_GAP_MS = 2;
const HEALTH_HEAD = "HTTP/1.1 200 OK\r\nServer: httpserver\r\n";
const PADDING = encoder.encode(`X-Padding: ${"x".repeat(1000)}\r\n`);

/**
 * When a fault strikes: right after the accept, after the request's head (its body unread), after
 * the whole request and before the first byte of the answer, or after half of the answer.
 */
export type FaultStage = "accept" | "head" | "request" | "answer";

/** All of {@linkcode FaultStage}, for checking. */
export const FAULT_STAGES: readonly FaultStage[] = ["accept", "head", "request", "answer"];

/** What can go wrong with a request, whatever its kind. */
export interface RequestFaults {
  /** Wait this long before the first byte of the answer. */
  delayMs?: number | undefined;
  /**
   * Read everything, answer nothing. `true`: close once the client has ended its stream (it cannot
   * be told from a client that is gone); "forever": keep the connection even then. The idle deadline
   * of the server still ends it.
   */
  silent?: boolean | "forever" | undefined;
  /** Send a reset (RST; on Linux the client still gets what was sent before it). */
  reset?: FaultStage | undefined;
  /** Send an orderly end of stream (FIN), too early. */
  close?: FaultStage | undefined;
  /** Send the answer in drips, at about this rate. */
  bytesPerSecond?: number | undefined;
}

/** What the server does wrong; all optional, looked at anew for each connection and request. */
export interface Faults extends RequestFaults {
  /** As `delayMs`, for health checks. */
  healthDelayMs?: number | undefined;
  /** As `silent`, for health checks. */
  healthSilent?: boolean | "forever" | undefined;
  /** As `reset`, for health checks; not at the stage "accept". */
  healthReset?: Exclude<FaultStage, "accept"> | undefined;
  /** As `close`, for health checks; not at the stage "accept". */
  healthClose?: Exclude<FaultStage, "accept"> | undefined;
  /** These bytes, and nothing else, as the answer to a health check: head and body. */
  healthAnswer?: Uint8Array | string | undefined;
  /** A head, or a body without Content-Length, that does not end before the client closes. */
  healthEndless?: "head" | "body" | undefined;
  /** Do not close after the answer to a health check, even when asked to. */
  healthKeepAlive?: boolean | undefined;
  /** Answer health checks with a chunked body, a chunk for each number. */
  healthChunked?: boolean | undefined;
  /** Send the answer to a health check in so many pieces, one write each; Infinity = byte by byte. */
  healthPieces?: number | undefined;
}

/** What `/healthcheck` tells; may be set at any time, to act a restart. */
export interface Counts {
  /** Requests answered, health checks aside. */
  entries: number;
  /** Those of them answered with 400 or more. */
  errors: number;
}

/** The faults of health checks under the names of {@linkcode RequestFaults}. */
export function healthFaults(faults: Faults): RequestFaults {
  return {
    delayMs: faults.healthDelayMs,
    silent: faults.healthSilent,
    reset: faults.healthReset,
    close: faults.healthClose,
  };
}

/** Thrown when a fault has ended the connection: nothing is left to do for it. */
export class ConnectionStruck extends Error {
  /** Always the same. */
  override readonly name = "ConnectionStruck";
}

/** Ends the connection, and throws {@linkcode ConnectionStruck}, if a fault is due at `stage`. */
export async function strike(
  connection: TcpConnection,
  faults: RequestFaults,
  stage: FaultStage,
): Promise<void> {
  if (faults.reset === stage) connection.reset();
  else if (faults.close === stage) await connection.closeGently();
  else return;
  throw new ConnectionStruck(`The connection was ended at: ${stage}`);
}

/** Reads and drops, answers nothing, until the connection ends. */
export async function staySilent(
  connection: TcpConnection,
  silent: true | "forever",
): Promise<never> {
  await connection.drain();
  if (silent === "forever") await connection.whenEnded();
  throw new ConnectionStruck("The connection ended in silence");
}

/** Writes one answer, slowed down or cut off in its middle as the faults say. */
export class AnswerWriter {
  readonly #connection: TcpConnection;
  readonly #faults: RequestFaults;
  #bytesBeforeStrike: number;

  /** `answerBytes` is the length of all that will be written, head and body. */
  constructor(connection: TcpConnection, faults: RequestFaults, answerBytes: number) {
    this.#connection = connection;
    this.#faults = faults;
    const isCut = faults.reset === "answer" || faults.close === "answer";
    this.#bytesBeforeStrike = isCut ? Math.floor(answerBytes / 2) : Infinity;
  }

  /** Writes all of `bytes`, or throws {@linkcode ConnectionStruck} or `ConnectionLost`. */
  async write(bytes: Uint8Array): Promise<void> {
    const sent = bytes.subarray(0, Math.min(bytes.length, this.#bytesBeforeStrike));
    const { bytesPerSecond } = this.#faults;
    if (bytesPerSecond === undefined) {
      if (sent.length > 0) await this.#connection.write(sent);
    } else {
      const dripBytes = Math.max(1, Math.round(bytesPerSecond / DRIPS_PER_SECOND));
      const gapMs = dripBytes * 1000 / bytesPerSecond;
      await writePieces(this.#connection, { bytes: sent, pieceBytes: dripBytes, gapMs });
    }
    this.#bytesBeforeStrike -= sent.length;
    if (sent.length < bytes.length) await strike(this.#connection, this.#faults, "answer");
  }
}

/** Whether a fault takes the place of the regular answer to health checks. */
export function isHealthAnswerOdd(faults: Faults): boolean {
  return faults.healthAnswer !== undefined || faults.healthEndless !== undefined ||
    faults.healthChunked === true || faults.healthPieces !== undefined;
}

/** Answers a health check as {@linkcode isHealthAnswerOdd} has announced. */
export async function writeOddHealthAnswer(
  connection: TcpConnection,
  { faults, counts }: { readonly faults: Faults; readonly counts: Counts },
): Promise<void> {
  const { healthDelayMs, healthEndless, healthAnswer, healthPieces } = faults;
  if (healthDelayMs !== undefined) await connection.delay(healthDelayMs);
  if (healthEndless) await writeEndlessAnswer(connection, healthEndless);
  const answer = healthAnswer ?? composeHealthAnswer(faults, counts);
  const bytes = typeof answer === "string" ? encoder.encode(answer) : answer;
  if (healthPieces === undefined) {
    await new AnswerWriter(connection, healthFaults(faults), bytes.length).write(bytes);
  } else {
    const pieceBytes = Math.max(1, Math.ceil(bytes.length / healthPieces));
    await writePieces(connection, { bytes, pieceBytes, gapMs: PIECE_GAP_MS });
  }
}

function composeHealthAnswer(faults: Faults, { errors, entries }: Counts): string {
  const lines = [`${errors}\n`, `${entries}\n`];
  const framing = faults.healthChunked
    ? "Transfer-Encoding: chunked"
    : `Content-Length: ${lines.join("").length}`;
  const ending = `Connection: ${faults.healthKeepAlive ? "keep-alive" : "close"}`;
  const chunks = lines.map((line) => `${line.length.toString(16)}\r\n${line}\r\n`).join("");
  const body = faults.healthChunked ? `${chunks}0\r\n\r\n` : lines.join("");
  return `${HEALTH_HEAD}${framing}\r\n${ending}\r\n\r\n${body}`;
}

/** Sends an answer whose head or body has no end, as fast as the client takes it. */
async function writeEndlessAnswer(
  connection: TcpConnection,
  part: "head" | "body",
): Promise<never> {
  const start = part === "head" ? HEALTH_HEAD : `${HEALTH_HEAD}\r\n0\n0\n`;
  await connection.write(encoder.encode(start));
  for (;;) await connection.write(PADDING);
}

async function writePieces(
  connection: TcpConnection,
  { bytes, pieceBytes, gapMs }: {
    readonly bytes: Uint8Array;
    readonly pieceBytes: number;
    readonly gapMs: number;
  },
): Promise<void> {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    if (at > 0) await connection.delay(gapMs);
    await connection.write(bytes.subarray(at, at + pieceBytes));
  }
}
