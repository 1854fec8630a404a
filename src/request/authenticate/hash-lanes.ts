/**
 * Two lanes of hashing. A web.yml may hold hashes that take seconds or minutes each: their checks wait in a lane of their
 * own, with one worker and a deadline that fits, so that the logins of all other users stay as fast as they were.
 */
import type { Hashing } from '../../config/config.ts';
import { hashCost, SLOW_HASH_MS } from '../../formats/hash-cost.ts';
import { createHashPool, type HashJob, type HashMetrics, type HashPool, type HashPoolOptions } from './hash-pool.ts';

/** A busy machine, or an old one, takes many times what a hash takes on a quiet one, and here no other login waits for it. */
const PATIENCE = 20;

/** How long a job may wait, and then run: at least as long as is configured. */
function deadlineOf({ hashes }: HashJob, { deadlineMs }: Hashing): number {
  const dearest = hashes.reduce((most, hash) => Math.max(most, hashCost(hash)), 0);
  return Math.max(deadlineMs, Math.round(PATIENCE * dearest));
}

function isSlow({ hashes }: HashJob): boolean {
  return hashes.reduce((sum, hash) => sum + hashCost(hash), 0) > SLOW_HASH_MS;
}

/** A HashPool of two. The slow one starts its worker with its first job, and has it as long as there are such. */
export function createHashLanes(options: HashPoolOptions): HashPool {
  const queued = { usual: 0, slow: 0 };
  const { metrics } = options;
  const metricsOf = (lane: keyof typeof queued): HashMetrics => ({
    passwordChecked(result) {
      metrics.passwordChecked(result);
    },
    passwordHashed(seconds) {
      metrics.passwordHashed(seconds);
    },
    hashQueue(length) {
      queued[lane] = length;
      metrics.hashQueue(queued.usual + queued.slow);
    },
  });
  const slowly = (hashing: Hashing): Hashing => ({ ...hashing, workers: Math.min(hashing.workers, 1) });
  const usual = createHashPool({ ...options, metrics: metricsOf('usual') });
  const slow = createHashPool({ ...options, hashing: slowly(options.hashing), metrics: metricsOf('slow'), deadlineOf });
  return {
    submit: (job, done) => (isSlow(job) ? slow : usual).submit(job, done),
    configure(hashing) {
      usual.configure(hashing);
      slow.configure(slowly(hashing));
    },
    warmUp() {
      usual.warmUp();
    },
    async close() {
      await Promise.all([usual.close(), slow.close()]);
    },
  };
}
