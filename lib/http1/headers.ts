/**
 * Rebuilds the headers between client and backend (RFC 9110, section 7.6). Pure; the exchange calls
 * it once for each head that it forwards.
 *
 * What belongs to one connection only is taken out, what tells of this hop is put behind the rest;
 * all other headers keep their names, values and order. The framing and the Connection header are
 * never copied: they are what the caller says, since it is the caller who writes the body.
 */
import type { DateHeader } from "./date_header.ts";
import { forwardedElement, forwardedElements } from "./forwarded.ts";
import type { RequestBody, ResponseBody } from "./framing.ts";
import type { Header, RequestHead, ResponseHead } from "./head_parser.ts";
import { isClaim, isEndToEnd, knownName } from "./header_names.ts";

/** What the Connection header says. */
export type ConnectionOption =
  /** This is the last message. */
  | "close"
  /** It is not; HTTP/1.0 has to be told. */
  | "keep-alive"
  /** It asks for, or grants, what the Upgrade header names; that header is kept. */
  | "upgrade";

/** How a request is forwarded. */
export interface RequestForwarding {
  /**
   * How the body is sent. With `none` a Content-Length of 0 stays as it came: some methods have to
   * say that they bring nothing (RFC 9110, section 8.6).
   */
  readonly framing: RequestBody;
  /** Null: nothing, the connection stays. */
  readonly connection: ConnectionOption | null;
  /** The address that the client connects from, written by `plainIp`. */
  readonly clientIp: string;
  /** Is what the client says of those before it to be believed? */
  readonly isTrusted: boolean;
  /** How the client speaks to this balancer. */
  readonly proto: "http" | "https";
  /** The Host of a request that names none, as one of HTTP/1.0 may. */
  readonly defaultHost: string;
}

/** How a response is forwarded. */
export interface ResponseForwarding {
  /**
   * How the body is sent. With `none` the Content-Length stays as it came, for it tells of the body
   * that a HEAD or a 304 goes without; but an interim response or a 204 has none.
   */
  readonly framing: ResponseBody;
  /** Null: nothing, the connection stays; but `until-close` always says `close`. */
  readonly connection: ConnectionOption | null;
  /** For a response without a date. */
  readonly date: DateHeader;
}

/** By what name this balancer goes in Via. */
const PSEUDONYM = "loadbalancer";
const VIA: readonly [Header, Header] = [
  { name: "Via", value: `1.0 ${PSEUDONYM}` },
  { name: "Via", value: `1.1 ${PSEUDONYM}` },
];
const CHUNKED: Header = { name: "Transfer-Encoding", value: "chunked" };
const CONNECTION: Readonly<Record<ConnectionOption, Header>> = {
  close: { name: "Connection", value: "close" },
  "keep-alive": { name: "Connection", value: "keep-alive" },
  upgrade: { name: "Connection", value: "upgrade" },
};
const PROTO: Readonly<Record<"http" | "https", Header>> = {
  http: { name: "X-Forwarded-Proto", value: "http" },
  https: { name: "X-Forwarded-Proto", value: "https" },
};

/** What most Connection headers say, which names no other header. */
const NAMELESS: ReadonlySet<string> = new Set(["", "keep-alive", "close", "Keep-Alive", "Upgrade"]);

/**
 * The request for the backend, in HTTP/1.1 (RFC 9112, section 2.3: the version is the sender's own).
 * The head is one that the parser took: with one Host at most, and no URL for a target.
 *
 * To X-Forwarded-For and Forwarded of a trusted client this hop is added; where it sends only the
 * first, the second is made of it. Its X-Forwarded-Proto and -Host stay as they are, for they tell
 * of the request as it was at first, and many backends take them for one value. Of any other client
 * nothing is kept that begins with `X-Forwarded-`.
 */
export function forwardedRequest(head: RequestHead, about: RequestForwarding): RequestHead {
  const received = siftRequest(head.headers, about);
  const headers = withoutNamed(received.kept, received.connection);
  // In the first place (RFC 9110, section 7.2).
  if (received.host === null) headers.unshift({ name: "Host", value: about.defaultHost });
  addForwarded(headers, { received, about });
  headers.push(viaHeader(received.via, head.minor));
  addFraming(headers, about);
  return { method: head.method, target: head.target, minor: 1, headers };
}

/** The response for the client, in HTTP/1.1, with a Date (RFC 9110, section 6.6.1). */
export function forwardedResponse(head: ResponseHead, about: ResponseForwarding): ResponseHead {
  const received = siftResponse(head, about);
  const headers = withoutNamed(received.kept, received.connection);
  if (!received.isDated && head.status >= 200) headers.push(about.date.get());
  headers.push(viaHeader(received.via, head.minor));
  addFraming(headers, about);
  return { status: head.status, reason: head.reason, minor: 1, headers };
}

/** What came with a request: the headers to pass on, and what the others said; empty: nothing. */
interface ReceivedRequest {
  readonly kept: Header[];
  host: string | null;
  connection: string;
  via: string;
  forwarded: string;
  forwardedFor: string;
  forwardedHost: string;
  forwardedProto: string;
}

function siftRequest(headers: readonly Header[], about: RequestForwarding): ReceivedRequest {
  const { isTrusted, framing, connection } = about;
  const received: ReceivedRequest = {
    kept: [],
    host: null,
    connection: "",
    via: "",
    forwarded: "",
    forwardedFor: "",
    forwardedHost: "",
    forwardedProto: "",
  };
  for (const header of headers) {
    const { name, value } = header;
    switch (knownName(name)) {
      case null:
      case "Date":
        if (isTrusted || !isClaim(name)) received.kept.push(header);
        break;
      case "Host":
        received.host = value;
        received.kept.push(header);
        break;
      case "Content-Length":
        if (framing === "none" && value === "0") received.kept.push(header);
        break;
      case "Upgrade":
        if (connection === "upgrade") received.kept.push(header);
        break;
      case "Connection":
        received.connection = joined(received.connection, value);
        break;
      case "Via":
        received.via = joined(received.via, value);
        break;
      case "Forwarded":
        if (isTrusted) received.forwarded = joined(received.forwarded, value);
        break;
      case "X-Forwarded-For":
        if (isTrusted) received.forwardedFor = joined(received.forwardedFor, value);
        break;
      case "X-Forwarded-Host":
        if (isTrusted) received.forwardedHost = joined(received.forwardedHost, value);
        break;
      case "X-Forwarded-Proto":
        if (isTrusted) received.forwardedProto = joined(received.forwardedProto, value);
        break;
      default:
        // All other known names are those of one connection or of the framing.
    }
  }
  return received;
}

/** What came with a response. */
interface ReceivedResponse {
  readonly kept: Header[];
  connection: string;
  via: string;
  isDated: boolean;
}

function siftResponse(head: ResponseHead, about: ResponseForwarding): ReceivedResponse {
  const received: ReceivedResponse = { kept: [], connection: "", via: "", isDated: false };
  // RFC 9110, section 8.6: it must not stand in an interim response or a 204.
  let keepsLength = about.framing === "none" && head.status >= 200 && head.status !== 204;
  for (const header of head.headers) {
    const name = knownName(header.name);
    switch (name) {
      case "TE":
      case "Trailer":
      case "Keep-Alive":
      case "Proxy-Connection":
      case "Transfer-Encoding":
        break;
      case "Connection":
        received.connection = joined(received.connection, header.value);
        break;
      case "Via":
        received.via = joined(received.via, header.value);
        break;
      case "Upgrade":
        if (about.connection === "upgrade") received.kept.push(header);
        break;
      case "Content-Length":
        if (keepsLength) received.kept.push(header);
        keepsLength = false;
        break;
      default:
        if (name === "Date") received.isDated = true;
        received.kept.push(header);
    }
  }
  return received;
}

/** Several lines of one header as one (RFC 9110, section 5.3). */
function joined(list: string, more: string): string {
  if (list === "" || more === "") return list + more;
  return `${list}, ${more}`;
}

/** Takes out what the Connection header names (RFC 9110, section 7.6.1). */
function withoutNamed(headers: Header[], connection: string): Header[] {
  if (NAMELESS.has(connection)) return headers;
  const options = connection.toLowerCase().split(",").map((option) => option.trim());
  const named = new Set(options.filter((option) => !isEndToEnd(option)));
  named.delete("upgrade");
  return headers.filter(({ name }) => !named.has(name.toLowerCase()));
}

function addForwarded(
  headers: Header[],
  { received, about }: {
    readonly received: ReceivedRequest;
    readonly about: RequestForwarding;
  },
): void {
  const { clientIp, proto } = about;
  const host = received.host ?? "";
  const { forwardedFor, forwardedHost, forwardedProto } = received;
  headers.push({ name: "X-Forwarded-For", value: joined(forwardedFor, clientIp) });
  headers.push(
    forwardedProto === "" ? PROTO[proto] : { name: "X-Forwarded-Proto", value: forwardedProto },
  );
  const firstHost = forwardedHost === "" ? host : forwardedHost;
  if (firstHost !== "") headers.push({ name: "X-Forwarded-Host", value: firstHost });
  let before = received.forwarded;
  if (before === "" && forwardedFor !== "") {
    before = forwardedElements({
      sender: forwardedFor,
      host: forwardedHost,
      proto: forwardedProto,
    });
  }
  const own = forwardedElement({ sender: clientIp, host, proto });
  headers.push({ name: "Forwarded", value: joined(before, own) });
}

/** RFC 9110, section 7.6.3: the version is the one in which the message was received. */
function viaHeader(before: string, minor: 0 | 1): Header {
  const own = VIA[minor];
  return before === "" ? own : { name: own.name, value: joined(before, own.value) };
}

function addFraming(
  headers: Header[],
  { framing, connection }: {
    readonly framing: ResponseBody;
    readonly connection: ConnectionOption | null;
  },
): void {
  const option = framing === "until-close" ? "close" : connection;
  if (option !== null) headers.push(CONNECTION[option]);
  if (framing === "chunked") headers.push(CHUNKED);
  else if (typeof framing === "object") {
    headers.push({ name: "Content-Length", value: `${framing.length}` });
  }
}
