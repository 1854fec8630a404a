/**
 * Joins checks of the same credential that run at the same time: 200 scrapes of a cold gate cost one hash. Each waiter
 * can leave on its own; when the last one leaves, the job leaves the queue.
 */
import type { HashJob, HashPool, HashResult } from './hash-pool.ts';

/** `isPresent`: false when the client left while its password was being hashed: a failure counts all the same. */
export type Waiter = (result: HashResult, isPresent: boolean) => void;

export interface SharedVerification {
  /**
   * @param key a keyed digest of everything that decides the result.
   * @returns null when the pool is full; else the function by which this waiter leaves.
   */
  verify(key: string, job: HashJob, waiter: Waiter): (() => void) | null;
}

interface Seat {
  readonly waiter: Waiter;
  isPresent: boolean;
}

interface Verification {
  readonly seats: Set<Seat>;
  readonly withdraw: () => boolean;
}

/** @param abandoned called when a job left the queue because nobody waits for it any more. */
export function createSharedVerification(pool: HashPool, abandoned: () => void): SharedVerification {
  const running = new Map<string, Verification>();

  function start(key: string, job: HashJob): Verification | null {
    const seats = new Set<Seat>();
    const withdraw = pool.submit(job, (result) => {
      running.delete(key);
      for (const { waiter, isPresent } of seats) waiter(result, isPresent);
    });
    if (withdraw === null) return null;
    const verification = { seats, withdraw };
    running.set(key, verification);
    return verification;
  }

  return {
    verify(key, job, waiter) {
      const verification = running.get(key) ?? start(key, job);
      if (verification === null) return null;
      const { seats, withdraw } = verification;
      const seat: Seat = { waiter, isPresent: true };
      seats.add(seat);
      return () => {
        if (!seat.isPresent || running.get(key) !== verification) return;
        seat.isPresent = false;
        if (seats.size > 1) {
          seats.delete(seat);
        } else if (withdraw()) {
          running.delete(key);
          abandoned();
        }
      };
    },
  };
}
