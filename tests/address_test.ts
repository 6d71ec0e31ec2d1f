import {
  type Address,
  formatAddress,
  foundAt,
  isIpv6,
  isLoopback,
  isName,
  overlap,
  parseAddress,
  type ParseAddressOptions,
  plainIp,
} from "../lib/address.ts";
import { assert, assertEquals, assertThrows } from "./support/assert.ts";

const SERVER: ParseAddressOptions = { defaultHostname: "127.0.0.1", portMin: 1 };
const LISTEN: ParseAddressOptions = { defaultHostname: "::", portMin: 0 };

/** Written, host, port. */
const READABLE: readonly (readonly [string, string, number])[] = [
  ["8080", "127.0.0.1", 8080],
  ["1", "127.0.0.1", 1],
  ["65535", "127.0.0.1", 65_535],
  ["10.1.2.3:80", "10.1.2.3", 80],
  ["255.255.255.255:80", "255.255.255.255", 80],
  ["0.0.0.0:80", "0.0.0.0", 80],
  ["localhost:80", "localhost", 80],
  ["web-1.example.com:80", "web-1.example.com", 80],
  ["web_1:80", "web_1", 80],
  ["EXAMPLE.com.:80", "EXAMPLE.com.", 80],
  [`${"a".repeat(63)}:80`, "a".repeat(63), 80],
  ["[::1]:80", "::1", 80],
  ["[::]:80", "::", 80],
  ["[2001:db8::8:800:200c:417a]:80", "2001:db8::8:800:200c:417a", 80],
  ["[::ffff:10.1.2.3]:80", "::ffff:10.1.2.3", 80],
];

const UNREADABLE: readonly string[] = [
  "",
  "0",
  "65536",
  "99999",
  "123456",
  "-1",
  "+80",
  "80.0",
  "8e3",
  "0x50",
  " 80",
  "80 ",
  "80\n",
  "８０",
  "host",
  "host:",
  ":80",
  "host:0",
  "host:65536",
  "host:http",
  "host:80:90",
  "ho st:80",
  "-host:80",
  "host..example:80",
  ".:80",
  "häst:80",
  `${"a".repeat(64)}:80`,
  `${"a.".repeat(127)}toolong:80`,
  "1.2.3:80",
  "1.2.3.4.5:80",
  "1.2.3.4.:80",
  "256.2.3.4:80",
  "1.2.3.999:80",
  "010.2.3.4:80",
  "::1",
  "::1:80",
  "[::1]",
  "[::1]80",
  "[::1]:",
  "[::1]:0",
  "[]:80",
  "[:::]:80",
  "[::g]:80",
  "[1.2.3.4]:80",
  "[localhost]:80",
  "[::1]]:80",
  "http://host:80",
  "host:80/",
  "user@host:80",
  "*:80",
];

Deno.test("parseAddress: reads a port alone, a name, IPv4 and IPv6", () => {
  for (const [text, hostname, port] of READABLE) {
    assertEquals(parseAddress(text, SERVER), { hostname, port }, text);
  }
});

Deno.test("parseAddress: refuses everything else and says what it expected", () => {
  for (const text of UNREADABLE) {
    const error = assertThrows(
      () => parseAddress(text, SERVER),
      RangeError,
      "expected a port (1 to 65535), host:port or [ipv6]:port",
      `${JSON.stringify(text)} was taken`,
    );
    assertEquals(error.message.includes("\n"), false);
  }
});

Deno.test("parseAddress: a lone port is on the host that the caller names", () => {
  assertEquals(parseAddress("80", LISTEN), { hostname: "::", port: 80 });
  assertEquals(parseAddress("[::1]:80", LISTEN), { hostname: "::1", port: 80 });
});

Deno.test("parseAddress: port 0 is for those who may choose any", () => {
  assertEquals(parseAddress("0", LISTEN), { hostname: "::", port: 0 });
  assertEquals(parseAddress("127.0.0.1:0", LISTEN), { hostname: "127.0.0.1", port: 0 });
  assertThrows(() => parseAddress("65536", LISTEN), RangeError, "expected a port (0 to 65535)");
});

// Regression: brackets were judged by pasting them into a URL, which lets a user name through and
// drops tabs and line ends.
Deno.test("parseAddress: only an IPv6 address may stand in brackets", () => {
  for (const text of ["[x@[::1]:80", "[@[::1]:80", "[::\t1]:80", "[::1\n]:80"]) {
    assertThrows(
      () => parseAddress(text, SERVER),
      RangeError,
      "expected a port",
      `${JSON.stringify(text)} was taken`,
    );
  }
});

// Regression: two digits could begin with a zero, which resolvers read as octal or refuse.
Deno.test("parseAddress: no part of an IPv4 address begins with a zero", () => {
  for (const text of ["01.2.3.4:80", "1.2.3.09:80", "00.0.0.0:80"]) {
    assertThrows(() => parseAddress(text, SERVER), RangeError, "expected a port", text);
  }
});

Deno.test("formatAddress: prints what can be typed again", () => {
  for (const [text, hostname, port] of READABLE) {
    const printed = formatAddress({ hostname, port });
    assertEquals(printed, text.includes(":") ? text : `127.0.0.1:${text}`);
    assertEquals(parseAddress(printed, LISTEN), { hostname, port });
  }
});

Deno.test("isName: a name is one, an IPv4 or IPv6 address is none", () => {
  const names = [
    "localhost",
    "db",
    "web-1.example.com",
    "EXAMPLE.com.",
    "1.example",
    "10.0.0.1.nip",
  ];
  for (const name of names) assert(isName(name), name);
  const addresses = ["127.0.0.1", "0.0.0.0", "255.255.255.255", "::", "::1", "::ffff:10.1.2.3"];
  for (const address of addresses) assert(!isName(address), address);
});

Deno.test("isIpv6: an address without brackets is one, nothing else is", () => {
  for (const text of ["::", "::1", "2001:DB8::1", "::ffff:10.1.2.3"]) assert(isIpv6(text), text);
  const others = ["", "1.2.3.4", "localhost", "[::1]", "::1%1", "1::2::3", ":", "::g", "::1]/x["];
  for (const text of others) assert(!isIpv6(text), text);
});

Deno.test("plainIp: an IPv4 address is written as one, however it came in; others stay", () => {
  const readings = {
    "127.0.0.1": "127.0.0.1",
    "::ffff:127.0.0.1": "127.0.0.1",
    "::ffff:203.0.113.77": "203.0.113.77",
    "::1": "::1",
    "2001:db8::ffff:1": "2001:db8::ffff:1",
    "::ffff:0:1": "::ffff:0:1",
  };
  for (const [ip, plain] of Object.entries(readings)) assertEquals(plainIp(ip), plain, ip);
});

Deno.test("overlap: two listeners that the system refuses beside each other, either way round", () => {
  const at = (text: string): Address => parseAddress(text, LISTEN);
  const overlapping = [
    ["8080", "127.0.0.1:8080"],
    ["0.0.0.0:8080", "[::1]:8080"],
    ["8080", "0.0.0.0:8080"],
    ["10.0.0.1:8080", "8080"],
    ["localhost:8080", "127.0.0.1:8080"],
    ["10.0.0.1:8080", "10.0.0.1:8080"],
  ] as const;
  const apart = [
    ["8080", "8081"],
    ["127.0.0.1:8080", "127.0.0.2:8080"],
    ["127.0.0.1:8080", "[::1]:8080"],
  ] as const;
  for (const [one, other] of overlapping) {
    assertEquals([overlap(at(one), at(other)), overlap(at(other), at(one))], [true, true], one);
  }
  for (const [one, other] of apart) {
    assertEquals([overlap(at(one), at(other)), overlap(at(other), at(one))], [false, false], one);
  }
});

Deno.test("isLoopback: this machine by any of its own names, and nothing that only looks like it", () => {
  const own = ["localhost", "LOCALHOST", "127.0.0.1", "127.255.1.2", "::1", "::ffff:127.0.0.1"];
  assertEquals(own.filter((each) => !isLoopback(each)), []);
  const others = [
    "0.0.0.0",
    "::",
    "10.0.0.1",
    "128.0.0.1",
    "127.0.0.1.evil.example",
    "127.evil.example",
    "localhost.evil.example",
    "::2",
    "1127.0.0.1",
    "",
  ];
  assertEquals(others.filter(isLoopback), []);
});

Deno.test("foundAt: what listens everywhere is found at loopback, all else where it listens", () => {
  const at = (hostname: string): string => foundAt({ hostname, port: 80 }).hostname;
  assertEquals([at("::"), at("0.0.0.0")], ["::1", "127.0.0.1"]);
  for (const hostname of ["127.0.0.1", "::1", "10.0.0.1", "localhost"]) {
    assertEquals(at(hostname), hostname);
  }
});
