/** The companion HTTP server, against clients of other makes: curl, fetch, raw sockets. */

import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "./assert.ts";
import {
  binary,
  bodyOf,
  CLOSE,
  curl,
  decoder,
  encoder,
  exchange,
  FILES,
  get,
  HEALTH,
  statuses,
  url,
  withDirectory,
  withServer,
} from "./http_clients.ts";
import { startHttpServer } from "./httpserver.ts";
import { connectTcp } from "./tcp_connection.ts";

// Files

Deno.test("httpserver: GET gives curl the bytes of a file, of any value and size", async () => {
  await withServer({ name: "one" }, async (server) => {
    const big = await curl(url(server, "/big.bin"));
    assertEquals(big.stdout, FILES["/big.bin"]);
    const small = await curl("--include", url(server, "/b.html"));
    assertMatch(small.text, /^HTTP\/1\.1 200 OK\r\nServer: httpserver\r\nX-Backend: one\r\n/);
    assertStringIncludes(small.text, "Content-Type: text/html; charset=utf-8\r\n");
    assertStringIncludes(small.text, "Content-Length: 12\r\n");
    assertEquals(bodyOf(small.text), "<p>beta</p>\n");
  });
});

Deno.test("httpserver: HEAD tells the length and sends no body", async () => {
  await withServer({}, async (server) => {
    const { text } = await exchange(server, get("/big.bin", CLOSE).replace("GET", "HEAD"));
    assertStringIncludes(text, "\r\nContent-Length: 1000003\r\n");
    assertEquals(bodyOf(text), "");
    const head = await curl("--head", url(server, "/a.txt"));
    assertEquals([head.code, statuses(head.text)], [0, ["200"]]);
  });
});

Deno.test("httpserver: PUT creates with 201, overwrites with 200, leaves no temporary file", async () => {
  await withDirectory(async (directory) => {
    const content = binary(3_000_001);
    const upload = await Deno.makeTempFile();
    await Deno.writeFile(upload, content);
    await Deno.mkdir(`${directory}/sub`);
    await withServer({ files: undefined, root: directory }, async (server) => {
      const put = ["--upload-file", upload, "--output", "-", "--write-out", "%{http_code}"];
      // curl sends Expect: 100-continue for a body of this size, and waits a second without it.
      const created = await curl(...put, url(server, "/sub/new%20name.bin"));
      assertEquals(created.text, "created\n201");
      const again = await curl(...put, url(server, "/sub/new%20name.bin"));
      assertEquals(again.text, "overwritten\n200");
      assertEquals(server.requests.map(({ bodyBytes }) => bodyBytes), [3_000_001, 3_000_001]);
      assertEquals(server.requests[0]?.headers.get("expect"), "100-continue");
      assertEquals((await curl(url(server, "/sub/new%20name.bin"))).stdout, content);
    });
    assertEquals((await Array.fromAsync(Deno.readDir(`${directory}/sub`))).map((e) => e.name), [
      "new name.bin",
    ]);
    await Deno.remove(upload);
  });
});

Deno.test("httpserver: PUT takes a chunked body, from fetch and cut in any place", async () => {
  const files = new Map<string, Uint8Array>();
  await withServer({ files }, async (server) => {
    const content = binary(300_000);
    const body = ReadableStream.from([content.subarray(0, 1), content.subarray(1)]);
    const response = await fetch(url(server, "/fetch.bin"), { method: "PUT", body });
    assertEquals([response.status, await response.text()], [201, "created\n"]);
    assertEquals(files.get("/fetch.bin"), content);
    assertEquals(server.requests[0]?.headers.get("transfer-encoding"), "chunked");

    const request = "PUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" +
      "Connection: close\r\n\r\n5;ext=1\r\nhello\r\nA\r\n, chunked!\r\n0\r\nTrailer: x\r\n\r\n";
    for (let cut = 1; cut < request.length; cut++) {
      files.delete("/c");
      using connection = await Deno.connect({ port: server.port });
      connection.setNoDelay(true);
      await connection.write(encoder.encode(request.slice(0, cut)));
      await connection.write(encoder.encode(request.slice(cut)));
      assertMatch(await new Response(connection.readable).text(), /^HTTP\/1.1 201 /);
      assertEquals(decoder.decode(files.get("/c")), "hello, chunked!", `cut at ${cut}`);
    }
  });
});

Deno.test("httpserver: an upload that breaks off leaves no file", async () => {
  await withDirectory(async (directory) => {
    await withServer({ files: undefined, root: directory }, async (server) => {
      const connection = await Deno.connect({ port: server.port });
      await connection.write(
        encoder.encode("PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"),
      );
      await server.waitFor(({ requests }) => requests[0]?.bodyBytes === 3);
      await connection.closeWrite();
      assertMatch(await new Response(connection.readable).text(), /^HTTP\/1.1 400 /);
      const other = await connectTcp(server);
      await other.write(
        encoder.encode("PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"),
      );
      await server.waitFor(({ requests }) => requests[1]?.bodyBytes === 3);
      other.reset();
      await server.waitFor(({ open }) => open === 0);
      await other.whenEnded();
    });
    assertEquals(await Array.fromAsync(Deno.readDir(directory)), []);
  });
});

Deno.test("httpserver: what is not there is 404, what leaves the root or is no file is 403", async () => {
  await withDirectory(async (directory) => {
    await Deno.mkdir(`${directory}/root/sub`, { recursive: true });
    await Deno.writeTextFile(`${directory}/secret`, "secret");
    await Deno.writeTextFile(`${directory}/root/in`, "inside");
    await Deno.writeTextFile(`${directory}/root/index.html`, "index");
    await Deno.symlink("../secret", `${directory}/root/out`);
    await Deno.symlink("in", `${directory}/root/sub/../link`);
    await withServer({ files: undefined, root: `${directory}/root` }, async (server) => {
      const expected: Record<string, string> = {
        "/in": "200",
        "/": "200",
        "/./sub/../in?query#x": "200",
        "http://host/in": "200",
        "/link": "200",
        "/none": "404",
        "/in/below": "404",
        "/sub/": "404",
        [`/${"n".repeat(300)}`]: "404",
        "/sub": "403",
        "/../secret": "403",
        "/sub/../../secret": "403",
        "/%2e%2e/secret": "403",
        "/..%2fsecret": "403",
        "/out": "403",
        "/%": "400",
        "/%00": "400",
        "*": "400",
      };
      for (const [target, status] of Object.entries(expected)) {
        const { text } = await exchange(server, get(target, CLOSE));
        assertEquals(statuses(text), [status], target);
      }
      const put = (path: string): string =>
        `PUT ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n${CLOSE}\r\n\r\nx`;
      const refused = { "/sub": "403", "/sub/": "403", "/": "403", "/no/x": "404", "/../y": "403" };
      for (const [path, status] of Object.entries(refused)) {
        assertEquals(statuses((await exchange(server, put(path))).text), [status], `PUT ${path}`);
      }
    });
    assertEquals((await Array.fromAsync(Deno.readDir(directory))).length, 2);
  });
});

// HTTP

Deno.test("httpserver: malformed requests get the fitting status and the end", async () => {
  await withServer({}, async (server) => {
    const expected: [string, string][] = [
      ["garbage\r\n\r\n", "400"],
      ["\x16\x03\x01\x02\x00\x01\r\n\r\n", "400"],
      ["GET /a.txt\r\n\r\n", "400"],
      ["GET  /a.txt HTTP/1.1\r\nHost: x\r\n\r\n", "400"],
      ["GET /a.txt HTTP/1.1\nHost: x\n\n", "400"],
      ["GET /a.txt HTTP/1.1\r\n\r\n", "400"],
      ["GET /a.txt HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", "400"],
      ["GET /a.txt HTTP/1.1\r\nHost : x\r\n\r\n", "400"],
      ["GET /a.txt HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n", "400"],
      ["PUT /n HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "400"],
      ["PUT /n HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", "400"],
      [
        "PUT /n HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "400",
      ],
      ["PUT /n HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", "501"],
      ["PUT /n HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "400"],
      ["PUT /n HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "400"],
      ["PUT /n HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: coffee\r\n\r\nx", "417"],
      ["GET /a.txt HTTP/2.0\r\nHost: x\r\n\r\n", "505"],
      [`GET /${"x".repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, "431"],
      [`GET / HTTP/1.1\r\n${"X: y\r\n".repeat(5_000)}\r\n`, "431"],
    ];
    for (const [request, status] of expected) {
      const { text, end } = await exchange(server, request);
      assertEquals([statuses(text), end], [[status], "FIN"], JSON.stringify(request.slice(0, 80)));
    }
    assertEquals([server.entries, server.errors], [expected.length, expected.length]);
  });
});

Deno.test("httpserver: other methods are 405 if known, 501 if not", async () => {
  await withServer({}, async (server) => {
    const post = await curl("--include", "--data", "x=1", url(server, "/a.txt"));
    assertEquals(statuses(post.text), ["405"]);
    assertStringIncludes(post.text, "\r\nAllow: GET, HEAD, PUT\r\n");
    const brew = await curl("--include", "--request", "BREW", url(server, "/a.txt"));
    assertEquals(statuses(brew.text), ["501"]);
  });
});

Deno.test("httpserver: an upload that is refused gets its answer, not a reset", async () => {
  await withServer({}, async (server) => {
    const head = "POST /a.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n";
    const body = binary(5_000_000);
    const { text, end } = await exchange(server, await new Blob([head, body]).bytes());
    assertEquals([statuses(text), bodyOf(text), end], [["405"], "only GET, HEAD, PUT\n", "FIN"]);
    const large = await fetch(url(server, "/a.txt"), { method: "POST", body });
    assertEquals([large.status, await large.text()], [405, "only GET, HEAD, PUT\n"]);
  });
});

Deno.test("httpserver: a client that expects 100 Continue gets it before it sends its body", async () => {
  await withServer({}, async (server) => {
    using connection = await Deno.connect({ port: server.port });
    const head = "PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n";
    await connection.write(encoder.encode(`${head}${CLOSE}\r\n\r\n`));
    const buffer = new Uint8Array(1000);
    const count = await connection.read(buffer);
    const interim = decoder.decode(buffer.subarray(0, count ?? 0));
    assertEquals(interim, "HTTP/1.1 100 Continue\r\n\r\n");
    await connection.write(encoder.encode("xy"));
    assertMatch(await new Response(connection.readable).text(), /^HTTP\/1.1 201 /);
  });
});

Deno.test("httpserver: a connection is kept for the next request, unless close or HTTP/1.0", async () => {
  await withServer({}, async (server) => {
    const two = await curl(url(server, "/a.txt"), url(server, "/none"), url(server, "/b.html"));
    assertEquals(two.text, "alpha\nno such file\n<p>beta</p>\n");
    assertEquals(server.connections, 1);
    assertEquals(server.requests.map(({ connection }) => connection), [1, 1, 1]);
    const closed = await exchange(server, get("/a.txt", "Connection: x, Close") + get("/a.txt"));
    assertEquals([statuses(closed.text), closed.end], [["200"], "FIN"]);
    assertStringIncludes(closed.text, "\r\nConnection: close\r\n");
    const old = await exchange(server, "GET /a.txt HTTP/1.0\r\n\r\n");
    assertEquals([bodyOf(old.text), old.end], ["alpha\n", "FIN"]);
  });
});

Deno.test("httpserver: pipelined requests are answered in order", async () => {
  await withServer({}, async (server) => {
    const put = "PUT /new HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nnew\n";
    const chunked = "PUT /new HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
      "6\r\nnewer\n\r\n0\r\nSome: trailer\r\nOne: more\r\n\r\n";
    const pipeline = get("/a.txt") + put + get("/none") + "\r\n" + chunked + get("/new") +
      get("/b.html", CLOSE);
    const { text, end } = await exchange(server, pipeline);
    assertEquals(statuses(text), ["200", "201", "404", "200", "200", "200"]);
    assertMatch(text, /alpha[^]*created[^]*no such file[^]*overwritten[^]*newer[^]*beta/);
    assertEquals(end, "FIN");
  });
});

Deno.test("httpserver: a client that half-closes after its request gets the answer", async () => {
  await withServer({ faults: { delayMs: 20 } }, async (server) => {
    using connection = await connectTcp(server);
    await connection.write(encoder.encode(get("/a.txt")));
    connection.closeWrite();
    let text = "";
    for (let part; (part = await connection.read()) !== null;) text += decoder.decode(part);
    assertEquals(bodyOf(text), "alpha\n");
    connection.close();
    await connection.whenEnded();
  });
});

Deno.test("httpserver: an idle connection is closed at its deadline", async () => {
  await withServer({ idleTimeoutMs: 30 }, async (server) => {
    assertEquals((await exchange(server, "")).end, "FIN");
  });
});

// Counts, records, life

Deno.test("httpserver: /healthcheck tells errors, then entries, and is not counted itself", async () => {
  await withServer({}, async (server) => {
    assertEquals((await curl(url(server, "/healthcheck"))).text, "0\n0\n");
    await curl(url(server, "/a.txt"), url(server, "/none"), url(server, "/b.html"));
    assertEquals((await curl(url(server, "/healthcheck"))).text, "1\n3\n");
    assertEquals(statuses((await curl("--head", url(server, "/healthcheck"))).text), ["405"]);
    const put = await fetch(url(server, "/healthcheck"), { method: "PUT", body: "x" });
    assertEquals([put.status, await put.text()], [405, "only GET\n"]);
    assertEquals([server.errors, server.entries], [1, 3]);
    assertEquals(server.served.map(({ target, status }) => [target, status]), [
      ["/a.txt", 200],
      ["/none", 404],
      ["/b.html", 200],
    ]);
    Object.assign(server.counts, { entries: 0, errors: 0 });
    assertEquals((await curl(url(server, "/healthcheck"))).text, "0\n0\n");
  });
});

Deno.test("waitFor: rejects at its deadline, on close, and when the predicate throws", async () => {
  const server = await startHttpServer({ files: FILES });
  const late = await assertRejects(() =>
    server.waitFor(() => false, { withinMs: 5, what: "never" })
  );
  assertMatch(late.message, /^Not within 5 ms: never; the server: {"connections":0/);
  await assertRejects(
    () =>
      server.waitFor(() => {
        throw new Error("mine");
      }),
    Error,
    "mine",
  );
  const pending = assertRejects(() => server.waitFor(() => false), Error, "The server was closed");
  await server.close();
  await pending;
});

Deno.test("stopAccepting: connects are refused, what runs goes on, startAccepting opens again", async () => {
  await withServer({}, async (server) => {
    const port = server.port;
    using connection = await connectTcp(server);
    await server.waitFor(({ connections }) => connections === 1);
    server.stopAccepting();
    await assertRejects(() => Deno.connect({ port }), Deno.errors.ConnectionRefused);
    await connection.write(encoder.encode(get("/a.txt")));
    assertStringIncludes(decoder.decode(await connection.read() ?? undefined), "alpha");
    await server.startAccepting();
    assertEquals(server.port, port);
    assertEquals((await curl(url(server, "/a.txt"))).text, "alpha\n");
    await server.dropConnections();
    assertEquals(server.open, 0);
    assertEquals(await connection.read(), null);
    connection.close();
    await connection.whenEnded();
  });
});

Deno.test("dropConnections: a reset ends the connection with ECONNRESET", async () => {
  await withServer({}, async (server) => {
    using connection = await Deno.connect({ port: server.port });
    const read = assertRejects(
      () => connection.read(new Uint8Array(1)),
      Deno.errors.ConnectionReset,
    );
    await server.waitFor(({ open }) => open === 1);
    await server.dropConnections("reset");
    await read;
  });
});

Deno.test("close: ends everything, with requests in every state", async () => {
  const clients: Deno.Conn[] = [];
  const server = await startHttpServer({ files: { "/big": new Uint8Array(20_000_000) } });
  const requests = [
    "",
    "GET",
    get("/none"),
    get("/big"),
    "PUT /x HTTP/1.1\r\nHost: x\r\n" +
    "Content-Length: 9\r\n\r\nabc",
  ];
  for (const request of requests) {
    const client = await Deno.connect({ port: server.port });
    await client.write(encoder.encode(request));
    clients.push(client);
  }
  await server.waitFor(({ requests }) => requests.some(({ bodyBytes }) => bodyBytes === 3));
  await server.waitFor(({ entries, open }) => entries === 2 && open === requests.length);
  server.faults.delayMs = 1e6;
  server.faults.healthSilent = "forever";
  for (const request of [get("/a"), HEALTH]) {
    const client = await Deno.connect({ port: server.port });
    await client.write(encoder.encode(request));
    clients.push(client);
  }
  await server.waitFor((server) => server.requests.length === 5);
  await server.close();
  await server.close();
  assertEquals(server.open, 0);
  for (const client of clients) client.close();
});
