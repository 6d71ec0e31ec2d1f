/** The configuration of HAProxy as a contestant: one thread, in TCP mode or in HTTP mode. Pure. */

import { type Mode, type Placement } from "./contestants.ts";

const MODE_LINES: Readonly<Record<Mode, string>> = {
  bridge: "  mode tcp",
  // Any request goes over any connection to a server that is kept, as with ours and with nginx.
  http: "  mode http\n  http-reuse always\n  option forwardfor",
};

/** The text of its configuration file. */
export function haproxyConfig({ port, backendPorts }: Placement, mode: Mode): string {
  const servers = backendPorts.map((backendPort, index) =>
    `  server backend${index} 127.0.0.1:${backendPort} check inter 3s`
  );
  return `global
  nbthread 1
  maxconn 4096
defaults
${MODE_LINES[mode]}
  timeout connect 3s
  timeout client 10m
  timeout server 10m
listen balancer
  bind 127.0.0.1:${port}
  balance roundrobin
${servers.join("\n")}
`;
}
