/** What is said of settings that cannot be. Pure. */
import type { Setting } from "./options.ts";

/** What a {@linkcode ConfigError} is about: a setting, or the SERVER at that place. */
export type Subject = Setting | number;

/** A setting that cannot be: which one, what was given, and what was expected. */
export class ConfigError extends Error {
  /** The name of its class. */
  override readonly name: string = "ConfigError";
  /** What cannot be, as it would be typed, or the place where it stands. */
  readonly argument: string;
  /** What was expected. */
  readonly expected: string;
  /** What it is about, where that is one thing. */
  readonly subject: Subject | undefined;

  /** The message is made of both. */
  constructor(argument: string, expected: string, options: { readonly subject?: Subject } = {}) {
    super(`${argument}: ${expected}`);
    this.argument = argument;
    this.expected = expected;
    this.subject = options.subject;
  }
}

/** Text as it was typed, cut short and safe to print. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
