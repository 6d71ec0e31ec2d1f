/**
 * How an answer is sent on to the client: with which head, framed and compressed how, and whether
 * the connection goes on behind it. Pure; the exchange asks once for each answer.
 */
import type { Encoding } from "./accept_encoding.ts";
import type { ClientRequest } from "./client_request.ts";
import { compressedHead, negotiate } from "./compress.ts";
import type { ResponseBody } from "./framing.ts";
import { type Header, isNamed, type ResponseHead } from "./head_parser.ts";
import type { ConnectionOption } from "./headers.ts";

/** What a plan is made from. */
export interface Answered {
  /** What it answers. */
  readonly request: ClientRequest;
  /** How its body comes. */
  readonly body: ResponseBody;
  /** A cookie that the client is to get with it. */
  readonly cookie: Header | null;
  /** May it be compressed? */
  readonly mayCompress: boolean;
  /** May the connection go on behind it, if the client wants that? */
  readonly mayKeep: boolean;
}

/** How to send it. */
export interface AnswerPlan {
  /** As the client gets it, but for the headers of this hop. */
  readonly head: ResponseHead;
  /** How its body goes. */
  readonly framing: ResponseBody;
  /** What its body is compressed in; null: nothing. */
  readonly encoding: Encoding | null;
  /** Does the connection go on? */
  readonly keeps: boolean;
  /** What the Connection header says. */
  readonly connection: ConnectionOption | null;
}

/** Plans an answer from the head that a backend sent. */
export function planAnswer(received: ResponseHead, answered: Answered): AnswerPlan {
  const { request, body } = answered;
  const { head, encoding } = adapted(received, answered);
  const framing = framingFor(encoding === null ? body : "until-close", request.head.minor);
  const keeps = answered.mayKeep && request.keepsAlive && framing !== "until-close";
  return { head, framing, encoding, keeps, connection: connectionFor(received, request, keeps) };
}

function adapted(
  received: ResponseHead,
  { request, body, cookie, mayCompress }: Answered,
): Pick<AnswerPlan, "head" | "encoding"> {
  let head = received;
  if (cookie !== null) head = { ...head, headers: [...head.headers, cookie] };
  if (!mayCompress) return { head, encoding: null };
  const length = typeof body === "object" ? body.length : declaredLength(received, body);
  const coding = negotiate({ request: request.head, response: head, length });
  if (coding !== null) head = compressedHead(head, coding);
  const isEncoded = coding !== null && coding !== "identity" && body !== "none";
  return { head, encoding: isEncoded ? coding : null };
}

/** What HTTP/1.0 does not know is put another way, and the end of a stream as chunks where it can be. */
function framingFor(body: ResponseBody, minor: 0 | 1): ResponseBody {
  if (body === "chunked" && minor === 0) return "until-close";
  return body === "until-close" && minor === 1 ? "chunked" : body;
}

function connectionFor(
  { status }: ResponseHead,
  { head }: ClientRequest,
  keeps: boolean,
): ConnectionOption | null {
  if (!keeps) return "close";
  if (status === 426) return "upgrade"; // It has to name what it asks for (RFC 9110, 15.5.22).
  return head.minor === 0 ? "keep-alive" : null;
}

/** How long the body is that is left out, or that is not there; null: nobody says. */
function declaredLength({ headers }: ResponseHead, body: ResponseBody): number | null {
  if (body !== "none") return null;
  const declared = headers.find((header) => isNamed(header, "content-length"));
  return declared === undefined ? null : Number(declared.value);
}
