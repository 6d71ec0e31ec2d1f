import { isName } from "../lib/address.ts";
import { BalancerError, type ErrorCode, type Side } from "../lib/errors.ts";
import { lookupError, systemLookup } from "../lib/lookup.ts";
import { assert, assertEquals, assertRejects, assertStrictEquals } from "./support/assert.ts";

/** An error as `node:dns` throws it. */
function dnsError(code: string): Error {
  return Object.assign(new Error(`getaddrinfo ${code} db1.internal`), { code });
}

Deno.test("systemLookup: finds localhost at this machine's own addresses, and nowhere else", async () => {
  const addresses = await systemLookup("localhost");
  assert(addresses.length > 0, "no address");
  for (const address of addresses) assert(/^127\.|^::1$/.test(address), address);
  assertEquals(addresses.filter(isName), []);
});

Deno.test("systemLookup: rejects for a name that cannot be, and says what to check", async () => {
  // A part of more than 63 letters: no system asks a name server for it.
  const name = `${"a".repeat(64)}.invalid`;
  const error = await assertRejects(() => systemLookup(name), BalancerError);
  const state =
    "no such name, or no address to it (ENOTFOUND); check how it is spelled, the DNS and /etc/hosts";
  assertEquals([error.message, error.state], [`Cannot resolve ${name}: ${state}`, state]);
});

Deno.test("systemLookup: without the permission, it names the flag that is missing", {
  permissions: { net: ["127.0.0.1"] },
}, async () => {
  const error = await assertRejects(() => systemLookup("localhost"), BalancerError);
  assertEquals(
    [error.code, error.side, error.state],
    [
      "permission",
      "internal",
      "not allowed by Deno (run with --allow-net, or --allow-net=localhost and its addresses)",
    ],
  );
});

Deno.test("lookupError: tells silent name servers and a lack of means from a name that is not", () => {
  const meanings: readonly (readonly [string, ErrorCode, Side, string])[] = [
    ["ENOTFOUND", "unreachable", "backend", "no such name"],
    ["EAI_AGAIN", "unreachable", "backend", "the name servers gave no answer (EAI_AGAIN); check"],
    ["EPERM", "permission", "internal", "not allowed by Deno"],
    ["EMFILE", "exhausted", "internal", "this process has no file descriptor left"],
    ["EAI_FAIL", "unexpected", "internal", "getaddrinfo EAI_FAIL db1.internal"],
  ];
  for (const [systemCode, code, side, words] of meanings) {
    const cause = dnsError(systemCode);
    const error = lookupError("db1.internal", cause);
    assertEquals([error.code, error.side], [code, side], systemCode);
    assert(error.message.startsWith(`Cannot resolve db1.internal: ${words}`), error.message);
    assertStrictEquals(error.cause, cause);
  }
});
