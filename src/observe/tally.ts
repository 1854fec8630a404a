/**
 * Counts that every request adds to: plain numbers, handed to prom-client only when somebody looks. Its counters look
 * their labels up anew with each increment. Nothing is lost: what was added before a look is in it.
 */

/** A series of prom-client with its labels bound. */
export interface BoundCounter {
  inc(value?: number): void;
}

export interface Tally {
  /** What is not a positive number counts as nothing: an observation must never fail a request. */
  add(value: number): void;
}

export interface Tallies {
  of(series: BoundCounter): Tally;
  /** For a series that is gone: what waits for it would bring it back. */
  forget(tally: Tally): void;
  /** Hands over what has come since the last time. */
  flush(): void;
}

class WaitingCount implements Tally {
  readonly #series: BoundCounter;
  #waiting = 0;

  constructor(series: BoundCounter) {
    this.#series = series;
  }

  add(value: number): void {
    if (value > 0 && Number.isFinite(value)) this.#waiting += value;
  }

  flush(): void {
    if (this.#waiting === 0) return;
    this.#series.inc(this.#waiting);
    this.#waiting = 0;
  }
}

export function createTallies(): Tallies {
  const counts = new Set<WaitingCount>();
  return {
    of(series) {
      // A series that nobody has added to yet exists all the same.
      series.inc(0);
      const count = new WaitingCount(series);
      counts.add(count);
      return count;
    },
    forget(tally) {
      counts.delete(tally as WaitingCount);
    },
    flush() {
      for (const count of counts) count.flush();
    },
  };
}
