/** A whole balancer inside the test's process, on a free port, with real sockets. */
import { Balancer } from "../../lib/balancer.ts";
import { makeConfig, type Setting } from "../../lib/config.ts";

/** Settings as typed on the command line. */
export type Settings = Readonly<Partial<Record<Setting, string>>>;

/** Starts one; clients are being served when this resolves. */
export async function startBalancer(
  backendPorts: readonly number[],
  settings: Settings = {},
): Promise<Balancer> {
  const balancer = makeBalancer(backendPorts, settings);
  await balancer.ready;
  return balancer;
}

/** Starts one without waiting for the first round of probes. */
export function makeBalancer(
  backendPorts: readonly number[],
  settings: Settings = {},
): Balancer {
  const backends = backendPorts.map(String);
  return new Balancer(makeConfig({ listen: "127.0.0.1:0", backends, settings }));
}
