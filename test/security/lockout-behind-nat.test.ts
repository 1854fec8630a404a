/**
 * The attacks: behind one NAT, somebody's failures lock out everybody else's scrapes; two masters with yesterday's
 * password lock their own site out; and a scraper's successes, every 15 s, wipe out the failures of whoever guesses from
 * the same address.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { createPasswordCheck, type PasswordCheck } from '../../src/request/authenticate/password-check.ts';
import { configOf } from '../support/config-fixture.ts';
import { recordingLog } from '../observe/recording-log.ts';
import { countingMetrics, shiftedClock, usersOf, verdict } from '../request/authenticate/fixtures.ts';

const checks: PasswordCheck[] = [];
afterEach(async () => {
  await Promise.all(checks.splice(0).map((check) => check.close()));
});

function start() {
  const config = configOf({ authenticate: 'password', users: usersOf({ prom: ['today'], graf: ['other'] }) });
  const metrics = countingMetrics();
  const clock = shiftedClock(systemClock);
  const check = createPasswordCheck({ log: recordingLog(), metrics, clock });
  checks.push(check);
  check.applied(config);
  const tries = (user: string, password: string) => verdict(check, { user, password, config });
  return { check, clock, tries, computed: () => metrics.counts.get('computed') ?? 0 };
}

test('two masters with yesterday’s password, an hour long, lock nobody out and cost one hash a minute each', async () => {
  const { check, clock, tries, computed } = start();
  for (let scrape = 0; scrape < 240; scrape++) {
    expect(await tries('prom', 'yesterday')).toBe('credentials_wrong');
    expect(await tries('prom', 'of the day before')).toBe('credentials_wrong');
    clock.advance(15_000);
  }
  expect(check.lockouts()).toEqual([]);
  expect(computed()).toBeLessThanOrEqual(2 * 61);
  expect(await tries('prom', 'today')).toBe('right');
});

test('successes of the same user from the same address do not wipe out failures', async () => {
  const { tries } = start();
  for (let guess = 0; guess < 10; guess++) {
    expect(await tries('prom', `guess ${String(guess)}`)).toBe('credentials_wrong');
    expect(await tries('prom', 'today')).toBe('right');
    expect(await tries('graf', 'other')).toBe('right');
  }
  expect(await tries('prom', 'the one verification')).toBe('credentials_wrong');
  expect(await tries('prom', 'one more')).toBe('locked_out');
});

test('whoever scraped before goes on scraping beside a guesser', async () => {
  const { check, clock, tries } = start();
  expect(await tries('prom', 'today')).toBe('right');
  for (let user = 0; user < 60; user++) await tries(`guess ${String(user)}`, 'x');
  expect(check.lockouts()).toMatchObject([{ user: null }]);
  for (let scrape = 0; scrape < 10; scrape++) {
    expect(await tries('prom', 'today')).toBe('right');
    clock.advance(15_000);
  }
});

describe('a lock does not tell who is configured', () => {
  const answers = async (name: string): Promise<string[]> => {
    const { tries } = start();
    for (let user = 0; user < 50; user++) await tries(`guess ${String(user)}`, 'x');
    const heard: string[] = [];
    for (let time = 0; time < 4; time++) heard.push(await tries(name, `guess ${String(time)}`));
    return heard;
  };

  test('a configured name and a stranger’s are answered the same', async () => {
    const [known, unknown] = [await answers('prom'), await answers('stranger')];
    expect(known).toEqual(['credentials_wrong', 'locked_out', 'locked_out', 'locked_out']);
    expect(unknown).toEqual(known);
  });

  test('also when strangers have taken every verification before', async () => {
    const { tries } = start();
    for (let user = 0; user < 150; user++) await tries(`guess ${String(user)}`, 'x');
    expect(await tries('prom', 'guess')).toBe('locked_out');
    expect(await tries('graf', 'guess')).toBe('locked_out');
    expect(await tries('stranger', 'guess')).toBe('locked_out');
  });
});
