/**
 * Mutated requests through the balancer to a backend that takes nothing on trust.
 *
 * What may come out is judged by a second reader, which shares no code with the balancer: what the
 * backend got has to be what that reader finds in the client's bytes, request for request, or fewer,
 * as the balancer may refuse what it likes. So no mutation has to be judged one by one, and the
 * requests that are hidden in bodies never may turn into requests of their own.
 */
import type { Balancer } from "../../lib/balancer.ts";
import { SMUGGLING } from "../http1/vectors/smuggling.ts";
import { assert, assertEquals, assertGreater, assertMatch } from "../support/assert.ts";
import { startBalancer } from "../support/balancer.ts";
import { askOnce, ByteClient } from "../support/byte_client.ts";
import { settle } from "../support/fake_clock.ts";
import { latin1Bytes } from "../support/latin1.ts";
import { makeTransmission, type Transmission } from "../support/mutated_requests.ts";
import { Random } from "../support/random.ts";
import { ANSWER_HEADER, ID_HEADER, idOf, isEarly, StrictOrigin } from "../support/strict_origin.ts";
import { readRequests, type StrictRequest } from "../support/strict_requests.ts";
import { until } from "../support/until.ts";

const SEEDS = 12;
const CASES = 50;
/** What a client may be told of a request that is not in order. */
const REFUSALS = new Set([400, 414, 431, 501, 505]);
/** What the balancer writes itself. */
const OWN =
  /^(via|forwarded|x-forwarded-(for|proto|host)|connection|content-length|transfer-encoding):/i;

/** No connection is given up for its age: what is left on one has to come to light. */
const SETTINGS = { mode: "http", health: "off", backendKeepAliveMs: "10m" } as const;

interface Answers {
  /** The statuses, in order. */
  readonly statuses: readonly number[];
  /** The ids in the answers that came from the backend. */
  readonly ids: readonly string[];
}

/** Sends it piece by piece, ends, and receives until the other side has ended, in whatever way. */
async function transmit(port: number, transmission: Transmission): Promise<Answers> {
  const { pieces, ids, isLate } = transmission;
  using client = await ByteClient.connect(port);
  client.conn.setNoDelay(true);
  const received = client.receiveAll().catch(broken);
  try {
    for (const [index, piece] of pieces.entries()) {
      if (isLate && index === pieces.length - 1) {
        await until(() => readAnswers(client.text).ids.length === ids.length, "all is answered");
      }
      await client.send(latin1Bytes(piece));
      // Gives the balancer its turn, so that the pieces are read as such.
      await settle();
    }
    await client.end();
  } catch (error) {
    broken(error);
  }
  await received;
  return readAnswers(client.text);
}

function readAnswers(text: string): Answers {
  const ids = new RegExp(`^${ANSWER_HEADER}: (.*)\r$`, "gm");
  return {
    statuses: [...text.matchAll(/^HTTP\/1\.1 (\d+) /gm)].map(([, status]) => Number(status)),
    ids: [...text.matchAll(ids)].map(([, id = ""]) => decodeURIComponent(id)),
  };
}

/** The balancer may break the connection with a client that sends nonsense. */
function broken(error: unknown): void {
  const { BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected } = Deno.errors;
  const ends = [BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected];
  if (!ends.some((end) => error instanceof end)) throw error;
}

/** Waits until nothing is left of the clients, and the backend has seen all that it was sent. */
async function quiet(balancer: Balancer, origin: StrictOrigin): Promise<void> {
  const left = (): number => {
    const { carried, waiting, lingering } = balancer.snapshot();
    return carried + waiting + lingering;
  };
  await until(() => left() === 0, () => `nothing is left: ${JSON.stringify(balancer.snapshot())}`);
  const leased = (): number => balancer.snapshot().backends[0]?.leased ?? 0;
  await until(
    () => origin.requests.length >= leased() || origin.faults.length > 0,
    () => `the backend sees ${leased()} requests: ${origin.requests.length}`,
  );
  assertEquals(origin.faults, []);
  assertEquals(origin.requests.length, leased(), "requests that the backend saw, and was sent");
}

/** A request in order, which has to be answered. */
async function askWell(port: number, id: string): Promise<void> {
  const lines = ["GET / HTTP/1.1", "Host: test", `${ID_HEADER}: ${id}`, "Connection: close"];
  const text = await askOnce(port, [...lines, "", ""].join("\r\n"));
  assertMatch(text, /^HTTP\/1.1 200 /);
  assertEquals(readAnswers(text).ids, [id]);
}

/** What the backend saw is what the client said, as far as it goes. */
function assertSaid(seen: readonly StrictRequest[], said: readonly StrictRequest[]): void {
  for (const [index, request] of seen.entries()) {
    const own = said[index];
    if (own === undefined) throw new Error(`Nobody sent: ${JSON.stringify(request)}`);
    assertEquals([request.method, request.target], [own.method, own.target]);
    assertEquals(request.host, own.host ?? "localhost");
    if (request.isWhole) assertEquals([request.body, true], [own.body, own.isWhole]);
    else {
      assertEquals(index, seen.length - 1, "only the last breaks off");
      assert(own.body.startsWith(request.body), `${request.body} is of ${own.body}`);
    }
    assertHeaders(request, own);
  }
}

function assertHeaders(request: StrictRequest, own: StrictRequest): void {
  const sent = [...own.headers];
  for (const line of request.headers) {
    if (OWN.test(line)) continue;
    const at = sent.indexOf(line);
    assert(at >= 0, `${line} was not sent, or not in this place: ${own.headers}`);
    sent.splice(0, at + 1);
  }
  for (const name of ["Via", "Forwarded", "X-Forwarded-For", "X-Forwarded-Proto"]) {
    const lines = request.headers.filter((line) => line.startsWith(`${name}: `));
    assertEquals(lines.length, 1, `${name} once: ${lines}`);
  }
  assert(request.headers.includes("X-Forwarded-For: 127.0.0.1"), `${request.headers}`);
}

/** Answers for what the backend saw, in order, and at most one refusal, at the end. */
function assertAnswered(answers: Answers, seen: readonly StrictRequest[]): void {
  const whole = seen.filter((request) => request.isWhole);
  const answered = seen.filter((request) => request.isWhole || isEarly(request));
  assertEquals(answers.ids, answered.slice(0, answers.ids.length).map(idOf));
  const [refusal, ...more] = answers.statuses.slice(answers.ids.length);
  assertEquals(more, []);
  if (refusal !== undefined) {
    assert(REFUSALS.has(refusal), `refused with ${refusal}`);
    assert(answers.ids.length >= whole.length, `the refusal comes last: ${answers.statuses}`);
  }
}

/** Says which case failed, and how to see it again. */
async function naming(transmission: Transmission, check: () => Promise<void>): Promise<void> {
  try {
    await check();
  } catch (error) {
    throw new Error(`The client sent ${JSON.stringify(transmission.pieces)}`, { cause: error });
  }
}

for (let seed = 1; seed <= SEEDS; seed++) {
  Deno.test(`http: of mutated requests the backend sees what was sent, no more (seed ${seed})`, async () => {
    await using origin = new StrictOrigin();
    const random = new Random(seed);
    let refused = 0;
    let done = 0;
    {
      await using balancer = await startBalancer([origin.port], SETTINGS);
      const { port } = balancer.address;
      for (let turn = 0; turn < CASES; turn++) {
        const transmission = makeTransmission(random, `${seed}-${turn}`);
        await naming(transmission, async () => {
          const before = origin.requests.length;
          const answers = await transmit(port, transmission);
          // At once, so that it gets a connection on which anything was left.
          await askWell(port, `good-${turn}`);
          await quiet(balancer, origin);
          const seen = origin.requests.slice(before);
          const own = seen.filter((request) => idOf(request) !== `good-${turn}`);
          assertEquals(own.length, seen.length - 1, "the good request is seen once");
          assertSaid(own, readRequests(transmission.text, "client").requests);
          assertAnswered(answers, own);
          if (transmission.isUntouched) assertEquals(answers.ids, transmission.ids);
          if (answers.statuses.length > answers.ids.length) refused++;
          if (!transmission.isUntouched) done += answers.ids.length;
        });
      }
      assertEquals(balancer.snapshot().backends[0]?.failures, 0);
    }
    await until(() => origin.open === 0, "all connections of the balancer are closed");
    assertEquals(origin.faults, []);
    // Else the mutations are too harmless, or too harmful, to show anything.
    assertGreater(refused, CASES / 10);
    assertGreater(done, CASES / 10);
  });
}

Deno.test("http: of a request with doubtful framing the backend sees nothing, nor of what it hides", async () => {
  await using origin = new StrictOrigin();
  await using balancer = await startBalancer([origin.port], SETTINGS);
  const { port } = balancer.address;
  const hidden = "GET /hidden HTTP/1.1\r\nHost: test\r\n\r\n";
  for (const [what, headers] of Object.entries(SMUGGLING)) {
    for (const body of [hidden, `0\r\n\r\n${hidden}`]) {
      using client = await ByteClient.connect(port);
      const request = `POST / HTTP/1.1\r\nHost: test\r\n${headers}\r\n${body}`;
      await client.send(latin1Bytes(request));
      const text = await client.receiveAll();
      assertMatch(text, /^HTTP\/1\.1 (400|501) [^]*Connection: close\r\n\r\n$/, what);
      assertEquals([origin.requests, origin.faults], [[], []], what);
    }
  }
  await askWell(port, "good");
  await quiet(balancer, origin);
  assertEquals(origin.requests.map(idOf), ["good"]);
});
