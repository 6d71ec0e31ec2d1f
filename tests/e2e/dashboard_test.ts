/** The dashboard in a real Chromium, in front of servers whose traffic is made up. */
import type { Locator } from "playwright-core";
import type { Backend } from "../../lib/backend.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { NO_BROWSER, OpenPage, type PageOptions } from "../support/browser.ts";
import { DashboardServer, type DashboardServerOptions } from "../support/dashboard_server.ts";
import { until } from "../support/until.ts";

const TOKEN = "a-token-of-16-ch";

interface Subject extends AsyncDisposable {
  readonly server: DashboardServer;
  readonly opened: OpenPage;
}

/** A server and its page, which shows the servers when this resolves. */
async function open(options: DashboardServerOptions & PageOptions = {}): Promise<Subject> {
  const server = new DashboardServer(options);
  const opened = await OpenPage.open(server.url, options);
  if (options.guardsEvents !== true) await says(opened.page.locator("#connection"), "Live");
  return {
    server,
    opened,
    async [Symbol.asyncDispose](): Promise<void> {
      await opened[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

function backendAt({ backends }: DashboardServer, place: number): Backend {
  const backend = backends[place];
  if (backend === undefined) throw new RangeError(`There is no server ${place}`);
  return backend;
}

function rowOf({ page }: OpenPage, { name }: Backend): Locator {
  return page.locator("#servers tr").filter({ hasText: name });
}

/** The name of what has the focus. */
function focused(opened: OpenPage): Promise<string> {
  return opened.evaluate("document.activeElement.ariaLabel");
}

/** Waits until a part of the page says that. */
async function says(locator: Locator, text: string | RegExp): Promise<void> {
  const matches = (found: string): boolean =>
    typeof text === "string" ? found.includes(text) : text.test(found);
  let found = "";
  await until(
    async () => matches(found = await locator.innerText()),
    () => `"${found}" became "${text}"`,
  );
}

/** Waits until the page has shown what came in so many seconds more. */
async function seconds({ page }: OpenPage, count: number): Promise<void> {
  const about = page.locator("#about");
  let before = await about.innerText();
  for (let seen = 0; seen < count; seen++) {
    await until(async () => await about.innerText() !== before, "another second was shown");
    before = await about.innerText();
  }
}

function test(name: string, body: () => Promise<void>): void {
  Deno.test(`Dashboard in Chromium: ${name}${NO_BROWSER}`, { ignore: NO_BROWSER !== "" }, body);
}

test("shows how all servers stand, without a fault", async () => {
  await using subject = await open();
  const { server, opened } = subject;
  const { page } = opened;
  const [first, second] = [backendAt(server, 0), backendAt(server, 1)];
  first.begin();
  server.clients = { waiting: 4, turnedAway: 1234 };
  server.fail(second, "/healthcheck answered 404");
  for (let count = 0; count < 50; count++) server.serve(first, 40);
  await says(page.locator('[data-total="perSecond"]'), /^[1-9]/);
  await says(page.locator('[data-total="p50Ms"]'), /ms$/);
  assertEquals(await page.locator('[data-total="carried"]').innerText(), "1");
  assertEquals(await page.locator('[data-total="waiting"]').innerText(), "4");
  assertEquals(await page.locator('[data-total="turnedAway"]').innerText(), "1,234");
  await says(page.locator("#headline"), `2 of 3 servers ready; ${second.name} is down`);
  await says(page.locator("#about"), /http mode · least-entries · version 0\.1\.0 · up \d/);
  assertMatch(await page.title(), /^2\/3 ready/);
  assertEquals(await page.locator("#servers tr").count(), 3);
  await says(rowOf(opened, first), /ready[\s\S]* \/ \d+\sms/);
  await says(rowOf(opened, second), /down[\s\S]*\/healthcheck answered 404/);
  assertEquals(await page.locator(".chart canvas").count(), 2);
  await says(page.locator("#rate-legend"), /all [\d.,]+\s+failed 0/);
  assertMatch(
    await rowOf(opened, first).locator(".spark svg").getAttribute("aria-label") ?? "",
    /per second now, at most/,
  );
  assertEquals(opened.faults, []);
});

test("the charts tell the numbers of the time that is pointed at, both of the same", async () => {
  await using subject = await open();
  const { opened } = subject;
  const { page } = opened;
  await seconds(opened, 2);
  assertEquals(await page.locator(".legend time").allInnerTexts(), ["", ""]);
  const box = await page.locator("#rate-chart .u-over").boundingBox();
  assert(box !== null, "there is no chart");
  await page.mouse.move(box.x + box.width - 1, box.y + box.height / 2);
  await says(page.locator("#rate-legend time"), /^\d\d:\d\d:\d\d$/);
  const [rate, time] = await page.locator(".legend time").allInnerTexts();
  assertEquals(rate, time);
  await page.mouse.move(0, 0);
  await says(page.locator("#time-legend time"), /^$/);
  assertEquals(opened.faults, []);
});

test("a change of state is there within a second", async () => {
  await using subject = await open();
  const { server, opened } = subject;
  const backend = backendAt(server, 1);
  const row = rowOf(opened, backend);
  const tookMs: number[] = [];
  // The fastest of a few: this is about the page, and not about who else uses the machine.
  for (let count = 0; count < 3; count++) {
    const startMs = performance.now();
    server.fail(backend, `reason ${count}`);
    await says(row, new RegExp(`down[\\s\\S]*Reason ${count}`));
    tookMs.push(performance.now() - startMs);
    server.recover(backend);
    await says(row, "ready");
  }
  assert(Math.min(...tookMs) < 1000, `it took ${tookMs} ms`);
  await says(opened.page.locator("#changes"), `${backend.name} is down: reason 2.`);
  assertEquals(opened.faults, []);
});

test("its buttons drain, disable and enable, and keep the focus", async () => {
  await using subject = await open();
  const { server, opened } = subject;
  const backend = backendAt(server, 1);
  const row = rowOf(opened, backend);
  for (
    const [action, state] of [["drain", "draining"], ["disable", "disabled"], [
      "enable",
      "ready",
    ]]
  ) {
    const button = row.locator(`[data-action=${action}]`);
    await button.focus();
    await opened.page.keyboard.press("Enter");
    await says(row.locator("[data-cell=word]"), state ?? "");
    assertEquals(await button.getAttribute("aria-disabled"), "true", `${action} is done`);
    assertEquals(await focused(opened), await button.getAttribute("aria-label"));
    await says(opened.page.locator("#changes"), `${backend.name} is ${state}`);
    // What is done already is not asked for again.
    await opened.page.keyboard.press("Enter");
  }
  const contentType = "application/json";
  assertEquals(
    server.calls,
    ["drain", "disable", "enable"].map((action) => ({
      action,
      name: backend.name,
      body: {},
      contentType,
    })),
  );
  assertEquals(opened.faults, []);
});

test("a weight that is being typed stays until it is sent or given up", async () => {
  await using subject = await open();
  const { server, opened } = subject;
  const backend = backendAt(server, 2);
  const row = rowOf(opened, backend);
  const input = row.getByRole("spinbutton");
  const set = row.getByRole("button", { name: "Set the weight" });
  assertEquals([await input.inputValue(), await set.isVisible()], ["1", false]);
  await input.fill("12");
  backend.weight = 5;
  server.dashboard.changed();
  await says(opened.page.locator("#changes"), "has weight 5; it was 1");
  await seconds(opened, 2);
  assertEquals([await input.inputValue(), await set.isVisible()], ["12", true]);
  assertEquals(await focused(opened), `Weight of ${backend.name}`);
  await opened.page.keyboard.press("Escape");
  assertEquals([await input.inputValue(), await set.isVisible()], ["5", false]);
  await input.fill("7");
  await opened.page.keyboard.press("Enter");
  await until(() => server.calls.length === 1, "the weight was sent");
  assertEquals(server.calls[0]?.body, { weight: 7 });
  await until(() => set.isHidden(), "the button went away");
  await until(async () => await input.inputValue() === "7", "the new weight is shown");
  backend.weight = 9;
  server.dashboard.changed();
  await until(async () => await input.inputValue() === "9", "the next weight is shown");
  assertEquals(opened.faults, []);
});

test("what the balancer refuses is told beside the row", async () => {
  await using subject = await open();
  const { server, opened } = subject;
  const backend = backendAt(server, 0);
  const row = rowOf(opened, backend);
  server.refusal = { status: 409, error: "it is no longer among the servers" };
  await row.getByRole("button", { name: "Drain" }).click();
  await says(row.getByRole("alert"), `${backend.name}: It is no longer among the servers.`);
  server.refusal = null;
  await row.getByRole("button", { name: "Drain" }).click();
  await says(row.locator("[data-cell=word]"), "draining");
  assert(await row.getByRole("alert").isHidden(), "what is over is no longer told");
});

test("the last server is taken away only by who is sure", async () => {
  await using subject = await open({ backends: 2 });
  const { server, opened } = subject;
  const [first, second] = [backendAt(server, 0), backendAt(server, 1)];
  server.fail(first, "refused");
  await says(rowOf(opened, first), "down");
  const answers = [false, true];
  const asked: string[] = [];
  opened.page.on("dialog", (dialog) => {
    asked.push(dialog.message());
    return answers.shift() ? dialog.accept() : dialog.dismiss();
  });
  const drain = rowOf(opened, second).getByRole("button", { name: "Drain" });
  await drain.click();
  await until(() => asked.length === 1, "it was asked");
  assertEquals(server.calls, []);
  await drain.click();
  await says(opened.page.locator("#headline"), "No server is ready");
  assertStringIncludes(asked[1] ?? "", `${second.name} is the only server that is ready`);
  assertEquals(opened.faults, []);
});

// Regression: a server whose name did not resolve was nowhere on the page.
test("tells of servers whose names have no address, for as long as they have none", async () => {
  await using subject = await open();
  const { server, opened: { page } } = subject;
  const list = page.getByRole("list", { name: "Servers whose names have no address" });
  assert(await list.isHidden(), "an empty list is shown");
  const since = new Date().toISOString();
  server.unresolved = [{ name: "web.test:80", reason: "no such <name>", since }];
  server.dashboard.changed();
  await says(list, /^web\.test:80 is unresolved for \d.*: no such <name>$/);
  await says(page.locator("#headline"), "3 of 4 servers ready; web.test:80 is unresolved");
  assertMatch(await page.title(), /^3\/4 ready/);
  server.unresolved = [];
  server.dashboard.changed();
  await until(() => list.isHidden(), "it is gone");
  await says(page.locator("#headline"), "3 of 3 servers ready");
});

test("asks for the token where one is needed, and keeps it for this tab", async () => {
  await using subject = await open({ token: TOKEN });
  const { server, opened: { page } } = subject;
  const backend = backendAt(server, 0);
  const row = rowOf(subject.opened, backend);
  await row.getByRole("button", { name: "Drain" }).click();
  const dialog = page.getByRole("dialog");
  await says(dialog, "the token is missing or wrong");
  await page.getByLabel("--admin-token").fill("another-token-of-16");
  await page.keyboard.press("Enter");
  await until(async () => await page.getByLabel("--admin-token").inputValue() === "", "asked anew");
  await page.getByLabel("--admin-token").fill(TOKEN);
  await page.getByRole("button", { name: "Use token" }).click();
  await says(row.locator("[data-cell=word]"), "draining");
  await page.reload();
  await row.getByRole("button", { name: "Enable" }).click();
  await says(row.locator("[data-cell=word]"), "ready");
  assert(await dialog.isHidden(), "it was asked again");
  assertEquals(await subject.opened.evaluate("localStorage.length"), 0);
});

test("whoever gives no token is told that the call was not made", async () => {
  await using subject = await open({ token: TOKEN });
  const { server, opened: { page } } = subject;
  const row = rowOf(subject.opened, backendAt(server, 0));
  await row.getByRole("button", { name: "Drain" }).click();
  await says(page.getByRole("dialog"), "token");
  await page.keyboard.press("Escape");
  await says(row.getByRole("alert"), /token is missing or wrong/i);
  assertEquals(server.calls, []);
});

test("asks for the token before it shows anything, where others may reach it", async () => {
  await using subject = await open({ token: TOKEN, guardsEvents: true });
  const { page } = subject.opened;
  await says(page.getByRole("dialog"), "only to those who have its token");
  assertEquals(await page.locator("#servers tr").count(), 0);
  await page.getByLabel("--admin-token").fill(TOKEN);
  await page.keyboard.press("Enter");
  await says(page.locator("#connection"), "Live");
  await says(page.locator("#headline"), "3 of 3 servers ready");
});

// Regression: one that no header can hold was kept, and the page never reached the balancer again.
test("a token that cannot be sent is refused where it is typed, and never kept", async () => {
  await using subject = await open({ token: TOKEN, guardsEvents: true });
  const { opened, opened: { page } } = subject;
  const dialog = page.getByRole("dialog");
  for (const token of ["a-tökén-of-many-characters", "too-short", "blanks within the token"]) {
    await says(dialog, "only to those who have its token");
    await page.getByLabel("--admin-token").fill(token);
    await page.keyboard.press("Enter");
    await says(dialog.getByRole("alert"), "Expected 16 to 1024 characters of ASCII");
    assertEquals(await opened.evaluate("sessionStorage.length"), 0, token);
  }
  await opened.evaluate("sessionStorage.setItem('loadbalancer-token', 'ein-schlüssel-von-früher')");
  await page.reload();
  await says(dialog, "only to those who have its token");
  await page.getByLabel("--admin-token").fill(TOKEN);
  await page.keyboard.press("Enter");
  await says(page.locator("#connection"), "Live");
});

test("names and reasons are text, whatever is in them", async () => {
  await using subject = await open();
  const { server, opened } = subject;
  const backend = backendAt(server, 0);
  const reason = `<img src=x onerror="document.title='taken'"><b>bold</b>&amp;`;
  server.fail(backend, reason);
  await says(rowOf(opened, backend).locator("[data-cell=reason]"), reason);
  await says(opened.page.locator("#changes"), reason);
  const elements = await opened.page.locator("#servers img, #servers b, #changes img").count();
  assertEquals(elements, 0);
  assertMatch(await opened.page.title(), /ready/);
  assertEquals(opened.faults, []);
});

test("its policy forbids what is not its own", async () => {
  await using subject = await open();
  const { opened } = subject;
  const tried = (code: string): Promise<string> =>
    opened.evaluate(
      `(() => { try { ${code}; return "done"; } catch ({ name }) { return name; } })()`,
    );
  assertEquals(await tried('document.body.innerHTML = "<b>x</b>"'), "TypeError");
  assertEquals(await tried('document.createElement("script").src = "/words.js"'), "TypeError");
  const style = 'const p = document.createElement("p"); p.setAttribute("style", "color: red");';
  assertEquals(await tried(`${style} if (p.style.color === "red") throw new RangeError()`), "done");
  const elsewhere = `fetch("http://127.0.0.1:1/").then(() => "done", () => "refused")`;
  assertEquals(await opened.evaluate(elsewhere), "refused");
  assert(
    opened.faults.some((fault) => fault.includes("connect-src 'self'")),
    `it was refused by the policy: ${opened.faults}`,
  );
});

test("comes back by itself when the balancer does", async () => {
  await using opened = await (async () => {
    await using server = new DashboardServer();
    const { port } = new URL(server.url);
    const opened = await OpenPage.open(server.url);
    await says(opened.page.locator("#connection"), "Live");
    return Object.assign(opened, { port: Number(port) });
  })();
  await says(opened.page.locator("#connection"), "Reconnecting");
  await using server = new DashboardServer({ port: opened.port, backends: 2 });
  await says(opened.page.locator("#connection"), "Live");
  await says(opened.page.locator("#headline"), "2 of 2 servers ready");
  assertEquals(await opened.page.locator("#servers tr").count(), 2);
  await says(opened.page.locator("#changes"), `is gone`);
  assertEquals(server.calls, []);
});

test("servers come and go, and the rows of those that stay are the same ones", async () => {
  await using subject = await open();
  const { server, opened } = subject;
  const [first, second, third] = server.backends;
  await opened.evaluate("document.querySelectorAll('#servers tr').forEach((row) => row.kept = 1)");
  if (first === undefined || second === undefined || third === undefined) throw new RangeError();
  const changes = opened.page.locator("#changes");
  const rows = opened.page.locator("#servers tr");
  // One that was removed goes to the end before it is gone.
  await rowOf(opened, third).getByRole("button", { name: "Drain" }).focus();
  first.steer("draining", "no longer among the servers");
  first.begin();
  server.backends = [second, third, first];
  server.dashboard.changed();
  await says(changes, `${first.name} is draining`);
  await says(rowOf(opened, first), /draining[\s\S]*, 1 left/);
  server.backends = [server.make(7), third];
  server.dashboard.changed();
  await says(changes, `${second.name} is gone`);
  await says(changes, `127.0.0.1:9008 is new, and ready`);
  assertEquals(
    await rows.locator("[data-cell=name]").allInnerTexts(),
    server.backends.map(({ name }) => name),
  );
  const kept = await opened.evaluate(
    "[...document.querySelectorAll('#servers tr')].map((row) => row.kept ?? 0)",
  );
  assertEquals(kept, [0, 1]);
  assertEquals(await focused(opened), `Drain ${third.name}`);
  assertEquals(opened.faults, []);
});

test("five hundred servers can be filtered, and looked at as they change", async () => {
  await using subject = await open({ backends: 500 });
  const { server, opened } = subject;
  const { page } = opened;
  const visible = page.locator("#servers tr:visible");
  assertEquals(await page.locator("#servers tr").count(), 500);
  await page.getByRole("searchbox").fill("9017");
  await until(async () => await visible.count() === 1, "one fits the filter");
  assertStringIncludes(await page.locator("#servers-count").innerText(), "1 of 500");
  await page.getByRole("searchbox").fill("");
  await page.getByLabel("only those not ready").check();
  await until(async () => await visible.count() === 0, "all are ready");
  await says(page.locator("#servers-none"), "No server matches");
  server.fail(backendAt(server, 321), "it is tired");
  await until(async () => await visible.count() === 1, "one is not");
  for (const backend of server.backends) {
    backend.observe({ ok: false, final: true, reason: "dead" });
  }
  server.dashboard.changed();
  await says(page.locator("#changes"), "499 changes at once: 499 down.");
  await says(page.locator("#headline"), "No server is ready");
  await until(async () => await visible.count() === 500, "none is");
  assertEquals(opened.faults, []);
});

/** The contrast of each text on the page with what is behind it (WCAG 2.2, 1.4.3), the worst first. */
const CONTRASTS = `(() => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const paint = (color) => { context.fillStyle = color; context.fillRect(0, 0, 1, 1); };
  const luminance = () => {
    const [red, green, blue] = [...context.getImageData(0, 0, 1, 1).data].map((byte) => {
      const part = byte / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (element) => {
    paint("Canvas");
    const behind = [];
    for (let each = element; each !== null; each = each.parentElement) behind.unshift(each);
    for (const each of behind) paint(getComputedStyle(each).backgroundColor);
    const back = luminance();
    paint(getComputedStyle(element).color);
    const front = luminance();
    return (Math.max(back, front) + 0.05) / (Math.min(back, front) + 0.05);
  };
  return [...document.querySelectorAll("body *")]
    .filter((element) => element.checkVisibility() &&
      [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== ""))
    .map((element) => ({ text: element.textContent.trim(), ratio: contrast(element) }))
    .sort((one, other) => one.ratio - other.ratio);
})()`;

/** Controls without a name for screen readers, and cells of headers that do not say of what. */
const NAMELESS = `[...document.querySelectorAll("button, input, th")]
  .filter((element) => element.checkVisibility())
  .filter((element) => element.localName === "th"
    ? !["row", "col"].includes(element.scope)
    : !(element.ariaLabel || element.labels?.[0]?.textContent || element.textContent).trim())
  .map((element) => element.outerHTML)`;

/** Parts of rows and totals that are wider than their place. */
const OVERFLOWING = `[...document.querySelectorAll("#servers tr, #servers tr > *, #totals dd")]
  .filter((element) => element.scrollWidth > element.clientWidth)
  .map((element) => element.textContent)`;

/** A server with numbers as long as they get. */
function makeBusy(backend: Backend): void {
  backend.counted({ entries: 12_345_678, errors: 1234 }, backend.mark(), null);
  backend.weight = 1000;
  backend.bytesUp = 888e6;
  backend.bytesDown = 888e9;
  for (let count = 0; count < 1234; count++) backend.begin();
}

for (const colorScheme of ["light", "dark"] as const) {
  test(`can be read by all in the ${colorScheme}, on a wide screen and on a phone`, async () => {
    const directory = await Deno.makeTempDir({ prefix: "dashboard-" });
    await using subject = await open({ backends: 9, colorScheme });
    const { server, opened } = subject;
    server.fail(
      backendAt(server, 1),
      "/healthcheck answered 404; for servers without it, use --health tcp",
    );
    backendAt(server, 2).steer("draining", "drained over the admin port");
    backendAt(server, 3).steer("disabled", "disabled over the admin port");
    server.clients = { waiting: 10_000, turnedAway: 1_234_567 };
    makeBusy(backendAt(server, 5));
    for (let count = 0; count < 200; count++) server.serve(backendAt(server, 5), 888);
    for (let count = 0; count < 20; count++) server.serve(backendAt(server, 5), 1888);
    server.dashboard.changed();
    await says(opened.page.locator("#changes"), "disabled");
    await says(rowOf(opened, backendAt(server, 5)), /ms \/ 2\.\d\ss/);
    await rowOf(opened, backendAt(server, 4)).getByRole("spinbutton").fill("3");
    for (const width of [1600, 1360, 1024, 768, 360]) {
      await opened.page.setViewportSize({ width, height: 900 });
      const contrasts = await opened.evaluate<{ text: string; ratio: number }[]>(CONTRASTS);
      assert(contrasts.length > 50, "hardly any text was found");
      assertEquals(contrasts.filter(({ ratio }) => ratio < 4.5), [], `at ${width} px`);
      assertEquals(await opened.evaluate(NAMELESS), [], `at ${width} px`);
      assertEquals(
        await opened.evaluate("document.documentElement.scrollWidth"),
        width,
        "it has to be moved sideways",
      );
      assertEquals(await opened.evaluate(OVERFLOWING), [], `at ${width} px`);
      const path = `${directory}/${colorScheme}-${width}.png`;
      await opened.page.screenshot({ path, fullPage: true });
      assert((await Deno.stat(path)).size > 10_000, "there is nothing on the picture");
    }
    assertEquals(opened.faults, []);
    if (Deno.env.get("KEEP_SCREENSHOTS") === undefined) {
      await Deno.remove(directory, { recursive: true });
    }
  });
}
