/** The configuration of nginx as a contestant: one worker, its stream module or its HTTP proxy. Pure. */

import { nginxHttpPaths, nginxPaths } from "./backends.ts";
import { type Mode, type Placement } from "./contestants.ts";

/** The text of its configuration file; `streamDirective` loads the stream module where that is needed. */
export function nginxConfig(
  placement: Placement,
  { mode, streamDirective }: { readonly mode: Mode; readonly streamDirective: string },
): string {
  return `${streamDirective}
${nginxPaths(placement.directory)}
events { worker_connections 16384; }
${mode === "http" ? httpBlock(placement) : streamBlock(placement)}`;
}

function streamBlock({ port, backendPorts }: Placement): string {
  return `stream {
  upstream backends {
${serverLines(backendPorts)}
  }
  server {
    listen 127.0.0.1:${port};
    proxy_pass backends;
    proxy_connect_timeout 3s;
    proxy_timeout 10m;
  }
}
`;
}

/**
 * Kept connections are never closed for their count of requests, as with ours and HAProxy. Buffering
 * stays on, as nginx has it: off, large bodies cost it more.
 */
function httpBlock({ port, backendPorts, clientsMax, directory }: Placement): string {
  return `http {
  access_log off;
${nginxHttpPaths(directory)}
  upstream backends {
${serverLines(backendPorts)}
    keepalive ${clientsMax};
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port};
    keepalive_requests 1000000000;
    location / {
      proxy_pass http://backends;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_connect_timeout 3s;
    }
  }
}
`;
}

function serverLines(backendPorts: readonly number[]): string {
  return backendPorts.map((backendPort) => `    server 127.0.0.1:${backendPort};`).join("\n");
}
