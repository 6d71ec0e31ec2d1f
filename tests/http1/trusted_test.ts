import { parseTrusted } from "../../lib/http1/trusted.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { Random } from "../support/random.ts";

/** List, addresses that are in it, addresses that are not. */
const LISTS: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["10.1.2.3", ["10.1.2.3"], ["10.1.2.2", "10.1.2.4", "::a01:203"]],
  ["10.1.2.3/32", ["10.1.2.3"], ["10.1.2.2"]],
  ["10.0.0.0/8", ["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0"]],
  ["10.0.0.8/29", ["10.0.0.8", "10.0.0.15"], ["10.0.0.7", "10.0.0.16"]],
  ["128.0.0.0/1", ["128.0.0.0", "255.255.255.255"], ["127.255.255.255", "8000::"]],
  ["0.0.0.0/0", ["0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4"], ["::", "::1", "2001:db8::1"]],
  ["::/0", ["::", "ffff::", "2001:db8::1"], ["1.2.3.4", "::ffff:1.2.3.4"]],
  ["::1", ["::1", "0:0:0:0:0:0:0:1"], ["::2", "::", "0.0.0.1"]],
  ["2001:db8::1/128", ["2001:db8::1", "2001:0DB8:0::1"], ["2001:db8::", "2001:db8::2"]],
  ["2001:db8::/33", ["2001:db8:7fff:ffff::"], ["2001:db8:8000::", "2001:db7::"]],
  ["fe80::/10", ["fe80::1", "febf:ffff::"], ["fec0::", "fe7f::"]],
  ["::ffff:10.1.2.3", ["10.1.2.3", "::ffff:10.1.2.3", "::ffff:a01:203"], ["10.1.2.4"]],
  ["::ffff:10.0.0.0/104", ["10.9.9.9", "::ffff:10.9.9.9"], ["11.0.0.0"]],
  ["::ffff:0:0/96", ["0.0.0.0", "255.255.255.255"], ["::1", "::fffe:1.2.3.4"]],
  ["1.2.3.4,::1", ["1.2.3.4", "::1"], ["1.2.3.5", "::2"]],
  ["loopback", ["127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1"], ["128.0.0.0", "10.0.0.1"]],
  ["private", ["10.1.1.1", "172.16.0.0", "172.31.255.255", "192.168.0.1", "fc00::", "fdff::1"], [
    "127.0.0.1",
    "172.15.255.255",
    "172.32.0.0",
    "192.169.0.0",
    "100.64.0.1",
    "fe00::",
    "fbff::",
    "::1",
  ]],
  ["private,203.0.113.9,loopback", ["10.0.0.1", "203.0.113.9", "::1"], ["203.0.113.8"]],
];

Deno.test("isTrusted: holds the addresses of the list and no others", () => {
  for (const [list, inside, outside] of LISTS) {
    const trusted = parseTrusted(list);
    for (const ip of inside) assert(trusted.isTrusted(ip), `${list}: ${ip} is not in it`);
    for (const ip of outside) assert(!trusted.isTrusted(ip), `${list}: ${ip} is in it`);
  }
});

Deno.test("parseTrusted: blanks behind a comma do not count", () => {
  const { text, isTrusted } = parseTrusted("loopback, 10.0.0.1,  ::1");
  assertEquals(text, "loopback,10.0.0.1,::1");
  assertEquals(["127.0.0.1", "10.0.0.1", "::1"].map((ip) => isTrusted(ip)), [true, true, true]);
  for (const list of [" ", " ::1", "::1 ", "::1 ,::1"]) {
    assertThrows(() => parseTrusted(list), RangeError);
  }
});

Deno.test("isTrusted: what is no address is not trusted, even where all addresses are", () => {
  const trusted = parseTrusted("0.0.0.0/0,::/0");
  for (
    const text of ["", "localhost", "1.2.3", "01.2.3.4", "1.2.3.4:80", "[::1]", "::g", "::1%1"]
  ) {
    assert(!trusted.isTrusted(text), text);
  }
});

Deno.test("isTrusted: a block of IPv4 holds just those whose first bits are its own", () => {
  const random = new Random(6);
  const written = (bits: number): string =>
    [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join(".");
  for (let time = 0; time < 2000; time++) {
    const length = random.integer(1, 32);
    const base = (random.integer(0, 2 ** 32 - 1) >> (32 - length)) << (32 - length);
    const trusted = parseTrusted(`${written(base)}/${length}`);
    const flipped = random.integer(0, 31);
    const ip = written(base ^ (1 << (31 - flipped)));
    assertEquals(trusted.isTrusted(ip), flipped >= length, `${ip} in ${written(base)}/${length}`);
    assertEquals(trusted.isTrusted(`::ffff:${ip}`), flipped >= length);
  }
});

Deno.test("isTrusted: a block of IPv6 holds just those whose first bits are its own", () => {
  const random = new Random(7);
  const written = (bits: readonly number[]): string =>
    Array.from(
      { length: 8 },
      (_, group) => parseInt(bits.slice(16 * group, 16 * group + 16).join(""), 2).toString(16),
    ).join(":");
  for (let time = 0; time < 2000; time++) {
    const length = random.integer(1, 128);
    const base = Array.from({ length: 128 }, (_, at) => at < length ? random.integer(0, 1) : 0);
    const flipped = random.integer(0, 127);
    const other = base.map((bit, at) => at === flipped ? 1 - bit : bit);
    const block = `${written(base)}/${length}`;
    assertEquals(
      parseTrusted(block).isTrusted(written(other)),
      flipped >= length,
      `${written(other)} in ${block}`,
    );
  }
});

Deno.test("parseTrusted: what is no address, block or word is refused, and the form is told", () => {
  const unreadable = [
    "",
    "localhost",
    "Loopback",
    "constructor",
    "__proto__",
    "private/8",
    "*",
    "1.2.3",
    "10/8",
    "256.0.0.0/8",
    "010.0.0.0/8",
    "1.2.3.4 ",
    "1.2.3.4:80",
    "[::1]",
    ":::",
    "1::2::3",
    "::1%eth0",
    "/8",
  ];
  for (const text of unreadable) {
    for (const list of [text, `loopback,${text}`, `${text},::1`]) {
      const { message } = assertThrows(() => parseTrusted(list), RangeError, undefined, list);
      assertEquals(
        message,
        `${
          JSON.stringify(text)
        }: expected an IP address, a block as 10.0.0.0/8, loopback or private`,
      );
    }
  }
});

Deno.test("parseTrusted: the number behind the slash has its bounds, and they are told", () => {
  for (const length of ["33", "-1", "", "8/8", "0x8", "255.0.0.0", " 8", "8 "]) {
    assertThrows(
      () => parseTrusted(`0.0.0.0/${length}`),
      RangeError,
      `"0.0.0.0/${length}": behind the slash: expected a whole number from 0 to 32`,
    );
  }
  assertThrows(() => parseTrusted("::/129"), RangeError, "expected a whole number from 0 to 128");
  assertThrows(() => parseTrusted("::ffff:0:0/129"), RangeError, "from 0 to 128");
});

Deno.test("parseTrusted: bits behind the block's are refused, for they hint at a slip", () => {
  for (const [block, length] of [["10.1.2.3/8", 8], ["0.0.0.1/0", 0], ["10.0.0.1/31", 31]]) {
    assertThrows(
      () => parseTrusted(`${block}`),
      RangeError,
      `"${block}": expected no more bits set than the first ${length}`,
    );
  }
  for (const block of ["2001:db8::1/127", "::1/0", "::ffff:10.1.2.3/104", "::ffff:0:0/80"]) {
    assertThrows(() => parseTrusted(block), RangeError, "expected no more bits set", block);
  }
});
