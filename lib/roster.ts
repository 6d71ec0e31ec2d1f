/**
 * A set for members that come and go with every connection: an array in which each member knows its
 * place. A `Set` under that churn keeps growing and copying its table, which costs more in garbage
 * collection than all its work.
 */

/** What can be in a roster, in one at a time. */
export interface Member {
  /** Its place; kept by the roster. -1: in none. */
  place: number;
}

/** The members, in no order. */
export class Roster<T extends Member> {
  readonly #members: T[] = [];

  /** How many there are. */
  get size(): number {
    return this.#members.length;
  }

  /** Takes a member in. Harmless when it is in already. */
  add(member: T): void {
    if (member.place === -1) member.place = this.#members.push(member) - 1;
  }

  /** Lets a member go. Harmless when it is not in. */
  delete(member: T): void {
    const { place } = member;
    if (place === -1) return;
    member.place = -1;
    const last = this.#members.pop();
    if (last === undefined || last === member) return;
    this.#members[place] = last;
    last.place = place;
  }

  /** All members; they may leave while this runs. */
  *[Symbol.iterator](): Iterator<T> {
    for (let place = this.#members.length - 1; place >= 0; place--) {
      const member = this.#members[place];
      if (member !== undefined) yield member;
    }
  }
}
