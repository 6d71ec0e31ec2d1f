/**
 * Hosts of their own for origins: a network namespace each, with a wire (a veth pair) to this one that
 * can be pulled, slowed down and made to lose. Linux, as root.
 */
import { Skipped } from "./scenario.ts";

/** The first two numbers of all addresses; of the private ones, and hardly in use anywhere. */
const NET = "10.213";

/** One such host, and the wire to it; gone when disposed of. */
export class Host implements AsyncDisposable {
  /** Its address. */
  readonly address: string;
  /** What runs a program there. */
  readonly run: readonly string[];
  readonly #name: string;
  readonly #near: string;
  readonly #far = "eth0";

  private constructor(index: number) {
    this.#name = `torture-${Deno.pid}-${index}`;
    this.#near = `tt${Deno.pid}n${index}`.slice(-15);
    this.address = `${NET}.${index}.2`;
    this.run = ["ip", "netns", "exec", this.#name];
  }

  /** Makes one. Throws {@linkcode Skipped} where that is not permitted. */
  static async make(index: number): Promise<Host> {
    const host = new Host(index);
    const refused = await complaint("ip", "netns", "add", host.#name);
    if (refused !== null) throw new Skipped(`ip netns is not permitted here: ${refused}`);
    try {
      await host.#lay(index);
      return host;
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Pulls the cable out at the far end: this side has no carrier, and nobody is told. */
  async pull(): Promise<void> {
    await must("ip", "-n", this.#name, "link", "set", this.#far, "down");
  }

  /** Puts it in again. */
  async plug(): Promise<void> {
    await must("ip", "-n", this.#name, "link", "set", this.#far, "up");
  }

  /** Makes the wire bad both ways, as `tc netem` has it. Null: done; else why it cannot be. */
  async disturb(...how: readonly string[]): Promise<string | null> {
    const netem = ["root", "netem", ...how];
    return await complaint("tc", "qdisc", "replace", "dev", this.#near, ...netem) ??
      await complaint("tc", "-n", this.#name, "qdisc", "replace", "dev", this.#far, ...netem);
  }

  /** Makes it good again. */
  async soothe(): Promise<void> {
    await must("tc", "qdisc", "del", "dev", this.#near, "root");
    await must("tc", "-n", this.#name, "qdisc", "del", "dev", this.#far, "root");
  }

  /** The wire goes with the namespace. */
  async [Symbol.asyncDispose](): Promise<void> {
    await must("ip", "netns", "del", this.#name);
  }

  async #lay(index: number): Promise<void> {
    const far = ["peer", "name", this.#far, "netns", this.#name];
    await must("ip", "link", "add", this.#near, "type", "veth", ...far);
    await must("ip", "addr", "add", `${NET}.${index}.1/30`, "dev", this.#near);
    await must("ip", "link", "set", this.#near, "up");
    await must("ip", "-n", this.#name, "addr", "add", `${this.address}/30`, "dev", this.#far);
    await must("ip", "-n", this.#name, "link", "set", this.#far, "up");
  }
}

async function must(program: string, ...args: readonly string[]): Promise<void> {
  const refused = await complaint(program, ...args);
  if (refused !== null) throw new Error(`${program} ${args.join(" ")}: ${refused}`);
}

/** Runs a program. Null: it went well; else what it complained of. */
async function complaint(program: string, ...args: readonly string[]): Promise<string | null> {
  try {
    const { success, stderr } = await new Deno.Command(program, {
      args: [...args],
      stdin: "null",
      stdout: "null",
    }).output();
    return success ? null : new TextDecoder().decode(stderr).trim() || "no reason given";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return `there is no program ${program}`;
    throw error;
  }
}
