/**
 * A passage: one client's connection, or in http mode one request, from its arrival to its end.
 * Those who carry it write down what happened; the journal reads it when it is over.
 *
 * Times are on the clock of the backends, in milliseconds.
 */
import type { Backend } from "./backend.ts";
import { ENDING, type Ending } from "./ending.ts";
import type { Lease } from "./lease.ts";

/** The first line of a request, as far as it was understood. */
export interface RequestLine {
  /** Such as GET. */
  readonly method: string;
  /** What is asked for. */
  readonly target: string;
  /** Of HTTP/1.x. */
  readonly minor: 0 | 1;
}

/** What became of one client's connection, or of one request. */
export class Passage {
  /** Who it is. */
  readonly client: Deno.NetAddr;
  /** When it came: was accepted, or spoke, or its head was read. */
  arrivedMs: number;
  /** What it asks for, in http mode; null where no head was understood. */
  readonly request: RequestLine | null;
  /** How often it was given to a backend. */
  attempts = 0;
  /** When that was for the first time; NaN: never. */
  leasedMs: number = NaN;
  /** The status of the answer, in http mode or where it is the balancer's own; 0: not known. */
  status = 0;
  /** Bytes of the client that were sent to backends; in http mode of its body. */
  bytesUp = 0;
  /** Bytes of backends that were sent to the client; in http mode of the body. */
  bytesDown = 0;
  /** How it ended; null while it goes on. */
  ending: Ending | null = null;
  /** What it knows of the backend that had it last. */
  #lease: Lease | null = null;

  /** It has just come. */
  constructor(client: Deno.NetAddr, arrivedMs: number, request: RequestLine | null = null) {
    this.client = client;
    this.arrivedMs = arrivedMs;
    this.request = request;
  }

  /** It is given to a backend. */
  leased(lease: Lease): void {
    this.#lease = lease;
    if (this.attempts++ === 0) this.leasedMs = lease.sinceMs;
  }

  /** The backend that had it last; null: none did. */
  get backend(): Backend | null {
    return this.#lease?.backend ?? null;
  }

  /** How long connecting to that one took; 0: a connection was kept, or there was none. */
  get connectMs(): number {
    return this.#lease?.connectMs ?? 0;
  }

  /** When the first byte of its answer came; NaN: never. */
  get answeredMs(): number {
    return this.#lease?.answeredMs ?? NaN;
  }

  /**
   * How it ends when nobody is left to try: by the last backend, if that took it and then ended where
   * an answer was due; by the client, if it never came to the end of its request.
   */
  get unserved(): Ending {
    const end = this.#lease?.end;
    if (end === "failed") return ENDING.unanswered;
    return end === "asked" ? ENDING.leftEarly : ENDING.nobody;
  }

  /** It ends like that; only the first word counts. */
  end(ending: Ending): void {
    this.ending ??= ending;
  }
}
