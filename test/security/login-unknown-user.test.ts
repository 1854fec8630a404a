/**
 * The attacks: an unknown user is refused faster than a known one, so that user names can be collected; or the hash that
 * is computed for unknown users, to cost the same, has a password with which anybody logs in.
 */
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { createPasswordCheck, type PasswordCheck } from '../../src/request/authenticate/password-check.ts';
import { configOf } from '../support/config-fixture.ts';
import { recordingLog } from '../observe/recording-log.ts';
import { bcryptLine, countingMetrics, login, shaLine, verdict } from '../request/authenticate/fixtures.ts';
import { countingWorker } from '../request/authenticate/workers.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

const USERS = new Map([
  ['prom', [bcryptLine('prom', 'one', 4), bcryptLine('prom', 'two', 4), shaLine('prom', 'three')]],
  ['graf', [bcryptLine('graf', 'one', 4), bcryptLine('graf', 'two', 4), shaLine('graf', 'three')]],
]);
const config = configOf({ authenticate: 'password', users: USERS });
const NAMES = ['prom', 'graf', 'stranger', 'root', '', '__proto__', 'Prom'];

function start(workerUrl?: URL) {
  const metrics = countingMetrics();
  const log = recordingLog();
  const options = workerUrl === undefined ? {} : { workerUrl };
  const check: PasswordCheck = createPasswordCheck({ log, metrics, clock: systemClock, ...options });
  closers.push(() => check.close());
  check.applied(config);
  return { check, log, counted: (what: string) => metrics.counts.get(what) ?? 0 };
}

test('every name costs one job with the same hashes', async () => {
  const channel = new BroadcastChannel(`hashes-${String(process.pid)}`);
  closers.push(() => {
    channel.close();
  });
  const jobs: unknown[] = [];
  const all = new Promise<void>((resolve) => {
    channel.onmessage = (event) => {
      if (jobs.push((event as MessageEvent).data) === NAMES.length) resolve();
    };
  });
  const { check } = start(countingWorker(channel.name));
  for (const user of NAMES) await login(check, { user, password: 'wrong', config });
  await all;
  expect(jobs).toEqual(NAMES.map(() => ({ password: 'wrong', schemes: ['bcrypt', 'bcrypt', 'sha1'] })));
});

test('the same wrong pair of an unknown user costs nothing the second time, as that of a known one', async () => {
  const { check, counted } = start();
  for (const user of NAMES) await login(check, { user, password: 'wrong', config });
  const computed = counted('computed');
  for (const user of NAMES) await login(check, { user, password: 'wrong', config });
  expect(counted('computed')).toBe(computed);
  expect(counted('negative_cached')).toBe(NAMES.length);
});

test('an unknown user never logs in, with any password of a real one, in any order', async () => {
  const { check, log } = start();
  for (const password of ['one', 'two', 'three']) {
    for (const user of ['stranger', 'root', 'x', 'y', 'z']) {
      expect(await verdict(check, { user, password, config })).toBe('credentials_wrong');
    }
    expect(await verdict(check, { user: 'prom', password, config })).toBe('right');
    expect(await verdict(check, { user: 'graf', password, config })).toBe('right');
    expect(await verdict(check, { user: 'another', password, config })).toBe('credentials_wrong');
  }
  // Each of them is a failed login like any other: 3 passwords for 6 strangers.
  expect(log.lines.filter(({ message }) => message === 'login failed')).toHaveLength(18);
});
