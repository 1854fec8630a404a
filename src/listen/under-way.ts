/** How many handshakes are under way from an address, from the nets around it and in all. Bookkeeping only. */
import { addressPath } from '../formats/address.ts';

const ALL = '*';

export class UnderWay {
  readonly #counts = new Map<string, number>();

  add(address: string): void {
    for (const group of groupsOf(address)) this.#counts.set(group, this.#count(group) + 1);
  }

  delete(address: string): void {
    for (const group of groupsOf(address)) {
      const left = this.#count(group) - 1;
      if (left > 0) this.#counts.set(group, left);
      else this.#counts.delete(group);
    }
  }

  /** The largest number of a group that the address is in. */
  around(address: string): number {
    return Math.max(...addressPath(address).map((group) => this.#count(group)));
  }

  get total(): number {
    return this.#count(ALL);
  }

  #count(group: string): number {
    return this.#counts.get(group) ?? 0;
  }
}

function groupsOf(address: string): readonly string[] {
  return [...addressPath(address), ALL];
}
