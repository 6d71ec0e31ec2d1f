/** The heads of HTTP/1.x messages as values; for now only their types. */

/** One header field. */
export interface Header {
  /** As received. */
  readonly name: string;
  /** Without the blanks around it; one character a byte (latin1). */
  readonly value: string;
}

/** What stands before the body of a request. */
export interface RequestHead {
  /** As received. */
  readonly method: string;
  /** As received. */
  readonly target: string;
  /** The version is HTTP/1.`minor`. */
  readonly minor: 0 | 1;
  /** In the order in which they came. */
  readonly headers: readonly Header[];
}

/** What stands before the body of a response. */
export interface ResponseHead {
  /** Three digits. */
  readonly status: number;
  /** May be empty. */
  readonly reason: string;
  /** The version is HTTP/1.`minor`. */
  readonly minor: 0 | 1;
  /** In the order in which they came. */
  readonly headers: readonly Header[];
}
