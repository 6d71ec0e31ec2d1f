/** A whole balancer inside the test's process, on a free port, with real sockets. */
import { Balancer, type BalancerParts } from "../../lib/balancer.ts";
import { makeConfig } from "../../lib/config.ts";
import type { Setting } from "../../lib/options.ts";

/** Settings as typed on the command line. */
export type Settings = Readonly<Partial<Record<Setting, string>>>;

/** A server as typed on the command line, or its port. */
export type Server = number | string;

/** Starts one; clients are being served when this resolves. */
export async function startBalancer(
  servers: readonly Server[],
  settings: Settings = {},
  parts: BalancerParts = {},
): Promise<Balancer> {
  const balancer = makeBalancer(servers, settings, parts);
  await balancer.ready;
  return balancer;
}

/** Starts one without waiting for the first round of probes. */
export function makeBalancer(
  servers: readonly Server[],
  settings: Settings = {},
  parts: BalancerParts = {},
): Balancer {
  const backends = servers.map(String);
  return new Balancer(makeConfig({ listen: "127.0.0.1:0", backends, settings }), parts);
}
