/**
 * The carrier of whole connections, in bridge and tcp mode: takes accepted connections, lets them
 * wait in the queue, has bridges carry them to backends, and sees out those that cannot be served.
 *
 * Invariant: each client that comes in is closed in the end.
 */
import { Bridges } from "./bridge.ts";
import type { Carrier, CarrierOptions, CarrierSnapshot } from "./carrier.ts";
import { type Answers, carry, type CarryOptions } from "./carry.ts";
import { Client } from "./client.ts";
import { Dialer } from "./dial.ts";
import type { Lease } from "./lease.ts";
import { Lingering } from "./lingering.ts";
import { Roster } from "./roster.ts";
import { WaitingQueue } from "./waiting_queue.ts";

const ENCODER = new TextEncoder();
const HTTP_ANSWERS: Answers = {
  nobody: ENCODER.encode("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"),
  busy: ENCODER.encode(
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
  ),
};
const NO_ANSWERS: Answers = { nobody: new Uint8Array(0), busy: new Uint8Array(0) };

/** Carries whole connections. */
export class ConnectionCarrier implements Carrier {
  readonly #options: CarrierOptions;
  readonly #answers: Answers;
  readonly #queue: WaitingQueue<Client, Lease | null>;
  readonly #lingering: Lingering;
  readonly #bridges: Bridges<Client, Lease | null>;
  readonly #carried = new Roster<Client>();
  #turnedAway = 0;

  /** Clients wait until {@linkcode open}. */
  constructor(options: CarrierOptions) {
    const { config, pool, deadlines } = options;
    this.#options = options;
    this.#answers = config.mode === "tcp" ? NO_ANSWERS : HTTP_ANSWERS;
    this.#queue = new WaitingQueue({
      lengthMax: config.queueMax,
      timeoutMs: config.queueTimeoutMs,
      deadlines,
      admit: (client) => pool.acquire(client),
      onTimeout: (client) => this.#turnAway(client),
    });
    this.#lingering = new Lingering({
      timeoutMs: config.lingerTimeoutMs,
      deadlines,
    });
    this.#bridges = this.#makeBridges();
  }

  /** How many clients are not closed yet. */
  get left(): number {
    return this.#carried.size + this.#queue.length + this.#lingering.size;
  }

  /** How many clients are where right now. */
  snapshot(): CarrierSnapshot {
    return {
      carried: this.#carried.size,
      waiting: this.#queue.length,
      lingering: this.#lingering.size,
      turnedAway: this.#turnedAway,
    };
  }

  /** Takes in a new connection, which is the carrier's from now on. */
  receive(conn: Deno.TcpConn): void {
    const { deadlines, buffers } = this.#options;
    const client = new Client(conn, deadlines.now, buffers);
    this.#bridges.prepare();
    const place = this.#queue.offer(client);
    if (place === "full") this.#turnAway(client);
    if (place === "waits") this.#watchWaiting(client);
  }

  /** From now on clients are carried, those first that have come by now. */
  open(): Promise<void> {
    this.#bridges.open();
    return Promise.resolve();
  }

  /** Looks who of those that wait can go on: there may be room, or nobody left to wait for. */
  admit(): void {
    this.#bridges.admit();
  }

  /** Nothing is kept here: each client has a connection of its own. */
  dropIdle(): void {}

  /** The same as to drain: what a connection carries is not known, so it ends by itself. */
  retire(): Promise<void> {
    return this.drain();
  }

  /** Takes nobody in any more. Resolves when all that came in are closed. */
  async drain(): Promise<void> {
    this.#queue.close();
    await this.#bridges.settled();
    await this.#lingering.settled();
  }

  /** Closes all that are still there. */
  cut(): void {
    this.#queue.close();
    for (const client of this.#queue.drop()) client[Symbol.dispose]();
    // Connects, tunnels and lingering closes end as if their time were over, and their clients with
    // them: a tunnel that only waits for its backend would not notice that the client is closed.
    this.#options.deadlines.expireAll();
    for (const client of this.#carried) client[Symbol.dispose]();
  }

  #makeBridges(): Bridges<Client, Lease | null> {
    const options = this.#makeCarryOptions();
    return new Bridges({
      countMax: this.#options.config.parallel,
      queue: this.#queue,
      carry: (client, lease) => carry(client, lease, options),
      onTake: (client) => {
        this.#carried.add(client);
        this.#options.onRequest();
      },
      onLeave: (client) => this.#carried.delete(client),
      onDefect: (client) => client[Symbol.dispose](),
    });
  }

  #makeCarryOptions(): CarryOptions {
    const { config, pool, deadlines, buffers, clock, onExhausted } = this.#options;
    return {
      queue: this.#queue,
      pool,
      lingering: this.#lingering,
      answers: this.#answers,
      dialer: new Dialer({ timeoutMs: config.connectTimeoutMs, deadlines }),
      exhaustedTimeoutMs: config.queueTimeoutMs,
      tunnel: {
        http: config.mode === "bridge",
        firstByteTimeoutMs: config.firstByteTimeoutMs,
        idleTimeoutMs: config.idleTimeoutMs,
        lingerTimeoutMs: config.mode === "tcp" ? config.idleTimeoutMs : config.lingerTimeoutMs,
        deadlines,
        buffers,
      },
      deadlines,
      clock,
      onWait: (client) => {
        this.#queue.giveBack(client);
        this.#watchWaiting(client);
      },
      onExhausted,
    };
  }

  /** A client that hangs up while it waits gives its place up. */
  async #watchWaiting(client: Client): Promise<void> {
    const waits = (): boolean => this.#queue.has(client);
    // In tcp mode a client that never says anything may still wait for what the backend says.
    if (!await client.hangsUp(waits, { mayBeMute: this.#options.config.mode === "tcp" })) return;
    if (this.#queue.leave(client)) client[Symbol.dispose]();
  }

  #turnAway(client: Client): void {
    this.#turnedAway++;
    this.#lingering.close(client, this.#answers.busy);
  }
}
