/**
 * A small HTTP/1.1 file server: the companion of the balancer, for the demo and the tests. It counts
 * its entries (requests answered) and errors (those answered with 400 or more), tells both at
 * `GET /healthcheck`, and misbehaves on demand, down to the bytes and resets.
 *
 * In process: {@linkcode startHttpServer}. As a program:
 * `deno run --allow-net --allow-read --allow-write tests/support/httpserver.ts [OPTIONS] PORT`.
 *
 * This file owns the listener and the connections. A connection is served by `http_session.ts`,
 * which reads with `http_request.ts`, serves from `http_files.ts`, and errs with `http_faults.ts`.
 */

import net from "node:net";
import type { Counts, Faults } from "./http_faults.ts";
import { DirectoryFiles, type FileStore, MemoryFiles } from "./http_files.ts";
import { HttpSession, type RequestRecord, type SessionHost } from "./http_session.ts";
import { runCommandLine } from "./httpserver_cli.ts";
import { TcpConnection } from "./tcp_connection.ts";

export type { Counts, Faults, RequestRecord };

const REQUESTS_KEPT = 10_000;

/** How to start a server; everything is optional. */
export interface HttpServerOptions {
  /** 0, the default: a free one. */
  readonly port?: number | undefined;
  /** Default 127.0.0.1. */
  readonly hostname?: string | undefined;
  /** Sent as `X-Backend` with every answer. */
  readonly name?: string | undefined;
  /** Serve these, by path (`/a.txt`); a Map is used as it is, a Record is copied. */
  readonly files?: Map<string, Uint8Array> | Readonly<Record<string, Uint8Array>> | undefined;
  /** Serve this directory, unless `files` is given; default: the current one. */
  readonly root?: string | undefined;
  /** Append a line per answered request to this file. */
  readonly log?: string | undefined;
  /** What to do wrong from the start. */
  readonly faults?: Faults | undefined;
  /** Close a connection after so long without a byte in either direction; default 60 s, 0 = never. */
  readonly idleTimeoutMs?: number | undefined;
}

/** Starts a server; it listens when the promise resolves. Rejects if it cannot. */
export async function startHttpServer(options: HttpServerOptions = {}): Promise<HttpServer> {
  const { files, root = "." } = options;
  const store = files === undefined
    ? new DirectoryFiles(await Deno.realPath(root))
    : new MemoryFiles(files instanceof Map ? files : new Map(Object.entries(files)));
  const log = options.log === undefined
    ? undefined
    : await Deno.open(options.log, { append: true, create: true });
  const server = new HttpServer(store, log, options);
  try {
    await server.startAccepting();
  } catch (error) {
    log?.close();
    throw error;
  }
  return server;
}

/** A running server, made by {@linkcode startHttpServer}. */
export class HttpServer implements SessionHost, AsyncDisposable {
  /** Where it listens. */
  readonly hostname: string;
  /** Sent as `X-Backend`. */
  readonly name: string | undefined;
  /** What it serves. */
  readonly files: FileStore;
  /** What it does wrong; may be changed at any time. */
  readonly faults: Faults;
  /** What `/healthcheck` tells; may be set at any time, to act a restart. */
  readonly counts: Counts = { entries: 0, errors: 0 };
  /** The last 10,000 requests, health checks included, in the order in which their heads came. */
  readonly requests: RequestRecord[] = [];
  /** Connections accepted so far. */
  connections = 0;

  readonly #idleTimeoutMs: number;
  readonly #log: Deno.FsFile | undefined;
  readonly #live = new Map<TcpConnection, Promise<void>>();
  readonly #waiters = new Set<() => void>();
  readonly #failures: unknown[] = [];
  #port: number;
  #listener: net.Server | undefined;
  #isClosing = false;
  #closing: Promise<void> | undefined;

  /** For {@linkcode startHttpServer}. */
  constructor(files: FileStore, log: Deno.FsFile | undefined, options: HttpServerOptions) {
    this.files = files;
    this.#log = log;
    this.#port = options.port ?? 0;
    this.hostname = options.hostname ?? "127.0.0.1";
    this.name = options.name;
    this.faults = { ...options.faults };
    this.#idleTimeoutMs = options.idleTimeoutMs ?? 60_000;
  }

  /** The port it listens on; it keeps it over {@linkcode stopAccepting}. */
  get port(): number {
    return this.#port;
  }

  /** Requests answered, health checks aside. */
  get entries(): number {
    return this.counts.entries;
  }

  /** Requests answered with 400 or more, health checks aside. */
  get errors(): number {
    return this.counts.errors;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#live.size;
  }

  /** Requests that came for anything but `/healthcheck`. */
  get served(): RequestRecord[] {
    return this.requests.filter((request) => request.target !== "/healthcheck");
  }

  /**
   * Resolves as soon as `predicate` holds; it is asked now and on every event: connection, request,
   * bytes of a body, answer, end of a connection. Rejects after `withinMs` (default 10 s), naming
   * `what`, or when the server is closed.
   */
  async waitFor(
    predicate: (server: HttpServer) => boolean,
    { withinMs = 10_000, what = String(predicate) }: { withinMs?: number; what?: string } = {},
  ): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const check = (): void => {
      try {
        if (predicate(this)) resolve();
        else if (this.#isClosing) reject(new Error(`The server was closed before: ${what}`));
      } catch (error) {
        reject(error);
      }
    };
    const deadline = setTimeout(() => {
      const { connections, open, entries, errors } = this;
      const state = JSON.stringify({ connections, open, entries, errors });
      reject(new Error(`Not within ${withinMs} ms: ${what}; the server: ${state}`));
    }, withinMs);
    this.#waiters.add(check);
    check();
    await promise.finally(() => {
      clearTimeout(deadline);
      this.#waiters.delete(check);
    });
  }

  /** Listens (again), on the same port; resolves when it does. */
  async startAccepting(): Promise<void> {
    if (this.#listener) return;
    const listener = net.createServer({ allowHalfOpen: true }, (socket) => this.#serve(socket));
    await new Promise<void>((resolve, reject) => {
      listener.once("error", reject);
      listener.listen(this.#port, this.hostname, resolve);
    });
    // From here on an error is one of accept(), such as a client that is gone: go on.
    listener.removeAllListeners("error").on("error", () => {});
    const address = listener.address();
    if (address !== null && typeof address === "object") this.#port = address.port;
    this.#listener = listener;
  }

  /** Stops listening: connects are refused at once, while live connections are served on. */
  stopAccepting(): void {
    this.#listener?.close();
    this.#listener = undefined;
  }

  /** Ends all live connections, as if the process had been killed, or each with a reset. */
  async dropConnections(how: "close" | "reset" = "close"): Promise<void> {
    const live = [...this.#live];
    for (const [connection] of live) connection[how]();
    await Promise.all(live.map(([_, session]) => session));
  }

  /**
   * Stops listening, ends all connections, and resolves when nothing is left. Rejects if a session
   * has failed by an error in this program.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** The same as {@linkcode close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** For the sessions. */
  begun(request: RequestRecord): void {
    if (this.requests.push(request) > REQUESTS_KEPT) this.requests.shift();
    this.changed();
  }

  /** For the sessions. */
  changed(): void {
    for (const check of this.#waiters) check();
  }

  /** For the sessions. */
  async finished(request: RequestRecord, answerBytes: number): Promise<void> {
    if (!this.#log) return;
    const { method, target, status, bodyBytes } = request;
    const fields = [new Date().toISOString(), method || "-", target || "-", status];
    const line = [...fields, `in=${bodyBytes}`, `out=${answerBytes}`].join(" ");
    await this.#log.write(new TextEncoder().encode(line + "\n"));
  }

  #serve(socket: net.Socket): void {
    const connection = new TcpConnection(socket);
    connection.setIdleTimeout(this.#idleTimeoutMs);
    const session = new HttpSession(connection, ++this.connections, this);
    const end = session.run()
      .catch((error) => void this.#failures.push(error))
      .then(() => connection.whenEnded())
      .then(() => {
        this.#live.delete(connection);
        this.changed();
      });
    this.#live.set(connection, end);
    this.changed();
  }

  async #close(): Promise<void> {
    this.#isClosing = true;
    this.stopAccepting();
    while (this.#live.size > 0) await this.dropConnections();
    this.#log?.close();
    this.changed();
    if (this.#failures.length > 0) {
      throw new AggregateError(this.#failures, `A session failed: ${this.#failures[0]}`);
    }
  }
}

if (import.meta.main) Deno.exit(await runCommandLine(Deno.args, startHttpServer));
