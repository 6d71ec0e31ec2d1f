/**
 * Who may do what on the admin port. Asked by the admin server before each call. Pure.
 *
 * It guards against three: other machines, which need the token; pages of other sites in a browser
 * on this machine, which send requests where they like but cannot choose `Origin` nor, without being
 * asked for leave that they never get (a CORS preflight), send JSON; and pages that make their own
 * name point to this machine (DNS rebinding), which cannot choose `Host`. Programs of this machine
 * can forge all of that: against them there is the token.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { type Address, isLoopback } from "../address.ts";
import { Refusal } from "./refusal.ts";

/**
 * Who may make a call: `anyone` who reaches the port; a `reader`, who changes nothing; or an
 * `operator`, who does.
 */
export type Access = "anyone" | "reader" | "operator";

/** What is guarded. */
export interface AuthorityOptions {
  /** Where the admin port is; the port is the real one. */
  readonly address: Address;
  /** What has to be shown; null: nothing. */
  readonly token: string | null;
}

/** A host and a port as they stand in `Host`. */
const HOST = /^(?:\[(?<ipv6>[^\]]*)\]|(?<name>[^:[\]]+))(?::(?<port>\d{1,5}))?$/;
const HTTP_PORT = 80;

/** Judges requests. */
export class Authority {
  readonly #address: Address;
  /** Of the token. */
  readonly #digest: Uint8Array | null;
  /** Is it reached from this machine only? */
  readonly #local: boolean;

  /** Without a token everybody on this machine is an operator, but pages of other sites are not. */
  constructor({ address, token }: AuthorityOptions) {
    this.#address = address;
    this.#digest = token === null ? null : digest(token);
    this.#local = isLoopback(address.hostname);
  }

  /** Throws a {@linkcode Refusal} unless that request may make a call of that kind. */
  check(request: Request, access: Access): void {
    if (access === "anyone") return;
    const changes = access === "operator";
    if (this.#local) {
      this.#checkHost(request);
      checkOrigin(request, { changes });
    }
    if (!this.#local || (changes && this.#digest !== null)) this.#checkToken(request);
    if (changes) checkType(request);
  }

  /** On this machine the balancer has few names, and a page that rebinds its own has none of them. */
  #checkHost(request: Request): void {
    const { port } = this.#address;
    const host = request.headers.get("host");
    // A target that is a whole URL (RFC 9112, section 3.2.2) goes before Host.
    if (host !== null && this.#isOwn(host) && this.#isOwn(new URL(request.url).host)) return;
    throw new Refusal(
      403,
      `${host === null ? "Host is missing" : "Host is not this balancer"}; expected ` +
        `localhost:${port} or 127.0.0.1:${port}`,
    );
  }

  #isOwn(host: string): boolean {
    const { ipv6, name, port } = HOST.exec(host)?.groups ?? {};
    const hostname = ipv6 ?? name;
    return hostname !== undefined && isLoopback(hostname) &&
      Number(port ?? HTTP_PORT) === this.#address.port;
  }

  #checkToken({ headers }: Request): void {
    const [, shown] = /^Bearer +([\x21-\x7e]+)$/i.exec(headers.get("authorization") ?? "") ?? [];
    // Of digests nothing can be learnt from how long the comparison takes, nor from their length.
    const right = shown !== undefined && this.#digest !== null &&
      timingSafeEqual(digest(shown), this.#digest);
    if (right) return;
    const reason = shown === undefined ? "the token is missing" : "the token is wrong";
    throw new Refusal(
      401,
      `${reason}; expected "Authorization: Bearer TOKEN" with that of --admin-token`,
      { "www-authenticate": 'Bearer realm="loadbalancer"' },
    );
  }
}

/**
 * Pages of other sites are refused, but a person may follow a link from there. Who sends neither of
 * these headers is a program and no page, or an old browser, which asks for leave before it sends JSON.
 */
function checkOrigin({ headers }: Request, { changes }: { readonly changes: boolean }): void {
  const origin = headers.get("origin");
  const site = headers.get("sec-fetch-site");
  const own = `http://${headers.get("host")}`;
  const sameOrigin = origin === null || origin.toLowerCase() === own.toLowerCase();
  const sameSite = site === null || site === "same-origin";
  // Typed or bookmarked (`none`), or followed from anywhere.
  const isLink = !changes && (site === "none" || headers.get("sec-fetch-mode") === "navigate");
  if (sameOrigin && (sameSite || isLink)) return;
  throw new Refusal(403, "it comes from a page of another site; expected a page of this port");
}

/** What a form can send (text/plain and the like) changes nothing. */
function checkType({ headers }: Request): void {
  const type = headers.get("content-type") ?? "";
  if (/^application\/json *(?:;|$)/i.test(type)) return;
  throw new Refusal(415, 'expected "Content-Type: application/json"', {
    accept: "application/json",
  });
}

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
