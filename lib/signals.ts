/**
 * SIGTERM and SIGINT: the first asks to drain, the second ends the process. SIGHUP: whatever the
 * program takes it for; a balancer loads its configuration again.
 */

/**
 * One Ctrl-C reaches a process up to three times when `deno task` or npx stands between it and
 * the terminal, within milliseconds; no person presses twice that fast.
 */
const SAME_SIGINT_MS = 200;

/** Listens from its making until it is disposed of. */
export class StopSignals implements Disposable {
  readonly #first = Promise.withResolvers<void>();
  readonly #second = Promise.withResolvers<void>();
  #lastSigintMs = -Infinity;
  #count = 0;

  /** Nothing was received yet. */
  constructor() {
    Deno.addSignalListener("SIGTERM", this.#onSignal);
    Deno.addSignalListener("SIGINT", this.#onSigint);
  }

  /** Resolves at the first signal: finish what runs. */
  get first(): Promise<void> {
    return this.#first.promise;
  }

  /** Resolves at the second signal: end now. */
  get second(): Promise<void> {
    return this.#second.promise;
  }

  /** Listens no longer: the signals end the process again. */
  [Symbol.dispose](): void {
    Deno.removeSignalListener("SIGTERM", this.#onSignal);
    Deno.removeSignalListener("SIGINT", this.#onSigint);
  }

  readonly #onSignal = (): void => {
    if (++this.#count === 1) this.#first.resolve();
    else this.#second.resolve();
  };

  readonly #onSigint = (): void => {
    const now = performance.now();
    const repeated = now - this.#lastSigintMs < SAME_SIGINT_MS;
    this.#lastSigintMs = now;
    if (!repeated) this.#onSignal();
  };
}

/** SIGHUP, from its making until it is disposed of. One that nobody answers is kept. */
export class Hangups implements Disposable {
  #answer: (() => void) | null = null;
  #isKept = false;

  /** From now on it does not end the process. */
  constructor() {
    Deno.addSignalListener("SIGHUP", this.#onSignal);
  }

  /** Calls back at each, and at once if one has come before. */
  answer(callback: () => void): void {
    this.#answer = callback;
    if (this.#isKept) callback();
    this.#isKept = false;
  }

  /** Listens no longer: the signal ends the process again. */
  [Symbol.dispose](): void {
    Deno.removeSignalListener("SIGHUP", this.#onSignal);
  }

  readonly #onSignal = (): void => {
    if (this.#answer === null) this.#isKept = true;
    else this.#answer();
  };
}
