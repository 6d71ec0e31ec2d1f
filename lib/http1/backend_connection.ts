/**
 * A connection to a backend in http mode, from one request to the next. The exchange uses it while
 * it carries a request; the idle connections keep it in between.
 */
import type { Buffers } from "../buffers.ts";
import { ConnectionReader } from "./connection_reader.ts";
import { ResponseHeadParser } from "./head_parser.ts";
import type { IdleConnection } from "./idle_connections.ts";

/** A connection and what was received on it. */
export class BackendConnection implements IdleConnection {
  /** The connection itself. */
  readonly conn: Deno.TcpConn;
  /** What was received and not read yet. */
  readonly reader: ConnectionReader;
  /** Reads its heads. */
  readonly parser: ResponseHeadParser = new ResponseHeadParser();
  #closed = false;

  /** Takes over the connection. */
  constructor(conn: Deno.TcpConn, buffers: Buffers) {
    this.conn = conn;
    this.reader = new ConnectionReader(conn, buffers);
  }

  /** Was nothing received that nobody asked for? */
  get quiet(): boolean {
    return this.reader.held === 0 && !this.reader.ended;
  }

  /** Settles when it is quiet no more. */
  watch(): Promise<unknown> {
    this.reader.shrink();
    return this.reader.fill();
  }

  /** Closes the connection, while what was received may still be being written elsewhere. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.conn[Symbol.dispose]();
  }

  /** Closes it, and gives its buffer back. A second time does nothing. */
  [Symbol.dispose](): void {
    this.close();
    this.reader[Symbol.dispose]();
  }
}
