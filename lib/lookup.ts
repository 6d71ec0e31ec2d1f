/** One lookup of a name by the system. When to make one is the resolver's. */
import { BalancerError, type ErrorCode, osCode, socketFailure } from "./errors.ts";

/**
 * All addresses of a name, in the order of the system, by its `getaddrinfo`: what /etc/hosts says
 * counts. It cannot be cancelled, and takes 10 s and more where the name servers are silent.
 * Rejects with a {@linkcode BalancerError}.
 */
export async function systemLookup(name: string): Promise<readonly string[]> {
  // Loaded by those who have names only: it would cost all others 2 ms and 1 MiB at start.
  const { lookup } = await import("node:dns/promises");
  try {
    const answers = await lookup(name, { all: true });
    return answers.map(({ address }) => address);
  } catch (error) {
    throw lookupError(name, error);
  }
}

/** What was thrown at a lookup of that name, in our terms. Never throws. */
export function lookupError(name: string, cause: unknown): BalancerError {
  const { code, state } = lookupFailure(name, cause);
  const side = code === "unreachable" ? "backend" : "internal";
  return new BalancerError({ action: `Cannot resolve ${name}`, state, code, side, cause });
}

function lookupFailure(name: string, error: unknown): { code: ErrorCode; state: string } {
  const code = osCode(error);
  if (code === "ENOTFOUND") {
    const hint = "check how it is spelled, the DNS and /etc/hosts";
    return { code: "unreachable", state: `no such name, or no address to it (${code}); ${hint}` };
  }
  if (code === "EAI_AGAIN") {
    const hint = "check the network and the DNS settings of this machine";
    return { code: "unreachable", state: `the name servers gave no answer (${code}); ${hint}` };
  }
  if (code === "EPERM") {
    // Deno's own; a port behind the name, or the name alone, would not do.
    const flags = `--allow-net, or --allow-net=${name} and its addresses`;
    return { code: "permission", state: `not allowed by Deno (run with ${flags})` };
  }
  return socketFailure(error);
}
