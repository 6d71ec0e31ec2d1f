/**
 * One TCP connection for the test servers and clients, read and written by pulling, that can end in
 * every way a real one can: half-close, close, and a true reset.
 *
 * It stands on `node:net` because a `Deno.Conn` cannot be reset: its `close()` does
 * `shutdown(SHUT_WR)` before `close(2)`, so that even with unread input the peer sees an orderly end
 * of stream first. `resetAndDestroy()` sets SO_LINGER to 0, and the peer gets ECONNRESET.
 */

import net from "node:net";

/** The connection ended (by the peer, by a deadline, or by `close`) while it was still in use. */
export class ConnectionLost extends Error {
  /** Always the same. */
  override readonly name = "ConnectionLost";
}

/** A TCP connection; every method may be called in any state, and after the end. */
export class TcpConnection implements Disposable {
  readonly #socket: net.Socket;
  readonly #ended = new AbortController();
  #wake: () => void = () => {};

  /** Takes over `socket`, which must have been made with `allowHalfOpen`. */
  constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    const wake = (): void => this.#wake();
    socket.on("readable", wake);
    socket.on("end", wake);
    // Without a listener the error would end the process; what it means is told by "close".
    socket.on("error", wake);
    socket.once("close", () => {
      this.#ended.abort(new ConnectionLost("Cannot go on: the connection is closed"));
      this.#wake();
    });
  }

  /** Aborted, with a {@linkcode ConnectionLost}, when the connection is closed or reset by anyone. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Resolves when the socket has been given back to the system. */
  async whenEnded(): Promise<void> {
    if (this.#ended.signal.aborted) return;
    await new Promise((resolve) => this.#ended.signal.addEventListener("abort", resolve));
  }

  /** Closes the connection after `idleTimeoutMs` without a byte in either direction; 0 = never. */
  setIdleTimeout(idleTimeoutMs: number): void {
    this.#socket.setTimeout(idleTimeoutMs, () => this.close());
  }

  /**
   * The bytes that have come, at least one; `null` at the end of the peer's stream.
   * One call at a time. Rejects with {@linkcode ConnectionLost}.
   */
  async read(): Promise<Uint8Array<ArrayBuffer> | null> {
    for (;;) {
      const chunk: Uint8Array<ArrayBuffer> | null = this.#socket.read();
      if (chunk !== null) return chunk;
      if (this.#socket.readableEnded) return null;
      this.#ended.signal.throwIfAborted();
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  /** Resolves when the kernel has taken all of `bytes`; rejects with {@linkcode ConnectionLost}. */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => {
        if (!error) return resolve();
        reject(new ConnectionLost(`Cannot write: ${error.message}`, { cause: error }));
      });
    });
  }

  /** Sends the end of this side's stream (FIN); reading goes on. */
  closeWrite(): void {
    this.#socket.end();
  }

  /** Waits, or rejects with {@linkcode ConnectionLost} as soon as the connection has ended. */
  delay(delayMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, delayMs);
    const onEnd = (): void => reject(this.#ended.signal.reason);
    if (this.#ended.signal.aborted) onEnd();
    this.#ended.signal.addEventListener("abort", onEnd);
    return promise.finally(() => {
      clearTimeout(timer);
      this.#ended.signal.removeEventListener("abort", onEnd);
    });
  }

  /** Reads and drops what comes, until the end of the peer's stream or of the connection. */
  async drain(): Promise<void> {
    try {
      while (await this.read() !== null);
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
    }
  }

  /**
   * An orderly end: FIN, then what the peer still sends is dropped until its FIN, for at most
   * `lingerMs`, so that nothing unread turns the close into a reset.
   */
  async closeGently(lingerMs = 1000): Promise<void> {
    this.closeWrite();
    const deadline = setTimeout(() => this.close(), lingerMs);
    await this.drain();
    clearTimeout(deadline);
    this.close();
  }

  /** close(2), at once: a FIN, or a reset if input was unread, as when a process is killed. */
  close(): void {
    this.#socket.destroy();
  }

  /** A reset (RST), at once; what was written and is not yet sent is thrown away. */
  reset(): void {
    if (!this.#socket.destroyed) this.#socket.resetAndDestroy();
  }

  /** The same as `close`. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** Connects to a port of this machine; for tests that act a client which resets. */
export async function connectTcp(
  address: { readonly port: number; readonly hostname?: string },
): Promise<TcpConnection> {
  const socket = net.connect({
    port: address.port,
    host: address.hostname ?? "127.0.0.1",
    allowHalfOpen: true,
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  return new TcpConnection(socket);
}
