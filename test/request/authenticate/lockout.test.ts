import { describe, expect, test } from 'vitest';
import type { Lockout as LockoutRules } from '../../../src/config/config.ts';
import { EMPTY_ADDRESS_SET } from '../../../src/formats/address-set.ts';
import { createLockout, type Lockout } from '../../../src/request/authenticate/lockout.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { addresses } from './fixtures.ts';

const MINUTE = 60_000;
const RULES: LockoutRules = {
  attempts: 10,
  windowMs: MINUTE,
  durationMs: 5 * MINUTE,
  attemptsPerAddress: 50,
  exempt: EMPTY_ADDRESS_SET,
};
const HOST = '192.0.2.1';

function start(changes: Partial<LockoutRules> = {}, most?: number) {
  const clock = createFakeClock();
  const lockout = createLockout({ ...RULES, ...changes }, () => clock.monotonic(), most);
  let count = 0;
  /** `times` distinct wrong credentials. */
  const fail = (times: number, user = 'prom', address = HOST) => {
    let last = 'nothing';
    for (let time = 0; time < times; time++) {
      last = lockout.fail({ address, user, credential: `wrong ${String(++count)}` }).locked;
    }
    return last;
  };
  const isLocked = (user = 'prom', address = HOST) => lockout.lockedUntil(address, user) !== null;
  return { lockout, clock, fail, isLocked };
}

describe('address and user', () => {
  test('the tenth distinct failure within a minute locks for five minutes', () => {
    const { lockout, clock, fail, isLocked } = start();
    expect(fail(9)).toBe('nothing');
    expect(isLocked()).toBe(false);
    expect(fail(1)).toBe('user');
    expect(lockout.lockedUntil(HOST, 'prom')).toBe(5 * MINUTE);
    clock.advance(5 * MINUTE - 1);
    expect(isLocked()).toBe(true);
    clock.advance(1);
    expect(isLocked()).toBe(false);
  });

  test('another user and another address are not locked along', () => {
    const { fail, isLocked } = start();
    fail(10);
    expect(isLocked('grafana')).toBe(false);
    expect(isLocked('prom', '192.0.2.2')).toBe(false);
  });

  test('the window slides', () => {
    const { clock, fail, isLocked } = start();
    fail(5);
    clock.advance(MINUTE / 2);
    fail(4);
    clock.advance(MINUTE / 2);
    expect(fail(5)).toBe('nothing');
    expect(fail(1)).toBe('user');
    expect(isLocked()).toBe(true);
  });

  test('failures under a lock make it no longer, and do not lock again when it ends', () => {
    const { clock, fail, isLocked } = start({ durationMs: 10_000 });
    fail(10);
    clock.advance(5000);
    fail(30);
    clock.advance(5000);
    expect(isLocked()).toBe(false);
    expect(fail(9)).toBe('nothing');
    expect(fail(1)).toBe('user');
  });
});

describe('the same wrong pair', () => {
  const yesterday = { address: HOST, user: 'prom', credential: 'yesterday' };

  test('counts once within the window, and is known until it is over', () => {
    const { lockout, clock, isLocked } = start();
    expect(lockout.isKnownWrong(yesterday)).toBe(false);
    expect(lockout.fail(yesterday).counted).toBe(true);
    for (let time = 0; time < 100; time++) expect(lockout.fail(yesterday).counted).toBe(false);
    expect(lockout.isKnownWrong(yesterday)).toBe(true);
    expect(isLocked()).toBe(false);
    clock.advance(MINUTE);
    expect(lockout.isKnownWrong(yesterday)).toBe(false);
    expect(lockout.fail(yesterday).counted).toBe(true);
  });

  test('never locks, however long it goes on', () => {
    const { lockout, clock, isLocked } = start();
    for (let scrape = 0; scrape < 1000; scrape++) {
      lockout.fail(yesterday);
      lockout.fail({ ...yesterday, credential: 'of the other master' });
      clock.advance(15_000);
      expect(isLocked()).toBe(false);
    }
  });

  test('stays known under a lock', () => {
    const { lockout, fail } = start();
    lockout.fail(yesterday);
    fail(9);
    expect(lockout.isKnownWrong(yesterday)).toBe(true);
  });
});

describe('the ceiling of an address', () => {
  test('fifty distinct failures over all names lock every name', () => {
    const { lockout, fail, isLocked } = start();
    for (let user = 0; user < 49; user++) fail(1, `user ${String(user)}`);
    expect(isLocked()).toBe(false);
    expect(fail(1, 'one more')).toBe('address');
    expect(isLocked('a name never tried')).toBe(true);
    expect(lockout.list()).toEqual([{ address: HOST, user: null, until: 5 * MINUTE }]);
  });

  test('failures that locked a user count for it too', () => {
    const { fail, isLocked } = start();
    for (const user of ['a', 'b', 'c', 'd']) expect(fail(10, user)).toBe('user');
    expect(fail(9, 'e')).toBe('nothing');
    expect(fail(1, 'f')).toBe('address');
    expect(isLocked('z')).toBe(true);
  });

  test('an IPv6 /64 is one address, the next one is another', () => {
    const { fail, isLocked } = start();
    for (let host = 0; host < 10; host++) fail(1, 'prom', `2001:db8:0:1::${String(host)}`);
    expect(isLocked('prom', '2001:db8:0:1:ffff::1')).toBe(true);
    expect(isLocked('prom', '2001:db8:0:2::1')).toBe(false);
  });
});

const taker =
  (lockout: Lockout) =>
  (user: string, credential = `guess at ${user}`, isReturning = false): boolean =>
    lockout.takeVerification({ address: HOST, user, credential }, isReturning);

describe('one verification', () => {
  test('is left to a locked address every 15 s, for each user', () => {
    const { lockout, clock, fail } = start();
    const take = taker(lockout);
    fail(10);
    expect(take('prom')).toBe(true);
    expect(take('prom')).toBe(false);
    expect(take('grafana')).toBe(true);
    clock.advance(14_999);
    expect(take('prom')).toBe(false);
    clock.advance(1);
    expect(take('prom')).toBe(true);
  });

  test('goes in turn to those that come again, whoever is first', () => {
    const { lockout, clock, fail } = start();
    const take = taker(lockout);
    fail(10);
    expect(take('prom', 'a guess')).toBe(true);
    expect(take('prom', 'early', true)).toBe(true);
    expect(take('prom', 'scraper', true)).toBe(false);
    expect(take('prom', 'late', true)).toBe(false);
    clock.advance(15_000);
    expect(take('prom', 'another guess')).toBe(true);
    expect(take('prom', 'late', true)).toBe(false);
    expect(take('prom', 'scraper', true)).toBe(true);
    clock.advance(15_000);
    expect(take('prom', 'late', true)).toBe(true);
  });

  test('does not wait for a credential that stays away', () => {
    const { lockout, clock, fail } = start();
    const take = taker(lockout);
    fail(10);
    take('prom', 'early', true);
    take('prom', 'gone', true);
    take('prom', 'a guess');
    for (let time = 0; time < 10; time++) {
      clock.advance(15_000);
      take('prom', `guess ${String(time)}`);
      if (take('prom', 'scraper', true)) break;
    }
    expect(take('prom', 'scraper', true)).toBe(false);
    clock.advance(15_000);
    expect(take('prom', 'scraper', true)).toBe(true);
  });
});

describe('lifting', () => {
  test('a change of the line lifts what concerns the user, everywhere', () => {
    const { lockout, fail, isLocked } = start();
    fail(10);
    fail(10, 'prom', '192.0.2.2');
    fail(10, 'grafana');
    fail(9, 'prom', '192.0.2.3');
    const take = taker(lockout);
    take('prom');
    lockout.liftUsers(new Set(['prom']));
    expect([isLocked(), isLocked('prom', '192.0.2.2'), isLocked('grafana')]).toEqual([false, false, true]);
    expect(take('prom')).toBe(true);
    expect(fail(9, 'prom', '192.0.2.3')).toBe('nothing');
  });

  test('a change of the line does not free an address that tried everybody', () => {
    const { lockout, fail, isLocked } = start();
    for (let user = 0; user < 50; user++) fail(1, `user ${String(user)}`);
    lockout.liftUsers(new Set(['user 1']));
    expect(isLocked('user 1')).toBe(true);
  });

  test('an operator frees an address, or the /64 that holds it, in any spelling', () => {
    const { lockout, fail, isLocked } = start();
    fail(10);
    fail(10, 'grafana');
    expect(lockout.clear(HOST)).toBe(2);
    expect(lockout.clear(HOST)).toBe(0);
    expect(isLocked()).toBe(false);
    for (const spelling of ['2001:DB8::9', '2001:db8::/64', '2001:db8:0:0:1::']) {
      fail(10, 'prom', '2001:db8::1');
      expect(lockout.clear(spelling)).toBe(1);
    }
    fail(10);
    expect(lockout.clear(`::ffff:${HOST}`)).toBe(1);
  });

  test('clearing forgets failures that have not locked yet', () => {
    const { lockout, fail } = start();
    fail(9);
    lockout.clear(HOST);
    expect(fail(9)).toBe('nothing');
  });
});

describe('exempt addresses', () => {
  const exempt = addresses('192.0.2.0/24');

  test('are never locked, and what they got wrong is still known', () => {
    const { lockout, fail, isLocked } = start({ exempt });
    fail(1000);
    expect(isLocked()).toBe(false);
    const wrong = { address: HOST, user: 'prom', credential: 'x' };
    lockout.fail(wrong);
    expect(lockout.isKnownWrong(wrong)).toBe(true);
  });

  test('are free at once when the configuration says so', () => {
    const { lockout, fail, isLocked } = start();
    fail(10);
    lockout.configure({ ...RULES, exempt });
    expect(isLocked()).toBe(false);
  });
});

describe('memory', () => {
  test('what is over is forgotten', () => {
    const { lockout, clock, fail } = start();
    fail(1, 'prom', '192.0.2.7');
    fail(10);
    clock.advance(5 * MINUTE);
    lockout.sweep();
    expect(lockout.addresses).toBe(0);
    expect(lockout.list()).toEqual([]);
  });

  test('the address that failed longest ago is forgotten first', () => {
    const { fail } = start({}, 3);
    for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.3']) fail(9, 'prom', address);
    fail(1, 'grafana', '192.0.2.1');
    fail(1, 'prom', '192.0.2.4');
    expect(fail(1, 'prom', '192.0.2.1')).toBe('user');
    expect(fail(1, 'prom', '192.0.2.2')).toBe('nothing');
  });

  test('a lock yields only to newer locks', () => {
    const { lockout, clock, fail, isLocked } = start({}, 3);
    for (const host of [1, 2, 3]) {
      fail(10, 'prom', `192.0.2.${String(host)}`);
      clock.advance(1);
    }
    for (let host = 10; host < 250; host++) fail(9, 'prom', `192.0.2.${String(host)}`);
    expect(lockout.list().map(({ address }) => address)).toEqual(['192.0.2.1', '192.0.2.2', '192.0.2.3']);
    fail(10, 'prom', '192.0.2.4');
    expect([1, 2, 3, 4].map((host) => isLocked('prom', `192.0.2.${String(host)}`))).toEqual([false, true, true, true]);
  });
});
