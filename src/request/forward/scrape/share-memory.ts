/**
 * What all shared answers together may keep in memory. Under pressure the party that has most gives first: answers that
 * are only kept, then beginnings that only a newcomer would want, and last the reader for whom most must be kept.
 */

/** A holder of bytes for readers. */
export interface Keeper {
  /** On whose account the bytes are; see request/party.ts. */
  readonly party: string;
  readonly retainedBytes: number;
  /** Gives up what every reader has read. */
  forgetPrefix(): void;
  /** Gives up the reader for whom most is kept; false: there is none. */
  cutSlowest(): boolean;
}

export class ShareMemory {
  readonly #limitBytes: number;
  readonly #evict: (party: string) => boolean;
  /** What each was counted with. */
  readonly #keepers = new Map<Keeper, number>();
  #usedBytes = 0;

  /** @param evict gives up one answer of a party that no reader waits for; false: there is none. */
  constructor(limitBytes: number, evict: (party: string) => boolean) {
    this.#limitBytes = limitBytes;
    this.#evict = evict;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** To be told after every change of what a keeper retains; may call any keeper back, this one too. */
  changed(keeper: Keeper): void {
    const before = this.#keepers.get(keeper) ?? 0;
    const now = keeper.retainedBytes;
    if (now === 0) this.#keepers.delete(keeper);
    else this.#keepers.set(keeper, now);
    this.#usedBytes += now - before;
    if (now > before && this.#isTight) this.#relieve();
  }

  #relieve(): void {
    const exhausted = new Set<string>();
    while (this.#isTight) {
      const party = this.#largestParty(exhausted);
      if (party === null) return;
      if (!this.#relieveOnce(party)) exhausted.add(party);
    }
  }

  /** @returns whether anything became free. */
  #relieveOnce(party: string): boolean {
    const before = this.#usedBytes;
    if (this.#evict(party)) return true;
    const ofParty = [...this.#keepers.keys()].filter((keeper) => keeper.party === party);
    const largestFirst = ofParty.sort((a, b) => b.retainedBytes - a.retainedBytes);
    for (const keeper of largestFirst) {
      keeper.forgetPrefix();
      if (this.#usedBytes < before) return true;
    }
    return largestFirst.some((keeper) => keeper.cutSlowest());
  }

  get #isTight(): boolean {
    return this.#usedBytes > this.#limitBytes;
  }

  #largestParty(except: ReadonlySet<string>): string | null {
    const sums = new Map<string, number>();
    for (const [{ party }, bytes] of this.#keepers) {
      if (!except.has(party)) sums.set(party, (sums.get(party) ?? 0) + bytes);
    }
    let largest: string | null = null;
    for (const [party, bytes] of sums) if (bytes > (sums.get(largest ?? '') ?? -1)) largest = party;
    return largest;
  }
}
