/** The Date header (RFC 9110, section 6.6.1), made anew once a second and not once a response. */
import type { Header } from "./head_parser.ts";

/** Tells what the Date header is now. */
export class DateHeader {
  readonly #now: () => number;
  #second = NaN;
  #header: Header = { name: "Date", value: "" };

  /** Takes a clock that tells the date, as `Date.now` does: in milliseconds since 1970. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** The header for a message that is made now; the same object for a whole second. */
  get(): Header {
    const second = Math.floor(this.#now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      // It has the form that RFC 9110, section 5.6.7 wants: Sun, 06 Nov 1994 08:49:37 GMT.
      this.#header = { name: "Date", value: new Date(second * 1000).toUTCString() };
    }
    return this.#header;
  }
}
