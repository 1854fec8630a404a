/**
 * Whose batch is compressed next: few at a time, by party in turn. zlib works in libuv's pool of four threads, where files
 * are read too: were all of them compressing, a reload, and with it a revocation, would wait behind every scrape.
 */
import { Turns } from '../turns.ts';

/** Half of the pool. */
const MOST_AT_ONCE = 2;

/** One batch. It is the caller's from `start` until it says `done`, and is never cut short in between. */
export interface CompressionJob {
  readonly party: string;
  start(): void;
}

export class CompressionTurns {
  /** Each answer under way has one batch at most: their number is the bound. */
  readonly #waiting = new Turns<CompressionJob>(Infinity);
  readonly #running = new Map<string, number>();
  #count = 0;

  /** Batches that are with zlib. */
  get running(): number {
    return this.#count;
  }

  /** Starts the job, now or when its turn has come. */
  enter(job: CompressionJob): void {
    this.#waiting.push(job);
    this.#next();
  }

  /** Gives up a turn. @returns false: it has started, and `done` is still to come. */
  leave(job: CompressionJob): boolean {
    return this.#waiting.remove(job);
  }

  done({ party }: CompressionJob): void {
    this.#count -= 1;
    const left = (this.#running.get(party) ?? 0) - 1;
    if (left > 0) this.#running.set(party, left);
    else this.#running.delete(party);
    this.#next();
  }

  #next(): void {
    if (this.#count >= MOST_AT_ONCE) return;
    const job = this.#waiting.next((party) => this.#running.get(party) ?? 0);
    if (job === null) return;
    this.#count += 1;
    this.#running.set(job.party, (this.#running.get(job.party) ?? 0) + 1);
    job.start();
  }
}
