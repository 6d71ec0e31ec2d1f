/**
 * `--sticky`: a cookie brings a client back to the backend that served it. The request carrier asks at each
 * request whom its cookie names, and has a new cookie sent with the answer of any other backend.
 *
 * The cookie's value is an id of the backend: the HMAC-SHA-256 (RFC 2104) of its name under a key
 * that only the balancers have, cut to 128 bits. So the id is name and signature in one: without the
 * key it neither tells the address nor can be made up. It is computed once for each backend, and a
 * request costs one look into a map. A look that takes the same time for every value is not needed:
 * ids are no secret (whoever asks often enough without a cookie is given them all), there is nothing
 * beyond them that a guess could win, and a map does not compare from the first character on.
 *
 * Balancers with one key understand each other's cookies, and a backend keeps its id when it leaves
 * and comes back.
 */
import type { Backend } from "../backend.ts";
import { withoutBlanks } from "./characters.ts";
import type { Header } from "./head_parser.ts";

/** What the cookies are made of. */
export interface StickyOptions {
  /** The cookie's name: see {@linkcode isCookieName}. */
  readonly name: string;
  /** The key; RFC 2104 section 3 wants 32 bytes or more. By default a random one. */
  readonly key?: Uint8Array;
}

/** 128 bits: half of the hash is the least to which RFC 2104 section 5 lets it be cut. */
const ID_BYTES = 16;
const KEY_BYTES = 32;
/** What is looked at of one request; browsers keep about fifty cookies of a site. */
const COOKIES_MAX = 256;

/** Is that the name of a cookie: a token (RFC 6265 section 4.1.1)? */
export function isCookieName(text: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text);
}

/** Which client goes back to which backend. */
export class Sticky {
  readonly #prefix: string;
  readonly #sign: (name: string) => string;
  readonly #ids = new WeakMap<Backend, string>();
  /** The list that {@linkcode #byId} was made of. */
  #backends: readonly Backend[] = [];
  #byId: ReadonlyMap<string, Backend> = new Map();

  private constructor(prefix: string, sign: (name: string) => string) {
    this.#prefix = prefix;
    this.#sign = sign;
  }

  /**
   * Makes one. This is where `node:crypto` is loaded (a few hundredths of a second), so that nobody
   * pays who does not ask for it. Its HMAC is synchronous: a backend that has just come into the
   * list can be named at once, which with `crypto.subtle` it could not. Either takes about 10 µs.
   * @throws {RangeError} the name is none.
   */
  static async create(options: StickyOptions): Promise<Sticky> {
    const { name, key = crypto.getRandomValues(new Uint8Array(KEY_BYTES)) } = options;
    if (!isCookieName(name)) throw new RangeError(`Cannot name a cookie: "${name}" is no token`);
    const { createHmac } = await import("node:crypto");
    const ownKey = key.slice();
    return new Sticky(
      `${name}=`,
      (text) =>
        createHmac("sha256", ownKey).update(text).digest().subarray(0, ID_BYTES).toString(
          "base64url",
        ),
    );
  }

  /**
   * The backend that a request's cookie names; null: it has no such cookie, or the backend is not
   * in the list. Whether it can be used right now is for the pool to say.
   *
   * The first cookie counts that names one (RFC 6265 section 5.4 puts that of the longer path
   * first). A cookie of the same name that others have set does not hide ours.
   * @param backends all of them; a list that has changed must be another array.
   */
  backendOf(headers: readonly Header[], backends: readonly Backend[]): Backend | null {
    let left = COOKIES_MAX;
    for (const { name, value } of headers) {
      if (name.length !== "cookie".length || name.toLowerCase() !== "cookie") continue;
      for (let start = 0; start < value.length && left > 0; left--) {
        const end = value.indexOf(";", start);
        const pair = value.slice(start, end === -1 ? undefined : end);
        const backend = this.#named(withoutBlanks(pair), backends);
        if (backend !== null) return backend;
        start = end === -1 ? value.length : end + 1;
      }
    }
    return null;
  }

  /**
   * The header that sends a client back to that backend until its browser is closed (RFC 6265
   * section 4.1). Scripts do not see the cookie, and other sites' forms do not send it.
   * @param secure does the client speak TLS? Then it sends the cookie over nothing else.
   */
  setCookieHeader(backend: Backend, { secure }: { readonly secure: boolean }): Header {
    const attributes = `Path=/; HttpOnly; SameSite=Lax${secure ? "; Secure" : ""}`;
    return { name: "Set-Cookie", value: `${this.#prefix}${this.#idOf(backend)}; ${attributes}` };
  }

  #named(pair: string, backends: readonly Backend[]): Backend | null {
    if (!pair.startsWith(this.#prefix)) return null;
    if (backends !== this.#backends) {
      this.#byId = new Map(backends.map((backend) => [this.#idOf(backend), backend]));
      this.#backends = backends;
    }
    return this.#byId.get(pair.slice(this.#prefix.length)) ?? null;
  }

  #idOf(backend: Backend): string {
    let id = this.#ids.get(backend);
    if (id === undefined) this.#ids.set(backend, id = this.#sign(backend.name));
    return id;
  }
}
