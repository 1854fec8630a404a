import { expect, test } from 'vitest';
import type { HashJob, HashPool, HashResult } from '../../../src/request/authenticate/hash-pool.ts';
import { createSharedVerification } from '../../../src/request/authenticate/shared-verification.ts';

const JOB: HashJob = { hashes: [], password: 'x', address: '192.0.2.1', party: { rank: 'new', path: [''] } };
const RIGHT: HashResult = { kind: 'verified', matched: 0 };

function start({ isRunning = false, isFull = false } = {}) {
  const jobs: ((result: HashResult) => void)[] = [];
  let abandoned = 0;
  let withdrawn = 0;
  const pool: Pick<HashPool, 'submit'> = {
    submit(_job, done) {
      if (isFull) return null;
      jobs.push(done);
      return () => {
        if (isRunning) return false;
        withdrawn += 1;
        return true;
      };
    },
  };
  const verifications = createSharedVerification(pool as HashPool, () => {
    abandoned += 1;
  });
  const heard: string[] = [];
  const join = (name: string, key = 'k') =>
    verifications.verify(key, JOB, (_result, isPresent) => heard.push(isPresent ? name : `${name} (left)`));
  return { jobs, heard, join, counts: () => ({ abandoned, withdrawn }) };
}

test('checks of one credential at one time are one job, and everybody hears', () => {
  const { jobs, heard, join } = start();
  for (const name of ['a', 'b', 'c']) join(name);
  expect(jobs).toHaveLength(1);
  jobs[0]?.(RIGHT);
  expect(heard).toEqual(['a', 'b', 'c']);
});

test('another credential is another job, and so is a later time', () => {
  const { jobs, join } = start();
  join('a');
  join('b', 'other');
  expect(jobs).toHaveLength(2);
  jobs[0]?.(RIGHT);
  join('c');
  expect(jobs).toHaveLength(3);
});

test('whoever leaves hears nothing, the others do', () => {
  const { jobs, heard, join, counts } = start();
  const leave = join('a');
  join('b');
  leave?.();
  leave?.();
  jobs[0]?.(RIGHT);
  expect(heard).toEqual(['b']);
  expect(counts()).toEqual({ abandoned: 0, withdrawn: 0 });
});

test('the last one to leave takes the job along', () => {
  const { jobs, join, counts } = start();
  const leaves = [join('a'), join('b')];
  for (const leave of leaves) leave?.();
  expect(counts()).toEqual({ abandoned: 1, withdrawn: 1 });
  join('c');
  expect(jobs).toHaveLength(2);
});

test('a job that runs already is heard by somebody who is marked as gone', () => {
  const { jobs, heard, join, counts } = start({ isRunning: true });
  const leaves = [join('a'), join('b')];
  for (const leave of leaves) leave?.();
  jobs[0]?.(RIGHT);
  expect(heard).toEqual(['b (left)']);
  expect(counts()).toEqual({ abandoned: 0, withdrawn: 0 });
});

test('leaving after the result does nothing to the next job', () => {
  const { jobs, heard, join, counts } = start();
  const leave = join('a');
  jobs[0]?.(RIGHT);
  join('b');
  leave?.();
  jobs[1]?.(RIGHT);
  expect(heard).toEqual(['a', 'b']);
  expect(counts()).toEqual({ abandoned: 0, withdrawn: 0 });
});

test('a full pool is said at once', () => {
  expect(start({ isFull: true }).join('a')).toBeNull();
});
