/** The calls that steer, over real sockets, against a balancer that only remembers them. */
import { History } from "../../lib/admin/history.ts";
import { AdminServer } from "../../lib/admin/server.ts";
import { type SteeringOptions, steeringRoutes } from "../../lib/admin/steering.ts";
import { systemClock } from "../../lib/clock.ts";
import { ConfigError } from "../../lib/config_error.ts";
import { BalancerError, SteeringError } from "../../lib/errors.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { backendSnapshot, FakeSteerable } from "../support/fake_steerable.ts";

function start(
  balancer: FakeSteerable | null,
  options: Partial<SteeringOptions> = {},
): AdminServer {
  return new AdminServer({
    address: { hostname: "127.0.0.1", port: 0 },
    token: null,
    routes: steeringRoutes({
      balancer: () => balancer,
      reload: () => Promise.reject(new Error("nobody is to ask for it")),
      iso: (ms) => `at ${ms}`,
      history: new History(0),
      ...options,
    }),
    clock: systemClock,
  });
}

interface Answer {
  readonly status: number;
  // deno-lint-ignore no-explicit-any -- whatever was answered, which is what is tested
  readonly body: any;
}

async function call(
  { address }: AdminServer,
  method: string,
  { path, body }: { readonly path: string; readonly body?: unknown },
): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${address.port}${path}`, {
    method,
    headers: { "content-type": "application/json" },
    body: body === undefined ? null : JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

const LEFT_3 = backendSnapshot({ state: "draining", inFlight: 3, sinceMs: 5 });

Deno.test("steeringRoutes: GET lists the servers, and shows one", async () => {
  const balancer = new FakeSteerable();
  balancer.backends = [LEFT_3, backendSnapshot({ name: "[::1]:80", weight: 7 })];
  await using server = start(balancer);
  const { body } = await call(server, "GET", { path: "/backends" });
  assertEquals(body.backends.map(({ name }: { name: string }) => name), [
    "127.0.0.1:1234",
    "[::1]:80",
  ]);
  assertEquals(body.unresolved, []);
  balancer.unresolved = [{ name: "web.test:80", reason: "no such name", sinceMs: 7 }];
  assertEquals((await call(server, "GET", { path: "/backends" })).body.unresolved, [
    { name: "web.test:80", reason: "no such name", since: "at 7" },
  ]);
  assertEquals(await call(server, "GET", { path: "/backends/web.test:80" }), {
    status: 404,
    body: { error: '"web.test:80" does not resolve: no such name' },
  });
  for (const path of ["/backends/127.0.0.1:1234", "/backends/1234"]) {
    assertEquals((await call(server, "GET", { path })).body, body.backends[0], path);
  }
  assertEquals((await call(server, "GET", { path: "/backends/[::1]:80" })).body.weight, 7);
  for (const name of ["127.0.0.1:99", "nonsense", "1234,weight=2"]) {
    const { status, body } = await call(server, "GET", { path: `/backends/${name}` });
    assertEquals(status, 404, name);
    assertStringIncludes(body.error, `"${name}" is `);
  }
});

Deno.test("steeringRoutes: POST /backends takes a server as it is typed on the command line", async () => {
  const balancer = new FakeSteerable();
  await using server = start(balancer);
  const path = "/backends";
  const added = await call(server, "POST", { path, body: { server: "10.0.0.3:80,weight=2" } });
  assertEquals(added, { status: 201, body: { name: "10.0.0.3:80", left: 0, backend: null } });
  await call(server, "POST", { path, body: { server: "5678,max=3,backup" } });
  assertEquals(balancer.told, [
    'add 10.0.0.3:80 {"weight":2,"max":null,"backup":false}',
    'add 127.0.0.1:5678 {"weight":1,"max":3,"backup":true}',
  ]);
});

Deno.test("steeringRoutes: of a name that has to be looked up nobody can say how many are left", async () => {
  await using server = start(new FakeSteerable());
  const { body } = await call(server, "POST", { path: "/backends", body: { server: "web1:80" } });
  assertEquals(body, { name: "web1:80", left: null, backend: null });
});

Deno.test("steeringRoutes: steering is passed on with who did it and why, and answered with what is left", async () => {
  const balancer = new FakeSteerable();
  balancer.backends = [LEFT_3];
  await using server = start(balancer);
  const path = "/backends/127.0.0.1:1234";
  const calls: readonly (readonly [method: string, path: string, body?: unknown])[] = [
    ["POST", `${path}/drain`],
    ["POST", `${path}/drain`, { reason: "new release" }],
    ["POST", `${path}/disable`, {}],
    ["POST", `${path}/enable`],
    ["POST", `${path}/weight`, { weight: 1000 }],
    ["DELETE", path],
    ["POST", "/backends/1234/drain"],
  ];
  for (const [method, path, body] of calls) {
    const { status, body: answer } = await call(server, method, { path, body });
    assertEquals([status, answer.name, answer.left], [200, "127.0.0.1:1234", 3], path);
    assertEquals([answer.backend.state, answer.backend.since], ["draining", "at 5"]);
  }
  assertEquals(balancer.told, [
    "steer 127.0.0.1:1234 draining: drained over the admin port",
    "steer 127.0.0.1:1234 draining: drained over the admin port: new release",
    "steer 127.0.0.1:1234 disabled: disabled over the admin port",
    "steer 127.0.0.1:1234 enabled: enabled over the admin port",
    "weight 127.0.0.1:1234 1000",
    "remove 127.0.0.1:1234",
    "steer 127.0.0.1:1234 draining: drained over the admin port",
  ]);
});

Deno.test("steeringRoutes: what is wrong in a body is named, with what was expected; nothing is done", async () => {
  const balancer = new FakeSteerable();
  await using server = start(balancer);
  const weight = "weight: expected a whole number from 1 to 1000";
  const noServer = "server: expected text, as in ";
  const reason = "reason: expected text of up to 200 characters in one line";
  const wrong: readonly (readonly [path: string, body: unknown, error: string])[] = [
    ["/backends/1234/weight", {}, weight],
    ["/backends/1234/weight", { weight: 0 }, weight],
    ["/backends/1234/weight", { weight: 1001 }, weight],
    ["/backends/1234/weight", { weight: 1.5 }, weight],
    ["/backends/1234/weight", { weight: "3" }, weight],
    ["/backends/1234/weight", { weight: 3, max: 4 }, '"max": unknown field; expected weight'],
    ["/backends", {}, noServer],
    ["/backends", { server: 1234 }, noServer],
    ["/backends", { server: "x" }, 'server "x": expected a port (1 to 65535)'],
    ["/backends", { server: "1,weight=0" }, 'server "1,weight=0": weight: expected a whole number'],
    ["/backends/1234/drain", { reason: 3 }, reason],
    ["/backends/1234/drain", { reason: " " }, reason],
    ["/backends/1234/drain", { reason: "a\nb" }, reason],
    ["/backends/1234/drain", { reason: "\u001b[2J" }, reason],
    ["/backends/1234/drain", { reason: "x".repeat(201) }, reason],
    ["/backends/1234/enable", { reason: "x" }, '"reason": unknown field; expected no field at all'],
    ["/reload", { file: "x" }, '"file": unknown field'],
  ];
  for (const [path, body, error] of wrong) {
    const answer = await call(server, "POST", { path, body });
    assertEquals(answer.status, 400, `${path} ${JSON.stringify(body)}`);
    assert(answer.body.error.startsWith(error), `${answer.body.error} is not ${error}`);
  }
  assertEquals(
    (await call(server, "DELETE", { path: "/backends/1234", body: { a: 1 } })).status,
    400,
  );
  assertEquals(balancer.told, []);
});

Deno.test("steeringRoutes: what the balancer cannot do is 404, 409 or 400, in its own words", async () => {
  const balancer = new FakeSteerable();
  await using server = start(balancer);
  const calls: readonly (readonly [method: string, path: string, body?: unknown])[] = [
    ["POST", "/backends", { server: "1234" }],
    ["DELETE", "/backends/1234"],
    ["POST", "/backends/1234/drain"],
    ["POST", "/backends/1234/weight", { weight: 2 }],
  ];
  for (const [kind, status] of [["unknown", 404], ["conflict", 409], ["invalid", 400]] as const) {
    balancer.error = new SteeringError(kind, { action: "Cannot do it", state: "so it is" });
    for (const [method, path, body] of calls) {
      const answer = await call(server, method, { path, body });
      assertEquals(answer, { status, body: { error: "Cannot do it: so it is" } }, path);
    }
  }
  balancer.error = new Error("a defect");
  assertEquals((await call(server, "DELETE", { path: "/backends/1234" })).status, 500);
});

Deno.test("steeringRoutes: before there is a balancer, steering is 503 and the list is empty", async () => {
  await using server = start(null);
  assertEquals((await call(server, "GET", { path: "/backends" })).body, {
    backends: [],
    unresolved: [],
  });
  assertEquals((await call(server, "GET", { path: "/backends/1234" })).status, 404);
  const { status, body } = await call(server, "POST", { path: "/backends/1234/drain" });
  assertEquals([status, body.error], [503, "the balancer is only starting"]);
});

Deno.test("steeringRoutes: POST /reload reloads; without a file, or with a bad one, it says so", async () => {
  let outcome: Error | null = null;
  let count = 0;
  const reload = (): Promise<string> => {
    count++;
    return outcome === null ? Promise.resolve("added a:1") : Promise.reject(outcome);
  };
  const path = "/reload";
  {
    await using server = start(new FakeSteerable(), { reload });
    assertEquals(await call(server, "POST", { path }), {
      status: 200,
      body: { reloaded: true, changes: "added a:1" },
    });
    outcome = new ConfigError("lb.jsonc:3: /port", "expected a number");
    const { status, body } = await call(server, "POST", { path });
    assertEquals([status, body.error], [
      409,
      "nothing was changed: lb.jsonc:3: /port: expected a number",
    ]);
    outcome = new BalancerError({
      action: "Cannot listen on [::]:80",
      state: "permission denied",
      code: "permission",
      side: "internal",
    });
    assertEquals(
      (await call(server, "POST", { path })).body.error,
      "nothing was changed: Cannot listen on [::]:80: permission denied",
    );
    outcome = new SteeringError("conflict", { action: "Cannot reload", state: "it is stopping" });
    assertEquals(
      (await call(server, "POST", { path })).body.error,
      "Cannot reload: it is stopping",
    );
    assertEquals(count, 4);
  }
  await using server = start(null);
  assertEquals((await call(server, "POST", { path })).status, 503, "there is no balancer yet");
});
