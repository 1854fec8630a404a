/**
 * What all shared answers together may keep in memory. Under pressure kept answers go first, then beginnings that only a
 * newcomer would want, and last whoever reads so slowly that most must be kept for them.
 */

/** Somebody who keeps bytes for readers. */
export interface Keeper {
  readonly retainedBytes: number;
  /** Gives up what every reader has read. */
  forgetPrefix(): void;
  /** Gives up the reader for whom most is kept; false: nothing is kept for anybody. */
  cutSlowest(): boolean;
}

export class ShareMemory {
  readonly #limitBytes: number;
  readonly #evict: () => boolean;
  /** What each was counted with. */
  readonly #keepers = new Map<Keeper, number>();
  #usedBytes = 0;

  /** @param evict gives up one answer that nobody waits for; false: there is none. */
  constructor(limitBytes: number, evict: () => boolean) {
    this.#limitBytes = limitBytes;
    this.#evict = evict;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** To be told after every change of what somebody retains; may call any keeper back, this one too. */
  changed(keeper: Keeper): void {
    const before = this.#keepers.get(keeper) ?? 0;
    const now = keeper.retainedBytes;
    if (now === 0) this.#keepers.delete(keeper);
    else this.#keepers.set(keeper, now);
    this.#usedBytes += now - before;
    if (now > before && this.#isTight) this.#relieve();
  }

  #relieve(): void {
    while (this.#isTight && this.#evict());
    for (const keeper of this.#largestFirst()) {
      if (!this.#isTight) return;
      keeper.forgetPrefix();
    }
    for (const keeper of this.#largestFirst()) {
      while (this.#isTight && keeper.cutSlowest());
    }
  }

  get #isTight(): boolean {
    return this.#usedBytes > this.#limitBytes;
  }

  #largestFirst(): Keeper[] {
    return [...this.#keepers.keys()].sort((a, b) => b.retainedBytes - a.retainedBytes);
  }
}
