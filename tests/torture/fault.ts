/** The faults of origins by name: what they do to a request, and so what they can explain. Pure. */

/**
 * What a fault does to the requests that it meets. `ends`: the connection ends before the answer has
 * begun, so that a request that may be sent again has to be. `answers`: something of an answer goes
 * out. `stalls`: nothing comes, for longer than the balancer waits. `none`: no request may be lost.
 */
export type Effect = "ends" | "answers" | "stalls" | "none";

/** One kind of fault. */
export interface Fault {
  /** What it does to requests. */
  readonly effect: Effect;
  /** Who does it: the origin when it is told to, or a signal from outside. */
  readonly by: "order" | "signal";
}

/** All faults. */
export const FAULTS = {
  /** Killed, and started again on the same port. */
  kill: { effect: "ends", by: "signal" },
  /** Stopped by SIGSTOP; the kernel still takes its connections. */
  stop: { effect: "stalls", by: "signal" },
  /** Its port is closed; what runs goes on. */
  refuse: { effect: "none", by: "order" },
  /** Its port opens and closes every 200 ms, and all connections break each time. */
  flap: { effect: "ends", by: "order" },
  /** It resets the connection when a request has come. */
  reset: { effect: "ends", by: "order" },
  /** It closes the connection when a request has come. */
  close: { effect: "ends", by: "order" },
  /** It closes after half of the answer. */
  half: { effect: "answers", by: "order" },
  /** It resets after half of the answer. */
  "half-reset": { effect: "answers", by: "order" },
  /** It answers with random bytes. */
  garbage: { effect: "answers", by: "order" },
  /** It answers with a head that does not end. */
  "endless-head": { effect: "answers", by: "order" },
  /** It announces more bytes than it sends. */
  "length-over": { effect: "answers", by: "order" },
  /** It sends more bytes than it announces. */
  "length-under": { effect: "answers", by: "order" },
  /** It takes requests and says nothing. */
  silent: { effect: "stalls", by: "order" },
  /** Its loop stands still for a while at each accept, with hardly any backlog. */
  "slow-accept": { effect: "stalls", by: "order" },
  /** It serves, and answers its health check with a 500. */
  sick: { effect: "none", by: "order" },
} as const satisfies Record<string, Fault>;

/** The name of a fault. */
export type FaultName = keyof typeof FAULTS;

/** Those that an origin does itself. */
export type OrderedFault = {
  [K in FaultName]: (typeof FAULTS)[K]["by"] extends "order" ? K : never;
}[FaultName];

/** All names. */
export const FAULT_NAMES = Object.keys(FAULTS) as readonly FaultName[];

/** What an origin is told, one JSON object a line of its stdin. What is left out is as it was. */
export interface Order {
  /** What it does wrong from now on; null: nothing any more. */
  readonly fault?: OrderedFault | null;
  /** Does that go for health checks too? */
  readonly healthToo?: boolean;
  /** How long each answer takes, in milliseconds. */
  readonly delayMs?: number;
}

/** May it be told to do that? */
export function isOrdered(name: FaultName): name is OrderedFault {
  return FAULTS[name].by === "order";
}
