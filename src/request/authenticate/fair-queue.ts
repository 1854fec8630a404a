/** A bounded queue that serves addresses in turn: one that floods waits behind itself, not others behind it. */

export interface FairQueue<T> {
  readonly length: number;
  /** False when the queue is full. */
  push(address: string, item: T): boolean;
  shift(): T | undefined;
  /** Whether the item was still waiting. */
  remove(address: string, item: T): boolean;
}

/** @param capacity asked at each push: it changes with the configuration. */
export function createFairQueue<T>(capacity: () => number): FairQueue<T> {
  const waiting = new Map<string, T[]>();
  let length = 0;
  return {
    get length() {
      return length;
    },
    push(address, item) {
      if (length >= capacity()) return false;
      const items = waiting.get(address);
      if (items === undefined) waiting.set(address, [item]);
      else items.push(item);
      length += 1;
      return true;
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
