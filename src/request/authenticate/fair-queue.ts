/**
 * A bounded queue that serves its parties in turn: one that floods waits behind itself, not others behind it. A party is a
 * path, from the widest network to the single credential, and turns are taken at each step of it: 256 networks of one
 * /48 wait behind each other before they keep a stranger to them waiting.
 */

/**
 * What is known of the party before its password is looked at: it has logged in before, it comes again with what was
 * refused for want of a place, nothing, or it has guessed wrong a moment ago. Ranks are served in turn too.
 */
export type Rank = 'proved' | 'again' | 'new' | 'failing';

export interface Party {
  readonly rank: Rank;
  /** Not empty; of parties with the same first fields, the next field tells. */
  readonly path: readonly string[];
}

export interface FairQueue<T> {
  readonly length: number;
  /**
   * A full queue makes room by giving up a waiting item: of a lower rank than the newcomer's, down to a quarter of the
   * places, which no other rank can take; else the newest one of the party of its own rank that has the most in it,
   * when that makes the queue fairer. Refused otherwise.
   */
  push(party: Party, item: T): Pushed<T>;
  /** Gives up the newest item of the largest party within the first `depth` fields of the path, if the newcomer has two less. */
  displaceWithin(party: Party, depth: number): T | null;
  shift(): T | undefined;
  /** Whether the item was still waiting. */
  remove(party: Party, item: T): boolean;
}

export interface Pushed<T> {
  readonly kind: 'queued' | 'full';
  /** What had to go for it. */
  readonly displaced: T | null;
}

/** Those that others go before come first. */
const RANKS: readonly Rank[] = ['failing', 'new', 'again', 'proved'];
const RESERVED_SHARE = 4;

/** @param capacity asked at each push: it changes with the configuration. */
export function createFairQueue<T>(capacity: () => number): FairQueue<T> {
  const byRank: Record<Rank, Branch<T>> = {
    failing: new Branch(),
    new: new Branch(),
    again: new Branch(),
    proved: new Branch(),
  };
  let served: readonly Rank[] = [...RANKS].reverse();

  const length = (): number => RANKS.reduce((sum, rank) => sum + byRank[rank].size, 0);

  function makeRoom({ rank, path }: Party): T | null {
    const reserve = Math.floor(capacity() / RESERVED_SHARE);
    const mayTakeFromHigher = byRank[rank].size < reserve;
    for (const other of RANKS) {
      if (other === rank) {
        const displaced = byRank[rank].displaceFor(path);
        if (displaced !== null || !mayTakeFromHigher) return displaced;
      } else if (byRank[other].size > reserve) {
        return byRank[other].takeNewest() ?? null;
      }
    }
    return null;
  }

  return {
    get length() {
      return length();
    },
    push(party, item) {
      const displaced = length() < capacity() ? null : makeRoom(party);
      if (displaced === null && length() >= capacity()) return { kind: 'full', displaced: null };
      byRank[party.rank].add(party.path, item);
      return { kind: 'queued', displaced };
    },
    displaceWithin({ path }, depth) {
      // A party may have changed its rank since its earlier items came.
      for (const rank of RANKS) {
        const displaced = byRank[rank].displaceFor(path, depth);
        if (displaced !== null) return displaced;
      }
      return null;
    },
    shift() {
      const rank = served.find((candidate) => byRank[candidate].size > 0);
      if (rank === undefined) return undefined;
      served = [...served.filter((other) => other !== rank), rank];
      return byRank[rank].shift();
    },
    remove: ({ rank, path }, item) => byRank[rank].remove(path, item),
  };
}

/** Everything that waits below one field of the paths. */
class Branch<T> {
  size = 0;
  /** In the order of their turns: a Map keeps the order of insertion. */
  readonly #branches = new Map<string, Branch<T>>();
  readonly #items: T[] = [];

  add([field, ...rest]: readonly string[], item: T): void {
    this.size += 1;
    if (field === undefined) {
      this.#items.push(item);
      return;
    }
    const branch = this.#branches.get(field) ?? new Branch<T>();
    this.#branches.set(field, branch);
    branch.add(rest, item);
  }

  shift(): T | undefined {
    const [first] = this.#branches;
    if (first === undefined) return this.#less(this.#items.shift());
    const [field, branch] = first;
    const item = branch.shift();
    // Behind all others.
    this.#branches.delete(field);
    if (branch.size > 0) this.#branches.set(field, branch);
    return this.#less(item);
  }

  takeNewest(): T | undefined {
    const largest = this.#largest();
    if (largest === null) return this.#less(this.#items.pop());
    const item = largest.branch.takeNewest();
    if (largest.branch.size === 0) this.#branches.delete(largest.field);
    return this.#less(item);
  }

  /** @param depth only where the paths part behind that many fields. */
  displaceFor([field, ...rest]: readonly string[], depth = 0): T | null {
    if (field === undefined) return null;
    const mine = this.#branches.get(field);
    const largest = this.#largest();
    if (depth <= 0 && largest !== null && largest.branch.size > (mine?.size ?? 0) + 1) return this.takeNewest() ?? null;
    const displaced = mine?.displaceFor(rest, depth - 1) ?? null;
    if (displaced === null || mine === undefined) return null;
    if (mine.size === 0) this.#branches.delete(field);
    this.size -= 1;
    return displaced;
  }

  remove([field, ...rest]: readonly string[], item: T): boolean {
    if (field === undefined) {
      const index = this.#items.indexOf(item);
      if (index === -1) return false;
      this.#items.splice(index, 1);
    } else {
      const branch = this.#branches.get(field);
      if (branch?.remove(rest, item) !== true) return false;
      if (branch.size === 0) this.#branches.delete(field);
    }
    this.size -= 1;
    return true;
  }

  #less(item: T | undefined): T | undefined {
    if (item !== undefined) this.size -= 1;
    return item;
  }

  #largest(): { readonly field: string; readonly branch: Branch<T> } | null {
    let largest: { readonly field: string; readonly branch: Branch<T> } | null = null;
    for (const [field, branch] of this.#branches) {
      if (branch.size > (largest?.branch.size ?? 0)) largest = { field, branch };
    }
    return largest;
  }
}
