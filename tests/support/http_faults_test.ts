/** What the HTTP server does wrong on demand, as curl and raw sockets see it. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "./assert.ts";
import { FAULT_STAGES } from "./http_faults.ts";
import {
  binary,
  bodyOf,
  CLOSE,
  curl,
  decoder,
  encoder,
  exchange,
  get,
  HEALTH,
  statuses,
  url,
  withServer,
} from "./http_clients.ts";
import { connectTcp } from "./tcp_connection.ts";

Deno.test("faults: reset and close strike at their stage, a true RST and a FIN", async () => {
  await withServer({}, async (server) => {
    const request = "PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nxy";
    const bodyBytes = new Map<string, number | undefined>();
    for (const stage of FAULT_STAGES.filter((stage) => stage !== "answer")) {
      server.faults.reset = stage;
      const reset = await exchange(server, request);
      assertEquals(reset.bytes.length, 0);
      // At the accept the client may still be connecting or writing: that fails then.
      assertMatch(reset.end, stage === "accept" ? /ConnectionReset|BrokenPipe/ : /ConnectionReset/);
      server.faults.reset = undefined;
      server.faults.close = stage;
      const close = await exchange(server, request);
      assertEquals([close.bytes.length, close.end], [0, "FIN"], stage);
      server.faults.close = undefined;
      bodyBytes.set(stage, server.requests.length);
    }
    assertEquals([...bodyBytes], [["accept", 0], ["head", 2], ["request", 4]]);
    assertEquals([server.entries, server.errors], [0, 0]);
    assertEquals((await curl(url(server, "/x"))).text, "no such file\n");
  });
});

Deno.test("faults: reset and close in the middle of the answer, small or large", async () => {
  await withServer({}, async (server) => {
    for (const path of ["/a.txt", "/big.bin"]) {
      const whole = await exchange(server, get(path, CLOSE));
      server.faults.close = "answer";
      const closed = await exchange(server, get(path, CLOSE));
      assertEquals([closed.bytes.length, closed.end], [whole.bytes.length >> 1, "FIN"], path);
      server.faults.close = undefined;
      server.faults.reset = "answer";
      const reset = await exchange(server, get(path, CLOSE));
      assertEquals(reset.end, "ConnectionReset", path);
      assert(reset.bytes.length <= whole.bytes.length >> 1, path);
      server.faults.reset = undefined;
    }
  });
});

Deno.test("faults: delay holds the first byte back, bytesPerSecond drips the answer", async () => {
  await withServer({ faults: { delayMs: 60 } }, async (server) => {
    const start = performance.now();
    assertEquals((await curl(url(server, "/a.txt"))).text, "alpha\n");
    assert(performance.now() - start >= 59);
    server.faults.delayMs = undefined;
    server.faults.bytesPerSecond = 1000;
    const dripStart = performance.now();
    assertEquals((await curl(url(server, "/a.txt"))).text, "alpha\n");
    assert(performance.now() - dripStart >= 100);
  });
});

Deno.test("faults: silent reads and never answers, until the client ends or for ever", async () => {
  await withServer({ faults: { silent: true } }, async (server) => {
    const client = await connectTcp(server);
    await client.write(encoder.encode(get("/a.txt")));
    await server.waitFor(({ requests }) => requests.length === 1);
    assertEquals((await curl(url(server, "/healthcheck"))).text, "0\n0\n");
    client.closeWrite();
    assertEquals(await client.read(), null);
    await server.waitFor(({ open }) => open === 0);
    server.faults.silent = "forever";
    const other = await connectTcp(server);
    await other.write(encoder.encode(get("/a.txt")));
    other.closeWrite();
    await server.waitFor(({ requests }) => requests.length === 3);
    let isOver = false;
    const end = other.read().then(() => isOver = true);
    assertEquals((await curl(url(server, "/healthcheck"))).text, "0\n0\n");
    assert(!isOver);
    await server.dropConnections();
    await end;
    assertEquals(server.requests.map(({ status }) => status), [undefined, 200, undefined, 200]);
    client.close();
    other.close();
    await Promise.all([client.whenEnded(), other.whenEnded()]);
  });
});

Deno.test("faults: wrong health answers go out byte by byte as given, others are untouched", async () => {
  await withServer({}, async (server) => {
    const answers = ["", "garbage", "HTTP/1.1 500 Oh\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n-1\n-2\n"];
    for (const answer of [...answers, binary(300)]) {
      server.faults.healthAnswer = answer;
      const { bytes, end } = await exchange(server, HEALTH);
      assertEquals([bytes, end], [
        typeof answer === "string" ? encoder.encode(answer) : answer,
        "FIN",
      ]);
    }
    assertEquals((await curl(url(server, "/a.txt"))).text, "alpha\n");
  });
});

Deno.test("faults: health answers chunked, in pieces, kept alive, each understood by curl", async () => {
  await withServer({ faults: { healthChunked: true } }, async (server) => {
    await curl(url(server, "/none"));
    const chunked = await curl("--include", url(server, "/healthcheck"));
    assertStringIncludes(chunked.text, "\r\nTransfer-Encoding: chunked\r\n");
    assertEquals(bodyOf(chunked.text), "1\n1\n");
    server.faults.healthPieces = Infinity;
    assertEquals((await curl(url(server, "/healthcheck"))).text, "1\n1\n");
    server.faults.healthChunked = undefined;
    server.faults.healthPieces = 5;
    assertEquals((await curl(url(server, "/healthcheck"))).text, "1\n1\n");
    server.faults.healthPieces = undefined;
    server.faults.healthKeepAlive = true;
    using connection = await connectTcp(server);
    for (let i = 0; i < 2; i++) {
      await connection.write(encoder.encode(HEALTH));
      const text = decoder.decode(await connection.read() ?? undefined);
      assertStringIncludes(text, "\r\nConnection: keep-alive\r\n");
      assertEquals(bodyOf(text), "1\n1\n");
    }
    connection.close();
    await connection.whenEnded();
  });
});

Deno.test("faults: an endless head or body goes on until the client closes", async () => {
  await withServer({}, async (server) => {
    for (const part of ["head", "body"] as const) {
      server.faults.healthEndless = part;
      using connection = await Deno.connect({ port: server.port });
      await connection.write(encoder.encode(HEALTH));
      const buffer = new Uint8Array(65536);
      let text = "";
      while (text.length < 5_000_000) {
        text += decoder.decode(buffer.subarray(0, await connection.read(buffer) ?? 0));
      }
      assertEquals(text.includes("\r\n\r\n0\n0\n"), part === "body");
    }
    await server.waitFor(({ open }) => open === 0);
  });
});

Deno.test("faults: health checks fail on their own, silent, late, reset or closed", async () => {
  await withServer({ faults: { healthReset: "request" } }, async (server) => {
    assertEquals((await exchange(server, HEALTH)).end, "ConnectionReset");
    server.faults.healthReset = undefined;
    server.faults.healthClose = "answer";
    assertEquals(statuses((await exchange(server, HEALTH)).text), ["200"]);
    server.faults.healthClose = undefined;
    server.faults.healthDelayMs = 40;
    const start = performance.now();
    assertEquals((await exchange(server, HEALTH)).text.endsWith("\r\n\r\n0\n0\n"), true);
    assert(performance.now() - start >= 39);
    server.faults.healthSilent = true;
    using connection = await Deno.connect({ port: server.port });
    await connection.write(encoder.encode(HEALTH));
    await server.waitFor(({ requests }) => requests.length === 4);
    assertEquals((await curl(url(server, "/a.txt"))).text, "alpha\n");
  });
});
