/**
 * How many requests may be sent again: a part of the requests of the last seconds, whatever goes
 * wrong, so that retries never multiply the load of backends that are failing under it. The idea and
 * the numbers are those of the retry budgets of Finagle (6.31, 2016) and Linkerd: 20 % over ten
 * seconds. Two things differ. The floor is not added to the 20 % but stands in for them where they
 * are less, so that under load 20 % means 20 %; and it is ten in ten seconds, not ten a second. Pure.
 *
 * Invariant: with each retry that is granted, the window that ends with it holds no more retries than
 * 20 % of its requests, or the floor if that is more.
 */

/** The window, in seconds, the present one included: it reaches back nine to ten seconds. */
const WINDOW_SECONDS = 10;
/** Of that many requests one may be sent again. */
const REQUESTS_PER_RETRY = 5;
/** So many retries in a window are granted in any case: a quiet balancer may retry too. */
const RETRIES_MIN = 10;

/** What may still be sent again. One for all backends: the load of each is a part of the whole. */
export class RetryBudget {
  readonly #now: () => number;
  /** By second, in a ring; the sums of all seconds stand beside them. */
  readonly #requests = new Float64Array(WINDOW_SECONDS);
  readonly #retries = new Float64Array(WINDOW_SECONDS);
  #requestsSum = 0;
  #retriesSum = 0;
  #second: number;
  #taken = 0;
  #refused = 0;

  /**
   * Nothing was asked yet.
   * @param now the time, in milliseconds; never goes back. Read for each request.
   */
  constructor(now: () => number) {
    this.#now = now;
    this.#second = Math.floor(now() / 1000);
  }

  /** Retries granted since the start. */
  get taken(): number {
    return this.#taken;
  }

  /** Retries refused since the start. */
  get refused(): number {
    return this.#refused;
  }

  /** Counts a request of a client, once, however often it is sent. */
  request(): void {
    count(this.#requests, this.#turn());
    this.#requestsSum++;
  }

  /** May a request be sent again? If so, that is counted. */
  take(): boolean {
    const place = this.#turn();
    if (this.#retriesSum + 1 > Math.max(RETRIES_MIN, this.#requestsSum / REQUESTS_PER_RETRY)) {
      this.#refused++;
      return false;
    }
    count(this.#retries, place);
    this.#retriesSum++;
    this.#taken++;
    return true;
  }

  /** Forgets the seconds that have left the window; returns the place of the present one. */
  #turn(): number {
    const second = Math.floor(this.#now() / 1000);
    if (second - this.#second >= WINDOW_SECONDS) this.#second = second - WINDOW_SECONDS;
    while (this.#second < second) {
      const place = ++this.#second % WINDOW_SECONDS;
      this.#requestsSum -= clear(this.#requests, place);
      this.#retriesSum -= clear(this.#retries, place);
    }
    return second % WINDOW_SECONDS;
  }
}

function count(ring: Float64Array, place: number): void {
  ring[place] = (ring[place] ?? 0) + 1;
}

/** Sets a second to nothing; returns what it held. */
function clear(ring: Float64Array, place: number): number {
  const held = ring[place] ?? 0;
  ring[place] = 0;
  return held;
}
