/**
 * Errors that carry what a decision needs: what happened, on whose side, and whether another
 * backend may be tried. The retry decision reads these fields, never the message.
 * Messages have one form: the action, a colon, the state.
 */

import type { Address } from "./address.ts";

/** Whose doing it is. A client's fault never counts against a backend, nor does our own. */
export type Side = "client" | "backend" | "internal";

/** What happened, for programs. */
export type ErrorCode =
  | "refused" // nobody listens there
  | "unreachable" // no way to that address, or no such name
  | "timeout" // a deadline passed
  | "reset" // the other side broke the connection
  | "exhausted" // this process or machine has no descriptor, port or memory left
  | "permission" // Deno or the system forbids it
  | "unexpected"; // nothing this code knows

/** Fields of a {@linkcode BalancerError}. */
export interface BalancerErrorOptions {
  /** What was tried, as in "Cannot listen on 127.0.0.1:80". */
  readonly action: string;
  /** What came of it, as in "permission denied". */
  readonly state: string;
  /** What happened. */
  readonly code: ErrorCode;
  /** Whose doing it is. */
  readonly side: Side;
  /** May the same be tried with another backend? Default: no. */
  readonly retryable?: boolean;
  /** The error underneath. */
  readonly cause?: unknown;
}

/** What went wrong with sockets and names. */
export class BalancerError extends Error {
  /** Always the same. */
  override readonly name = "BalancerError";
  /** What came of it, without what was tried. */
  readonly state: string;
  /** What happened. */
  readonly code: ErrorCode;
  /** Whose doing it is. */
  readonly side: Side;
  /** May the same be tried with another backend? */
  readonly retryable: boolean;

  /** Makes an error from its fields. */
  constructor(options: BalancerErrorOptions) {
    super(`${options.action}: ${options.state}`, { cause: options.cause });
    this.state = options.state;
    this.code = options.code;
    this.side = options.side;
    this.retryable = options.retryable ?? false;
  }
}

/** Why a server cannot be steered that way: no such one; not as things stand; never. */
export type SteeringErrorKind = "unknown" | "conflict" | "invalid";

/** Something that was asked of a running balancer and cannot be done. Nothing has changed. */
export class SteeringError extends Error {
  /** Always the same. */
  override readonly name = "SteeringError";
  /** Why, for programs. */
  readonly kind: SteeringErrorKind;

  /** `action` is what was asked for, as in "Cannot remove 127.0.0.1:80"; `state` why it cannot be. */
  constructor(kind: SteeringErrorKind, { action, state }: { action: string; state: string }) {
    super(`${action}: ${state}`);
    this.kind = kind;
  }
}

/** A socket error in our terms: its code, and its state in words that follow a colon. */
export interface SocketFailure {
  /** What happened. */
  readonly code: ErrorCode;
  /** In a few words, lower case, no full stop. */
  readonly state: string;
}

const EXHAUSTED: Readonly<Record<string, string>> = {
  EMFILE: "this process has no file descriptor left (raise `ulimit -n`)",
  ENFILE: "this machine has no file descriptor left",
  ENOBUFS: "this machine has no socket buffer left",
  ENOMEM: "this machine has no memory left",
  EADDRNOTAVAIL: "no local port is left for another connection",
};

/** Reads what Deno threw at a socket operation, with this peer if there is one. Never throws. */
export function socketFailure(error: unknown, peer?: Address): SocketFailure {
  const code = osCode(error);
  if (code === "EADDRNOTAVAIL" && peer?.hostname.includes(":")) {
    return { code: "unreachable", state: "this machine has no IPv6 address to reach it from" };
  }
  const exhausted = code === undefined ? undefined : EXHAUSTED[code];
  if (exhausted !== undefined) return { code: "exhausted", state: exhausted };
  if (error instanceof Deno.errors.NotCapable) {
    return { code: "permission", state: `not allowed by Deno (run with ${missingFlag(error)})` };
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return { code: "permission", state: "permission denied" };
  }
  if (error instanceof Deno.errors.ConnectionRefused) {
    return { code: "refused", state: "connection refused" };
  }
  if (error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe) {
    return { code: "reset", state: "connection reset" };
  }
  if (error instanceof Deno.errors.TimedOut) return { code: "timeout", state: "timed out" };
  if (code === "EHOSTUNREACH" || code === "ENETUNREACH") {
    return { code: "unreachable", state: "no route to it" };
  }
  const message = error instanceof Error ? error.message : String(error);
  if (message.includes("lookup address")) {
    return { code: "unreachable", state: "its name does not resolve" };
  }
  return { code: "unexpected", state: message };
}

/** The flag that allows it; the address too, for whoever allows some only. */
function missingFlag(error: Error): string {
  const address = /net access to "([^"]+)"/.exec(error.message)?.[1];
  return address === undefined ? "--allow-net" : `--allow-net or --allow-net=${address}`;
}

/** The name that the system has for an error, such as `ECONNRESET`, where it has one. */
export function osCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
