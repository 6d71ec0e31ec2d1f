/** A real Chromium with one page open, and whatever goes wrong on that page. */
import { type Browser, chromium, type Page } from "playwright-core";
import { has } from "./programs.ts";

const CHROMIUM = "chromium";

/** Is there one? Tests of pages are skipped where there is none. */
export const NO_BROWSER: string = has(CHROMIUM) ? "" : ` (skipped: there is no ${CHROMIUM})`;

/** How the page is looked at. */
export interface PageOptions {
  /** How wide it is; the height follows. */
  readonly width?: number;
  /** What the system prefers. */
  readonly colorScheme?: "light" | "dark";
}

/** An open page; closed with its browser when it is disposed of. */
export class OpenPage implements AsyncDisposable {
  /** What a test uses. */
  readonly page: Page;
  /** Errors in its console and scripts, and requests to others than its own server. */
  readonly faults: string[] = [];
  readonly #browser: Browser;

  private constructor(browser: Browser, page: Page, url: string) {
    this.#browser = browser;
    this.page = page;
    page.on("pageerror", ({ message }) => this.faults.push(message));
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") {
        this.faults.push(message.text());
      }
    });
    page.on("request", (request) => {
      if (!request.url().startsWith(url)) this.faults.push(`a request to ${request.url()}`);
    });
  }

  /** Opens it, and waits until its scripts have run. */
  static async open(url: string, options: PageOptions = {}): Promise<OpenPage> {
    const { width = 1360, colorScheme = "light" } = options;
    const browser = await chromium.launch({
      executablePath: `/usr/bin/${CHROMIUM}`,
      args: ["--no-sandbox"],
    });
    const viewport = { width, height: 900 };
    const page = await browser.newPage({ viewport, colorScheme, locale: "en-GB" });
    const opened = new OpenPage(browser, page, url);
    await page.goto(url);
    return opened;
  }

  /** Evaluates an expression in the page: it is text, because it is about another world than this. */
  async evaluate<T>(expression: string): Promise<T> {
    return await this.page.evaluate(expression) as T;
  }

  /** Closes all. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}
