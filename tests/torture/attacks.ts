/** What hostile clients do. Each attack runs until it is told to end, and never fails by itself. */
import { Buffer } from "node:buffer";
import net from "node:net";
import type { Random } from "../support/random.ts";

/** What an attack is given. */
export interface AttackOptions {
  /** Whom to attack. */
  readonly port: number;
  /** How many connections one after another make up the attack that counts them. */
  readonly serial: number;
  /** The seeded source. */
  readonly random: Random;
  /** Tells when to end. */
  readonly signal: AbortSignal;
}

/** One attack. */
export interface Attack {
  /** What it does, in a line. */
  readonly help: string;
  /** Does it end by itself when it has done what it counts? */
  readonly counts?: boolean;
  /** Attacks. Returns how many connections that were. */
  readonly run: (options: AttackOptions) => Promise<number>;
}

/** How many clients are slow at once. */
const SLOW = 300;
/** How many are idle at once; several times the bridges that there are. */
const IDLE = 3000;
/** How many ask without end; each makes a server fill all buffers on the way, which is work. */
const PIPELINING = 20;
const DRIP_MS = 100;
const CONNECTS_AT_ONCE = 200;
const GET = "GET /attack/1000 HTTP/1.1\r\nHost: torture\r\n";

/** All of them by name. */
export const ATTACKS = {
  "slow-heads": {
    help: `${SLOW} clients send a head, a byte every ${DRIP_MS} ms`,
    run: (options) => swarm(SLOW, options, (conn) => drip(conn, GET, options.signal)),
  },
  "slow-bodies": {
    help: `${SLOW} clients send a body, a byte every ${DRIP_MS} ms`,
    run: (options) =>
      swarm(SLOW, options, async (conn) => {
        await writeAll(
          conn,
          "POST /attack/10 HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n",
        );
        await drip(conn, "", options.signal);
      }),
  },
  idle: {
    help: `${IDLE} clients connect and say nothing`,
    run: (options) => swarm(IDLE, options, (conn) => ended(conn, options.signal)),
  },
  "half-open": {
    help: `${SLOW} clients ask, end their side, and neither read nor close`,
    run: (options) =>
      swarm(SLOW, options, async (conn) => {
        await writeAll(conn, `GET /attack/300000 HTTP/1.1\r\nHost: a\r\n\r\n`);
        await conn.closeWrite();
        await aborted(options.signal);
      }),
  },
  resets: {
    help: "clients reset at every stage: at once, in a head, behind it, in a body, in an answer",
    run: (options) => repeat(50, options, () => resetSomewhere(options)),
  },
  connects: {
    help: `${CONNECTS_AT_ONCE} at once connect and close, over and over`,
    run: (options) =>
      repeat(CONNECTS_AT_ONCE, options, async () => {
        using _conn = await connect(options.port);
      }),
  },
  serial: {
    help: "one connection after another, each tenth with a request",
    counts: true,
    run: serial,
  },
  "giant-heads": {
    help: "heads of a MiB: one line of it, or many",
    run: (options) =>
      repeat(10, options, async () => {
        using conn = await connect(options.port);
        const line = options.random.chance(0.5)
          ? `X-Giant: ${"x".repeat(1024 * 1024)}\r\n`
          : "X-Many: many\r\n".repeat(75_000);
        await writeAll(conn, `${GET}${line}\r\n`).catch(() => {/* It was told enough. */});
        await ended(conn, options.signal);
      }),
  },
  pipelining: {
    help: `${PIPELINING} clients send requests without end and read nothing`,
    run: (options) =>
      swarm(PIPELINING, options, async (conn) => {
        const many = "GET /attack/300000 HTTP/1.1\r\nHost: a\r\n\r\n".repeat(500);
        // Blocks for good once nobody takes any more; the end of the attack closes it.
        while (!options.signal.aborted) await writeAll(conn, many);
      }),
  },
  upgrades: {
    help: "upgrades, CONNECT and the start of HTTP/2, each with random bytes behind",
    run: (options) =>
      repeat(20, options, async () => {
        using conn = await connect(options.port);
        await writeAll(conn, options.random.pick(UPGRADES));
        await writeAll(conn, randomBytes(options.random, 2000));
        await ended(conn, AbortSignal.any([options.signal, AbortSignal.timeout(500)]));
      }),
  },
  garbage: {
    help: "random bytes, some behind the start of a request",
    run: (options) =>
      repeat(20, options, async () => {
        using conn = await connect(options.port);
        if (options.random.chance(0.5)) await writeAll(conn, GET);
        await writeAll(conn, randomBytes(options.random, options.random.integer(1, 5000)));
        await ended(conn, AbortSignal.any([options.signal, AbortSignal.timeout(300)]));
      }),
  },
} as const satisfies Record<string, Attack>;

/** The name of an attack. */
export type AttackName = keyof typeof ATTACKS;

const UPGRADES = [
  `${GET}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  `${GET}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n\r\n`,
  "CONNECT torture:443 HTTP/1.1\r\nHost: torture:443\r\n\r\n",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "POST /attack/10 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n" +
  "Content-Length: 5\r\n\r\n",
] as const;

/** So many clients at once, each on a connection that is opened anew when it has ended. */
async function swarm(
  count: number,
  options: AttackOptions,
  act: (conn: Deno.TcpConn) => Promise<void>,
): Promise<number> {
  return await repeat(count, options, async () => {
    using conn = await connect(options.port);
    const close = (): void => conn[Symbol.dispose]();
    options.signal.addEventListener("abort", close);
    try {
      await act(conn);
    } finally {
      options.signal.removeEventListener("abort", close);
    }
  });
}

/** Does it over and over, so many at once. Returns how often. */
async function repeat(
  count: number,
  { signal }: AttackOptions,
  act: () => Promise<void>,
): Promise<number> {
  let times = 0;
  const lane = async (): Promise<void> => {
    while (!signal.aborted) {
      times++;
      // Refused, reset or out of descriptors: what attackers have to reckon with.
      await act().catch(() => pause(10));
    }
  };
  await Promise.all(Array.from({ length: count }, lane));
  return times;
}

async function serial(options: AttackOptions): Promise<number> {
  let times = 0;
  while (times < options.serial && !options.signal.aborted) {
    try {
      using conn = await connect(options.port);
      if (++times % 10 === 0) {
        await writeAll(conn, `${GET}Connection: close\r\n\r\n`);
        await ended(conn, options.signal);
      }
    } catch {
      await pause(10); // No port is free for a moment, or the balancer broke it.
    }
  }
  return times;
}

async function drip(conn: Deno.TcpConn, start: string, signal: AbortSignal): Promise<void> {
  const isOver = ended(conn, signal).then(() => true);
  await writeAll(conn, start);
  do await writeAll(conn, "x"); while (!await Promise.race([isOver, pause(DRIP_MS)]));
}

function resetSomewhere({ port, random }: AttackOptions): Promise<void> {
  const stage = random.pick(["at once", "head", "behind", "body", "answer"] as const);
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = net.connect(port, "127.0.0.1");
  const reset = (): void => {
    socket.resetAndDestroy();
  };
  socket.setTimeout(2000, reset);
  socket.on("error", () => {/* "close" follows. */});
  socket.on("close", () => resolve());
  socket.on("connect", () => {
    if (stage === "at once") return reset();
    if (stage === "head") socket.write(GET, reset);
    else if (stage === "behind") socket.write(`${GET}\r\n`, reset);
    else if (stage === "answer") {
      socket.once("data", reset);
      socket.write(`${GET}\r\n`);
    } else {
      const body = Buffer.alloc(random.integer(1, 100_000));
      socket.write(`POST /attack/10 HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n`);
      socket.write(body, reset);
    }
  });
  return promise;
}

async function connect(port: number): Promise<Deno.TcpConn> {
  return await Deno.connect({ hostname: "127.0.0.1", port });
}

async function writeAll(conn: Deno.TcpConn, data: string | Uint8Array): Promise<void> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

/** Reads and drops until the connection has ended, or it is time. */
async function ended(conn: Deno.TcpConn, signal: AbortSignal): Promise<void> {
  const buffer = new Uint8Array(16 * 1024);
  const read = async (): Promise<void> => {
    try {
      while (await conn.read(buffer) !== null);
    } catch {
      // It was reset, or closed from this side.
    }
  };
  await Promise.race([read(), aborted(signal)]);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function randomBytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.integer(0, 255));
}

function pause(milliseconds: number): Promise<false> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds, false));
}
