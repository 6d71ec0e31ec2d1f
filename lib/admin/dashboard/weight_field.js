// deno-lint-ignore-file no-undef -- `deno task check` knows what browsers have.
/** The field of a weight: what is typed into it stays until it is sent or given up. */
import { within } from "./elements.js";

/** One field, and the button that is there while something is typed. */
export class WeightField {
  #input;
  #button;
  /** What it is, as the balancer tells. */
  #weight = 1;
  /** Did somebody type what is not sent? */
  #touched = false;

  /**
   * @param {HTMLFormElement} form
   * @param {string} name
   * @param {(weight: number) => Promise<boolean>} onSet  false: it was not taken
   */
  constructor(form, name, onSet) {
    this.#input = within(form, "input", HTMLInputElement);
    this.#button = within(form, "button", HTMLButtonElement);
    this.#input.setAttribute("aria-label", `Weight of ${name}`);
    this.#button.setAttribute("aria-label", `Set the weight of ${name}`);
    this.#input.addEventListener("input", () => this.#show(true));
    this.#input.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") this.#giveUp();
    });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const weight = this.#input.valueAsNumber;
      const isTaken = await onSet(weight);
      if (isTaken && this.#input.valueAsNumber === weight) this.#show(false);
    });
  }

  /** @param {number} weight  what it is now */
  update(weight) {
    this.#weight = weight;
    if (!this.#touched && this.#input.valueAsNumber !== weight) this.#input.value = String(weight);
  }

  #giveUp() {
    this.#show(false);
    this.#input.value = String(this.#weight);
  }

  /** @param {boolean} touched */
  #show(touched) {
    this.#touched = touched;
    this.#button.hidden = !touched;
  }
}
