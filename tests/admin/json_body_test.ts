import { BODY_BYTES_MAX, BODY_MS, isRecord, readJsonBody } from "../../lib/admin/json_body.ts";
import { Refusal } from "../../lib/admin/refusal.ts";
import { assertEquals, assertRejects } from "../support/assert.ts";
import { FakeClock } from "../support/fake_clock.ts";

function request(body: BodyInit | null): Request {
  return new Request("http://localhost/", { method: "POST", body });
}

function read(body: BodyInit | null): Promise<Readonly<Record<string, unknown>>> {
  return readJsonBody(request(body), new FakeClock());
}

async function status(body: BodyInit | null): Promise<number> {
  return (await assertRejects(() => read(body), Refusal)).status;
}

/** An object of just that many bytes. */
function objectOf(bytes: number): string {
  return JSON.stringify({ a: "x".repeat(bytes - '{"a":""}'.length) });
}

Deno.test("readJsonBody: reads an object; nothing is an empty one", async () => {
  assertEquals(await read('{"weight":3}'), { weight: 3 });
  assertEquals(await read(" {} \n"), {});
  assertEquals(await read(""), {});
  assertEquals(await read(null), {});
});

Deno.test("readJsonBody: what is no object of JSON is 400", async () => {
  for (const body of ["{", "weight=3", "[1]", "null", "3", '"text"', "{}{}", "\ufeff{}x"]) {
    assertEquals(await status(body), 400, body);
  }
  assertEquals(await status(new Uint8Array([0x22, 0xff, 0x22])), 400, "no UTF-8");
});

Deno.test("readJsonBody: a body of the most bytes is read, one more is 413, in one piece or many", async () => {
  const most = objectOf(BODY_BYTES_MAX);
  assertEquals(Object.keys(await read(most)), ["a"]);
  assertEquals(await status(`${most} `), 413);
  const pieces = ReadableStream.from(Array.from(`${most} `.match(/.{1,1000}/g) ?? []))
    .pipeThrough(new TextEncoderStream());
  assertEquals(await status(pieces), 413);
});

Deno.test("readJsonBody: a body that does not come to its end in time is 408", async () => {
  const clock = new FakeClock();
  const stalled = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode("{")),
  });
  const refused = assertRejects(() => readJsonBody(request(stalled), clock), Refusal);
  await clock.advance(BODY_MS);
  assertEquals((await refused).status, 408);
  assertEquals(clock.pending, 0);
});

Deno.test("readJsonBody: a body that breaks off is 400, and leaves no timer behind", async () => {
  const clock = new FakeClock();
  const broken = new ReadableStream<Uint8Array>({
    start: (controller) => controller.error(new Deno.errors.ConnectionReset("gone")),
  });
  const refused = await assertRejects(() => readJsonBody(request(broken), clock), Refusal);
  assertEquals([refused.status, clock.pending], [400, 0]);
});

Deno.test("isRecord: an object, and nothing else that JSON has", () => {
  assertEquals([{}, { a: 1 }].every(isRecord), true);
  assertEquals([null, [], "", 0, true, undefined].some(isRecord), false);
});
