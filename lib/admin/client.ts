/**
 * Calls to the admin port of a running balancer, for `ctl` and `top`.
 *
 * It goes to that address and nowhere else: left to itself, `fetch` would hand the call, and the token
 * in it, to the proxy that the environment may name.
 */
import { type Address, formatAddress, foundAt } from "../address.ts";
import { BalancerError, type ErrorCode, socketFailure } from "../errors.ts";
import { isRecord } from "./json_body.ts";
import { SCHEMA, type Status } from "./status.ts";

/** How long a call may take, in milliseconds. */
const CALL_MS = 5000;
const NO_BALANCER = "what answers there is no admin port of a balancer";

/** Where to call, and what to show there. */
export interface AdminTarget {
  /** The admin port, as it was given to the balancer: all addresses of this machine are one too. */
  readonly address: Address;
  /** The token; null: none. */
  readonly token: string | null;
}

/** What is sent. */
export interface AdminCall {
  /** The default is GET. */
  readonly method?: "GET" | "POST" | "DELETE";
  /** With a slash in front. */
  readonly path: string;
  /** What is sent as JSON, with POST and DELETE; the default is `{}`. */
  readonly body?: Readonly<Record<string, unknown>>;
}

/** The admin port of one balancer. */
export class AdminClient implements Disposable {
  /** Where it is. */
  readonly name: string;
  readonly #token: string | null;
  readonly #http: Deno.HttpClient;

  /** Nothing is sent yet. Throws a `BalancerError` without the permission to send it. */
  constructor({ address, token }: AdminTarget) {
    const { hostname, port } = foundAt(address);
    this.name = formatAddress({ hostname, port });
    this.#token = token;
    try {
      this.#http = Deno.createHttpClient({
        // It goes into a URL there, where IPv6 addresses stand in brackets.
        proxy: {
          transport: "tcp",
          hostname: hostname.includes(":") ? `[${hostname}]` : hostname,
          port,
        },
      });
    } catch (error) {
      throw this.#unanswered(error);
    }
  }

  /**
   * Makes a call; resolves to the object that is answered. Throws a `BalancerError` that says why
   * there is none; the error of the answer is the `state` of that.
   */
  async call({ method = "GET", path, body = {} }: AdminCall): Promise<Record<string, unknown>> {
    let response: Response;
    let value: unknown;
    try {
      response = await fetch(`http://${this.name}${path}`, {
        method,
        headers: this.#headers(method),
        body: method === "GET" ? null : JSON.stringify(body),
        redirect: "error",
        client: this.#http,
        signal: AbortSignal.timeout(CALL_MS),
      });
      value = JSON.parse(await response.text());
    } catch (error) {
      throw this.#unanswered(error);
    }
    const error = isRecord(value) ? value["error"] : undefined;
    if (isRecord(value) && response.ok) return value;
    if (typeof error !== "string") throw this.#failed("unexpected", NO_BALANCER);
    throw new BalancerError({
      action: `The balancer at ${this.name} refuses`,
      state: error,
      code: response.status === 401 ? "permission" : "unexpected",
      side: "internal",
    });
  }

  /** GET /status. */
  async status(): Promise<Status> {
    const status = await this.call({ path: "/status" });
    if (status["schema"] === SCHEMA) return status as unknown as Status;
    throw this.#failed("unexpected", "it is of another version; use the commands of that");
  }

  /** Closes its connections. */
  [Symbol.dispose](): void {
    this.#http.close();
  }

  #headers(method: string): Record<string, string> {
    const headers: Record<string, string> = { accept: "application/json" };
    if (method !== "GET") headers["content-type"] = "application/json";
    if (this.#token !== null) headers["authorization"] = `Bearer ${this.#token}`;
    return headers;
  }

  #unanswered(error: unknown): BalancerError {
    if (error instanceof SyntaxError) {
      return this.#failed("unexpected", NO_BALANCER);
    }
    if (error instanceof DOMException && error.name === "TimeoutError") {
      return this.#failed("timeout", `no answer within ${CALL_MS / 1000} s`);
    }
    const { code, state } = socketFailure(error);
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const words = (cause instanceof Error ? cause.message : String(cause))
      .replace(/^error sending request for url \(\S*\): /, "");
    if (/connection refused/i.test(words)) {
      return this.#failed("refused", "nobody listens there (was it started with --admin?)");
    }
    return this.#failed(code, code === "unexpected" ? words : state);
  }

  #failed(code: ErrorCode, state: string): BalancerError {
    return new BalancerError({
      action: `Cannot reach the balancer at ${this.name}`,
      state,
      code,
      side: "internal",
    });
  }
}
