/**
 * Closings that fall due at the same moment, because they began at the same moment: some milliseconds of them happen in one
 * turn of the event loop, and the requests of others come in between.
 */
import type { Clock } from '../lib/clock.ts';

const SLICE_MS = 2;

type Job = () => void;

export class Unhurried {
  readonly #clock: Pick<Clock, 'monotonic'>;
  #waiting: Job[] = [];
  #spentMs = 0;
  #isCounting = false;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** At once, or in a later turn when this one has had its share. Whatever it is for may be gone by then. */
  do(job: Job): void {
    if (this.#spentMs >= SLICE_MS) this.#waiting.push(job);
    else this.#run(job);
  }

  #run(job: Job): void {
    if (!this.#isCounting) {
      this.#isCounting = true;
      setImmediate(() => {
        this.#goOn();
      });
    }
    const startedAt = this.#clock.monotonic();
    job();
    this.#spentMs += this.#clock.monotonic() - startedAt;
  }

  #goOn(): void {
    this.#isCounting = false;
    this.#spentMs = 0;
    const waiting = this.#waiting;
    this.#waiting = [];
    // What has no room once more goes behind, in the same order.
    for (const job of waiting) this.do(job);
  }
}
