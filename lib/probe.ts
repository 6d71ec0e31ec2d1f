/**
 * One check of one backend, over a connection of its own that is always closed. It returns a
 * value and never throws. Called by the prober.
 *
 * The deadline is `AbortSignal.timeout`, judged one turn of the event loop later: Deno runs
 * timers before ready input, and an overloaded balancer must not mark good servers down. If it fires
 * late, or that turn brings progress, the delay was ours, and the backend gets its time once more.
 * Its signal ends the check before its time, and nothing is said.
 */
import { type Address, formatAddress } from "./address.ts";
import { type Clock, oneTurn } from "./clock.ts";
import { isItself } from "./dial.ts";
import { socketFailure } from "./errors.ts";
import type { ProbeResult } from "./pool.ts";
import { ANSWER_BYTES_MAX, ProbeAnswerError, readCounts, readProbeAnswer } from "./probe_answer.ts";

/** What is asked: two counts, a good status, or only a connection. */
export type ProbeKind = "entries" | "http" | "tcp";

/** How a backend is checked. */
export interface ProbeOptions {
  /** What is asked. */
  readonly kind: ProbeKind;
  /** The path of the request; not used by `tcp`. */
  readonly path: string;
  /** The deadline of the whole check, in milliseconds. */
  readonly timeoutMs: number;
  /** The source of time. */
  readonly clock: Clock;
  /** Aborted when nobody wants to know any more. */
  readonly signal: AbortSignal;
}

/**
 * Checks one backend. Null: nothing can be said, because this side had no means to look, or does not
 * want to know any more.
 */
export async function probe(address: Address, options: ProbeOptions): Promise<ProbeResult | null> {
  using check = new Check(address, options);
  try {
    return await check.run();
  } catch (error) {
    if (options.signal.aborted) return null;
    if (check.late) return failed(false, `${check.subject} ${check.lateWords}`);
    if (error instanceof ProbeAnswerError) {
      return failed(false, `${check.subject} ${error.message}${hint(options)}`);
    }
    const failure = socketFailure(error, address);
    if (failure.code === "exhausted") return null;
    const final = !check.connected && failure.code !== "timeout";
    return failed(final, check.connected ? `${check.subject}: ${failure.state}` : failure.state);
  }
}

/** A deadline that fires later than this means that this process did not run. */
const STALL_MS = 100;
/**
 * So long a connect that is dropped may still succeed, in milliseconds: Deno leaves a connection open
 * whose connect is aborted just when it is made, and most are made within a few.
 */
const CONNECT_MS = 100;

/** The state of one check while it runs. */
class Check implements Disposable {
  /** Did the deadline pass? */
  late = false;
  /** Is there a connection? */
  connected = false;

  readonly #address: Address;
  readonly #options: ProbeOptions;
  readonly #abort = new AbortController();
  #conn: Deno.TcpConn | null = null;
  #over = false;
  #cancelDrop = (): void => {};
  /** Grows with each step that the backend answered. */
  #progress = 0;

  constructor(address: Address, options: ProbeOptions) {
    this.#address = address;
    this.#options = options;
  }

  /** What a reason starts with. */
  get subject(): string {
    return this.#options.kind === "tcp" ? "connection" : this.#options.path;
  }

  /** What is said of a check that took too long. */
  get lateWords(): string {
    const seconds = `${this.#options.timeoutMs / 1000}s`;
    return this.connected ? `gave no answer within ${seconds}` : `did not connect in ${seconds}`;
  }

  async run(): Promise<ProbeResult> {
    const { signal } = this.#options;
    signal.throwIfAborted();
    signal.addEventListener("abort", this.#drop);
    this.#setDeadline(1);
    const { hostname, port } = this.#address;
    this.#conn = await Deno.connect({ hostname, port, signal: this.#abort.signal });
    this.connected = true;
    signal.throwIfAborted();
    this.#progress++;
    if (isItself(this.#conn)) throw new Deno.errors.ConnectionRefused();
    return this.#options.kind === "tcp" ? { ok: true } : await this.#ask(this.#conn);
  }

  [Symbol.dispose](): void {
    this.#over = true;
    this.#cancelDrop();
    this.#options.signal.removeEventListener("abort", this.#drop);
    this.#conn?.[Symbol.dispose]();
  }

  #setDeadline(extensions: number): void {
    const { clock, timeoutMs } = this.#options;
    const dueMs = clock.now() + timeoutMs;
    AbortSignal.timeout(timeoutMs).addEventListener("abort", () => {
      if (this.#over) return;
      const before = this.#progress;
      const stalled = clock.now() - dueMs > STALL_MS;
      oneTurn(clock).then(() => {
        if (this.#over) return;
        const oursToBlame = stalled || this.#progress > before;
        if (oursToBlame && extensions > 0) this.#setDeadline(extensions - 1);
        else this.#giveUp();
      });
    });
  }

  #giveUp(): void {
    this.late = true;
    this.#end();
  }

  /** Nobody wants to know any more. */
  readonly #drop = (): void => {
    if (this.#conn !== null) this.#end();
    else this.#cancelDrop = this.#options.clock.after(CONNECT_MS, () => this.#end());
  };

  /** Whatever is under way rejects. */
  #end(): void {
    this.#abort.abort();
    this.#conn?.[Symbol.dispose]();
  }

  async #ask(conn: Deno.TcpConn): Promise<ProbeResult> {
    const { kind, path } = this.#options;
    await writeAll(
      conn,
      new TextEncoder().encode(
        `GET ${path} HTTP/1.1\r\nHost: ${formatAddress(this.#address)}\r\n` +
          "User-Agent: loadbalancer\r\nAccept: */*\r\nConnection: close\r\n\r\n",
      ),
    );
    const answer = await this.#receive(conn, kind === "http" ? "head" : "body");
    const good = kind === "http"
      ? answer.status >= 200 && answer.status < 400
      : answer.status === 200;
    if (!good) throw new ProbeAnswerError(`answered ${answer.status}`);
    return kind === "http" ? { ok: true } : { ok: true, counts: readCounts(answer.body) };
  }

  async #receive(
    conn: Deno.TcpConn,
    wanted: "head" | "body",
  ): Promise<{ status: number; body: string }> {
    const buffer = new Uint8Array(ANSWER_BYTES_MAX);
    let size = 0;
    for (;;) {
      const count = await conn.read(buffer.subarray(size));
      this.#progress++;
      size += count ?? 0;
      const bytes = buffer.subarray(0, size);
      const answer = readProbeAnswer({ bytes, ended: count === null, wanted });
      if (answer !== null) return answer;
      if (size === buffer.length) throw new ProbeAnswerError("sent an answer without end");
    }
  }
}

async function writeAll(conn: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
}

function failed(final: boolean, reason: string): ProbeResult {
  return { ok: false, final, reason };
}

function hint(options: ProbeOptions): string {
  return options.kind === "entries"
    ? "; for servers without it, use --health tcp or --health http --health-path /"
    : "";
}
