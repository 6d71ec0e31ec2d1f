/**
 * A server to be tortured, as a process of its own: `deno run --allow-net origin.ts HOST PORT`. It
 * answers `/ID/BYTES` with the pattern of that id, checks uploads against the same pattern, counts
 * for `/healthcheck`, and misbehaves as it is told on stdin (see {@linkcode Order}).
 *
 * On stdout it writes a line for each thing that happens, before it goes on: `port PORT`, `seen ID`
 * when the head of a request is there, `did ID WHAT` when it answers or misbehaves. So what is known
 * of it does not end with its death.
 */
import { Buffer } from "node:buffer";
import net from "node:net";
import { Conversation, type Request } from "./conversation.ts";
import type { Order, OrderedFault } from "./fault.ts";
import { isPattern, patternOf } from "./pattern.ts";

const FLAP_MS = 200;
/** As long as Node's own servers keep a silent connection. */
const KEEP_ALIVE_MS = 5000;
const BACKLOG = 511;
const SLOW = { backlog: 4, stallMs: 40 } as const;
const GARBAGE_BYTES = 512;
const ENDLESS_LINE = Buffer.from(`X-Padding: ${"x".repeat(4000)}\r\n`);

/** An answer before it is bytes. */
interface Answer {
  readonly body: Uint8Array;
  readonly status?: string;
  /** What its head says of its length, where that is not true. */
  readonly announced?: number;
}

/** The whole of it; there is one in a process. */
class Origin {
  readonly #hostname: string;
  readonly #sockets = new Set<net.Socket>();
  readonly #stall = new Int32Array(new SharedArrayBuffer(4));
  #port: number;
  #server: net.Server | null = null;
  #flapping: ReturnType<typeof setInterval> | undefined;
  #fault: OrderedFault | null = null;
  #healthToo = false;
  #delayMs = 0;
  #entries = 0;
  #errors = 0;

  constructor(hostname: string, port: number) {
    this.#hostname = hostname;
    this.#port = port;
  }

  listen(): void {
    if (this.#server !== null) return;
    const server = this.#server = net.createServer({ allowHalfOpen: true }, (socket) => {
      this.#take(socket);
    });
    server.on("error", ({ message }) => {
      say(`trouble ${message}`);
      Deno.exit(1);
    });
    const backlog = this.#fault === "slow-accept" ? SLOW.backlog : BACKLOG;
    server.listen({ host: this.#hostname, port: this.#port, backlog }, () => {
      const address = server.address();
      if (typeof address === "object" && address !== null) this.#port = address.port;
      say(`port ${this.#port}`);
    });
  }

  obey({ fault, healthToo, delayMs }: Order): void {
    this.#delayMs = delayMs ?? this.#delayMs;
    this.#healthToo = healthToo ?? this.#healthToo;
    if (fault === undefined) return;
    clearInterval(this.#flapping);
    const isOtherPort = fault === "slow-accept" || this.#fault === "slow-accept";
    this.#fault = fault;
    if (isOtherPort || fault === "refuse") this.#shut();
    if (fault !== "refuse") this.listen();
    if (fault === "flap") this.#flapping = setInterval(() => this.#flap(), FLAP_MS);
  }

  #shut(): void {
    this.#server?.close();
    this.#server = null;
  }

  #flap(): void {
    if (this.#server === null) return this.listen();
    this.#shut();
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  #take(socket: net.Socket): void {
    if (this.#fault === "slow-accept") Atomics.wait(this.#stall, 0, 0, SLOW.stallMs);
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.setTimeout(KEEP_ALIVE_MS, () => socket.destroy());
    socket.on("error", () => {/* Its peer broke it; "close" follows. */});
    socket.on("close", () => this.#sockets.delete(socket));
    new Conversation(socket, {
      onRequest: ({ id, isHealth }) => {
        if (!isHealth) say(`seen ${id}`);
      },
      answer: (request, upload) => this.#answer(socket, { request, upload }),
    });
  }

  /** Answers, rightly or wrongly. True: another request may follow. */
  async #answer(
    socket: net.Socket,
    { request, upload }: { readonly request: Request; readonly upload: Uint8Array },
  ): Promise<boolean> {
    if (request.isHealth) return this.#answerHealth(socket, request);
    if (this.#delayMs > 0) await delay(this.#delayMs);
    const fault = this.#fault;
    if (fault !== null && (await this.#misbehave(socket, { request, fault }))) return false;
    this.#entries++;
    const isRight = isPattern(upload, request.id);
    if (!isRight) this.#errors++;
    say(`did ${request.id} ${isRight ? "answered" : "refused"}`);
    return this.#send(socket, request, {
      body: patternOf(request.id, request.answerBytes),
      status: isRight ? "200 OK" : "400 Corrupt Upload",
    });
  }

  async #answerHealth(socket: net.Socket, request: Request): Promise<boolean> {
    const fault = this.#fault;
    const isWrong = fault !== null && this.#healthToo;
    if (isWrong && await this.#misbehave(socket, { request, fault })) return false;
    const body = Buffer.from(`${this.#errors}\n${this.#entries}\n`);
    const status = fault === "sick" ? "500 Sick" : "200 OK";
    return this.#send(socket, request, { body, status });
  }

  /** Resolves when it is taken, to whether another request may follow. */
  async #send(socket: net.Socket, request: Request, answer: Answer): Promise<boolean> {
    await written(socket, this.#wire(request, answer));
    if (!request.keepsAlive) socket.end();
    return request.keepsAlive && !socket.destroyed;
  }

  #wire({ keepsAlive }: Request, { body, status = "200 OK", announced }: Answer): Buffer {
    const head = [
      `HTTP/1.1 ${status}`,
      `X-Origin: ${this.#port}`,
      `Content-Length: ${announced ?? body.length}`,
      `Connection: ${keepsAlive ? "keep-alive" : "close"}`,
      "\r\n",
    ];
    return Buffer.concat([Buffer.from(head.join("\r\n")), body]);
  }

  /** Does what the fault says; false: that is nothing to this request. */
  async #misbehave(
    socket: net.Socket,
    { request, fault }: { readonly request: Request; readonly fault: OrderedFault },
  ): Promise<boolean> {
    if (["refuse", "flap", "slow-accept", "sick"].includes(fault)) return false;
    if (!request.isHealth) say(`did ${request.id} ${fault}`);
    const body = patternOf(request.id, request.answerBytes);
    const whole = this.#wire(request, { body });
    const half = whole.subarray(0, whole.length - Math.ceil(body.length / 2) - 1);
    switch (fault) {
      case "reset":
        socket.resetAndDestroy();
        break;
      case "close":
        socket.end();
        break;
      case "half":
        socket.end(half);
        break;
      case "half-reset":
        socket.write(half, () => socket.resetAndDestroy());
        break;
      case "garbage":
        socket.end(crypto.getRandomValues(new Uint8Array(GARBAGE_BYTES)));
        break;
      case "endless-head":
        await endlessHead(socket);
        break;
      case "length-over":
        socket.end(this.#wire(request, { body, announced: body.length + 10 }));
        break;
      case "length-under":
        socket.end(Buffer.concat([whole, Buffer.from("and more than was announced")]));
    }
    return true;
  }
}

/** As fast as it is taken, until the peer has enough of it. */
async function endlessHead(socket: net.Socket): Promise<void> {
  socket.write("HTTP/1.1 200 OK\r\n");
  while (!socket.destroyed) await written(socket, ENDLESS_LINE);
}

/** Resolves when the peer has taken it, or is gone. */
function written(socket: net.Socket, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => socket.write(bytes, () => resolve()));
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function say(line: string): void {
  const bytes = new TextEncoder().encode(`${line} ${Date.now()}\n`);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}

/** Obeys until its stdin ends, and so lives no longer than whoever started it. */
async function main([hostname = "127.0.0.1", port = "0"]: readonly string[]): Promise<void> {
  const origin = new Origin(hostname, Number(port));
  origin.listen();
  let text = "";
  for await (const piece of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (text + piece).split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) origin.obey(JSON.parse(line));
  }
  Deno.exit(0);
}

if (import.meta.main) await main(Deno.args);
