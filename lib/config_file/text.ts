/**
 * The text of a configuration file, or of standard input. What is read is bounded, and a permission
 * that is missing is named, not asked for: a service has nobody to answer.
 */
import { BalancerError, type ErrorCode, osCode } from "../errors.ts";

/** The most bytes of a configuration: 10,000 servers take less than one of these four MiB. */
export const CONFIG_BYTES_MAX = 4 * 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;

/** Something to read from, such as a file. */
export interface Source {
  /** Fills the buffer from its start; null at the end. */
  read(buffer: Uint8Array): Promise<number | null>;
}

/** Standard input, which is gone when it was read. */
export class StandardInput {
  readonly #source: Source;
  #isRead = false;

  /** Reads nothing yet. */
  constructor(source: Source) {
    this.#source = source;
  }

  /** All of it. Rejects with a {@linkcode BalancerError}, always at the second call. */
  async text(): Promise<string> {
    const action = "Cannot read the configuration from standard input";
    if (this.#isRead) {
      throw failure(action, {
        code: "unexpected",
        state: "it can be read only once; to reload, name a file in place of -",
      });
    }
    this.#isRead = true;
    return await readText(this.#source, action);
  }
}

/** The text of a file. Rejects with a {@linkcode BalancerError}. */
export async function readConfigText(path: string): Promise<string> {
  const action = `Cannot read ${printable(path)}`;
  // Asked before it is opened: Deno would ask whoever sits at the terminal.
  const { state } = await Deno.permissions.query({ name: "read", path });
  if (state !== "granted") throw failure(action, notAllowed(path));
  using file = await open(path, action);
  return await readText(file, action);
}

async function open(path: string, action: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path);
  } catch (error) {
    throw failure(action, reading(error, path), error);
  }
}

async function readText(source: Source, action: string): Promise<string> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  try {
    for (;;) {
      const chunk = new Uint8Array(CHUNK_BYTES);
      const count = await source.read(chunk);
      if (count === null) break;
      chunks.push(chunk.subarray(0, count));
      size += count;
      if (size > CONFIG_BYTES_MAX) break;
    }
  } catch (error) {
    throw failure(action, reading(error), error);
  }
  if (size > CONFIG_BYTES_MAX) {
    throw failure(action, {
      code: "unexpected",
      state: `it has more than ${CONFIG_BYTES_MAX / 1024 ** 2} MiB`,
    });
  }
  return decode(await new Blob(chunks).bytes(), action);
}

function decode(bytes: Uint8Array, action: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw failure(action, { code: "unexpected", state: "it is no text in UTF-8" }, error);
  }
}

interface Reason {
  readonly code: ErrorCode;
  readonly state: string;
}

/** What was thrown at opening or reading, in our terms. */
function reading(error: unknown, path?: string): Reason {
  if (error instanceof Deno.errors.NotFound) {
    return { code: "unexpected", state: "there is no such file" };
  }
  if (error instanceof Deno.errors.NotCapable && path !== undefined) {
    // Such as /dev/stdin, which Deno gives only to those who may do everything.
    if (error.message.includes("--allow-all")) {
      return {
        code: "permission",
        state: "not allowed by Deno without --allow-all; for standard input use --config -",
      };
    }
    return notAllowed(path);
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return { code: "permission", state: "permission denied" };
  }
  if (osCode(error) === "EISDIR") return { code: "unexpected", state: "it is a directory" };
  return { code: "unexpected", state: error instanceof Error ? error.message : String(error) };
}

function notAllowed(path: string): Reason {
  return { code: "permission", state: `not allowed by Deno (run with ${readFlag(path)})` };
}

/** The flag of `deno run` that allows to read that file, as a shell takes it. */
function readFlag(path: string): string {
  const flag = allowRead(path);
  return /^[\w@%+=:,./-]+$/.test(flag) ? flag : `'${flag.replaceAll("'", `'\\''`)}'`;
}

/** The same as one argument: Deno splits at commas, where they are not doubled. */
export function allowRead(path: string): string {
  return `--allow-read=${path.replaceAll(",", ",,")}`;
}

function failure(action: string, { code, state }: Reason, cause?: unknown): BalancerError {
  return new BalancerError({ action, state, code, side: "internal", cause });
}

/** A path as it was given, in one line whatever it holds. */
export function printable(path: string): string {
  return /[\p{Cc}]/u.test(path) ? JSON.stringify(path) : path;
}
