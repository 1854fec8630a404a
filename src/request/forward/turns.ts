/** A bounded queue that parties share: each has its turn, and one that fills it waits behind itself, not others behind it. */

/** @typeParam T what waits; one item waits at most once. */
export class Turns<T extends { readonly party: string }> {
  readonly #most: number;
  /** In the order of their turns. */
  readonly #waiting = new Map<string, Set<T>>();
  #size = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#size;
  }

  get parties(): Iterable<string> {
    return this.#waiting.keys();
  }

  /**
   * A full queue makes room by giving up the newest of the party that has most in it, where that makes it fairer.
   * @returns who is not in the queue for it: the item itself, another, or nobody.
   */
  push(item: T): T | null {
    const mine = this.#waiting.get(item.party);
    let displaced: T | null = null;
    if (this.#size >= this.#most) {
      displaced = this.#newestOfLargest((mine?.size ?? 0) + 1);
      if (displaced === null) return item;
      this.remove(displaced);
    }
    if (mine === undefined) this.#waiting.set(item.party, new Set([item]));
    else mine.add(item);
    this.#size += 1;
    return displaced;
  }

  /** @returns whether it was waiting. */
  remove(item: T): boolean {
    const items = this.#waiting.get(item.party);
    if (items?.delete(item) !== true) return false;
    if (items.size === 0) this.#waiting.delete(item.party);
    this.#size -= 1;
    return true;
  }

  /**
   * Takes the oldest of a party: of the one that has least, and among equals of the one whose turn it is.
   * @param has how much a party has already; null: it may not have more for now.
   */
  next(has: (party: string) => number | null): T | null {
    let party: string | null = null;
    let least = Infinity;
    for (const candidate of this.#waiting.keys()) {
      const amount = has(candidate);
      if (amount === null || amount >= least) continue;
      party = candidate;
      least = amount;
    }
    if (party === null) return null;
    const items = this.#waiting.get(party) ?? new Set();
    const [item = null] = items;
    // Behind all others: a Map keeps the order of insertion.
    this.#waiting.delete(party);
    this.#waiting.set(party, items);
    if (item !== null) this.remove(item);
    return item;
  }

  /** Empties the queue. */
  takeAll(): T[] {
    const all = [...this.#waiting.values()].flatMap((items) => [...items]);
    this.#waiting.clear();
    this.#size = 0;
    return all;
  }

  /** null when no party has more than this. */
  #newestOfLargest(moreThan: number): T | null {
    let largest: Set<T> | null = null;
    for (const items of this.#waiting.values()) {
      if (items.size > (largest?.size ?? moreThan)) largest = items;
    }
    return largest === null ? null : ([...largest].at(-1) ?? null);
  }
}
