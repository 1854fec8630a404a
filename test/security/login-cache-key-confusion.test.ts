/**
 * The attack (CVE-2022-46146 in the exporter-toolkit): the cache of right logins is keyed by user, hash and password one
 * behind the other. Whoever knows a hash can make one login that fills the cache under a key which another, wrong login
 * has too. No division of the same text into user and password may find what another one has left.
 */
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { noMetrics } from '../../src/observe/ports.ts';
import { createPasswordCheck, type PasswordCheck } from '../../src/request/authenticate/password-check.ts';
import { configOf } from '../support/config-fixture.ts';
import { recordingLog } from '../observe/recording-log.ts';
import { lineOf, shaLine, verdict } from '../request/authenticate/fixtures.ts';

const checks: PasswordCheck[] = [];
afterEach(async () => {
  await Promise.all(checks.splice(0).map((check) => check.close()));
});

function start(users: Parameters<typeof configOf>[0]) {
  const config = configOf({ authenticate: 'password', ...users });
  const check = createPasswordCheck({ log: recordingLog(), metrics: noMetrics, clock: systemClock });
  checks.push(check);
  check.applied(config);
  let host = 0;
  // Another address each time: a lockout must not hide what the cache lets in.
  return (user: string, password: string) =>
    verdict(check, { user, password, config, address: `192.0.2.${String(++host % 250)}` });
}

test('no other division of user, line and password is right', async () => {
  const prom = shaLine('prom', 'secret');
  const tries = start({
    users: new Map([
      ['prom', [prom]],
      ['promsecret', [shaLine('promsecret', 'x')]],
    ]),
  });
  expect(await tries('prom', 'secret')).toBe('right');
  const wrong = [
    ['promsecret', ''],
    ['proms', 'ecret'],
    ['pro', 'msecret'],
    ['', 'promsecret'],
    ['prom', `${prom.id}secret`],
    [`prom${prom.id}`, 'secret'],
    ['prom\0', 'secret'],
    ['prom', '6:secret'],
  ] as const;
  for (const [user, password] of wrong) expect(await tries(user, password)).toBe('credentials_wrong');
  expect(await tries('prom', 'secret')).toBe('right');
});

test('one user’s right password opens no other user, hash by hash', async () => {
  const text = '{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ='; // "secret"
  const tries = start({
    users: new Map([
      ['a', [lineOf('a', text)]],
      ['b', [shaLine('b', 'other')]],
    ]),
  });
  expect(await tries('a', 'secret')).toBe('right');
  expect(await tries('b', 'secret')).toBe('credentials_wrong');
  expect(await tries('a', text)).toBe('credentials_wrong');
  expect(await tries('b', 'other')).toBe('right');
  expect(await tries('a', 'other')).toBe('credentials_wrong');
});
