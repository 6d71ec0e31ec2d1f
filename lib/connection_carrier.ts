/**
 * The carrier of whole connections, in bridge and tcp mode: takes accepted connections, lets them
 * wait in the queue, has bridges carry them to backends, and sees out those that cannot be served.
 *
 * Invariant: each client that comes in is closed in the end.
 */
import { Bridges } from "./bridge.ts";
import type { Carrier, CarrierOptions, CarrierSnapshot } from "./carrier.ts";
import { carry, type CarryOptions } from "./carry.ts";
import { Client } from "./client.ts";
import { Dialer } from "./dial.ts";
import { ENDING, type Ending } from "./ending.ts";
import type { Lease } from "./lease.ts";
import { Lingering } from "./lingering.ts";
import { Passage } from "./passage.ts";
import { Roster } from "./roster.ts";
import { Unheard } from "./unheard.ts";
import { WaitingQueue } from "./waiting_queue.ts";

/** What the balancer itself says to a client. */
interface Answer {
  readonly status: number;
  readonly bytes: Uint8Array;
}

/** No backend can be had. */
const NOBODY = answer(500, "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
/** Too many wait, or one waited for too long. */
const BUSY = answer(
  503,
  "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
);
/** How clients that end like that are told so, where the protocol is HTTP. */
const ANSWERS: ReadonlyMap<Ending, Answer> = new Map<Ending, Answer>([
  [ENDING.nobody, NOBODY],
  [ENDING.firstByteTimeout, NOBODY],
  [ENDING.queueFull, BUSY],
  [ENDING.queueTimeout, BUSY],
  [ENDING.exhausted, BUSY],
]);
/** Those that nobody waits for any more. */
const AT_ONCE: ReadonlySet<Ending> = new Set([
  ENDING.leftEarly,
  ENDING.headTimeout,
  ENDING.drainTimeout,
  ENDING.defect,
]);

/** Carries whole connections. */
export class ConnectionCarrier implements Carrier {
  readonly #options: CarrierOptions;
  readonly #unheard: Unheard;
  readonly #queue: WaitingQueue<Client, Lease | null>;
  readonly #lingering: Lingering;
  readonly #bridges: Bridges<Client, Lease | null>;
  readonly #carried = new Roster<Client>();
  /** Resolves when those that wait are being carried, or nobody waits and nobody will. */
  readonly #begun = Promise.withResolvers<void>();
  #turnedAway = 0;
  /** Is nobody to be queued any more? */
  #draining = false;
  /** Resolves when everything is closed; null: nobody has asked for the end. */
  #ending: Promise<void> | null = null;

  /** Clients wait until {@linkcode open}. */
  constructor(options: CarrierOptions) {
    const { config, pool, deadlines } = options;
    this.#options = options;
    this.#unheard = new Unheard({
      timeoutMs: config.headTimeoutMs,
      deadlines,
      onHeard: (client) => this.#heard(client),
      onGone: (client, ending) => this.#end(client, ending),
    });
    this.#queue = new WaitingQueue({
      lengthMax: config.queueMax,
      timeoutMs: config.queueTimeoutMs,
      deadlines,
      admit: (client) => pool.acquire(client),
      onTimeout: (client) => this.#turnAway(client, ENDING.queueTimeout),
    });
    this.#lingering = new Lingering({
      timeoutMs: config.lingerTimeoutMs,
      deadlines,
    });
    this.#bridges = this.#makeBridges();
  }

  /** How many clients are not closed yet. */
  get left(): number {
    return this.#unheard.size + this.#carried.size + this.#queue.length + this.#lingering.size;
  }

  /** How many clients are where right now. */
  snapshot(): CarrierSnapshot {
    return {
      clients: this.left,
      carried: this.#carried.size,
      waiting: this.#queue.length,
      lingering: this.#lingering.size,
      turnedAway: this.#turnedAway,
      http: null,
    };
  }

  /** Takes in a new connection, which is the carrier's from now on. */
  receive(conn: Deno.TcpConn): void {
    const { config, deadlines, buffers, clock } = this.#options;
    const passage = new Passage(conn.remoteAddr, clock.now());
    const client = new Client(conn, { arrivedMs: deadlines.now, passage, buffers });
    // In HTTP it is for the client to speak first; elsewhere nobody knows.
    if (config.mode === "tcp") this.#queueUp(client);
    else this.#unheard.add(client);
  }

  /** A client has said its first words: what it waits for from now on is up to this side. */
  #heard(client: Client): void {
    const { deadlines, clock } = this.#options;
    client.arrivedMs = deadlines.now;
    client.passage.arrivedMs = clock.now();
    this.#queueUp(client);
  }

  #queueUp(client: Client): void {
    this.#bridges.prepare();
    const place = this.#queue.offer(client);
    if (place === "full") this.#turnAway(client, ENDING.queueFull);
    if (place === "waits") this.#watchWaiting(client);
  }

  /** From now on clients are carried, those first that have come by now. */
  open(): Promise<void> {
    this.#bridges.open();
    this.#begun.resolve();
    return Promise.resolve();
  }

  /** Looks who of those that wait can go on: there may be room, or nobody left to wait for. */
  admit(): void {
    this.#bridges.admit();
  }

  /** Nothing is kept here: each client has a connection of its own. */
  dropIdle(): void {}

  /** Does nothing: what a connection carries is not known, so there is no answer to say it with. */
  announceEnd(): void {}

  /** What a connection carries is not known, so each ends by itself. */
  retire(): Promise<void> {
    return this.#ending ??= this.#settle();
  }

  /** Takes nobody in any more. Resolves when all that came in are closed. */
  drain(): Promise<void> {
    this.#unheard.lastCall();
    return this.#ending ??= this.#settle();
  }

  async #settle(): Promise<void> {
    await this.#unheard.settled();
    this.#draining = true;
    this.#queue.close();
    if (this.#queue.length > 0) await this.#begun.promise; // It may not be open yet.
    await this.#bridges.settled();
    await this.#lingering.settled();
  }

  /** Closes all that are still there. */
  cut(): void {
    this.#unheard.drop(ENDING.drainTimeout);
    this.#queue.close();
    for (const client of this.#queue.drop()) this.#end(client, ENDING.drainTimeout);
    for (const { passage } of this.#carried) passage.end(ENDING.drainTimeout);
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
        if (client.passage.attempts === 0) this.#options.onRequest(); // Not one that had to wait again.
      },
      onDefect: (client) => this.#end(client, ENDING.defect),
    });
  }

  #makeCarryOptions(): CarryOptions {
    const { config, pool, deadlines, buffers, clock, onExhausted } = this.#options;
    return {
      onRoom: () => this.#bridges.admit(),
      pool,
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
      onEnd: (client, ending) => this.#end(client, ending),
      onWait: (client) => {
        this.#carried.delete(client);
        this.#queue.giveBack(client);
        this.#watchWaiting(client);
      },
      onExhausted,
    };
  }

  /** A client that hangs up while it waits gives its place up. */
  async #watchWaiting(client: Client): Promise<void> {
    const waits = (): boolean => this.#queue.has(client);
    if (!await client.hangsUp(waits)) return;
    if (this.#queue.leave(client)) this.#end(client, ENDING.leftEarly);
  }

  #turnAway(client: Client, ending: Ending): void {
    this.#turnedAway++;
    this.#end(client, ending);
  }

  /** Sees out a client that is through; called once for each. */
  #end(client: Client, ending: Ending): void {
    const { config, journal } = this.#options;
    const { passage } = client;
    this.#carried.delete(client);
    if (this.#draining && this.#queue.length === 0) this.#begun.resolve();
    passage.end(ending);
    const said = config.mode === "bridge" && !client.closed ? ANSWERS.get(ending) : undefined;
    passage.status = said?.status ?? 0;
    journal.ended(passage);
    if (AT_ONCE.has(ending)) client[Symbol.dispose]();
    else this.#lingering.close(client, said?.bytes);
  }
}

function answer(status: number, text: string): Answer {
  return { status, bytes: new TextEncoder().encode(text) };
}
