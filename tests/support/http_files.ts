/**
 * What the HTTP server serves: the files of a directory, or of a map in memory. Both stream, and
 * both refuse with a {@linkcode Refusal}, which carries the status to answer with.
 */

const CHUNK_BYTES = 64 * 1024;

/** The file cannot be read or written, and what to answer. */
export class Refusal extends Error {
  /** Always the same. */
  override readonly name = "Refusal";
  /** 403, 404, … */
  readonly status: number;

  /** `message` is meant for the body of the answer. */
  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** A file open for reading; closed by disposing of it. */
export interface OpenFile extends Disposable {
  /** Its length. */
  readonly bytes: number;
  /** Its content, once; a chunk is valid until the next one is asked for. */
  chunks(): AsyncIterable<Uint8Array>;
}

/** Files by their path in the URL, decoded, as `/a/b.txt`. */
export interface FileStore {
  /** Opens a file; rejects with a {@linkcode Refusal}. */
  open(path: string): Promise<OpenFile>;
  /**
   * Writes a file, all of it or nothing; true if there was none before. Rejects with a
   * {@linkcode Refusal} or with what `body` threw.
   */
  put(path: string, body: AsyncIterable<Uint8Array>): Promise<boolean>;
}

/** The path of a request target, decoded; throws a {@linkcode Refusal} if it leaves the root. */
export function decodePath(target: string): string {
  const path = target.replace(/^https?:\/\/[^/?#]*/i, "").replace(/[?#].*$/, "") || "/";
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch (error) {
    throw new Refusal(400, "malformed percent-encoding", { cause: error });
  }
  if (!decoded.startsWith("/") || decoded.includes("\0")) throw new Refusal(400, "malformed path");
  const segments: string[] = [];
  for (const segment of decoded.split("/").slice(1)) {
    if (segment === "..") {
      if (segments.pop() === undefined) throw new Refusal(403, "the path leaves the root");
    } else if (segment !== "." && segment !== "") {
      segments.push(segment);
    }
  }
  return "/" + segments.join("/") + (/\/\.{0,2}$/.test(decoded) && segments.length > 0 ? "/" : "");
}

/** Files in memory; `files` is used as it is, so that a test may look into it and change it. */
export class MemoryFiles implements FileStore {
  readonly #files: Map<string, Uint8Array>;

  /** The keys are paths, as `/a.txt`. */
  constructor(files: Map<string, Uint8Array>) {
    this.#files = files;
    for (const path of files.keys()) {
      if (!path.startsWith("/")) throw new TypeError(`Cannot serve "${path}": no / at its start`);
    }
  }

  /** See {@linkcode FileStore}. */
  open(path: string): Promise<OpenFile> {
    const content = this.#files.get(path);
    if (!content) return Promise.reject(new Refusal(404, "no such file"));
    return Promise.resolve({
      bytes: content.length,
      async *chunks(): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < content.length; at += CHUNK_BYTES) {
          yield content.subarray(at, at + CHUNK_BYTES);
        }
      },
      [Symbol.dispose](): void {},
    });
  }

  /** See {@linkcode FileStore}. Holds the whole body, as it must. */
  async put(path: string, body: AsyncIterable<Uint8Array>): Promise<boolean> {
    const parts: BlobPart[] = [];
    for await (const chunk of body) parts.push(chunk.slice());
    const isNew = !this.#files.has(path);
    this.#files.set(path, await new Blob(parts).bytes());
    return isNew;
  }
}

/** Files of a directory; symbolic links are followed as long as they stay within it. */
export class DirectoryFiles implements FileStore {
  readonly #root: string;

  /** `root` must be what `Deno.realPath` gave. */
  constructor(root: string) {
    this.#root = root;
  }

  /** See {@linkcode FileStore}. A path that ends in `/` stands for its `index.html`. */
  async open(path: string): Promise<OpenFile> {
    return await refusing(async () => {
      const real = await this.#within(path.endsWith("/") ? path + "index.html" : path);
      if (!(await Deno.stat(real)).isFile) throw new Refusal(403, "not a file");
      const file = await Deno.open(real);
      const { size } = await file.stat();
      return {
        bytes: size,
        async *chunks(): AsyncGenerator<Uint8Array> {
          const buffer = new Uint8Array(CHUNK_BYTES);
          for (;;) {
            const count = await file.read(buffer);
            if (count === null) return;
            yield buffer.subarray(0, count);
          }
        },
        [Symbol.dispose]: () => file.close(),
      };
    });
  }

  /** See {@linkcode FileStore}. Written under a temporary name beside the file, then renamed. */
  async put(path: string, body: AsyncIterable<Uint8Array>): Promise<boolean> {
    return await refusing(async () => {
      const slash = path.lastIndexOf("/");
      const directory = await this.#within(path.slice(0, slash + 1));
      const name = path.slice(slash + 1);
      const existing = await Deno.stat(`${directory}/${name}`).catch((error) => {
        if (error instanceof Deno.errors.NotFound) return undefined;
        throw error;
      });
      if (name === "" || existing?.isFile === false) throw new Refusal(403, "not a file");
      const temporary = `${directory}/.${crypto.randomUUID()}.part`;
      try {
        using file = await Deno.open(temporary, { write: true, createNew: true });
        for await (const chunk of body) await writeAll(file, chunk);
        await Deno.rename(temporary, `${directory}/${name}`);
      } catch (error) {
        await Deno.remove(temporary).catch(() => {}); // it may not have been made
        throw error;
      }
      return existing === undefined;
    });
  }

  async #within(path: string): Promise<string> {
    const real = await Deno.realPath(this.#root + path);
    if (real !== this.#root && !real.startsWith(this.#root.replace(/\/$/, "") + "/")) {
      throw new Refusal(403, "the path leaves the root");
    }
    return real;
  }
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}

/** Turns the errors of the file system that a client can cause into refusals. */
async function refusing<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const { errors } = Deno;
    if (error instanceof errors.NotFound || error instanceof errors.NotADirectory) {
      throw new Refusal(404, "no such file", { cause: error });
    }
    if (error instanceof errors.PermissionDenied || error instanceof errors.NotCapable) {
      throw new Refusal(403, "no permission", { cause: error });
    }
    if (error instanceof Error && "code" in error && error.code === "ENAMETOOLONG") {
      throw new Refusal(404, "name too long", { cause: error });
    }
    throw error;
  }
}
