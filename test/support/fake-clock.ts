/** A clock that stands still until a test moves it; timers fire in order while it moves. */
import type { Clock, Timer } from '../../src/lib/clock.ts';

interface Pending {
  at: number;
  readonly every: number | null;
  readonly callback: () => void;
}

export interface FakeClock extends Clock {
  /** Moves both times on and fires what is due. */
  advance(ms: number): void;
}

export function createFakeClock(startMs = Date.UTC(2026, 0, 1)): FakeClock {
  let elapsed = 0;
  const pending = new Set<Pending>();

  const add = (ms: number, every: number | null, callback: () => void): Timer => {
    const entry: Pending = { at: elapsed + ms, every, callback };
    pending.add(entry);
    return {
      cancel: () => {
        pending.delete(entry);
      },
    };
  };

  const nextDue = (limit: number): Pending | undefined =>
    [...pending].filter((entry) => entry.at <= limit).sort((a, b) => a.at - b.at)[0];

  return {
    now: () => startMs + elapsed,
    monotonic: () => elapsed,
    after: (ms, callback) => add(ms, null, callback),
    every: (ms, callback) => add(ms, ms, callback),
    advance(ms) {
      const limit = elapsed + ms;
      for (let entry = nextDue(limit); entry !== undefined; entry = nextDue(limit)) {
        elapsed = Math.max(elapsed, entry.at);
        if (entry.every === null) pending.delete(entry);
        else entry.at += entry.every;
        entry.callback();
      }
      elapsed = limit;
    },
  };
}
