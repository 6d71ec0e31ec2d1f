import type { Address } from "../lib/address.ts";
import { formatAddress } from "../lib/address.ts";
import { parseBackend } from "../lib/backend_argument.ts";
import { ServerList } from "../lib/server_list.ts";
import { assertEquals } from "./support/assert.ts";

const LISTEN: Address = { hostname: "::", port: 8080 };

/** A list of servers as typed. */
function serverList(servers: readonly string[], listen: Address = LISTEN): ServerList {
  return new ServerList(servers.map(parseBackend), listen);
}

/** The addresses of the backends, as text. */
function addressesOf(list: ServerList): string[] {
  return list.backends.map(({ address }) => formatAddress(address));
}

Deno.test("ServerList: servers given by their address are backends as they are, settings and all", () => {
  const servers = ["1234", "10.0.0.1:80,weight=3,max=7,backup", "[fe80::1]:80"].map(parseBackend);
  const list = new ServerList(servers, LISTEN);
  assertEquals(list.backends, servers);
  assertEquals(list.names, []);
});

Deno.test("ServerList.names: those that have to be resolved, in their order; not localhost", () => {
  const list = serverList(["b.test:80", "1234", "localhost:1234", "a.test:80", "b.test:81"]);
  assertEquals(list.names, ["b.test", "a.test", "b.test"]);
});

Deno.test("ServerList: localhost is one backend, known without a lookup", () => {
  assertEquals(addressesOf(serverList(["localhost:1234"])), ["localhost:1234"]);
});

Deno.test("ServerList: a name is no backend while it does not resolve, the others are", () => {
  assertEquals(addressesOf(serverList(["web.test:80", "1234"])), ["127.0.0.1:1234"]);
});

Deno.test("ServerList: a name is as many backends as addresses, where it was given", () => {
  const list = serverList(["1234", "web.test:80", "5678"]);
  list.resolved("web.test", ["10.0.0.1", "10.0.0.2"]);
  const expected = ["127.0.0.1:1234", "10.0.0.1:80", "10.0.0.2:80", "127.0.0.1:5678"];
  assertEquals(addressesOf(list), expected);
});

Deno.test("ServerList: each address of a name has the settings of its server", () => {
  const list = serverList(["web.test:80,weight=3,max=7,backup", "web.test:81"]);
  list.resolved("web.test", ["10.0.0.1", "10.0.0.2"]);
  const plain = { weight: 1, max: Infinity, backup: false };
  const heavy = { weight: 3, max: 7, backup: true };
  assertEquals(list.backends, [
    { address: { hostname: "10.0.0.1", port: 80 }, ...heavy },
    { address: { hostname: "10.0.0.2", port: 80 }, ...heavy },
    { address: { hostname: "10.0.0.1", port: 81 }, ...plain },
    { address: { hostname: "10.0.0.2", port: 81 }, ...plain },
  ]);
});

Deno.test("ServerList.resolved: the last answer counts, and tells of that name alone", () => {
  const list = serverList(["a.test:80", "b.test:80"]);
  list.resolved("a.test", ["10.0.0.1", "10.0.0.2"]);
  list.resolved("b.test", ["10.0.0.3"]);
  list.resolved("a.test", ["10.0.0.4"]);
  list.resolved("unasked.test", ["10.0.0.5"]);
  assertEquals(addressesOf(list), ["10.0.0.4:80", "10.0.0.3:80"]);
});

Deno.test("ServerList.resolved: IPv6 addresses count only where there are no others", () => {
  const list = serverList(["web.test:80"]);
  list.resolved("web.test", ["2001:db8::1", "10.0.0.1", "2001:db8::2"]);
  assertEquals(addressesOf(list), ["10.0.0.1:80"]);
  list.resolved("web.test", ["2001:db8::1", "2001:db8::2"]);
  assertEquals(addressesOf(list), ["[2001:db8::1]:80", "[2001:db8::2]:80"]);
});

Deno.test("ServerList: an address of a name at which the balancer itself listens is none", () => {
  const list = serverList(["web.test:8080", "web.test:80"]);
  list.resolved("web.test", ["127.0.0.1", "10.0.0.1"]);
  assertEquals(addressesOf(list), ["10.0.0.1:8080", "127.0.0.1:80", "10.0.0.1:80"]);
});

Deno.test("ServerList: it never changes what it was given", () => {
  const servers = Object.freeze([Object.freeze(parseBackend("web.test:80,max=7"))]);
  const list = new ServerList(servers, LISTEN);
  list.resolved("web.test", Object.freeze(["10.0.0.1"]));
  assertEquals(list.backends.length, 1);
  assertEquals(servers, [parseBackend("web.test:80,max=7")]);
});
