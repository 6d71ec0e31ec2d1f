import { Bridges } from "../lib/bridge.ts";
import { Deadlines } from "../lib/deadlines.ts";
import { WaitingQueue } from "../lib/waiting_queue.ts";
import { assertEquals } from "./support/assert.ts";
import { FakeClock, settle } from "./support/fake_clock.ts";

// Regression: a drain was over while bridges carried clients that were started after it had begun.
Deno.test("Bridges.settled: waits for bridges, too, that are started while it waits", async () => {
  using deadlines = new Deadlines(new FakeClock());
  let room = 0;
  const queue = new WaitingQueue<string, true>({
    lengthMax: 10,
    timeoutMs: 1000,
    deadlines,
    admit: () => room-- > 0 || "wait",
    onTimeout: () => {},
  });
  const ends = new Map<string, () => void>();
  const bridges = new Bridges<string, true>({
    countMax: 2,
    queue,
    carry: (client) => new Promise((resolve) => ends.set(client, resolve)),
    onTake: () => {},
    onDefect: () => {},
  });
  bridges.open();
  for (const client of ["one", "other"]) {
    bridges.prepare();
    queue.offer(client);
  }
  queue.close();
  let isSettled = false;
  const settled = bridges.settled().then(() => isSettled = true);
  room = 2;
  bridges.admit();
  await settle();
  ends.get("other")?.(); // It was given to the bridge that had been there before.
  await settle();
  assertEquals([[...ends.keys()], isSettled], [["one", "other"], false]);
  ends.get("one")?.();
  await settled;
});
