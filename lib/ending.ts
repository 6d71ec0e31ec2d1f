/** How passages end: the one list of words for it, in the access log, the metrics and the docs. */

/** Who ended it. */
export type EndedBy = "client" | "backend" | "balancer";

/** One way to end. */
export interface Ending {
  /** Its place in {@linkcode ENDINGS}, for counts by ending. */
  readonly place: number;
  /** The word for it. A deadline goes by the name of its option. */
  readonly word: string;
  /** Whose doing it was. */
  readonly by: EndedBy;
  /** What it means, for people. */
  readonly help: string;
}

/** The endings by the names that code has for them. Those of one word differ by whose doing it was. */
export const ENDING = {
  servedClient: {
    place: 0,
    word: "served",
    by: "client",
    help: "answered; the client closed first",
  },
  served: {
    place: 1,
    word: "served",
    by: "backend",
    help: "answered; in http mode the whole answer is out",
  },
  leftEarly: {
    place: 2,
    word: "unanswered",
    by: "client",
    help: "it left before its answer began",
  },
  unanswered: {
    place: 3,
    word: "unanswered",
    by: "backend",
    help: "it ended before its answer began, and no other could be tried",
  },
  clientBroke: {
    place: 4,
    word: "broken",
    by: "client",
    help: "it broke its connection in the middle",
  },
  backendBroke: {
    place: 5,
    word: "broken",
    by: "backend",
    help: "it broke off its answer in the middle",
  },
  badRequest: {
    place: 6,
    word: "malformed",
    by: "client",
    help: "it sent what is no request in HTTP",
  },
  badAnswer: {
    place: 7,
    word: "malformed",
    by: "backend",
    help: "it sent what is no answer in HTTP",
  },
  nobody: { place: 8, word: "nobody", by: "balancer", help: "no server could be had" },
  queueFull: { place: 9, word: "queue", by: "balancer", help: "as many waited as may wait" },
  queueTimeout: {
    place: 10,
    word: "queue-timeout",
    by: "balancer",
    help: "it waited too long for a bridge, or for room",
  },
  exhausted: {
    place: 11,
    word: "exhausted",
    by: "balancer",
    help: "this machine had no means to connect: descriptors, ports",
  },
  headTimeout: {
    place: 12,
    word: "head-timeout",
    by: "balancer",
    help: "the client was too slow with the head of a request",
  },
  keepAliveTimeout: {
    place: 13,
    word: "keep-alive-timeout",
    by: "balancer",
    help: "the client did not ask again",
  },
  firstByteTimeout: {
    place: 14,
    word: "first-byte-timeout",
    by: "balancer",
    help: "the server was silent for too long",
  },
  idleTimeout: {
    place: 15,
    word: "idle-timeout",
    by: "balancer",
    help: "nothing moved for too long",
  },
  lingerTimeout: {
    place: 16,
    word: "linger-timeout",
    by: "balancer",
    help: "the client did not close after its answer",
  },
  drainTimeout: {
    place: 17,
    word: "drain-timeout",
    by: "balancer",
    help: "it was not finished when the balancer had to stop",
  },
  refused: {
    place: 18,
    word: "refused",
    by: "balancer",
    help: "http mode: what it asks for is not done here: CONNECT, another version, too long a head",
  },
  defect: {
    place: 19,
    word: "defect",
    by: "balancer",
    help: "an error in this program, which the log tells of",
  },
} as const satisfies Record<string, Ending>;

/** All of them, in the order of the docs. */
export const ENDINGS: readonly Ending[] = Object.values(ENDING);

/** The README's table of endings, in Markdown. */
export function endingsTable(): string {
  const rows = ENDINGS.map(({ word, by, help }) => `| \`${word}\` | ${by} | ${help} |`);
  return ["| End | By | What it means |", "| --- | --- | --- |", ...rows].join("\n");
}
