/**
 * The list of all metrics: their names, what they mean, and where their numbers are. The scrape and
 * the README's table are made from it.
 */
import type { BackendState } from "../backend.ts";
import type { Mode } from "../options.ts";
import { ENDINGS } from "../ending.ts";
import {
  countOfBackend,
  type Metric,
  named,
  ofBackend,
  ofHttp,
  one,
  type Reading,
  type Sample,
  split,
  splitOfBackend,
} from "./metric.ts";

const STATES: readonly BackendState[] = ["ready", "down", "draining", "disabled"];
const CONNECTION_MODES: readonly Mode[] = ["bridge", "tcp"];
const ENDING_LABELS = ["backend", "ending", "by"];

/** All metrics, in the order of the docs. */
export const METRICS: readonly Metric[] = [
  one("clients_accepted_total", {
    help: "clients whose connections were accepted",
    read: ({ counts }) => counts.accepted,
  }),
  {
    ...named("connections_total"),
    labels: ENDING_LABELS,
    modes: CONNECTION_MODES,
    help:
      "connections of clients that have ended: the server that had them last (empty: none did), " +
      "how they ended, and by whom",
    read: endings,
  },
  {
    ...named("requests_total"),
    labels: ENDING_LABELS,
    modes: ["http"],
    help: "requests that have ended: the server that had them last (empty: none did), how they " +
      "ended, and by whom",
    read: endings,
  },
  {
    ...named("idle_clients_total"),
    labels: ["ending", "by"],
    modes: ["http"],
    help: "clients that ended without a request under way, for they did not ask, or not again: " +
      "how, and by whom",
    read: ({ journal }) => samplesOf(journal.idleEndings, {}),
  },
  one("failovers_total", {
    help: "servers tried beyond the first of each connection, or in http mode of each request",
    read: ({ journal }) => journal.failovers,
  }),
  one("turned_away_total", {
    help: "those turned away because too many waited, or they for too long",
    read: ({ counts }) => counts.turnedAway,
  }),
  one("carried", {
    help: "connections, or in http mode requests, that a bridge carries",
    read: ({ counts }) => counts.carried,
  }),
  one("carried_max", {
    help: "how many may be carried at once: --parallel",
    read: ({ config }) => config.parallel,
  }),
  one("waiting", {
    help: "those that wait for a bridge, or for a server with room",
    read: ({ counts }) => counts.waiting,
  }),
  one("waiting_max", {
    help: "how many may wait at once: --queue",
    read: ({ config }) => config.queueMax,
  }),
  one("lingering", {
    help: "clients that have been answered and have not closed yet",
    read: ({ counts }) => counts.lingering,
  }),
  one("servers_unresolved", {
    help: "servers whose names have no address, so that nobody is sent there",
    read: ({ counts }) => counts.unresolved.length,
  }),
  split("open_connections", {
    label: "side",
    help: "connections that the data path holds, to clients and to servers, those included that " +
      "are being made",
    read: ({ counts, backends }) => ({
      client: counts.clients,
      backend: backends.reduce((sum, { inFlight }) => sum + inFlight, counts.http?.idle ?? 0),
    }),
  }),
  one("queue_wait_seconds", {
    help: "from the arrival until a server was found",
    read: ({ journal }) => journal.waited,
  }),
  one("connect_seconds", {
    help: "how long connecting to a server took, where that had to be done",
    read: ({ journal }) => journal.connected,
  }),
  one("first_byte_seconds", {
    help: "from the arrival to the first byte of the answer",
    read: ({ journal }) => journal.answered,
  }),
  one("duration_seconds", {
    help: "from the arrival to the end",
    read: ({ journal }) => journal.lasted,
  }),
  split("exhausted_total", {
    label: "at",
    help: "times that this machine had no means to accept or to connect: descriptors, ports",
    read: ({ counts }) => ({ ...counts.exhaustions }),
  }),

  ofHttp("retries_total", {
    help: "requests sent again to another server",
    read: ({ retries }) => retries,
  }),
  ofHttp("retries_refused_total", {
    help: "requests not sent again, because too many were already",
    read: ({ retriesRefused }) => retriesRefused,
  }),
  ofHttp("opened_connections_total", {
    help: "connections opened to servers",
    read: ({ opened }) => opened,
  }),
  ofHttp("reused_connections_total", {
    help: "kept connections to servers that were used again",
    read: ({ reused }) => reused,
  }),
  ofHttp("stale_connections_total", {
    help: "kept connections to servers that were used again when the server had given them up",
    read: ({ stale }) => stale,
  }),
  ofHttp("lost_connections_total", {
    help: "kept connections that the server ended before they were used again",
    read: ({ lost }) => lost,
  }),
  ofHttp("idle_connections", {
    help: "connections to servers that are kept and carry nothing",
    read: ({ idle }) => idle,
  }),

  splitOfBackend("backend_state", {
    label: "state",
    help: "1 for the state that the server is in, 0 for the others",
    read: ({ state }) => Object.fromEntries(STATES.map((each) => [each, Number(each === state)])),
  }),
  ofBackend("backend_state_changes_total", {
    help: "changes of the server's state, the first time ready included",
    read: ({ stateChanges }) => stateChanges,
  }),
  ofBackend("backend_weight", {
    help: "the share of the server compared with others",
    read: ({ weight }) => weight,
  }),
  ofBackend("backend_in_flight", {
    help: "connections, or in http mode requests, that the server has",
    read: ({ inFlight }) => inFlight,
  }),
  ofBackend("backend_given_total", {
    help: "connections, or in http mode requests, that the server was given, failed ones included",
    read: ({ leased }) => leased,
  }),
  ofBackend("backend_failures_total", {
    help: "those that the server was given and did not take, or dropped before the first byte",
    read: ({ failures }) => failures,
  }),
  splitOfBackend("backend_bytes_total", {
    label: "direction",
    help: "bytes carried up to the server and down from it; in http mode those of bodies",
    read: ({ bytesUp, bytesDown }) => ({ up: bytesUp, down: bytesDown }),
  }),
  ofBackend("backend_first_byte_seconds", {
    help: "from the arrival to the first byte of the server's answer",
    read: ({ answered }) => answered,
  }),
  splitOfBackend("backend_probes_total", {
    label: "result",
    help: "checks of the server, by what came of them",
    read: ({ probes }) => ({ ok: probes.ok, failed: probes.failed }),
  }),
  ofBackend("backend_probe_seconds", {
    help: "how long checks of the server took",
    read: ({ probes }) => probes.lasted,
  }),
  countOfBackend("backend_entries", {
    help:
      "entries of the server as last probed, and what was sent to it since (only with --health entries)",
    read: ({ entries }) => entries,
  }),
  countOfBackend("backend_errors", {
    help: "errors of the server as last probed (only with --health entries)",
    read: ({ errors }) => errors,
  }),

  one("event_loop_delay_seconds", {
    help: "how late a timer came that is set ten times a second: time in which nothing else ran",
    read: ({ delays }) => delays,
  }),
  one("log_lines_dropped_total", {
    help: "lines of diagnostics dropped because stderr was slow",
    read: ({ linesDropped }) => linesDropped,
  }),
  one("access_log_lines_dropped_total", {
    help:
      "lines of the access log dropped: its reader was slow, or gone, or it could not be written",
    read: ({ accessLinesDropped }) => accessLinesDropped,
  }),
  one("process_cpu_seconds_total", {
    help: "processor time of the process",
    read: ({ process }) => process.cpuSeconds,
  }),
  one("process_resident_memory_bytes", {
    help: "memory of the process",
    read: ({ process }) => process.memory.rss,
  }),
  one("process_heap_bytes", {
    help: "memory of the JavaScript heap",
    read: ({ process }) => process.memory.heapTotal,
  }),
  one("process_heap_used_bytes", {
    help: "memory of the JavaScript heap that is in use",
    read: ({ process }) => process.memory.heapUsed,
  }),
  one("process_external_memory_bytes", {
    help: "memory outside the heap that belongs to what is in it",
    read: ({ process }) => process.memory.external,
  }),
  one("process_open_fds", {
    help: "open descriptors (only with --allow-all on Linux; see loadbalancer_open_connections)",
    read: ({ process }) => process.descriptors?.open ?? null,
  }),
  one("process_max_fds", {
    help: "how many descriptors may be open (only with --allow-all on Linux)",
    read: ({ process }) => process.descriptors?.max ?? null,
  }),
  one("process_start_time_seconds", {
    help: "when the process started, in seconds since 1970",
    read: ({ startedSeconds }) => startedSeconds,
  }),
  {
    ...named("build_info"),
    labels: ["version", "deno", "mode", "policy"],
    help: "always 1; its labels say what is running",
    read: (
      { build, config: { mode, policy } },
    ) => [{ labels: { ...build, mode, policy }, value: 1 }],
  },
];

/** The metrics that there are in a mode. */
export function metricsOf(mode: Mode): Metric[] {
  return METRICS.filter(({ modes }) => modes?.includes(mode) ?? true);
}

/** The README's table of metrics, in Markdown. */
export function metricsTable(): string {
  const rows = METRICS.map(({ name, type, labels, modes, help }) => {
    const braces = labels.length === 0 ? "" : `{${labels.join(",")}}`;
    const only = modes === undefined ? "" : `${modes.join(" and ")} mode: `;
    return `| \`${name}${braces}\` | ${type} | ${only}${help} |`;
  });
  return ["| Metric | Type | What it tells |", "| --- | --- | --- |", ...rows].join("\n");
}

/** Only those that there were: of the endings of each backend most never come. */
function* endings({ backends, journal }: Reading): Iterable<Sample> {
  yield* samplesOf(journal.endings, { backend: "" });
  for (const { name, endings } of backends) yield* samplesOf(endings, { backend: name });
}

function* samplesOf(
  endings: ArrayLike<number>,
  labels: Readonly<Record<string, string>>,
): Iterable<Sample> {
  for (const { place, word, by } of ENDINGS) {
    const value = endings[place] ?? 0;
    if (value > 0) yield { labels: { ...labels, ending: word, by }, value };
  }
}
