/**
 * The attack: a web.yml has one user whose bcrypt cost is 18, so that each check takes a core for some 20 seconds. Who knows
 * the name, or makes up names that stand for it, sends wrong passwords one after the other: with one worker for all, no
 * other user logs in any more.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { createHashLanes } from '../../src/request/authenticate/hash-lanes.ts';
import type { HashPool, HashResult } from '../../src/request/authenticate/hash-pool.ts';
import { recordingLog } from '../observe/recording-log.ts';
import { countingMetrics, lineOf, shaLine } from '../request/authenticate/fixtures.ts';
import { obedientWorker } from '../request/authenticate/workers.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { poll } from '../support/poll.ts';

const pools: HashPool[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

const BCRYPT_18 = '$2y$18$4VeFDzXIoPHKnKTU3O3GH.N.vZu06CVqczYZ8WvfzrddFU6tGqjR.';
const SLOW = [lineOf('slow', BCRYPT_18).hash];
const USUAL = [shaLine('u', 'x').hash];

function start(clock = systemClock) {
  const hashing = { workers: 1, queue: 8, queuePerAddress: 8, deadlineMs: 5000 };
  const options = { hashing, clock, log: recordingLog(), metrics: countingMetrics(), workerUrl: obedientWorker };
  const pool = createHashLanes(options);
  pools.push(pool);
  const submit = (password: string, hashes = USUAL) => {
    const results: HashResult[] = [];
    const address = '192.0.2.1';
    pool.submit({ hashes, password, address, party: { rank: 'new', path: [address] } }, (result) =>
      results.push(result),
    );
    return results;
  };
  return { submit };
}

describe('a hash that takes a core for minutes', () => {
  test('keeps no other login waiting, however many guess at it', async () => {
    const { submit } = start();
    const slow = Array.from({ length: 8 }, () => submit('hang', SLOW));
    for (let login = 0; login < 20; login++) {
      const results = submit('right');
      expect(await poll('the login of another user', () => results[0])).toEqual({ kind: 'verified', matched: 0 });
    }
    expect(slow.flat()).toEqual([]);
  });

  test('has a deadline that fits, while that of the others stays', async () => {
    const clock = createFakeClock();
    const { submit } = start(clock);
    const slow = submit('hang', SLOW);
    const usual = submit('hang');
    clock.advance(5001);
    expect(usual).toEqual([{ kind: 'late' }]);
    clock.advance(350_000);
    expect(slow).toEqual([]);
    clock.advance(20_000);
    expect(slow).toEqual([{ kind: 'late' }]);
  });
});
