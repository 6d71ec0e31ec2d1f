/** What the scenarios of exhaustion have in common: a load, and what was before and is after it. */
import { Random } from "../support/random.ts";
import { Load, type LoadOptions, type Lost, quantile } from "./load.ts";
import type { Finding, ScenarioOptions } from "./scenario.ts";
import type { Target } from "./target.ts";
import type { VitalSigns } from "./vital_signs.ts";

/** Longer than the balancer lets anybody wait. */
const PATIENCE_MS = 40_000;
const PAUSE_MS = 60;

/** A balancer under a steady load. */
export class Trial {
  /** The load. */
  readonly load: Load;
  readonly #target: Target;
  readonly #before: VitalSigns;

  private constructor(
    target: Target,
    { load, before }: { readonly load: Load; readonly before: VitalSigns },
  ) {
    this.#target = target;
    this.load = load;
    this.#before = before;
  }

  /** Takes note of how it stands, and starts the load. */
  static async start(
    target: Target,
    { stack, options, clients, ...rest }:
      & { readonly stack: AsyncDisposableStack; readonly options: ScenarioOptions }
      & Pick<LoadOptions, "clients" | "uploads">,
  ): Promise<Trial> {
    const before = await target.vitals();
    const random = new Random(options.random.integer(0, 2 ** 31));
    const load = new Load({
      ...rest,
      port: target.port,
      clients,
      pauseMs: PAUSE_MS,
      patienceMs: PATIENCE_MS,
      name: "trial",
      random,
      asksAgain: true,
    });
    stack.defer(() => load.stop());
    return new Trial(target, { load, before });
  }

  /** Ends load and balancer, and looks what is left. A loss `isRight` where it was promised. */
  async end({ title, faults, isRight = () => false }: {
    readonly title: string;
    readonly faults: string;
    readonly isRight?: (lost: Lost) => boolean;
  }): Promise<Finding> {
    const { load } = this;
    await load.stop();
    const wrong = load.lost.filter((lost) => !isRight(lost));
    const before = this.#before;
    const { after, broken } = await this.#target.recovers(before);
    const p99Ms = quantile(load.latenciesMs(), 0.99);
    return {
      title,
      load: `${load.requests} requests, ${load.perSecond.toFixed(0)}/s, p99 ${p99Ms.toFixed(0)} ms`,
      faults,
      lost: String(wrong.length),
      vitals: { before, after },
      broken: [
        ...(wrong.length > 0 ? [`${wrong.length} requests were lost`] : []),
        ...broken,
        ...await this.#target.stop(),
      ],
      notes: wrong.slice(0, 5).map(({ question, outcome, fromMs, untilMs }) =>
        `lost: ${question.method} ${question.id} after ${(untilMs - fromMs).toFixed(0)} ms: ${
          JSON.stringify(outcome)
        }`
      ),
    };
  }
}
