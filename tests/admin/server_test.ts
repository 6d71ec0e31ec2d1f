/** The HTTP of the admin port, over real sockets. */
import { text } from "../../lib/admin/answers.ts";
import { Refusal } from "../../lib/admin/refusal.ts";
import type { Route } from "../../lib/admin/router.ts";
import { AdminServer, CALLS_MAX } from "../../lib/admin/server.ts";
import { systemClock } from "../../lib/clock.ts";
import { BalancerError } from "../../lib/errors.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { askOnce, ByteClient, connectAndReset } from "../support/byte_client.ts";
import { until } from "../support/until.ts";

function start(...routes: Route[]): AdminServer {
  const address = { hostname: "127.0.0.1", port: 0 };
  return new AdminServer({ address, token: null, routes, clock: systemClock });
}

function route(change: Partial<Route>): Route {
  return { method: "GET", path: "/", access: "reader", handle: () => text("hello"), ...change };
}

/** A stream that goes on until the server closes, or its reader leaves. */
function lasting(): Route & { readonly open: () => number } {
  let open = 0;
  return {
    ...route({ path: "/events", lasting: true }),
    open: () => open,
    handle: ({ closing }): Response => {
      open++;
      const over = Promise.withResolvers<void>();
      closing.addEventListener("abort", () => over.resolve());
      const body = new ReadableStream<Uint8Array>({
        async start(controller): Promise<void> {
          controller.enqueue(new TextEncoder().encode("data: 1\n\n"));
          await over.promise;
          open--;
          try {
            controller.close();
          } catch {
            // Its reader has left.
          }
        },
        cancel: () => over.resolve(),
      });
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    },
  };
}

function url({ address }: AdminServer, path = "/"): string {
  return `http://127.0.0.1:${address.port}${path}`;
}

Deno.test("AdminServer: each answer is kept by nobody, and safe from being misread or framed", async () => {
  await using server = start(
    route({}),
    route({
      path: "/own",
      handle: () => text("x", { headers: { "content-security-policy": "y" } }),
    }),
  );
  for (const path of ["/", "/nothing"]) {
    const response = await fetch(url(server, path));
    await response.body?.cancel();
    const { headers } = response;
    assertEquals(headers.get("cache-control"), "no-store");
    assertEquals(headers.get("x-content-type-options"), "nosniff");
    assertEquals(headers.get("x-frame-options"), "DENY");
    assertStringIncludes(headers.get("content-security-policy") ?? "", "frame-ancestors 'none'");
    for (const [name] of headers) {
      assert(!name.startsWith("access-control-"), `${name}: other sites are given leave`);
    }
  }
  const own = await fetch(url(server, "/own"));
  assertEquals([own.headers.get("content-security-policy"), await own.text()], ["y", "x\n"]);
});

Deno.test("AdminServer: a refusal is answered as JSON with its status and headers", async () => {
  const handle = (): Response => {
    throw new Refusal(409, "not now", { "retry-after": "7" });
  };
  await using server = start(route({ handle }));
  const response = await fetch(url(server));
  assertEquals([response.status, response.headers.get("retry-after")], [409, "7"]);
  assertEquals(response.headers.get("content-type"), "application/json");
  assertEquals(await response.json(), { error: "not now" });
});

Deno.test("AdminServer: what a route throws is a 500 without its words, and ends nothing", async () => {
  const handles: readonly Route["handle"][] = [
    () => {
      throw new TypeError("secret");
    },
    () => Promise.reject(new Error("secret")),
  ];
  for (const handle of handles) {
    await using server = start(route({ handle }), route({ path: "/fine" }));
    const response = await fetch(url(server));
    assertEquals(response.status, 500);
    assertEquals((await response.text()).includes("secret"), false);
    assertEquals(await (await fetch(url(server, "/fine"))).text(), "hello\n");
  }
});

Deno.test("AdminServer: HEAD is answered like GET, without the body", async () => {
  await using server = start(route({}));
  const { port } = server.address;
  const answer = await askOnce(
    port,
    `HEAD / HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: close\r\n\r\n`,
  );
  assertStringIncludes(answer, "HTTP/1.1 200 OK\r\n");
  assert(answer.endsWith("\r\n\r\n"), answer);
});

Deno.test("AdminServer: leave to send JSON from another site is not given (preflight)", async () => {
  await using server = start(route({ method: "POST", access: "operator" }));
  const response = await fetch(url(server), {
    method: "OPTIONS",
    headers: {
      origin: "https://evil.example",
      "access-control-request-method": "POST",
      "access-control-request-headers": "content-type",
    },
  });
  await response.body?.cancel();
  assertEquals([response.status, response.headers.get("allow")], [405, "POST"]);
  assertEquals([...response.headers.keys()].filter((name) => name.startsWith("access-")), []);
});

Deno.test("AdminServer: only so many answers that last at once; a place is free when a reader leaves", async () => {
  const events = lasting();
  await using server = start(events, route({}));
  const leave: AbortController[] = [];
  const open = async (): Promise<number> => {
    const abort = new AbortController();
    const response = await fetch(url(server, "/events"), { signal: abort.signal });
    if (response.ok) leave.push(abort);
    else await response.body?.cancel();
    return response.status;
  };
  for (let at = 0; at < CALLS_MAX.lasting; at++) assertEquals(await open(), 200, `${at}`);
  assertEquals(await open(), 503);
  assertEquals(await (await fetch(url(server))).text(), "hello\n", "others are answered");
  leave.pop()?.abort();
  await until(() => events.open() === CALLS_MAX.lasting - 1, "a reader has left");
  await until(async () => await open() === 200, "its place is free");
  for (const abort of leave) abort.abort();
  await until(() => events.open() === 0, "all have left");
});

Deno.test("AdminServer: only so many calls at once", async () => {
  const go = Promise.withResolvers<void>();
  let started = 0;
  await using server = start(
    route({
      handle: async () => {
        started++;
        await go.promise;
        return text("late");
      },
    }),
  );
  const calls = Array.from({ length: CALLS_MAX.all }, () => fetch(url(server)));
  await until(() => started === CALLS_MAX.all, "all are being answered");
  const more = await fetch(url(server));
  assertEquals([more.status, await more.json()], [503, { error: "too many calls at once" }]);
  go.resolve();
  for (const call of calls) assertEquals(await (await call).text(), "late\n");
  await until(async () => {
    const { status, body } = await fetch(url(server));
    await body?.cancel();
    return status === 200;
  }, "there is room again");
});

// Regression: whoever kept 256 calls open, which anybody on this machine can, switched them off.
Deno.test("AdminServer: what is answered always takes no place, and is not refused for want of one", async () => {
  const go = Promise.withResolvers<void>();
  let started = 0;
  const late = async (): Promise<Response> => {
    started++;
    await go.promise;
    return text("late");
  };
  await using server = start(
    route({ handle: late }),
    route({ path: "/healthz", always: true, handle: late }),
    route({ path: "/readyz", always: true }),
  );
  const calls = ["/healthz", ...Array.from({ length: CALLS_MAX.all }, () => "/")]
    .map((path) => fetch(url(server, path)));
  await until(() => started === CALLS_MAX.all + 1, "all are being answered");
  const more = await fetch(url(server));
  assertEquals(more.status, 503, await more.text());
  assertEquals(await (await fetch(url(server, "/readyz"))).text(), "hello\n");
  go.resolve();
  for (const call of calls) assertEquals(await (await call).text(), "late\n");
});

Deno.test("AdminServer: closing ends what lasts, lets a call finish, and frees the port", async () => {
  const events = lasting();
  const called = Promise.withResolvers<void>();
  const server = start(
    events,
    route({
      path: "/slow",
      handle: async ({ closing }) => {
        called.resolve();
        await new Promise((resolve) => closing.addEventListener("abort", resolve));
        return text("finished");
      },
    }),
  );
  const stream = await fetch(url(server, "/events"));
  const slow = fetch(url(server, "/slow"));
  using idle = await ByteClient.connect(server.address.port);
  await called.promise;
  const { port } = server.address;
  await server[Symbol.asyncDispose]();
  assertEquals(await stream.text(), "data: 1\n\n");
  assertEquals(await (await slow).text(), "finished\n");
  assertEquals(await idle.receive(), null);
  Deno.listen({ hostname: "127.0.0.1", port }).close();
});

Deno.test("AdminServer: closing does not wait for a call that never ends", async () => {
  const called = Promise.withResolvers<void>();
  const server = start(route({
    handle: () => {
      called.resolve();
      return new Promise(() => {});
    },
  }));
  const { port } = server.address;
  using client = await ByteClient.connect(port);
  await client.send(`GET / HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`);
  await called.promise;
  await server[Symbol.asyncDispose]();
  assertEquals(await client.receive(), null);
});

Deno.test("AdminServer: garbage, half requests and resets end nothing", async () => {
  await using server = start(route({}), route({ method: "POST", access: "operator" }));
  const { port } = server.address;
  const own = `Host: localhost:${port}\r\nContent-Type: application/json\r\n`;
  const pieces = [
    "",
    "GET",
    "\0\xff\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    `POST / HTTP/1.1\r\n${own}Content-Length: 9\r\n\r\n{`,
    `POST / HTTP/1.1\r\n${own}Transfer-Encoding: chunked\r\n\r\n5\r\nab`,
    `POST / HTTP/1.1\r\n${own}Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}`,
  ];
  for (const piece of pieces) {
    await connectAndReset(port, piece);
    using client = await ByteClient.connect(port);
    await (await client.send(piece)).end();
    await client.receiveAll();
  }
  assertEquals(await (await fetch(url(server))).text(), "hello\n");
});

Deno.test("AdminServer: a port that is taken is named", () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const error = assertThrows(
    () =>
      new AdminServer({
        address: { hostname: "127.0.0.1", port },
        token: null,
        routes: [],
        clock: systemClock,
      }),
    BalancerError,
  );
  assertEquals(
    error.message,
    `Cannot listen on 127.0.0.1:${port}: another program listens there already`,
  );
});
