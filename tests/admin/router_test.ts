import { Refusal } from "../../lib/admin/refusal.ts";
import { type Route, Router } from "../../lib/admin/router.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

function route(method: Route["method"], path: string): Route {
  return { method, path, access: "reader", handle: () => new Response() };
}

const ROUTER = new Router([
  route("GET", "/"),
  route("GET", "/backends"),
  route("POST", "/backends"),
  route("GET", "/backends/:name"),
  route("DELETE", "/backends/:name"),
  route("POST", "/backends/:name/drain"),
]);

function find(method: string, path: string): string {
  const { route, name } = ROUTER.find(new Request(`http://localhost${path}`, { method }));
  return `${route.method} ${route.path} ${name}`;
}

function refusal(method: string, path: string): Refusal {
  return assertThrows(() => find(method, path), Refusal);
}

Deno.test("Router: finds a route by method and whole path, whatever the query", () => {
  assertEquals(find("GET", "/"), "GET / ");
  assertEquals(find("GET", "/?theme=dark"), "GET / ");
  assertEquals(find("GET", "/backends"), "GET /backends ");
  assertEquals(find("POST", "/backends"), "POST /backends ");
});

Deno.test("Router: HEAD goes where GET goes", () => {
  assertEquals(find("HEAD", "/backends"), "GET /backends ");
});

Deno.test("Router: a name is decoded, brackets and slashes in it too", () => {
  assertEquals(find("GET", "/backends/127.0.0.1:80"), "GET /backends/:name 127.0.0.1:80");
  assertEquals(find("GET", "/backends/[::1]:80"), "GET /backends/:name [::1]:80");
  assertEquals(find("DELETE", "/backends/%5B%3A%3A1%5D:80"), "DELETE /backends/:name [::1]:80");
  assertEquals(find("POST", "/backends/a%2Fdrain/drain"), "POST /backends/:name/drain a/drain");
});

Deno.test("Router: a path that is none is 404", () => {
  for (
    const path of ["/nothing", "/backends/", "/backends//drain", "//backends", "/backends/a/b"]
  ) {
    assertEquals(refusal("GET", path).status, 404, path);
  }
});

Deno.test("Router: a method that is not for the path is 405, with those that are", () => {
  const allowed = { "/": "GET, HEAD", "/backends": "GET, HEAD, POST", "/backends/a/drain": "POST" };
  for (const [path, allow] of Object.entries(allowed)) {
    for (const method of ["PUT", "PATCH", "OPTIONS"]) {
      const { status, headers } = refusal(method, path);
      assertEquals([status, headers["allow"]], [405, allow], `${method} ${path}`);
    }
  }
  assertEquals(refusal("GET", "/backends/a/drain").status, 405);
  assertEquals(refusal("DELETE", "/backends").status, 405);
});

Deno.test("Router: a path that is not encoded rightly is 400", () => {
  for (const path of ["/%", "/backends/%zz", "/backends/%ff"]) {
    assertEquals(refusal("GET", path).status, 400, path);
  }
});
