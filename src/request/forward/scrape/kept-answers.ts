/**
 * Complete answers that are given again for a while (`max_age`). When there are too many, the party that has most of them
 * gives its oldest: one that asks ever new questions evicts its own.
 */
import type { Clock, Timer } from '../../../lib/clock.ts';
import type { Flight } from './flight.ts';

/** Empty answers cost no bytes, and strangers to each other's questions could ask for any number. */
const MOST_KEPT = 256;

interface Kept {
  readonly flight: Flight;
  readonly expiry: Timer;
}

export class KeptAnswers {
  readonly #clock: Clock;
  /** In the order in which they were last given. */
  readonly #kept = new Map<string, Kept>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The answer, when it is not older than it may be. */
  get(key: string): Flight | null {
    const found = this.#kept.get(key);
    if (found === undefined) return null;
    if (!found.flight.joinable) {
      this.#remove(key, found);
      return null;
    }
    this.#kept.delete(key);
    this.#kept.set(key, found);
    return found.flight;
  }

  /** Keeps an answer for what is left of its age, which began when the upstream was asked. */
  put(key: string, flight: Flight, maxAgeMs: number): void {
    const leftMs = flight.startedAt + maxAgeMs - this.#clock.monotonic();
    if (leftMs <= 0 || !flight.keep()) return;
    const before = this.#kept.get(key);
    if (before !== undefined) this.#remove(key, before);
    const expiry = this.#clock.after(leftMs, () => {
      this.#remove(key, entry);
    });
    const entry: Kept = { flight, expiry };
    this.#kept.set(key, entry);
    if (this.#kept.size > MOST_KEPT) this.evict(this.#largestParty());
  }

  /** Gives up the one of a party that was not given for the longest time; false: there is none. */
  evict(party: string): boolean {
    for (const [key, entry] of this.#kept) {
      if (entry.flight.party !== party) continue;
      this.#remove(key, entry);
      return true;
    }
    return false;
  }

  clear(): void {
    for (const [key, entry] of [...this.#kept]) this.#remove(key, entry);
  }

  #largestParty(): string {
    const counts = new Map<string, number>();
    let largest = '';
    for (const { flight } of this.#kept.values()) {
      const count = (counts.get(flight.party) ?? 0) + 1;
      counts.set(flight.party, count);
      if (count > (counts.get(largest) ?? 0) || largest === '') largest = flight.party;
    }
    return largest;
  }

  #remove(key: string, entry: Kept): void {
    entry.expiry.cancel();
    if (this.#kept.get(key) === entry) this.#kept.delete(key);
    entry.flight.release();
  }
}
