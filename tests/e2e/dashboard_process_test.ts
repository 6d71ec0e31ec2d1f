/** The dashboard of a real balancer, in a real Chromium, in front of real servers. */
import type { Locator } from "playwright-core";
import type { Status } from "../../lib/admin/status.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { BalancerProcess } from "../support/balancer_process.ts";
import { NO_BROWSER, OpenPage } from "../support/browser.ts";
import { askOnce, get } from "../support/byte_client.ts";
import { startHttpServer } from "../support/httpserver.ts";
import { until } from "../support/until.ts";

const FILES = { "/a.txt": new TextEncoder().encode("hello") };

async function says(locator: Locator, pattern: RegExp): Promise<void> {
  let found = "";
  await until(
    async () => pattern.test(found = await locator.innerText()),
    () => `"${found}" became ${pattern}`,
  );
}

Deno.test(`dashboard: shows and steers a balancer that runs${NO_BROWSER}`, {
  ignore: NO_BROWSER !== "",
}, async () => {
  await using first = await startHttpServer({ files: FILES });
  await using second = await startHttpServer({ files: FILES });
  const ports = [first.port, second.port].map(String);
  await using process = new BalancerProcess(["0", ...ports, "--admin", "0", "--interval", "100ms"]);
  const port = await process.port();
  const url = `http://127.0.0.1:${await process.adminPort()}/`;
  await process.says(/Serving: 2 of 2/);
  await using opened = await OpenPage.open(url);
  const { page } = opened;
  const status = async (): Promise<Status> => await (await fetch(`${url}status`)).json();
  const rowOf = (place: number): Locator =>
    page.locator("#servers tr").filter({ hasText: `127.0.0.1:${ports[place]}` });
  await says(rowOf(0), /ready/);

  // Clients go on coming: those that end before the first reading are in no rate.
  await until(async () => {
    for (let count = 0; count < 10; count++) await askOnce(port, get("/a.txt"));
    return /^[1-9]/.test(await page.locator('[data-total="perSecond"]').innerText());
  }, "the page shows a rate");

  const downMs: number[] = [];
  for (let count = 0; count < 3; count++) {
    second.stopAccepting();
    await process.says(new RegExp(`(?:${ports[1]} is down[^]*){${count + 1}}`));
    const startMs = performance.now();
    await says(rowOf(1), /down[^]*refused/i);
    downMs.push(performance.now() - startMs);
    await second.startAccepting();
    await says(rowOf(1), /ready/);
  }
  assert(Math.min(...downMs) < 1000, `it took ${downMs} ms`);

  await rowOf(0).getByRole("button", { name: /^Drain/ }).click();
  await says(rowOf(0), /draining[^]*over the admin port/i);
  assertEquals((await status()).backends[0]?.state, "draining");
  await rowOf(0).getByRole("button", { name: /^Enable/ }).click();
  await says(rowOf(0), /ready/);
  assertEquals((await status()).backends[0]?.state, "ready");
  const weight = rowOf(0).getByRole("spinbutton");
  await weight.fill("7");
  await weight.press("Enter");
  await until(async () => (await status()).backends[0]?.weight === 7, "the weight is 7 in fact");
  assertEquals(opened.faults, []);
});
