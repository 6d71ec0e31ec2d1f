import {
  allowRead,
  CONFIG_BYTES_MAX,
  readConfigText,
  type Source,
  StandardInput,
} from "../../lib/config_file/text.ts";
import { BalancerError } from "../../lib/errors.ts";
import { assertEquals, assertRejects } from "../support/assert.ts";

/** Gives these pieces, and counts what it gave. */
class Pieces implements Source {
  given = 0;
  readonly #pieces: Iterator<Uint8Array>;

  constructor(pieces: Iterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.iterator]();
  }

  read(buffer: Uint8Array): Promise<number | null> {
    const { value, done } = this.#pieces.next();
    if (done) return Promise.resolve(null);
    buffer.set(value);
    this.given += value.length;
    return Promise.resolve(value.length);
  }
}

function input(...pieces: string[]): StandardInput {
  return new StandardInput(new Pieces(pieces.map((piece) => new TextEncoder().encode(piece))));
}

async function complaint(read: () => Promise<string>): Promise<string> {
  return (await assertRejects(read, BalancerError)).message;
}

async function inDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await run(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("StandardInput: is read to its end, in whatever pieces it comes", async () => {
  assertEquals(await input('{ "a"', ": 1 }", "", "\n").text(), '{ "a": 1 }\n');
  assertEquals(await input().text(), "");
  const bytes = new TextEncoder().encode("ä🦕");
  const each = new StandardInput(new Pieces([...bytes].map((byte) => Uint8Array.of(byte))));
  assertEquals(await each.text(), "ä🦕");
});

Deno.test("StandardInput: a second reading is refused, and says what to do", async () => {
  const once = input("{}");
  await once.text();
  assertEquals(
    await complaint(() => once.text()),
    "Cannot read the configuration from standard input: it can be read only once; " +
      "to reload, name a file in place of -",
  );
});

Deno.test("StandardInput: without end it is refused after 4 MiB", async () => {
  const endless = new Pieces(forever(new Uint8Array(65_536).fill(32)));
  assertEquals(
    await complaint(() => new StandardInput(endless).text()),
    "Cannot read the configuration from standard input: it has more than 4 MiB",
  );
  assertEquals(endless.given <= CONFIG_BYTES_MAX + 65_536, true);
});

function* forever(piece: Uint8Array): Iterable<Uint8Array> {
  for (;;) yield piece;
}

Deno.test("StandardInput: what is no text in UTF-8 is refused", async () => {
  const latin1 = new StandardInput(new Pieces([Uint8Array.of(0x7b, 0xe4, 0x7d)]));
  assertEquals(
    await complaint(() => latin1.text()),
    "Cannot read the configuration from standard input: it is no text in UTF-8",
  );
});

Deno.test("readConfigText: reads a file, without the mark that some editors put first", () =>
  inDirectory(async (directory) => {
    await Deno.writeTextFile(`${directory}/lb.jsonc`, "\ufeff{ /* ö */ }");
    assertEquals(await readConfigText(`${directory}/lb.jsonc`), "{ /* ö */ }");
  }));

Deno.test("readConfigText: 4 MiB are read, one byte more is not", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/lb.jsonc`;
    await Deno.writeTextFile(path, " ".repeat(CONFIG_BYTES_MAX));
    assertEquals((await readConfigText(path)).length, CONFIG_BYTES_MAX);
    await Deno.writeTextFile(path, " ".repeat(CONFIG_BYTES_MAX + 1));
    assertEquals(
      await complaint(() => readConfigText(path)),
      `Cannot read ${path}: it has more than 4 MiB`,
    );
  }));

Deno.test("readConfigText: a file that is not there and a directory are named as such", () =>
  inDirectory(async (directory) => {
    assertEquals(
      await complaint(() => readConfigText(`${directory}/none`)),
      `Cannot read ${directory}/none: there is no such file`,
    );
    assertEquals(
      await complaint(() => readConfigText(directory)),
      `Cannot read ${directory}: it is a directory`,
    );
  }));

Deno.test("readConfigText: a missing permission is named, and nobody is asked", {
  permissions: { read: false },
}, async () => {
  const flags = {
    "/etc/lb.jsonc": "--allow-read=/etc/lb.jsonc",
    "a b.jsonc": "'--allow-read=a b.jsonc'",
    "it's.jsonc": "'--allow-read=it'\\''s.jsonc'",
    "a,b": "--allow-read=a,,b",
  };
  for (const [path, flag] of Object.entries(flags)) {
    const message = await complaint(() => readConfigText(path));
    assertEquals(message, `Cannot read ${path}: not allowed by Deno (run with ${flag})`);
  }
});

Deno.test("allowRead: a comma in a path is doubled, since Deno splits there", () => {
  assertEquals(allowRead("/a,b"), "--allow-read=/a,,b");
});
