/** A bounded queue that serves addresses in turn: one that floods waits behind itself, not others behind it. */

export interface FairQueue<T> {
  readonly length: number;
  /**
   * A full queue makes room for an address by giving up the newest item of the one that has the most in it, so that a few
   * addresses cannot keep all others out. Refused when that would not make it fairer.
   */
  push(address: string, item: T): Pushed<T>;
  shift(): T | undefined;
  /** Whether the item was still waiting. */
  remove(address: string, item: T): boolean;
}

export interface Pushed<T> {
  readonly kind: 'queued' | 'full';
  /** Who had to go for it. */
  readonly displaced: T | null;
}

/** @param capacity asked at each push: it changes with the configuration. */
export function createFairQueue<T>(capacity: () => number): FairQueue<T> {
  const waiting = new Map<string, T[]>();
  let length = 0;

  /** Gives up the newest item of the greediest address; null when nobody has two more than the one who asks. */
  function displace(mine: number): T | null {
    let greediest: T[] | null = null;
    for (const items of waiting.values()) {
      if (items.length > (greediest?.length ?? mine + 1)) greediest = items;
    }
    const given = greediest?.pop();
    if (given === undefined) return null;
    length -= 1;
    return given;
  }

  return {
    get length() {
      return length;
    },
    push(address, item) {
      const items = waiting.get(address);
      const displaced = length < capacity() ? null : displace(items?.length ?? 0);
      if (displaced === null && length >= capacity()) return { kind: 'full', displaced: null };
      if (items === undefined) waiting.set(address, [item]);
      else items.push(item);
      length += 1;
      return { kind: 'queued', displaced };
    },
    shift() {
      const [first] = waiting;
      if (first === undefined) return undefined;
      const [address, items] = first;
      const item = items.shift();
      // Behind all others: a Map keeps the order of insertion.
      waiting.delete(address);
      if (items.length > 0) waiting.set(address, items);
      length -= 1;
      return item;
    },
    remove(address, item) {
      const items = waiting.get(address);
      const index = items?.indexOf(item) ?? -1;
      if (items === undefined || index === -1) return false;
      items.splice(index, 1);
      if (items.length === 0) waiting.delete(address);
      length -= 1;
      return true;
    },
  };
}
