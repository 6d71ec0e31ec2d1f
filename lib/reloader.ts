/**
 * Loads the configuration again and has the running balancer take it over. The program owns it; SIGHUP
 * and the admin port ask it.
 */
import type { Balancer } from "./balancer.ts";
import { ConfigError } from "./config_error.ts";
import type { Config } from "./config.ts";
import { BalancerError, SteeringError } from "./errors.ts";
import { log } from "./log.ts";

/** What a reloader works with. */
export interface ReloaderOptions {
  /** Reads the configuration anew. Rejects with a {@linkcode ConfigError} or a `BalancerError`. */
  readonly load: () => Promise<Config>;
  /** Who takes it over. */
  readonly balancer: Pick<Balancer, "reload">;
  /** Called with what is in force from now on. */
  readonly onReload: (config: Config) => void;
}

/** Loads the configuration when asked. */
export class Reloader {
  readonly #options: ReloaderOptions;
  /** The reload that is to begin when the one under way is over; all that ask meanwhile share it. */
  #next: Promise<string> | null = null;
  #last: Promise<unknown> = Promise.resolve();

  /** Does nothing before it is asked. */
  constructor(options: ReloaderOptions) {
    this.#options = options;
  }

  /**
   * Reads the configuration and puts it in force; resolves to what has changed, in one line for
   * people. One reload at a time: whoever asks during one waits for its end and then shares the next.
   * What goes wrong is logged, once for all who share it, whether or not they are told.
   * @throws {ConfigError} the configuration is bad; nothing was changed.
   * @throws {BalancerError} it cannot be read, or its address not be opened; nothing was changed.
   * @throws {SteeringError} the balancer is being stopped.
   */
  reload(): Promise<string> {
    return this.#next ??= this.#reloadNext();
  }

  async #reloadNext(): Promise<string> {
    await this.#last;
    this.#next = null;
    const reloading = this.#reload();
    this.#last = reloading.catch(logFailure);
    return await reloading;
  }

  async #reload(): Promise<string> {
    const { load, balancer, onReload } = this.#options;
    const config = await load();
    const changes = await balancer.reload(config);
    onReload(config);
    return changes;
  }
}

function logFailure(error: unknown): void {
  if (isExpected(error)) {
    for (const reason of error.message.split("\n")) {
      log.error("Not reloaded, nothing has changed: {reason}", { reason });
    }
  } else {
    log.error("A defect of this program: {error}", { error: String(error) });
  }
}

function isExpected(error: unknown): error is Error {
  return error instanceof ConfigError || error instanceof BalancerError ||
    error instanceof SteeringError;
}
