/**
 * Free ports for programs that cannot be given port 0.
 *
 * They lie below the range the kernel gives to client sockets: a port inside it may be held by a
 * connection in TIME_WAIT, of which the one-request-per-connection workload makes thousands.
 */

const PORT_MIN = 10_000;
const DEFAULT_CLIENT_PORT_MIN = 32_768;
const TRIES = 200;

const given = new Set<number>();

/** A port of 127.0.0.1 that was free a moment ago and that no earlier call returned. */
export async function freePort(): Promise<number> {
  const portEnd = await clientPortMin();
  for (let tries = 0; tries < TRIES; tries++) {
    const port = PORT_MIN + Math.floor(Math.random() * (portEnd - PORT_MIN));
    if (given.has(port)) continue;
    given.add(port);
    try {
      using _listener = Deno.listen({ hostname: "127.0.0.1", port });
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Error(
    `Cannot find a free port from ${PORT_MIN} to ${portEnd - 1}: ${TRIES} were taken`,
  );
}

async function clientPortMin(): Promise<number> {
  const range = await Deno.readTextFile("/proc/sys/net/ipv4/ip_local_port_range");
  const first = Number(range.trim().split(/\s+/)[0]);
  return first > PORT_MIN + TRIES ? first : DEFAULT_CLIENT_PORT_MIN;
}
