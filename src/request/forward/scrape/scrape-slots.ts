/**
 * How many scrapes each party (request/party.ts) has under way. Outlives reloads; has an entry only for who is scraping. A
 * slot that is not given back would lock its party out, so it hangs on the end of the answer, whichever way that comes.
 */
import { partyOf } from '../../party.ts';
import type { Passage } from '../../passage.ts';
import { capsOf } from './caps.ts';

/** A scrape that failed is tried again at the next interval; who asks sooner is the one with too many. */
const RETRY_AFTER_SECONDS = 5;

export class ScrapeSlots {
  readonly #taken = new Map<string, number>();

  /** Scrapes under way. */
  of(party: string): number {
    return this.#taken.get(party) ?? 0;
  }

  /**
   * Takes a slot until the answer is over, or refuses. Scrapes without a cap count too: a reload may bring one.
   * @returns whether the scrape may go on; false too when nobody waits for its answer any more.
   */
  enter(passage: Pick<Passage, 'identity' | 'address' | 'config' | 'answer' | 'releases'>): boolean {
    const { answer, releases } = passage;
    // The releases may have run already, and would not run again.
    if (answer.closed) return false;
    const party = partyOf(passage);
    const { concurrentScrapes: most } = capsOf(passage);
    const taken = this.of(party);
    if (most !== null && taken >= most) {
      const detail = `${String(taken)} scrapes are under way`;
      answer.refuse('cap_concurrent_scrapes', { detail, retryAfterSeconds: RETRY_AFTER_SECONDS });
      return false;
    }
    this.#taken.set(party, taken + 1);
    releases.push(() => {
      const left = this.of(party) - 1;
      if (left > 0) this.#taken.set(party, left);
      else this.#taken.delete(party);
    });
    return true;
  }
}
