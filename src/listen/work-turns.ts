/**
 * A share of the main thread for work that has no authenticated client behind it: handshakes, and reading what strangers
 * send. What goes beyond it waits, and the nets and addresses take turns. Work is told after it was done, in milliseconds
 * that it took or is known to take; at most one piece begins in a turn of the event loop, so that others come in between.
 */
import { addressPath } from '../formats/address.ts';
import type { Clock } from '../lib/clock.ts';
import { FairPlaces } from '../lib/fair-places.ts';

export interface Share {
  /** Of the time. */
  readonly part: number;
  /** What may be done at once after a rest, in milliseconds of work. */
  readonly burstMs: number;
}

/** What one piece of work may cost those that come after it; the rest of a single large one is forgiven. */
const LARGEST_DEBT_MS = 250;

type Job = () => void;

export class WorkTurns {
  readonly #clock: Clock;
  readonly #share: Share;
  readonly #deferred: () => void;
  readonly #waiting = new FairPlaces<Job>();
  #creditMs: number;
  #countedAt: number;
  /** Something has begun in this turn of the event loop, or is going to when there is credit again. */
  #isComing = false;

  /** @param deferred called when something has to wait. */
  constructor(clock: Clock, share: Share, deferred: () => void = () => undefined) {
    this.#clock = clock;
    this.#share = share;
    this.#deferred = deferred;
    this.#creditMs = share.burstMs;
    this.#countedAt = clock.monotonic();
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Milliseconds of work beyond the share; 0: none. */
  get debtMs(): number {
    return Math.max(0, -this.#credit());
  }

  /** Calls `start` when it is its turn, at once where nothing is in the way. @returns the way out of the row. */
  take(address: string, start: Job): () => void {
    if (this.#isComing || this.#waiting.size > 0 || this.#credit() <= 0) return this.wait(address, start);
    this.#run(start);
    return () => undefined;
  }

  /** The same, never at once. */
  wait(address: string, start: Job): () => void {
    const job = (): void => {
      start();
    };
    this.#deferred();
    this.#waiting.add(job, addressPath(address));
    if (!this.#isComing) this.#comeLater();
    return () => {
      this.#waiting.delete(job);
    };
  }

  /** @param ms of work that was done. */
  worked(ms: number): void {
    this.#creditMs = Math.max(this.#credit() - ms, -LARGEST_DEBT_MS);
  }

  #credit(): number {
    const now = this.#clock.monotonic();
    this.#creditMs = Math.min(this.#share.burstMs, this.#creditMs + (now - this.#countedAt) * this.#share.part);
    this.#countedAt = now;
    return this.#creditMs;
  }

  #run(job: Job): void {
    this.#isComing = true;
    setImmediate(() => {
      this.#isComing = false;
      if (this.#waiting.size > 0) this.#next();
    });
    job();
  }

  #next(): void {
    if (this.#credit() <= 0) {
      this.#comeLater();
      return;
    }
    const job = this.#waiting.shift();
    if (job !== null) this.#run(job);
  }

  #comeLater(): void {
    this.#isComing = true;
    this.#clock.after(Math.max(1, Math.ceil(this.debtMs / this.#share.part)), () => {
      this.#isComing = false;
      if (this.#waiting.size > 0) this.#next();
    });
  }
}
