/**
 * The routes of the admin port: which call is answered by what. A part of the admin port is a list
 * of routes, and the admin server looks the route of each request up here. Pure.
 */
import type { Access } from "./authority.ts";
import { Refusal } from "./refusal.ts";

/** A call that was found, allowed, and read. */
export interface Call {
  /** The request; its body is read already where the route is for operators. */
  readonly request: Request;
  /** What stood in the place of `:name`, decoded; empty where the path has no such place. */
  readonly name: string;
  /** What was sent, for operators; else empty. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Aborted when the admin port closes: what goes on for long is to end then. */
  readonly closing: AbortSignal;
}

/** One call that the admin port answers. */
export interface Route {
  /** GET answers HEAD too. */
  readonly method: "GET" | "POST" | "DELETE";
  /** The whole path; one of its segments may be `:name`. */
  readonly path: string;
  /** Who may make it. */
  readonly access: Access;
  /** Does its answer go on for long, such as a stream of events? There are few places for these. */
  readonly lasting?: boolean;
  /**
   * Is it answered however many others are? For what is answered at once, to those who watch whether
   * the balancer is alive: nobody is to switch that off by keeping other calls open.
   */
  readonly always?: boolean;
  /** Answers it; what it throws is an answer too, if it is a {@linkcode Refusal}. */
  readonly handle: (call: Call) => Response | Promise<Response>;
}

/** A route, and what stood in the place of `:name`. */
export interface Found {
  /** The route. */
  readonly route: Route;
  /** What stood there, decoded, or nothing. */
  readonly name: string;
}

/** Finds routes. */
export class Router {
  readonly #routes: readonly Route[];

  /** Of two routes for one call the first counts. */
  constructor(routes: readonly Route[]) {
    this.#routes = routes;
  }

  /** The route of that request. Throws a {@linkcode Refusal}: no such path, or no such method. */
  find({ method, url }: Request): Found {
    const { pathname } = new URL(url);
    const segments = pathname.split("/").map(decoded);
    const found = this.#routes.flatMap((route) => {
      const name = match(route.path.split("/"), segments);
      return name === null ? [] : [{ route, name }];
    });
    if (found.length === 0) {
      throw new Refusal(404, "no such path; GET /status tells how all stands");
    }
    const wanted = method === "HEAD" ? "GET" : method;
    const right = found.find(({ route }) => route.method === wanted);
    if (right !== undefined) return right;
    const methods = [...new Set(found.map(({ route }) => route.method))]
      .flatMap((each) => each === "GET" ? ["GET", "HEAD"] : [each]).join(", ");
    throw new Refusal(405, `${method} is not for this path; expected ${methods}`, {
      allow: methods,
    });
  }
}

/** What stands in the place of `:name`, if all else is the same; null: it is not. */
function match(pattern: readonly string[], segments: readonly string[]): string | null {
  if (pattern.length !== segments.length) return null;
  let name = "";
  for (const [at, part] of pattern.entries()) {
    const segment = segments[at] ?? "";
    if (part === ":name" && segment !== "") name = segment;
    else if (part !== segment) return null;
  }
  return name;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new Refusal(400, "the path is not encoded rightly behind a %");
  }
}
