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

// Regression: a server whose name did not resolve was nowhere to be seen.
Deno.test("ServerList.unresolved: the servers that are no backend, however their names fail them", () => {
  const list = serverList(["web.test:80", "1234", "own.test:8080", "localhost:1", "api.test:80"]);
  const unresolved = (): string[] => list.unresolved.map(formatAddress);
  assertEquals(unresolved(), ["web.test:80", "own.test:8080", "api.test:80"]);
  list.resolved("web.test", ["10.0.0.1"]);
  list.resolved("own.test", ["127.0.0.1"]);
  assertEquals(unresolved(), ["own.test:8080", "api.test:80"]);
  list.remove("api.test:80");
  assertEquals(unresolved(), ["own.test:8080"]);
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

/** The backends, each with its weight. */
function weights(list: ServerList): string[] {
  return list.backends.map(({ address, weight }) => `${address.hostname} ${weight}`);
}

Deno.test("ServerList.replace: addresses that are known stay known, what was set by hand does not", () => {
  const list = serverList(["web.test:80", "1234"]);
  list.resolved("web.test", ["10.0.0.1"]);
  list.setWeight("web.test:80", 7);
  list.setWeight("127.0.0.1:1234", 8);
  list.replace(["web.test:81,weight=2", "1234"].map(parseBackend), LISTEN);
  assertEquals(weights(list), ["10.0.0.1 2", "127.0.0.1 1"]);
  list.replace(["1234"].map(parseBackend), LISTEN);
  list.replace(["web.test:81"].map(parseBackend), LISTEN);
  assertEquals(weights(list), [], "names that were not needed are forgotten");
});

Deno.test("ServerList.replace: what is steered stays so, but one that went and came is not", () => {
  const list = serverList(["1234", "5678"]);
  const steered = { to: "draining", reason: "drained by hand" } as const;
  list.steer("127.0.0.1:1234", steered);
  list.replace(["5678", "1234,weight=3"].map(parseBackend), LISTEN);
  assertEquals(list.backends.map((each) => each.steered?.to), [undefined, "draining"]);
  list.replace(["5678"].map(parseBackend), LISTEN);
  list.replace(["1234"].map(parseBackend), LISTEN);
  assertEquals(list.backends.map((each) => each.steered), [undefined]);
});

Deno.test("ServerList.replace: another address of the balancer itself is none of its servers", () => {
  const list = serverList(["web.test:8080"]);
  list.resolved("web.test", ["127.0.0.1", "10.0.0.1"]);
  list.replace(list.servers, { hostname: "10.0.0.1", port: 8080 });
  assertEquals(addressesOf(list), ["127.0.0.1:8080"]);
});

Deno.test("ServerList: a server that is added stands behind the others, one that is removed is gone", () => {
  const list = serverList(["1234", "5678"]);
  list.add(parseBackend("web.test:80"));
  list.resolved("web.test", ["10.0.0.1"]);
  list.remove("127.0.0.1:1234");
  list.remove("127.0.0.1:99");
  assertEquals(addressesOf(list), ["127.0.0.1:5678", "10.0.0.1:80"]);
  assertEquals(list.names, ["web.test"]);
});

Deno.test("ServerList.setWeight: a name's weight is that of all its addresses, those to come too", () => {
  const list = serverList(["web.test:80"]);
  list.resolved("web.test", ["10.0.0.1", "10.0.0.2"]);
  list.setWeight("10.0.0.2:80", 5);
  assertEquals(weights(list), ["10.0.0.1 1", "10.0.0.2 5"]);
  list.resolved("web.test", ["10.0.0.2", "10.0.0.3"]);
  assertEquals(weights(list), ["10.0.0.2 5", "10.0.0.3 1"], "it survives a lookup");
  list.setWeight("web.test:80", 9);
  list.resolved("web.test", ["10.0.0.2", "10.0.0.4"]);
  assertEquals(weights(list), ["10.0.0.2 9", "10.0.0.4 9"]);
});

Deno.test("ServerList.steer: an address that a name resolves to later is steered with it", () => {
  const list = serverList(["web.test:80"]);
  list.steer("web.test:80", { to: "disabled", reason: "disabled by hand" });
  list.resolved("web.test", ["10.0.0.1"]);
  assertEquals(list.backends.map((each) => each.steered?.to), ["disabled"]);
  list.steer("web.test:80", null);
  assertEquals(list.backends.map((each) => each.steered), [undefined]);
});

Deno.test("ServerList: finds backends by their server, and servers by their backend", () => {
  const list = serverList(["1234", "web.test:80"]);
  assertEquals(list.backendNames("web.test:80"), []);
  list.resolved("web.test", ["10.0.0.1", "10.0.0.2"]);
  assertEquals(list.backendNames("web.test:80"), ["10.0.0.1:80", "10.0.0.2:80"]);
  assertEquals(list.backendNames("10.0.0.1:80"), null);
  assertEquals(list.serverOf("10.0.0.2:80"), "web.test:80");
  assertEquals(list.serverOf("127.0.0.1:1234"), "127.0.0.1:1234");
  assertEquals(list.serverOf("10.0.0.3:80"), null);
});
