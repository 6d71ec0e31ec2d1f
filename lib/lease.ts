/**
 * The lease: the right to use a backend, counted from `pool.acquire` until it is disposed of. Who
 * uses it tells how far it got; from that follow the backend's counts and its latency.
 */
import type { Backend } from "./backend.ts";

/**
 * What became of a lease: the backend `served` it, that is, began an answer; it `failed` it after it
 * had taken the connection; it `refused` the connection; it was never asked, through no fault of its
 * own (`unasked`); or it was `asked`, and the client left without an answer.
 */
export type LeaseEnd = "served" | "failed" | "refused" | "unasked" | "asked";

/** The right to use a backend. */
export class Lease implements Disposable {
  /** The backend that was picked. */
  readonly backend: Backend;
  /** When the backend was picked, on its clock, in milliseconds. */
  readonly sinceMs: number;
  readonly #onEnd: (lease: Lease) => void;
  readonly #epoch: number;
  #end: LeaseEnd = "asked";
  #reason = "";
  #held = true;
  /** Since when the client waits for what comes next. */
  #waitsMs: number;
  #connectMs = 0;
  #answeredMs = NaN;
  /** Was a request sent that is not answered? */
  #owed = false;

  /** Counts at once, so that the next choice sees it. Calls back when it was given back. */
  constructor(backend: Backend, onEnd: (lease: Lease) => void) {
    this.backend = backend;
    this.#onEnd = onEnd;
    this.#epoch = backend.begin();
    this.sinceMs = this.#waitsMs = backend.now();
  }

  /** What became of it, as far as it is known. */
  get end(): LeaseEnd {
    return this.#end;
  }

  /** Why it failed or was refused; else empty. */
  get reason(): string {
    return this.#reason;
  }

  /** How long connecting took, in milliseconds; 0 where there is no connection, or one was kept. */
  get connectMs(): number {
    return this.#connectMs;
  }

  /** When the answer began, on the backend's clock, in milliseconds; NaN: it has not. */
  get answeredMs(): number {
    return this.#answeredMs;
  }

  /** This machine lacked the means to connect. */
  unasked(): void {
    this.#end = "unasked";
  }

  /** The backend did not take the connection. */
  refused(reason: string): void {
    this.#end = "refused";
    this.#reason = reason;
  }

  /** The connection, kept from earlier, had ended by itself: it begins anew. */
  restart(): void {
    this.#waitsMs = this.backend.now();
    this.#connectMs = 0;
    this.#owed = false;
  }

  /** There is a connection. A client that is slow to speak is not waiting from here on. */
  connected(): void {
    const nowMs = this.backend.now();
    this.#connectMs = nowMs - this.#waitsMs;
    this.#waitsMs = nowMs;
  }

  /** The first bytes of the client are on their way. */
  asked(): void {
    this.#waitsMs = this.backend.now();
    this.#owed = true;
  }

  /** The first bytes of the answer are here. */
  answered(): void {
    const nowMs = this.backend.now();
    this.#answeredMs = nowMs;
    this.#end = "served";
    this.#owed = false;
    this.backend.ejection.served(this.sinceMs);
    this.backend.latency.answered(this.#waitedMs(nowMs), nowMs);
  }

  /** The backend ended, or was given up, before its first byte; that is no fast answer. */
  dropped(reason: string): void {
    this.#end = "failed";
    this.#reason = reason;
  }

  /** Gives the lease back. A second time does nothing. */
  [Symbol.dispose](): void {
    if (!this.#held) return;
    this.#held = false;
    this.backend.ended(this.#end, this.#epoch);
    if (this.#end === "failed" || this.#end === "refused") this.#tellLatency("failed");
    else if (this.#owed) this.#tellLatency("unanswered");
    this.#onEnd(this);
  }

  #tellLatency(how: "failed" | "unanswered"): void {
    const nowMs = this.backend.now();
    this.backend.latency[how](this.#waitedMs(nowMs), nowMs);
  }

  #waitedMs(nowMs: number): number {
    return this.#connectMs + nowMs - this.#waitsMs;
  }
}
