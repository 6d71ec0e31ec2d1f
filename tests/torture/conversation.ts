/**
 * One connection of an origin: reads its requests, and has them answered one after the other. While one
 * is being answered no more is read, so that no client can fill the memory.
 */
import { Buffer } from "node:buffer";
import type net from "node:net";

const HEAD_BYTES_MAX = 16 * 1024;

/** A request whose head is there. */
export interface Request {
  /** Its name: the first part of its path. */
  readonly id: string;
  /** Is it a health check? */
  readonly isHealth: boolean;
  /** How many bytes it asks for. */
  readonly answerBytes: number;
  /** How many bytes come with it. */
  readonly uploadBytes: number;
  /** May another request follow? */
  readonly keepsAlive: boolean;
}

/** Who is told. */
export interface ConversationOptions {
  /** A head has come. */
  readonly onRequest: (request: Request) => void;
  /** The whole request has come. Resolves to whether another may follow. */
  readonly answer: (request: Request, upload: Uint8Array) => Promise<boolean>;
}

/** Reads to the end of the connection. */
export class Conversation {
  readonly #socket: net.Socket;
  readonly #options: ConversationOptions;
  #held = Buffer.alloc(0);
  #request: Request | null = null;
  #state: "reading" | "answering" | "over" = "reading";

  /** Reads from now on. */
  constructor(socket: net.Socket, options: ConversationOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on("data", (bytes) => {
      if (this.#state === "over") return;
      this.#held = Buffer.concat([this.#held, bytes]);
      if (this.#state === "answering") socket.pause();
      else this.#go();
    });
    socket.on("end", () => {
      if (this.#state === "reading") socket.end();
    });
  }

  async #go(): Promise<void> {
    while (this.#state === "reading") {
      this.#request ??= this.#readHead();
      const request = this.#request;
      if (request === null || this.#held.length < request.uploadBytes) return;
      const upload = this.#take(request.uploadBytes);
      this.#state = "answering";
      const goesOn = await this.#options.answer(request, upload);
      this.#state = goesOn ? "reading" : "over";
      this.#request = null;
      this.#socket.resume();
    }
  }

  #readHead(): Request | null {
    const end = this.#held.indexOf("\r\n\r\n");
    if (end === -1) {
      if (this.#held.length > HEAD_BYTES_MAX) this.#socket.destroy();
      return null;
    }
    const request = requestOf(this.#take(end + 4).toString("latin1"));
    this.#options.onRequest(request);
    return request;
  }

  #take(bytes: number): Buffer<ArrayBuffer> {
    const taken = this.#held.subarray(0, bytes);
    this.#held = this.#held.subarray(bytes);
    return taken;
  }
}

function requestOf(head: string): Request {
  const path = head.split(" ", 2)[1] ?? "/";
  const [, id = "", bytes = "0"] = path.split("/");
  return {
    id,
    isHealth: path === "/healthcheck",
    answerBytes: Number(bytes) || 0,
    uploadBytes: Number(/^content-length:\s*(\d+)/im.exec(head)?.[1] ?? 0),
    keepsAlive: !/^connection:\s*close/im.test(head),
  };
}
