/** An address that does not answer at all, as when a cable is pulled. */

/** Without a connection after so long, the backlog is full. */
const FULL_AFTER_MS = 300;

/** A listener that never accepts; once its backlog is full, the kernel drops what would connect. */
export class BlackHole implements AsyncDisposable {
  readonly #listener: Deno.TcpListener;
  readonly #conns: Deno.TcpConn[] = [];
  readonly #abort = new AbortController();
  #last: Promise<Deno.TcpConn> | null = null;

  /** One whose backlog has room for a connection or two. */
  constructor() {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
  }

  /** One that does not answer from the start. */
  static async dig(): Promise<BlackHole> {
    const hole = new BlackHole();
    await hole.fill();
    return hole;
  }

  /** From now on it does not answer. */
  async fill(): Promise<void> {
    while (await this.#connects());
  }

  /** Where nobody answers. */
  get port(): number {
    return this.#listener.addr.port;
  }

  /** Closes everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await this.#last?.then((conn) => conn.close(), () => {/* it was aborted, as it should be */});
    for (const conn of this.#conns) conn.close();
    this.#listener.close();
  }

  async #connects(): Promise<boolean> {
    const { signal } = this.#abort;
    this.#last = Deno.connect({ hostname: "127.0.0.1", port: this.port, signal });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<null>((resolve) => timer = setTimeout(resolve, FULL_AFTER_MS, null));
    const conn = await Promise.race([this.#last, late]);
    clearTimeout(timer);
    if (conn === null) return false;
    this.#conns.push(conn);
    return true;
  }
}
