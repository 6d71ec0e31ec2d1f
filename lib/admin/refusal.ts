/** Why the admin port does not do what it was asked for. */

/** An answer that is an error: its status, what a person can do about it, and its headers. */
export class Refusal extends Error {
  /** Always the same. */
  override readonly name = "Refusal";
  /** The status of the answer, from 400 to 599. */
  readonly status: number;
  /** Headers that belong to it, such as Allow. */
  readonly headers: Readonly<Record<string, string>>;

  /** The message is sent as it is. */
  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}
