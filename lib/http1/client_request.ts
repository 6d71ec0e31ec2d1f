/**
 * One request of a client in http mode: what waits in the queue, is given a backend by the pool and
 * is carried by a bridge. Made by the session, which waits until it is settled.
 */
import type { Backend } from "../backend.ts";
import type { Ending } from "../ending.ts";
import type { Passage } from "../passage.ts";
import type { PoolClient } from "../pool.ts";
import type { Member } from "../roster.ts";
import { listOf, type RequestBody } from "./framing.ts";
import { isNamed, type RequestHead } from "./head_parser.ts";
import type { Session } from "./session.ts";

const NONE: readonly Backend[] = [];

/** Methods that may be done twice with the same effect (RFC 9110, 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "OPTIONS",
  "TRACE",
  "PUT",
  "DELETE",
]);

/**
 * What follows for the client: it has its answer and may send another request (`keep`), or none
 * (`end`); it is to be told a status; or it is gone, or is not to be believed to have a whole answer,
 * so its connection is `cut`.
 */
export type Settlement = "keep" | "end" | "cut" | ErrorStatus;

/** What clients are told when they cannot be served (RFC 9110, 15.5 and 15.6). */
export type ErrorStatus = 400 | 408 | 414 | 431 | 501 | 502 | 503 | 504 | 505;

/** A request and how far it has come. */
export class ClientRequest implements PoolClient, Member {
  /** For the roster of those that are carried. */
  place: number = -1;
  /** The backends that have failed it. */
  tried: readonly Backend[] = NONE;
  /** The backend that it comes back to. */
  prefers: Backend | null = null;
  /** Was some of its body sent to a backend? It cannot be had again. */
  bodyTouched = false;
  /** Who sent it. */
  readonly session: Session;
  /** What it says. */
  readonly head: RequestHead;
  /** What becomes of it. */
  readonly passage: Passage;
  /** How its body comes. */
  readonly framing: RequestBody;
  /** Does the client keep its connection open? */
  readonly keepsAlive: boolean;
  /** Does it ask for another protocol? */
  readonly asksUpgrade: boolean;
  /** Resolves when it is settled. */
  readonly settled: Promise<Settlement>;
  readonly #settle: (settlement: Settlement) => void;

  /** Takes in a head that was read. */
  constructor(session: Session, { head, passage, framing, keepsAlive }: {
    readonly head: RequestHead;
    readonly passage: Passage;
    readonly framing: RequestBody;
    readonly keepsAlive: boolean;
  }) {
    this.session = session;
    this.head = head;
    this.passage = passage;
    this.framing = framing;
    this.keepsAlive = keepsAlive;
    this.asksUpgrade = framing === "none" && asksUpgrade(head);
    const { promise, resolve } = Promise.withResolvers<Settlement>();
    this.settled = promise;
    this.#settle = resolve;
  }

  /** The address that its client came from. */
  get ip(): string {
    return this.session.ip;
  }

  /** May it be sent once more, after a backend may have seen it? */
  get isRepeatable(): boolean {
    return IDEMPOTENT.has(this.head.method) && !this.bodyTouched;
  }

  /** Ends it; only the first time counts. */
  settle(settlement: Settlement, ending: Ending): void {
    if (typeof settlement === "number" && !this.session.closed) this.passage.status = settlement;
    this.passage.end(ending);
    this.#settle(settlement);
  }
}

/**
 * Does it ask for another protocol (RFC 9110, 7.8)? HTTP/2 is not one that is passed on: requests in
 * it would go by unseen, and clients may go on in HTTP/1.1.
 */
function asksUpgrade({ minor, headers }: RequestHead): boolean {
  // Hardly a request does.
  if (minor === 0 || !headers.some((header) => isNamed(header, "upgrade"))) return false;
  const valuesOf = (name: string): readonly string[] =>
    headers.filter((header) => isNamed(header, name)).flatMap(({ value }) => listOf(value));
  const protocols = valuesOf("upgrade");
  return protocols.length > 0 && !protocols.some((each) => /^(?:h2|http\/)/.test(each)) &&
    valuesOf("connection").includes("upgrade");
}
