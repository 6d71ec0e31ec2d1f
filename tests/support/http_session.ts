/**
 * One connection of the HTTP server: reads its requests, answers them in order, counts them, and
 * misbehaves where the faults say so. Created by `httpserver.ts` for each connection.
 *
 * A request is counted when its status is decided, before the first byte of the answer goes out: a
 * client that has its answer is in the counts. What gets no answer, because of a fault, is not.
 */

import {
  AnswerWriter,
  ConnectionStruck,
  type Counts,
  type Faults,
  healthFaults,
  isHealthAnswerOdd,
  type RequestFaults,
  staySilent,
  strike,
  writeOddHealthAnswer,
} from "./http_faults.ts";
import { decodePath, type FileStore, type OpenFile, Refusal } from "./http_files.ts";
import { BadRequest, type HttpRequest, RequestReader } from "./http_request.ts";
import { ConnectionLost, type TcpConnection } from "./tcp_connection.ts";

const HEALTH_PATH = "/healthcheck";
const KNOWN_METHODS = new Set(["POST", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"]);
const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  201: "Created",
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  417: "Expectation Failed",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  505: "HTTP Version Not Supported",
};
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  txt: "text/plain; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  svg: "image/svg+xml",
  png: "image/png",
};
const encoder = new TextEncoder();

/** A request as the server has seen it so far. */
export interface RequestRecord {
  /** Which connection it came on: 1 for the first that was accepted. */
  readonly connection: number;
  /** Empty if the head was malformed. */
  readonly method: string;
  /** Empty if the head was malformed. */
  readonly target: string;
  /** All header fields. */
  readonly headers: Headers;
  /** Bytes of the body that have come so far. */
  bodyBytes: number;
  /** The status, once decided; never set where a fault takes the place of the answer. */
  status: number | undefined;
  /** Whether the whole answer has been handed to the kernel. */
  isAnswered: boolean;
}

/** What a session uses of its server. */
export interface SessionHost {
  /** For the header `X-Backend`. */
  readonly name: string | undefined;
  /** What to serve. */
  readonly files: FileStore;
  /** What to do wrong. */
  readonly faults: Faults;
  /** To be kept up to date. */
  readonly counts: Counts;
  /** Told of each request, once its head has been read or found to be malformed. */
  begun(request: RequestRecord): void;
  /** Told when a record or the counts have changed. */
  changed(): void;
  /** Told when all is done for a request whose status was decided. */
  finished(request: RequestRecord, answerBytes: number): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | OpenFile;
}

/** Serves the requests of one connection. */
export class HttpSession {
  readonly #connection: TcpConnection;
  readonly #id: number;
  readonly #host: SessionHost;
  readonly #reader: RequestReader;
  #isBodyRead = true;

  /** `id` is the running number of the connection. */
  constructor(connection: TcpConnection, id: number, host: SessionHost) {
    this.#connection = connection;
    this.#id = id;
    this.#host = host;
    this.#reader = new RequestReader(connection);
  }

  /** Serves until the connection has ended; rejects only on an error in this program. */
  async run(): Promise<void> {
    using connection = this.#connection;
    try {
      await strike(connection, this.#host.faults, "accept");
      while (await this.#serveRequest());
      await connection.closeGently();
    } catch (error) {
      if (!(error instanceof ConnectionLost || error instanceof ConnectionStruck)) throw error;
    }
  }

  /** Serves one request; true if the connection can serve another one. */
  async #serveRequest(): Promise<boolean> {
    let request: HttpRequest | null;
    try {
      request = await this.#reader.next();
    } catch (error) {
      if (!(error instanceof BadRequest)) throw error;
      const record = this.#begin({ method: "", target: "", headers: new Headers() });
      const answer = { status: error.status, body: `${error.message}\n` };
      await this.#send(answer, { record, faults: {}, keepAlive: false, withBody: true });
      return false;
    }
    if (request === null) return false;
    this.#isBodyRead = request.bodyBytes === 0;
    const record = this.#begin(request);
    const isHealth = isHealthCheck(record);
    const faults = isHealth ? healthFaults(this.#host.faults) : this.#host.faults;
    await this.#misbehaveBeforeAnswer(request, faults);
    if (isHealth && request.method === "GET" && isHealthAnswerOdd(this.#host.faults)) {
      for await (const _ of this.#body(request, record));
      await writeOddHealthAnswer(this.#connection, this.#host);
      record.isAnswered = true;
      this.#host.changed();
      return this.#host.faults.healthKeepAlive === true;
    }
    const answer = await this.#respond(request, record);
    using _file = typeof answer.body === "string" ? undefined : answer.body;
    if (faults.delayMs !== undefined) await this.#connection.delay(faults.delayMs);
    const staysOpen = request.keepAlive || (isHealth && this.#host.faults.healthKeepAlive === true);
    const keepAlive = staysOpen && this.#isBodyRead;
    await this.#send(answer, { record, faults, keepAlive, withBody: request.method !== "HEAD" });
    return keepAlive;
  }

  #begin(request: Pick<HttpRequest, "method" | "target" | "headers">): RequestRecord {
    const { method, target, headers } = request;
    const record: RequestRecord = {
      connection: this.#id,
      method,
      target,
      headers,
      bodyBytes: 0,
      status: undefined,
      isAnswered: false,
    };
    this.#host.begun(record);
    return record;
  }

  async #misbehaveBeforeAnswer(request: HttpRequest, faults: RequestFaults): Promise<void> {
    await strike(this.#connection, faults, "head");
    if (faults.silent) await staySilent(this.#connection, faults.silent);
    if (faults.reset !== "request" && faults.close !== "request") return;
    for await (const _ of this.#reader.body(request));
    await strike(this.#connection, faults, "request");
  }

  async #respond(request: HttpRequest, record: RequestRecord): Promise<Answer> {
    const { files, counts } = this.#host;
    try {
      if (isHealthCheck(record)) {
        if (request.method !== "GET") return methodNotAllowed("GET");
        for await (const _ of this.#body(request, record));
        return { status: 200, body: `${counts.errors}\n${counts.entries}\n` };
      }
      if (request.method === "GET" || request.method === "HEAD") {
        for await (const _ of this.#body(request, record));
        const path = decodePath(request.target);
        const body = await files.open(path);
        return { status: 200, headers: { "Content-Type": contentType(path) }, body };
      }
      if (request.method === "PUT") {
        const path = decodePath(request.target);
        const isNew = await files.put(path, this.#body(request, record));
        return { status: isNew ? 201 : 200, body: isNew ? "created\n" : "overwritten\n" };
      }
    } catch (error) {
      if (error instanceof ConnectionLost || !(error instanceof Error)) throw error;
      const status = error instanceof Refusal || error instanceof BadRequest ? error.status : 500;
      return { status, body: `${error.message}\n` };
    }
    if (KNOWN_METHODS.has(request.method)) return methodNotAllowed("GET, HEAD, PUT");
    return { status: 501, body: `${request.method} is not implemented\n` };
  }

  async *#body(request: HttpRequest, record: RequestRecord): AsyncGenerator<Uint8Array> {
    for await (const chunk of this.#reader.body(request)) {
      record.bodyBytes += chunk.length;
      this.#host.changed();
      yield chunk;
    }
    this.#isBodyRead = true;
  }

  async #send(
    answer: Answer,
    { record, faults, keepAlive, withBody }: {
      record: RequestRecord;
      faults: RequestFaults;
      keepAlive: boolean;
      withBody: boolean;
    },
  ): Promise<void> {
    const { counts } = this.#host;
    record.status = answer.status;
    if (!isHealthCheck(record)) {
      counts.entries++;
      if (answer.status >= 400) counts.errors++;
    }
    this.#host.changed();
    const text = typeof answer.body === "string" ? encoder.encode(answer.body) : undefined;
    const file = typeof answer.body === "string" ? undefined : answer.body;
    const bodyBytes = text?.length ?? file?.bytes ?? 0;
    const fields = Object.entries({ "Content-Type": CONTENT_TYPES["txt"], ...answer.headers });
    const head = encoder.encode(this.#head(answer.status, [
      ...fields.map(([name, value]) => `${name}: ${value}`),
      `Content-Length: ${bodyBytes}`,
      connectionHeader(keepAlive),
    ]));
    const answerBytes = head.length + (withBody ? bodyBytes : 0);
    const writer = new AnswerWriter(this.#connection, faults, answerBytes);
    try {
      if (text && withBody) await writer.write(new Uint8Array([...head, ...text]));
      else await writer.write(head);
      if (file && withBody) await this.#sendFile(file, writer);
      record.isAnswered = true;
    } finally {
      await this.#host.finished(record, answerBytes);
      this.#host.changed();
    }
  }

  async #sendFile(file: OpenFile, writer: AnswerWriter): Promise<void> {
    let left = file.bytes;
    for await (const chunk of file.chunks()) {
      const part = chunk.subarray(0, left); // more, if the file has grown since
      left -= part.length;
      await writer.write(part);
      if (left === 0) return;
    }
    if (left > 0) throw new ConnectionStruck("The file has shrunk: the answer cannot be completed");
  }

  #head(status: number, lines: readonly string[]): string {
    const { name } = this.#host;
    return [
      `HTTP/1.1 ${status} ${REASONS[status] ?? "Unknown"}`,
      "Server: httpserver",
      ...(name === undefined ? [] : [`X-Backend: ${name}`]),
      `Date: ${new Date().toUTCString()}`,
      ...lines,
      "\r\n",
    ].join("\r\n");
  }
}

function isHealthCheck(request: Pick<RequestRecord, "target">): boolean {
  return request.target.replace(/\?.*$/, "") === HEALTH_PATH;
}

function methodNotAllowed(allow: string): Answer {
  return { status: 405, headers: { Allow: allow }, body: `only ${allow}\n` };
}

function connectionHeader(keepAlive: boolean): string {
  return `Connection: ${keepAlive ? "keep-alive" : "close"}`;
}

function contentType(path: string): string {
  const extension = path.endsWith("/") ? "html" : path.slice(path.lastIndexOf(".") + 1);
  return CONTENT_TYPES[extension] ?? "application/octet-stream";
}
