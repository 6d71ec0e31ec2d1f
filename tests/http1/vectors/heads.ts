/** Heads as they are sent: those to be read, and those to be refused. One character a byte. */
import type { HeadError } from "../../../lib/http1/head_parser.ts";

/** A head that is whole, and what it says. */
export interface ValidHead<T> {
  /** What is special about it. */
  readonly name: string;
  /** All its bytes. */
  readonly text: string;
  /** Its first line as understood. */
  readonly line: T;
  /** Its headers as understood: names and values. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** Bytes that are no head. */
export interface RefusedHead {
  /** What is wrong with them. */
  readonly name: string;
  /** All of them, or as many as it takes. */
  readonly text: string;
  /** What the client is told. */
  readonly status: HeadError["status"];
  /** What the log is told. */
  readonly reason: string;
}

/** The first line of a request. */
export interface RequestLine {
  readonly method: string;
  readonly target: string;
  readonly minor: 0 | 1;
}

/** The first line of a response. */
export interface StatusLine {
  readonly status: number;
  readonly reason: string;
  readonly minor: 0 | 1;
}

const HOST = "Host: example.com\r\n";
const HOST_HEADER = ["Host", "example.com"] as const;

function get(target: string, minor: 0 | 1 = 1): RequestLine {
  return { method: "GET", target, minor };
}

export const VALID_REQUESTS: readonly ValidHead<RequestLine>[] = [
  {
    name: "as wrk sends it",
    text: "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n",
    line: get("/"),
    headers: [["Host", "127.0.0.1:8080"]],
  },
  {
    name: "HTTP/1.0 without a header",
    text: "GET /index.html HTTP/1.0\r\n\r\n",
    line: get("/index.html", 0),
    headers: [],
  },
  {
    name: "a body and a query",
    text: `POST /a//b/../c?x=%2F&y="{|}^\`\\<>" HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\n`,
    line: { method: "POST", target: '/a//b/../c?x=%2F&y="{|}^`\\<>"', minor: 1 },
    headers: [HOST_HEADER, ["Content-Length", "5"]],
  },
  {
    name: "an empty line ahead of it",
    text: `\r\nGET / HTTP/1.1\r\n${HOST}\r\n`,
    line: get("/"),
    headers: [HOST_HEADER],
  },
  {
    name: "blanks around values, none behind colons, empty values",
    text: `GET / HTTP/1.1\r\nhOST:\t example.com \t \r\nA:b\r\nC:\r\nD: \t \r\nE: f\tg  h \r\n\r\n`,
    line: get("/"),
    headers: [["hOST", "example.com"], ["A", "b"], ["C", ""], ["D", ""], ["E", "f\tg  h"]],
  },
  {
    name: "bytes above 0x7f in a value",
    text: `GET / HTTP/1.1\r\n${HOST}X: \x80\x9f\xa0caf\xe9\xff\r\n\r\n`,
    line: get("/"),
    headers: [HOST_HEADER, ["X", "\x80\x9f\xa0caf\xe9\xff"]],
  },
  {
    name: "every byte that a name may have",
    text: `!#$%&'*+-.^_\`|~09azAZ / HTTP/1.1\r\n${HOST}!#$%&'*+-.^_\`|~09azAZ: :\r\n\r\n`,
    line: { method: "!#$%&'*+-.^_`|~09azAZ", target: "/", minor: 1 },
    headers: [HOST_HEADER, ["!#$%&'*+-.^_`|~09azAZ", ":"]],
  },
  {
    name: "a header given twice, in its order",
    text: `GET / HTTP/1.1\r\nB: 2\r\n${HOST}A: 1\r\nB: 3\r\n\r\n`,
    line: get("/"),
    headers: [["B", "2"], HOST_HEADER, ["A", "1"], ["B", "3"]],
  },
  {
    name: "OPTIONS *",
    text: `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`,
    line: { method: "OPTIONS", target: "*", minor: 1 },
    headers: [HOST_HEADER],
  },
  {
    name: "a full URL: its authority goes before Host",
    text: `GET HTTP://b.example:81/a?c HTTP/1.1\r\nA: 1\r\nhost: example.com\r\n\r\n`,
    line: get("/a?c"),
    headers: [["A", "1"], ["host", "b.example:81"]],
  },
  {
    name: "a full URL in HTTP/1.0 without a Host",
    text: `GET https://b.example HTTP/1.0\r\nA: 1\r\n\r\n`,
    line: get("/", 0),
    headers: [["Host", "b.example"], ["A", "1"]],
  },
  {
    name: "a full URL with a query and no path",
    text: `GET http://[::1]:81?a/b HTTP/1.1\r\n${HOST}\r\n`,
    line: get("/?a/b"),
    headers: [["Host", "[::1]:81"]],
  },
  {
    name: "OPTIONS of a full URL with a query and no path",
    text: `OPTIONS http://b.example?a HTTP/1.1\r\n${HOST}\r\n`,
    line: { method: "OPTIONS", target: "/?a", minor: 1 },
    headers: [["Host", "b.example"]],
  },
  {
    name: "the longest method",
    text: `${"A".repeat(40)} / HTTP/1.1\r\n${HOST}\r\n`,
    line: { method: "A".repeat(40), target: "/", minor: 1 },
    headers: [HOST_HEADER],
  },
  {
    name: "OPTIONS of a full URL without a path",
    text: `OPTIONS http://b.example HTTP/1.1\r\n${HOST}\r\n`,
    line: { method: "OPTIONS", target: "*", minor: 1 },
    headers: [["Host", "b.example"]],
  },
  ...["", "a", "a_b-c.example.:80", "[fe80::1]", "[::ffff:1.2.3.4]:65535", "a%2Fb", "a:", "a:00080"]
    .map((host) => ({
      name: `Host: ${host}`,
      text: `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
      line: get("/"),
      headers: [["Host", host] as const],
    })),
];

export const VALID_RESPONSES: readonly ValidHead<StatusLine>[] = [
  {
    name: "usual",
    text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    line: { status: 200, reason: "OK", minor: 1 },
    headers: [["Content-Length", "5"]],
  },
  {
    name: "HTTP/1.0, a reason with blanks and bytes above 0x7f",
    text: "HTTP/1.0 404 Nicht da, \xfc\tber  \r\n\r\n",
    line: { status: 404, reason: "Nicht da, \xfc\tber  ", minor: 0 },
    headers: [],
  },
  {
    name: "an empty reason",
    text: "HTTP/1.1 204 \r\n\r\n",
    line: { status: 204, reason: "", minor: 1 },
    headers: [],
  },
  {
    name: "no space behind the status",
    text: "HTTP/1.1 100\r\n\r\n",
    line: { status: 100, reason: "", minor: 1 },
    headers: [],
  },
  {
    name: "a status of no class",
    text: "HTTP/1.1 999 Denied\r\nA: \x80\r\nA: b\r\n\r\n",
    line: { status: 999, reason: "Denied", minor: 1 },
    headers: [["A", "\x80"], ["A", "b"]],
  },
];

const CONTROL = "a control byte";
const BARE_CR = "a bare CR";
const BARE_LF = "a line that ends in LF without CR";
const FOLDED = "a header over more than one line";
const BLANK = "a blank in the name of a header, or behind it";
const NAME = "an invalid byte in the name of a header";

/** Wrong in what follows the first line: the same for requests and responses. */
const REFUSED_HEADERS: readonly (readonly [name: string, text: string, reason: string])[] = [
  ["a bare CR in a value", "A: b\rc\r\n\r\n", BARE_CR],
  ["a bare CR at the end of a line", "A: b\r\r\n\r\n", BARE_CR],
  ["a bare CR for a line end", "A: b\rB: c\r\n\r\n", BARE_CR],
  ["a bare LF for a line end", "A: b\nB: c\r\n\r\n", BARE_LF],
  ["a bare LF for the empty line", "A: b\r\n\n", BARE_LF],
  ["NUL in a value", "A: b\0c\r\n\r\n", CONTROL],
  ["NUL in a name", "A\0: b\r\n\r\n", CONTROL],
  ["a vertical tab in a value", "A: \x0bb\r\n\r\n", CONTROL],
  ["DEL in a value", "A: b\x7f\r\n\r\n", CONTROL],
  ["an escape in a value", "A: \x1b[0m\r\n\r\n", CONTROL],
  ["a folded value", "A: b\r\n c\r\n\r\n", FOLDED],
  ["a value folded with a tab", "A: b\r\n\tc\r\n\r\n", FOLDED],
  ["a fold of blanks only", "A: b\r\n \r\n\r\n", FOLDED],
  ["a blank ahead of the first header", " A: b\r\n\r\n", FOLDED],
  ["a blank before the colon", "A : b\r\n\r\n", BLANK],
  ["a tab before the colon", "A\t: b\r\n\r\n", BLANK],
  ["a blank in a name", "A b: c\r\n\r\n", BLANK],
  ["an empty name", ": b\r\n\r\n", "a header without a name"],
  ["no colon", "A\r\n\r\n", "a header without a colon"],
  ["a name with a slash", "A/b: c\r\n\r\n", NAME],
  ["a name with a byte above 0x7f", "caf\xe9: c\r\n\r\n", NAME],
  ["a name in quotes", '"A": b\r\n\r\n', NAME],
];

/** A whole request of that line and these headers. */
function request(line: string, headers = HOST): string {
  return `${line}\r\n${headers}\r\n`;
}

const TARGET = "an invalid target";
const METHOD = "an invalid method";
const VERSION = "an invalid version";
const NO_VERSION = "a request without a version (HTTP/0.9)";
const OTHER_VERSION = "a version that is neither HTTP/1.1 nor HTTP/1.0";
const PROXY = "CONNECT, which is for proxies that clients choose";

export const REFUSED_REQUESTS: readonly RefusedHead[] = [
  ...REFUSED_HEADERS.map(([name, text, reason]) => ({
    name,
    text: `GET / HTTP/1.1\r\n${HOST}${text}`,
    status: 400 as const,
    reason,
  })),
  ...([
    ["no method", " / HTTP/1.1", METHOD],
    ["an empty target", "GET  HTTP/1.1", TARGET],
    ["a method that is no token", "GE(T / HTTP/1.1", METHOD],
    ["a tab behind the method", "GET\t/ HTTP/1.1", METHOD],
    ["a method and nothing else", "GET", METHOD],
    ["two blanks behind the method", "GET  / HTTP/1.1", TARGET],
    ["two blanks behind the target", "GET /  HTTP/1.1", VERSION],
    ["a blank in the target", "GET /a b HTTP/1.1", VERSION],
    ["a blank behind the version", "GET / HTTP/1.1 ", VERSION],
    ["a tab in the target", "GET /a\tb HTTP/1.1", TARGET],
    ["a byte above 0x7f in the target", "GET /caf\xe9 HTTP/1.1", TARGET],
    ["a fragment in the target", "GET /a#b HTTP/1.1", TARGET],
    ["a target without a slash", "GET a HTTP/1.1", TARGET],
    ["a query for a target", "GET ?a HTTP/1.1", TARGET],
    ["* for another method than OPTIONS", "GET * HTTP/1.1", TARGET],
    ["a target that starts with *", "OPTIONS *a HTTP/1.1", TARGET],
    ["an authority for another method than CONNECT", "GET a.example:80 HTTP/1.1", TARGET],
    ["a URL of another scheme", "GET ftp://a.example/ HTTP/1.1", TARGET],
    ["a URL without an authority", "GET http:/// HTTP/1.1", TARGET],
    ["a URL with a user", "GET http://user@a.example/ HTTP/1.1", TARGET],
    ["a URL with an invalid host", "GET http://[::1/ HTTP/1.1", TARGET],
    ["a URL with a port and no host", "GET http://:80/ HTTP/1.1", TARGET],
    ["HTTP/0.9", "GET /", NO_VERSION],
    ["a blank in place of a version", "GET / ", VERSION],
    ["a version in small letters", "GET / http/1.1", VERSION],
    ["a version of one number", "GET / HTTP/1", VERSION],
    ["a version of two digits", "GET / HTTP/1.10", VERSION],
    ["a version with a letter", "GET / HTTP/1.x", VERSION],
    ["a version with a comma", "GET / HTTP/1,1", VERSION],
    ["another protocol", "GET / HTCP/1.1", VERSION],
    ["NUL in the target", "GET /\0 HTTP/1.1", CONTROL],
    ["the start of TLS", "\x16\x03\x01\x02\0\x01\0\x01\xfc", CONTROL],
    ["a bare CR in the request line", "GET /\r HTTP/1.1", BARE_CR],
    ["a bare LF behind the request line", "GET / HTTP/1.1\n", BARE_LF],
    ["a LF ahead of the request line", "\nGET / HTTP/1.1", BARE_LF],
    [
      "two empty lines ahead",
      "\r\n\r\nGET / HTTP/1.1",
      "more than one empty line ahead of a request",
    ],
    ["a blank ahead of the method", " GET / HTTP/1.1", METHOD],
  ] as const).map(([name, line, reason]) => ({
    name,
    text: request(line),
    status: 400 as const,
    reason,
  })),
  ...([
    ["no Host", "", "no Host"],
    ["two Hosts", `${HOST}A: b\r\n${HOST}`, "more than one Host"],
    ["two Hosts in other letters", `${HOST}hOsT: example.com\r\n`, "more than one Host"],
    ...[
      "a b",
      "a, b",
      "a/b",
      "a@b",
      "a\\b",
      "a?b",
      "caf\xe9",
      "a%2",
      ":80",
      "a:b",
      "a:80:80",
      "a:-1",
      "a:65536",
      "a:000080",
      "::1",
      "[::1",
      "[::g]",
      "[]",
      "[:::]",
      "[::1]a",
    ].map((host) => [`Host: ${host}`, `Host: ${host}\r\n`, "an invalid Host"] as const),
  ] as const).map(([name, headers, reason]) => ({
    name,
    text: request("GET / HTTP/1.1", headers),
    status: 400 as const,
    reason,
  })),
  {
    name: "two Hosts in HTTP/1.0",
    text: request("GET / HTTP/1.0", HOST + HOST),
    status: 400 as const,
    reason: "more than one Host",
  },
  {
    name: "a full URL without a Host",
    text: request("GET http://a.example/ HTTP/1.1", ""),
    status: 400 as const,
    reason: "no Host",
  },
  ...([
    ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM", 505, OTHER_VERSION],
    ["HTTP/1.2", "GET / HTTP/1.2", 505, OTHER_VERSION],
    ["HTTP/0.9, said aloud", "GET / HTTP/0.9", 505, OTHER_VERSION],
    ["HTTP/3.0", "GET / HTTP/3.0", 505, OTHER_VERSION],
    ["CONNECT", "CONNECT a.example:80 HTTP/1.1", 501, PROXY],
    ["CONNECT to a path", "CONNECT / HTTP/1.1", 501, PROXY],
    ["a long method", `${"A".repeat(41)} / HTTP/1.1`, 501, "a method of more than 40 bytes"],
  ] as const).map(([name, line, status, reason]) => ({
    name,
    text: request(line),
    status,
    reason,
  })),
];

const STATUS = "an invalid status";

export const REFUSED_RESPONSES: readonly Omit<RefusedHead, "status">[] = [
  ...REFUSED_HEADERS.map(([name, text, reason]) => ({
    name,
    text: `HTTP/1.1 200 OK\r\n${text}`,
    reason,
  })),
  ...([
    ["an empty line ahead", "\r\nHTTP/1.1 200 OK", VERSION],
    ["a blank ahead", " HTTP/1.1 200 OK", VERSION],
    ["no HTTP", "220 mail.example ESMTP", VERSION],
    ["Shoutcast", "ICY 200 OK", VERSION],
    ["a short line", "HTTP", VERSION],
    ["small letters", "http/1.1 200 OK", VERSION],
    ["HTTP/2.0", "HTTP/2.0 200 OK", OTHER_VERSION],
    ["HTTP/1.2", "HTTP/1.2 200 OK", OTHER_VERSION],
    ["no status", "HTTP/1.1", STATUS],
    ["no blank", "HTTP/1.1200 OK", STATUS],
    ["two blanks", "HTTP/1.1  200 OK", STATUS],
    ["a tab", "HTTP/1.1\t200 OK", STATUS],
    ["two digits", "HTTP/1.1 20 OK", STATUS],
    ["four digits", "HTTP/1.1 2000 OK", STATUS],
    ["a status below 100", "HTTP/1.1 099 OK", STATUS],
    ["a sign", "HTTP/1.1 +20 OK", STATUS],
    ["a tab behind the status", "HTTP/1.1 200\tOK", STATUS],
    ["NUL in the reason", "HTTP/1.1 200 O\0K", CONTROL],
    ["a bare CR in the reason", "HTTP/1.1 200 O\rK", BARE_CR],
    ["a bare LF", "HTTP/1.1 200 OK\n", BARE_LF],
  ] as const).map(([name, line, reason]) => ({ name, text: `${line}\r\nA: b\r\n\r\n`, reason })),
];
