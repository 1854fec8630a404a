/**
 * The attack: a flood of wrong passwords. bcrypt on the main thread stops every scrape while it hashes (nginx answers a
 * well-behaved client 1.7 s late); an unbounded queue takes the memory; and one address takes all the turns.
 */
import { performance } from 'node:perf_hooks';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import {
  createPasswordCheck,
  type CheckOutcome,
  type PasswordCheck,
} from '../../src/request/authenticate/password-check.ts';
import { LONGEST_PASSWORD_BYTES } from '../../src/formats/password-hash.ts';
import { configOf } from '../support/config-fixture.ts';
import { recordingLog } from '../observe/recording-log.ts';
import { bcryptLine, countingMetrics, expectRefused, login, verdict } from '../request/authenticate/fixtures.ts';
import { obedientWorker } from '../request/authenticate/workers.ts';

const checks: PasswordCheck[] = [];
afterEach(async () => {
  await Promise.all(checks.splice(0).map((check) => check.close()));
});

const USERS = new Map([['prom', [bcryptLine('prom', 'secret', 10)]]]);
const HASHING = { workers: 1, queue: 32, queuePerAddress: 4, deadlineMs: 20_000 };
const config = configOf({ authenticate: 'password', users: USERS, hashing: HASHING });

function start(workerUrl?: URL) {
  const metrics = countingMetrics();
  const options = workerUrl === undefined ? {} : { workerUrl };
  const check = createPasswordCheck({ log: recordingLog(), metrics, clock: systemClock, ...options });
  checks.push(check);
  check.applied(config);
  return { check, counted: (what: string) => metrics.counts.get(what) ?? 0 };
}

test('bcrypt at cost 10 leaves the event loop free, and the scraper that was here before is answered at once', async () => {
  const { check, counted } = start();
  expect(await verdict(check, { user: 'prom', password: 'secret', config })).toBe('right');
  const before = performance.eventLoopUtilization();
  const flood = Array.from({ length: 12 }, (_, index) =>
    verdict(check, { user: 'prom', password: `wrong ${String(index)}`, address: `192.0.2.${String(index)}`, config }),
  );
  let atOnce = 0;
  const scraper = setInterval(() => {
    check.check({ user: 'prom', password: 'secret', address: '192.0.2.200', config }, ({ kind }) => {
      if (kind === 'right') atOnce += 1;
    });
  }, 20);
  expect(new Set(await Promise.all(flood))).toEqual(new Set(['credentials_wrong']));
  clearInterval(scraper);
  expect(performance.eventLoopUtilization(before).utilization).toBeLessThan(0.5);
  expect(atOnce).toBeGreaterThan(5);
  expect(counted('computed')).toBe(13);
});

test('one address has its share of the queue, and the others theirs', async () => {
  const { check } = start(obedientWorker);
  const outcomes: CheckOutcome[] = [];
  const attempt = (password: string, address: string) =>
    check.check({ user: 'prom', password, address, config }, (outcome) => outcomes.push(outcome));
  for (let time = 0; time < 200; time++) attempt(`wrong ${String(time)}`, `2001:db8::${time.toString(16)}`);
  expect(outcomes).toHaveLength(196);
  for (const outcome of outcomes) expect(expectRefused(outcome).reason).toBe('login_queue_full');
  expect(await verdict(check, { user: 'prom', password: 'right', address: '192.0.2.1', config })).toBe('right');
});

test('from many addresses the queue is bounded, and says when to come again', async () => {
  const { check, counted } = start(obedientWorker);
  const flood = Array.from({ length: 5000 }, (_, index) =>
    login(check, {
      user: 'prom',
      password: `wrong ${String(index)}`,
      address: `10.0.${String(index >> 8)}.${String(index & 255)}`,
      config,
    }),
  );
  const refused = (await Promise.all(flood)).map(expectRefused);
  const busy = refused.filter(({ reason }) => reason === 'login_queue_full');
  expect(busy).toHaveLength(5000 - 33);
  for (const { retryAfterSeconds } of busy) expect(retryAfterSeconds).toBe(20);
  expect(counted('queue_full')).toBe(busy.length);
});

test('a password as long as a header can be is refused without being hashed', async () => {
  const { check, counted } = start();
  const password = 'é'.repeat(30_000);
  expect(await verdict(check, { user: 'prom', password, config })).toBe('credentials_wrong');
  expect(await verdict(check, { user: 'stranger', password, config })).toBe('credentials_wrong');
  expect(counted('computed')).toBe(0);
  await verdict(check, { user: 'prom', password: 'x'.repeat(LONGEST_PASSWORD_BYTES), config });
  expect(counted('computed')).toBe(1);
});
