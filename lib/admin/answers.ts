/** The answers of the admin port: JSON and text, with what keeps browsers from misusing them. Pure. */

/**
 * What each answer carries, of whatever route: it is not kept, not taken for another type, not shown
 * inside of another site's page, and tells other sites nothing about who links to them.
 */
const SAFETY: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
};

/** What an answer may say besides its body. */
export interface AnswerOptions {
  /** The status; the default is 200. */
  readonly status?: number;
  /** More headers. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer for programs; people get a line of their own for the prompt behind it. */
export function json(value: unknown, { status = 200, headers = {} }: AnswerOptions = {}): Response {
  return new Response(`${JSON.stringify(value)}\n`, {
    status,
    headers: { "content-type": "application/json", ...headers },
  });
}

/** An answer of one line. */
export function text(line: string, { status = 200, headers = {} }: AnswerOptions = {}): Response {
  return new Response(`${line}\n`, {
    status,
    headers: { "content-type": "text/plain; charset=utf-8", ...headers },
  });
}

/** Puts in what each answer carries, where its route has not set that itself. */
export function makeSafe(response: Response): Response {
  for (const [name, value] of Object.entries(SAFETY)) {
    if (!response.headers.has(name)) response.headers.set(name, value);
  }
  return response;
}
