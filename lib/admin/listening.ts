/**
 * Listens for HTTP, whatever happens: Deno.serve ends for good when it cannot accept because
 * descriptors have run out, and takes the process with it if nobody looks. The admin server owns it.
 *
 * Invariant: only closing ends it. What is being answered when Deno.serve ends is cut off.
 */
import { listenError } from "../acceptor.ts";
import type { Address } from "../address.ts";
import type { Clock } from "../clock.ts";
import { socketFailure } from "../errors.ts";

/** What listening works with. */
export interface ListeningOptions {
  /** Answers a request; never rejects. */
  readonly answer: (request: Request, info: Deno.ServeHandlerInfo) => Promise<Response>;
  /** Called when it ended or could not begin again, with the reason. It tries again by itself. */
  readonly onTrouble: (state: string) => void;
  /** The source of time. */
  readonly clock: Clock;
}

type Server = Deno.HttpServer<Deno.NetAddr>;

/** Pauses before it begins again: the first and the longest, in milliseconds. */
const PAUSE_MS = { first: 100, most: 5000 } as const;

/** Listens at one address. */
export class Listening implements AsyncDisposable {
  /** Where; the port is the real one. */
  readonly address: Address;
  readonly #options: ListeningOptions;
  readonly #closed = Promise.withResolvers<void>();
  readonly #done: Promise<void>;
  #isClosed = false;
  #cut = new AbortController();
  #pauseMs: number = PAUSE_MS.first;

  /** Listens from now on. Throws a `BalancerError` if it cannot. */
  constructor(address: Address, options: ListeningOptions) {
    this.#options = options;
    const server = this.#serve(address);
    this.address = { hostname: address.hostname, port: server.addr.port };
    this.#done = this.#goOn(server);
  }

  /** Closes all connections, whatever is being answered. Resolves when the address is free. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#closed.resolve();
    this.#cut.abort();
    await this.#done;
  }

  async #goOn(first: Server): Promise<void> {
    for (let server: Server | null = first; !this.#isClosed;) {
      if (server !== null) await this.#end(server);
      if (this.#isClosed) return;
      await this.#rest();
      server = this.#isClosed ? null : this.#begin();
    }
  }

  /** Waits until a server has ended; it may have lasted for months. */
  async #end(server: Server): Promise<void> {
    const { clock, onTrouble } = this.#options;
    const startMs = clock.now();
    try {
      await server.finished;
    } catch (error) {
      onTrouble(socketFailure(error).state);
      this.#cut.abort();
    }
    if (clock.now() - startMs > PAUSE_MS.most) this.#pauseMs = PAUSE_MS.first;
  }

  #begin(): Server | null {
    try {
      return this.#serve(this.address);
    } catch (error) {
      this.#options.onTrouble(socketFailure(error).state);
      return null;
    }
  }

  #serve(address: Address): Server {
    this.#cut = new AbortController();
    try {
      return Deno.serve({
        ...address,
        signal: this.#cut.signal,
        onListen: () => {}, // It would be said on stdout.
      }, this.#options.answer);
    } catch (error) {
      throw listenError(address, error);
    }
  }

  /** Pauses, longer each time. */
  async #rest(): Promise<void> {
    const rested = Promise.withResolvers<void>();
    const cancel = this.#options.clock.after(this.#pauseMs, rested.resolve);
    this.#pauseMs = Math.min(2 * this.#pauseMs, PAUSE_MS.most);
    await Promise.race([rested.promise, this.#closed.promise]);
    cancel();
  }
}
