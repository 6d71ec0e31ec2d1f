/** A backend whose every byte the test decides. */

/** What happens on one connection; it is closed when this returns or throws. */
export type Script = (conn: Deno.TcpConn, index: number) => Promise<void> | void;

/** A listening server. */
export class RawServer implements AsyncDisposable {
  /** Connections accepted so far. */
  connections = 0;
  readonly #listener: Deno.TcpListener;
  readonly #live = new Map<Deno.TcpConn, Promise<void>>();
  readonly #accepting: Promise<void>;

  /** Listens at once on a free port of this machine, or on the address given. */
  constructor(script: Script, address: { hostname?: string; port?: number } = {}) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0, ...address });
    this.#accepting = this.#accept(script);
  }

  /** Where it listens. */
  get port(): number {
    return this.#listener.addr.port;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#live.size;
  }

  /** Closes everything; a second time does nothing. */
  async close(): Promise<void> {
    this.#listener[Symbol.dispose]();
    await this.#accepting;
    for (const conn of this.#live.keys()) conn[Symbol.dispose]();
    await Promise.all(this.#live.values());
  }

  /** The same as {@linkcode close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #accept(script: Script): Promise<void> {
    for (;;) {
      try {
        const conn = await this.#listener.accept();
        this.#live.set(conn, this.#run(script, conn, this.connections++));
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) return;
        if (error instanceof Deno.errors.Interrupted) return;
        throw error;
      }
    }
  }

  async #run(script: Script, conn: Deno.TcpConn, index: number): Promise<void> {
    try {
      await script(conn, index);
    } catch {
      // The balancer or the test ended the connection: that is what scripts are for.
    } finally {
      conn[Symbol.dispose]();
      this.#live.delete(conn);
    }
  }
}

/** Reads to the end of the stream; returns how many bytes came. */
export async function readAll(conn: Deno.TcpConn): Promise<number> {
  const buffer = new Uint8Array(64 * 1024);
  let total = 0;
  for (;;) {
    const count = await conn.read(buffer);
    if (count === null) return total;
    total += count;
  }
}

/** Reads once; returns the text, empty at the end of the stream. */
export async function readSome(conn: Deno.TcpConn): Promise<string> {
  const buffer = new Uint8Array(64 * 1024);
  const count = await conn.read(buffer);
  return new TextDecoder("latin1").decode(buffer.subarray(0, count ?? 0));
}

/** Writes all of it. */
export async function writeAll(conn: Deno.TcpConn, data: string | Uint8Array): Promise<void> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

/**
 * A port of this machine where nobody listens: a different one each time, and below the range
 * from which the system takes the ports of clients and of port 0.
 */
export function deadPort(): number {
  for (;;) {
    const port = nextDeadPort++;
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

let nextDeadPort = 20_000 + 500 * (Deno.pid % 20);
