/** What the tests of the HTTP server share: clients of other makes (curl, raw sockets), and files. */

import { type HttpServer, type HttpServerOptions, startHttpServer } from "./httpserver.ts";

/** UTF-8. */
export const encoder = new TextEncoder();
/** UTF-8. */
export const decoder = new TextDecoder();

/** All 256 values of a byte, again and again, in an order that shows a lost or doubled block. */
export function binary(bytes: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: bytes }, (_, i) => (i * 7 + (i >> 8) + (i >> 16)) & 0xff);
}

/** What the servers of the tests serve. */
export const FILES: Readonly<Record<"/a.txt" | "/b.html" | "/big.bin", Uint8Array>> = {
  "/a.txt": encoder.encode("alpha\n"),
  "/b.html": encoder.encode("<p>beta</p>\n"),
  "/big.bin": binary(1_000_003),
};

/** Runs `test` with a server of {@linkcode FILES}. */
export async function withServer(
  options: HttpServerOptions,
  test: (server: HttpServer) => Promise<void>,
): Promise<void> {
  await using server = await startHttpServer({ files: FILES, ...options });
  await test(server);
}

/** Runs `test` with a directory, removed afterwards. */
export async function withDirectory(test: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await test(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Runs curl. */
export async function curl(
  ...args: string[]
): Promise<{ code: number; stdout: Uint8Array; text: string }> {
  const { code, stdout } = await new Deno.Command("curl", {
    args: ["--silent", "--max-time", "20", ...args],
    stdin: "null",
    stderr: "null",
  }).output();
  return { code, stdout, text: decoder.decode(stdout) };
}

/** A path as a URL. */
export function url(server: HttpServer, path: string): string {
  return `http://127.0.0.1:${server.port}${path}`;
}

/** Sends `request` and reads all that comes until the end, and which end it was. */
export async function exchange(
  server: HttpServer,
  request: string | Uint8Array,
): Promise<{ text: string; bytes: Uint8Array; end: string }> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let end = "FIN";
  try {
    using connection = await Deno.connect({ port: server.port });
    const bytes = typeof request === "string" ? encoder.encode(request) : request;
    for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    const buffer = new Uint8Array(65536);
    for (;;) {
      const count = await connection.read(buffer);
      if (count === null) break;
      parts.push(buffer.slice(0, count));
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    end = error.name;
  }
  const bytes = await new Blob(parts).bytes();
  return { text: decoder.decode(bytes), bytes, end };
}

/** A GET request. */
export function get(path: string, ...headers: string[]): string {
  return [`GET ${path} HTTP/1.1`, "Host: test", ...headers, "", ""].join("\r\n");
}

/** For {@linkcode get}: the last request. */
export const CLOSE = "Connection: close";
/** A health check. */
export const HEALTH: string = get("/healthcheck", CLOSE);

/** The statuses of all answers in `text`. */
export function statuses(text: string): string[] {
  return [...text.matchAll(/^HTTP\/1\.1 ([0-9]{3})/gm)].map((match) => match[1] ?? "");
}

/** What follows the first head. */
export function bodyOf(text: string): string {
  return text.slice(text.indexOf("\r\n\r\n") + 4);
}
