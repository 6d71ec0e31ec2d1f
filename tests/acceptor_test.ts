import { Acceptor } from "../lib/acceptor.ts";
import { assertEquals } from "./support/assert.ts";
import { FakeClock } from "./support/fake_clock.ts";
import { until } from "./support/until.ts";

/** Is nobody listening there? */
function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}

// Regression: clients were served while it closed, so those who came again at once were never all,
// and whom it left behind was reset.
Deno.test("Acceptor.close: takes all who connect meanwhile, and hands them over when it is closed", async () => {
  const clock = new FakeClock();
  const taken: Deno.TcpConn[] = [];
  /** Was the address free when each of them was handed over? */
  const wasFree: boolean[] = [];
  const acceptor = new Acceptor({ hostname: "127.0.0.1", port: 0 }, {
    onConn: (conn) => {
      taken.push(conn);
      wasFree.push(isFree(acceptor.address.port));
    },
    onTrouble: () => {},
    clock,
  });
  const clients = [await Deno.connect(acceptor.address)];
  await until(() => taken.length === 1, "it accepts");
  let isClosed = false;
  const closed = acceptor.close().then(() => isClosed = true);
  for (let time = 0; time < 20; time++) clients.push(await Deno.connect(acceptor.address));
  await until(async () => (await clock.advance(1), isClosed), "it is closed");
  await closed;
  assertEquals(wasFree, [false, ...Array.from({ length: 20 }, () => true)]);
  assertEquals(clock.pending, 0);
  for (const conn of [...clients, ...taken]) conn.close();
});
