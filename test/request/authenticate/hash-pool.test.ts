import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { Hashing } from '../../../src/config/config.ts';
import { systemClock, type Clock } from '../../../src/lib/clock.ts';
import { createHashPool, type HashPool, type HashResult } from '../../../src/request/authenticate/hash-pool.ts';
import { recordingLog } from '../../observe/recording-log.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { poll } from '../../support/poll.ts';
import { bcryptLine, countingMetrics, lineOf, shaLine } from './fixtures.ts';
import { obedientWorker, workerOf } from './workers.ts';

const pools: HashPool[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

interface Changes extends Partial<Hashing> {
  readonly clock?: Clock;
  readonly workerUrl?: URL;
}

function start({ clock = systemClock, workerUrl = obedientWorker, ...changes }: Changes = {}) {
  const metrics = countingMetrics();
  const log = recordingLog();
  const hashing = { workers: 1, queue: 8, queuePerAddress: 8, deadlineMs: 5000, ...changes };
  const pool = createHashPool({ hashing, clock, log, metrics, workerUrl });
  pools.push(pool);
  let addresses = 0;
  const submit = (password: string, address = `192.0.2.${String(++addresses)}`, hashes = [shaLine('u', 'x').hash]) => {
    const results: HashResult[] = [];
    const party = { rank: 'new', path: [address] } as const;
    const withdraw = pool.submit({ hashes, password, address, party }, (result) => results.push(result));
    return { results, withdraw, done: () => poll(`the result of ${password}`, () => results[0]) };
  };
  return { pool, metrics, log, submit, hashing };
}

describe('the real worker', () => {
  const LINES = [shaLine('u', 'one'), bcryptLine('u', 'two', 4), lineOf('u', '$apr1$abcdefgh$RXxR.LGZUs5aXs0SmrOjR1')];
  const hashes = LINES.map(({ hash }) => hash);

  test('says which line a password fits', async () => {
    const metrics = countingMetrics();
    const hashing = { workers: 1, queue: 8, queuePerAddress: 8, deadlineMs: 20_000 };
    const pool = createHashPool({ hashing, clock: systemClock, log: recordingLog(), metrics });
    pools.push(pool);
    const matched = (password: string) =>
      new Promise<HashResult>((resolve) =>
        pool.submit({ hashes, password, address: '::1', party: { rank: 'new', path: ['::1'] } }, resolve),
      );
    expect(await matched('one')).toEqual({ kind: 'verified', matched: 0 });
    expect(await matched('two')).toEqual({ kind: 'verified', matched: 1 });
    expect(await matched('four')).toEqual({ kind: 'verified', matched: -1 });
    expect(await matched('')).toEqual({ kind: 'verified', matched: -1 });
  });

  test('leaves the processor to the thread that serves requests', async () => {
    const hashing = { workers: 1, queue: 8, queuePerAddress: 8, deadlineMs: 20_000 };
    const pool = createHashPool({ hashing, clock: systemClock, log: recordingLog(), metrics: countingMetrics() });
    pools.push(pool);
    const party = { rank: 'new', path: ['::1'] } as const;
    const before = niceness();
    await new Promise((resolve) => pool.submit({ hashes, password: 'one', address: '::1', party }, resolve));
    expect(niceness().main).toBe(before.main);
    expect(niceness().others.filter((nice) => nice > before.main)).toHaveLength(
      before.others.filter((nice) => nice > before.main).length + 1,
    );
  });
});

/** Of the main thread and of the others of this process: field 19 of proc_pid_stat(5). */
function niceness(): { readonly main: number; readonly others: readonly number[] } {
  const of = (thread: string): number => {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
  };
  const main = String(process.pid);
  return {
    main: of(main),
    others: readdirSync('/proc/self/task')
      .filter((thread) => thread !== main)
      .map(of),
  };
}

describe('bounds', () => {
  test('a full queue takes nothing more', async () => {
    const { submit } = start({ queue: 2 });
    submit('hang');
    expect(submit('a').withdraw).not.toBeNull();
    expect(submit('b').withdraw).not.toBeNull();
    expect(submit('c').withdraw).toBeNull();
  });

  test('an address has its share, running jobs included, and gets it back', async () => {
    const { submit } = start({ queuePerAddress: 2 });
    const first = submit('right', '192.0.2.1');
    const second = submit('right', '192.0.2.1');
    expect(submit('right', '192.0.2.1').withdraw).toBeNull();
    expect(submit('right', '192.0.2.2').withdraw).not.toBeNull();
    await first.done();
    await second.done();
    expect(submit('right', '192.0.2.1').withdraw).not.toBeNull();
  });

  test('no more workers run than are configured', async () => {
    const workerUrl = workerOf(`parentPort.on('message', ({ id }) => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
      parentPort.postMessage({ id, matched: threadId });
    });`);
    const { submit, pool, hashing } = start({ workers: 2, workerUrl });
    const threads = async (count: number) => {
      const results = await Promise.all(Array.from({ length: count }, () => submit('x').done()));
      return new Set(results.map((result) => (result.kind === 'verified' ? result.matched : null))).size;
    };
    expect(await threads(6)).toBe(2);
    pool.configure({ ...hashing, workers: 1 });
    expect(await threads(4)).toBe(1);
  });
});

test('a worker without work is ended after a while, and the next job gets another', async () => {
  const clock = createFakeClock();
  const workerUrl = workerOf(
    `parentPort.on('message', ({ id }) => parentPort.postMessage({ id, matched: threadId }));`,
  );
  const { submit, pool, metrics, log } = start({ clock, workerUrl });
  const threadOf = async () => {
    const result = await submit('x').done();
    return result.kind === 'verified' ? result.matched : null;
  };
  pool.warmUp();
  const first = await threadOf();
  clock.advance(9_999);
  expect(await threadOf()).toBe(first);
  clock.advance(9_999);
  expect(await threadOf()).toBe(first);
  clock.advance(10_000);
  expect(await threadOf()).not.toBe(first);
  expect(metrics.counts.get('worker_replaced')).toBeUndefined();
  expect(log.lines).toEqual([]);
});

test('an answer that comes behind the deadline is not a second one', async () => {
  const clock = createFakeClock();
  const directory = mkdtempSync(join(tmpdir(), 'promgate-hash-'));
  const marker = join(directory, 'answered');
  const workerUrl = workerOf(`
    import { writeFileSync } from 'node:fs';
    parentPort.on('message', ({ id }) => {
      parentPort.postMessage({ id, matched: 0 });
      writeFileSync(${JSON.stringify(marker)}, '');
    });
  `);
  const { submit } = start({ clock, workerUrl, deadlineMs: 1000, queuePerAddress: 1 });
  // A first job starts the worker: nothing of this thread runs while it waits below.
  await submit('x', '192.0.2.9').done();
  rmSync(marker);
  const job = submit('x', '192.0.2.1');
  const giveUpAt = performance.now() + 5000;
  while (!existsSync(marker) && performance.now() < giveUpAt);
  clock.advance(1000);
  expect(job.results).toEqual([{ kind: 'late' }]);
  // Its share is free once, not twice.
  const next = submit('x', '192.0.2.1');
  expect(submit('x', '192.0.2.1').withdraw).toBeNull();
  await next.done();
  expect(job.results).toEqual([{ kind: 'late' }]);
  rmSync(directory, { recursive: true });
});

describe('withdrawing', () => {
  test('takes a waiting job out of the queue, and it is never run or answered', async () => {
    const { submit } = start({ queue: 1 });
    const running = submit('right');
    const waiting = submit('right');
    expect(waiting.withdraw?.()).toBe(true);
    expect(waiting.withdraw?.()).toBe(false);
    const next = submit('right');
    await running.done();
    await next.done();
    expect(waiting.results).toEqual([]);
  });

  test('leaves a running job alone', async () => {
    const { submit } = start();
    const running = submit('right');
    expect(running.withdraw?.()).toBe(false);
    expect(await running.done()).toEqual({ kind: 'verified', matched: 0 });
  });
});

describe('deadlines', () => {
  test('a stuck worker is replaced, counted and logged; the next job runs', async () => {
    const clock = createFakeClock();
    const { submit, metrics, log } = start({ clock, deadlineMs: 1000 });
    const stuck = submit('hang');
    clock.advance(999);
    const next = submit('right');
    expect(stuck.results).toEqual([]);
    clock.advance(1);
    expect(stuck.results).toEqual([{ kind: 'late' }]);
    expect(await next.done()).toEqual({ kind: 'verified', matched: 0 });
    expect(metrics.counts.get('worker_replaced')).toBe(1);
    expect(log.lines.map(({ message }) => message)).toEqual(['password worker is stuck and was replaced']);
  });

  test('a job that waited too long is given up, and its place is free', () => {
    const clock = createFakeClock();
    const { submit, metrics } = start({ clock, deadlineMs: 1000, queue: 1 });
    const { hash } = shaLine('u', 'x');
    submit('hang', '192.0.2.1', [hash, hash, hash]);
    const waiting = submit('x', '192.0.2.2');
    clock.advance(999);
    expect(waiting.results).toEqual([]);
    expect(submit('x').withdraw).toBeNull();
    clock.advance(1);
    expect(waiting.results).toEqual([{ kind: 'late' }]);
    expect(submit('x').withdraw).not.toBeNull();
    expect(metrics.counts.get('worker_replaced')).toBeUndefined();
  });

  test('time in the queue does not count against a healthy worker', async () => {
    const clock = createFakeClock();
    const { submit, metrics } = start({ clock, deadlineMs: 1000 });
    submit('hang');
    clock.advance(10);
    const waited = submit('hang');
    clock.advance(990);
    expect(waited.results).toEqual([]);
    clock.advance(999);
    expect(metrics.counts.get('worker_replaced')).toBe(1);
    clock.advance(1);
    expect(waited.results).toEqual([{ kind: 'late' }]);
    expect(metrics.counts.get('worker_replaced')).toBe(2);
  });

  test('a user with several lines has several times as long', () => {
    const clock = createFakeClock();
    const { submit } = start({ clock, deadlineMs: 1000 });
    const { hash } = shaLine('u', 'x');
    const stuck = submit('hang', '192.0.2.1', [hash, hash, hash]);
    clock.advance(2999);
    expect(stuck.results).toEqual([]);
    clock.advance(1);
    expect(stuck.results).toEqual([{ kind: 'late' }]);
  });
});

describe('a worker that fails', () => {
  test('is replaced; its job fails, those behind it run', async () => {
    const { submit, metrics, log } = start();
    const dead = submit('die');
    const next = submit('right');
    expect(await dead.done()).toEqual({ kind: 'failed' });
    expect(await next.done()).toEqual({ kind: 'verified', matched: 0 });
    expect(metrics.counts.get('worker_replaced')).toBe(1);
    expect(log.lines.map(({ level }) => level)).toEqual(['error']);
  });

  test('that cannot be started fails its jobs instead of letting them wait', async () => {
    const { submit } = start({ workerUrl: new URL('file:///nowhere/hash-worker.js') });
    expect(await submit('right').done()).toEqual({ kind: 'failed' });
  });

  test('a hash that cannot be computed is neither right nor wrong', async () => {
    expect(await start().submit('broken').done()).toEqual({ kind: 'failed' });
  });
});

test('closing answers everybody, once, and takes nothing more', async () => {
  const { submit, pool } = start();
  const running = submit('hang');
  const waiting = submit('right');
  await pool.close();
  expect([running.results, waiting.results]).toEqual([[{ kind: 'late' }], [{ kind: 'late' }]]);
  expect(submit('right').withdraw).toBeNull();
});
