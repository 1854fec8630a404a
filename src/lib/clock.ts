/** The only source of time. Tests hand in a clock that they move by hand. */

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since the epoch: for dates in certificates and logs. Can jump. */
  now(): number;
  /** Monotonic milliseconds: for durations, windows and deadlines. */
  monotonic(): number;
  /** Calls back once after `ms`. An `unref`ed timer does not keep the process alive (default: it does not). */
  after(ms: number, callback: () => void, options?: { readonly ref?: boolean }): Timer;
  every(ms: number, callback: () => void): Timer;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, callback, options) {
    const timer = setTimeout(callback, ms);
    if (options?.ref !== true) timer.unref();
    return {
      cancel: () => {
        clearTimeout(timer);
      },
    };
  },
  every(ms, callback) {
    const timer = setInterval(callback, ms);
    timer.unref();
    return {
      cancel: () => {
        clearInterval(timer);
      },
    };
  },
};
