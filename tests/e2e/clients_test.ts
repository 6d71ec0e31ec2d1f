/** The balancer between clients and servers that this project did not write. */
import { assert, assertEquals, assertGreater } from "../support/assert.ts";
import { startBalancer } from "../support/balancer.ts";
import { BalancerProcess } from "../support/balancer_process.ts";
import { binary, curl, decoder, FILES, withDirectory } from "../support/http_clients.ts";
import { startHttpServer } from "../support/httpserver.ts";
import { has, nginxConfig, spawnServer } from "../support/programs.ts";
import { deadPort } from "../support/raw_server.ts";
import { until } from "../support/until.ts";

const HTTPSERVER = new URL("../support/httpserver.ts", import.meta.url).pathname;

Deno.test({
  name: "clients: curl fetches and uploads through the balancer, side by side, byte for byte",
  fn: async () => {
    await using one = await startHttpServer({ files: FILES });
    await using two = await startHttpServer({ files: FILES });
    await using balancer = await startBalancer([one.port, two.port]);
    const url = `http://127.0.0.1:${balancer.address.port}`;
    await withDirectory(async (directory) => {
      const { code, text } = await curl(
        ...["--parallel", "--parallel-immediate", "--parallel-max", "3", "--compressed"],
        ...["-o", `${directory}/#1`, "-w", "%{http_code}\n", `${url}/big.bin?[1-30]`],
      );
      assertEquals([code, text], [0, "200\n".repeat(30)]);
      for (let copy = 1; copy <= 30; copy++) {
        assertEquals(await Deno.readFile(`${directory}/${copy}`), FILES["/big.bin"]);
      }
      const upload = binary(3_000_017);
      await Deno.writeFile(`${directory}/upload`, upload);
      await using target = await startHttpServer({ root: directory });
      await using single = await startBalancer([target.port]);
      const to = `http://127.0.0.1:${single.address.port}/copy`;
      const put = await curl(
        "-T",
        `${directory}/upload`,
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        to,
      );
      assertEquals([put.code, put.text], [0, "201"]);
      assertEquals(await Deno.readFile(`${directory}/copy`), upload);
    });
    assertGreater(one.entries, 0);
    assertGreater(two.entries, 0);
  },
});

Deno.test({
  name: "clients: two nginx and two httpservers behind the process, one of them killed under load",
  ignore: !has("nginx"),
  fn: async () => {
    await withDirectory(async (directory) => {
      const body = binary(100_003);
      await Deno.writeFile(`${directory}/file`, body);
      await Deno.chmod(directory, 0o755); // nginx's worker is another user
      const nginxPorts = [deadPort(), deadPort()] as const;
      const ownPorts = [deadPort(), deadPort()] as const;
      const config = await nginxConfig(directory, nginxPorts);
      const own = (port: number): Promise<AsyncDisposable & { kill(): void }> =>
        spawnServer(
          Deno.execPath(),
          ["run", "-A", HTTPSERVER, "--root", directory, String(port)],
          port,
        );
      await using _nginx = await spawnServer("nginx", ["-c", config], nginxPorts[1]);
      await using first = await own(ownPorts[0]);
      await using _second = await own(ownPorts[1]);
      await using process = new BalancerProcess(["0", ...[...nginxPorts, ...ownPorts].map(String)]);
      const url = `http://127.0.0.1:${await process.port()}/file`;
      await process.says(/Serving: 4 of 4 servers ready/);

      let done = 0;
      const failures: string[] = [];
      const client = async (): Promise<void> => {
        for (let turn = 0; turn < 40; turn++, done++) {
          const { code, stdout } = await curl("--fail", url);
          if (code !== 0 || stdout.length !== body.length) {
            failures.push(`${code} ${stdout.length}`);
          }
        }
      };
      const load = Promise.all([client(), client(), client(), client()]);
      await until(() => done >= 40, "the load runs");
      first.kill();
      await load;
      // A transfer that the killed server had begun cannot be saved; nothing else may fail.
      assert(failures.length <= 4, `failed: ${failures.join(", ")}`);
      assertEquals(failures.filter((failure) => !failure.startsWith("18 ")), []);
      await process.says(new RegExp(`127.0.0.1:${ownPorts[0]} is down: `));
    });
  },
});

Deno.test({
  name: "clients: python's http.server needs --health http, and the log says so",
  ignore: !has("python3"),
  fn: async () => {
    await withDirectory(async (directory) => {
      await Deno.writeTextFile(`${directory}/hello`, "hello\n");
      const port = deadPort();
      const args = ["-m", "http.server", String(port), "--bind", "127.0.0.1"];
      await using _python = await spawnServer("python3", [...args, "--directory", directory], port);
      await using strict = await startBalancer([port]);
      const [backend] = strict.snapshot().backends;
      assertEquals(
        backend?.reason,
        "/healthcheck answered 404; for servers without it, use --health tcp " +
          "or --health http --health-path /",
      );
      await using balancer = await startBalancer([port], { health: "http", healthPath: "/" });
      const { stdout } = await curl(`http://127.0.0.1:${balancer.address.port}/hello`);
      assertEquals(decoder.decode(stdout), "hello\n");
    });
  },
});

Deno.test({
  name: "clients: wrk sees no error over kept-alive and over single connections",
  ignore: !has("wrk"),
  fn: async () => {
    await using one = await startHttpServer({ files: FILES });
    await using two = await startHttpServer({ files: FILES });
    await using process = new BalancerProcess(["0", `${one.port}`, `${two.port}`]);
    const url = `http://127.0.0.1:${await process.port()}/a.txt`;
    await process.says(/Serving: 2 of 2/);
    for (const headers of [[], ["-H", "Connection: close"]]) {
      const { stdout } = await new Deno.Command("wrk", {
        args: ["-t1", "-c16", "-d1s", ...headers, url],
      }).output();
      const report = decoder.decode(stdout);
      assertEquals(/Socket errors|Non-2xx/.test(report), false, report);
      assertGreater(Number(/(\d+) requests in/.exec(report)?.[1]), 0, report);
    }
  },
});

Deno.test({
  name: "clients: node's http client over kept-alive connections",
  ignore: !has("node"),
  fn: async () => {
    await using backend = await startHttpServer({ files: FILES });
    await using balancer = await startBalancer([backend.port]);
    const script = `
      const http = require("node:http");
      const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
      const url = "http://127.0.0.1:${balancer.address.port}/a.txt";
      const ask = () => new Promise((resolve, reject) => http.get(url, { agent }, (answer) => {
        let body = "";
        answer.on("data", (data) => body += data);
        answer.on("end", () => body === "alpha\\n" ? resolve() : reject(new Error(body)));
      }).on("error", reject));
      const many = async () => { for (let i = 0; i < 50; i++) await ask(); };
      Promise.all([many(), many(), many(), many()]).then(() => agent.destroy());`;
    const { code, stderr } = await new Deno.Command("node", { args: ["-e", script] }).output();
    assertEquals([code, decoder.decode(stderr)], [0, ""]);
    assertEquals(backend.entries, 200);
    assertEquals(backend.connections <= 4 + 10, true, "connections were kept alive");
  },
});
