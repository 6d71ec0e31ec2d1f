/**
 * The floor that Deno sets: two-way copying and nothing else. No deadlines, no counts, no failover, no
 * queue. The benchmark runs it with `--baseline` to show what our features cost over it.
 *
 * Usage: `deno run --allow-net bare_pump.ts PORT BACKEND_PORT...`
 */

const [port = 0, ...backendPorts] = Deno.args.map(Number);
const freeBuffers: Uint8Array<ArrayBuffer>[] = [];
let turn = 0;

async function pump(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  const buffer = freeBuffers.pop() ?? new Uint8Array(65_536);
  try {
    for (let count = await from.read(buffer); count !== null; count = await from.read(buffer)) {
      for (let start = 0; start < count;) start += await to.write(buffer.subarray(start, count));
    }
    await to.closeWrite();
  } finally {
    freeBuffers.push(buffer);
  }
}

async function bridge(client: Deno.TcpConn): Promise<void> {
  using _client = client;
  using backend = await Deno.connect({
    hostname: "127.0.0.1",
    port: backendPorts[turn++ % backendPorts.length] ?? 0,
  });
  client.setNoDelay(true);
  backend.setNoDelay(true);
  await Promise.all([pump(client, backend), pump(backend, client)]);
}

const listener = Deno.listen({ hostname: "127.0.0.1", port });
while (true) {
  // A peer that resets ends its own bridge; the floor has nothing to decide about it.
  bridge(await listener.accept()).catch(() => {});
}
