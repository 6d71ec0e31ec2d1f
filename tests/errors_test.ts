import { BalancerError, type ErrorCode, socketFailure } from "../lib/errors.ts";
import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "./support/assert.ts";

/** An error as Deno throws it for an error of the system. */
function systemError(code: string, message = `${code} (os error 1)`): Error {
  return Object.assign(new Error(message), { code });
}

Deno.test("BalancerError: says the action, a colon, the state, and carries the rest as fields", () => {
  const cause = new Error("below");
  const error = new BalancerError({
    action: "Cannot listen on 127.0.0.1:80",
    state: "permission denied",
    code: "permission",
    side: "internal",
    cause,
  });
  assertEquals(error.message, "Cannot listen on 127.0.0.1:80: permission denied");
  assertEquals(
    [error.name, error.state, error.code, error.side],
    ["BalancerError", "permission denied", "permission", "internal"],
  );
  assertStrictEquals(error.cause, cause);
  assertInstanceOf(error, Error);
});

Deno.test("BalancerError: is not to be retried unless it says so", () => {
  const options = { action: "a", state: "b", code: "refused", side: "backend" } as const;
  assertEquals(new BalancerError(options).retryable, false);
  assertEquals(new BalancerError({ ...options, retryable: true }).retryable, true);
});

Deno.test("socketFailure: knows what Deno's own errors mean", () => {
  const meanings: [Error, ErrorCode, string][] = [
    [new Deno.errors.ConnectionRefused("x"), "refused", "connection refused"],
    [new Deno.errors.ConnectionReset("x"), "reset", "connection reset"],
    [new Deno.errors.BrokenPipe("x"), "reset", "connection reset"],
    [new Deno.errors.TimedOut("x"), "timeout", "timed out"],
    [new Deno.errors.PermissionDenied("x"), "permission", "permission denied"],
    [
      new Deno.errors.NotCapable("x"),
      "permission",
      "not allowed by Deno (run with --allow-net)",
    ],
  ];
  for (const [error, code, state] of meanings) assertEquals(socketFailure(error), { code, state });
});

Deno.test("socketFailure: knows the codes of the system, whatever class they come in", () => {
  for (const code of ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRNOTAVAIL"]) {
    const failure = socketFailure(systemError(code));
    assertEquals(failure.code, "exhausted", code);
    const classed = Object.assign(new Deno.errors.AddrNotAvailable("x"), { code });
    assertEquals(socketFailure(classed), failure, code);
  }
  for (const code of ["EHOSTUNREACH", "ENETUNREACH"]) {
    assertEquals(socketFailure(systemError(code)), {
      code: "unreachable",
      state: "no route to it",
    });
  }
});

Deno.test("socketFailure: knows a name that does not resolve", () => {
  const error = new Error("failed to lookup address information: Name or service not known");
  assertEquals(socketFailure(error), {
    code: "unreachable",
    state: "its name does not resolve",
  });
});

Deno.test("socketFailure: passes on the words of what it does not know, and never throws", () => {
  const unknown: [unknown, string][] = [
    [new Error("odd"), "odd"],
    [systemError("ENOSUCH", "odd code"), "odd code"],
    [Object.assign(new Error("odd number"), { code: 24 }), "odd number"],
    ["a text", "a text"],
    [undefined, "undefined"],
    [null, "null"],
    [42, "42"],
  ];
  for (const [thrown, state] of unknown) {
    assertEquals(socketFailure(thrown), { code: "unexpected", state });
  }
});

Deno.test("socketFailure: its words follow a colon: lower case, no full stop", () => {
  const thrown = [
    new Deno.errors.ConnectionRefused(),
    new Deno.errors.NotCapable(),
    new Deno.errors.PermissionDenied(),
    ...["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRNOTAVAIL", "ENETUNREACH"].map((code) =>
      systemError(code)
    ),
  ];
  for (const error of thrown) {
    const { state } = socketFailure(error);
    assert(/^[a-z].*[^.]$/.test(state), state);
  }
});
