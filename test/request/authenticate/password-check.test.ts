import { afterEach, describe, expect, test } from 'vitest';
import type { Config } from '../../../src/config/config.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import {
  createPasswordCheck,
  type CheckOutcome,
  type PasswordCheck,
} from '../../../src/request/authenticate/password-check.ts';
import { configOf } from '../../support/config-fixture.ts';
import { recordingLog } from '../../observe/recording-log.ts';
import { poll } from '../../support/poll.ts';
import { addresses, countingMetrics, login, shiftedClock, usersOf, verdict, type Login } from './fixtures.ts';
import { obedientWorker } from './workers.ts';

const checks: PasswordCheck[] = [];
afterEach(async () => {
  await Promise.all(checks.splice(0).map((check) => check.close()));
});

const LOCKOUT = configOf().lockout;
const HASHING = { workers: 1, queue: 64, queuePerAddress: 32, deadlineMs: 10_000 };
let generation = 0;
const configWith = (users: Parameters<typeof usersOf>[0], changes: Partial<Config> = {}): Config =>
  configOf({ authenticate: 'password', generation: ++generation, users: usersOf(users), hashing: HASHING, ...changes });

function start(config: Config, workerUrl?: URL) {
  const metrics = countingMetrics();
  const log = recordingLog();
  const clock = shiftedClock(systemClock);
  const check = createPasswordCheck({ log, metrics, clock, ...(workerUrl === undefined ? {} : { workerUrl }) });
  checks.push(check);
  check.applied(config);
  const counted = (what: string) => metrics.counts.get(what) ?? 0;
  const tries = (attempt: Omit<Login, 'config'> & { config?: Config }) => verdict(check, { config, ...attempt });
  return { check, metrics, log, clock, counted, tries };
}

describe('right and wrong', () => {
  test('the right password logs in, a wrong one and a stranger do not', async () => {
    const { tries } = start(configWith({ prom: ['secret'] }));
    expect(await tries({ user: 'prom', password: 'secret' })).toBe('right');
    for (const password of ['Secret', 'secret ', '', 'secre', 'secrett']) {
      expect(await tries({ user: 'prom', password })).toBe('credentials_wrong');
    }
    expect(await tries({ user: 'stranger', password: 'secret' })).toBe('credentials_wrong');
  });

  test('each password of a user with several lines is right', async () => {
    const { tries, counted } = start(configWith({ prom: ['old', 'new'] }));
    for (const password of ['old', 'new', 'old', 'new']) expect(await tries({ user: 'prom', password })).toBe('right');
    expect(counted('computed')).toBe(2);
    expect(counted('cached')).toBe(2);
  });

  test('without users everybody is wrong, and nothing is hashed', async () => {
    const { tries, counted } = start(configWith({}));
    expect(await tries({ user: 'prom', password: 'secret' })).toBe('credentials_wrong');
    expect(counted('computed')).toBe(0);
  });

  test('a user called __proto__ is a user, and otherwise a stranger', async () => {
    const users = new Map([['__proto__', usersOf({ x: ['secret'] }).get('x') ?? []]]);
    expect(await start(configWith({}, { users })).tries({ user: '__proto__', password: 'secret' })).toBe('right');
    const { tries } = start(configWith({ prom: ['secret'] }));
    for (const user of ['__proto__', 'constructor']) {
      expect(await tries({ user, password: 'secret' })).toBe('credentials_wrong');
    }
  });
});

describe('what is remembered', () => {
  test('a scraper costs one hash, and then is answered at once', async () => {
    const config = configWith({ prom: ['secret'] });
    const { check, tries, counted } = start(config);
    await tries({ user: 'prom', password: 'secret' });
    let outcome: CheckOutcome | undefined;
    check.check({ user: 'prom', password: 'secret', address: '192.0.2.9', config }, (now) => (outcome = now));
    expect(outcome).toEqual({ kind: 'right', user: 'prom' });
    expect(counted('computed')).toBe(1);
  });

  test('a reload that leaves the credentials as they are costs nobody a hash', async () => {
    const { check, tries, counted } = start(configWith({ prom: ['secret'] }));
    await tries({ user: 'prom', password: 'secret' });
    const next = configWith({ prom: ['secret'] });
    check.applied(next);
    expect(await tries({ user: 'prom', password: 'secret', config: next })).toBe('right');
    expect(counted('computed')).toBe(1);
  });

  test('a changed password is wrong from the reload on, and so is a removed user', async () => {
    const { check, tries } = start(configWith({ prom: ['secret'], graf: ['other'] }));
    await tries({ user: 'prom', password: 'secret' });
    await tries({ user: 'graf', password: 'other' });
    const next = configWith({ prom: ['changed'] });
    check.applied(next);
    expect(await tries({ user: 'prom', password: 'secret', config: next })).toBe('credentials_wrong');
    expect(await tries({ user: 'graf', password: 'other', config: next })).toBe('credentials_wrong');
    expect(await tries({ user: 'prom', password: 'changed', config: next })).toBe('right');
  });

  test('a request of a new configuration that comes before the reload is told counts', async () => {
    const { tries } = start(configWith({ prom: ['secret'] }));
    expect(await tries({ user: 'prom', password: 'changed', config: configWith({ prom: ['changed'] }) })).toBe('right');
  });

  test('a password that was taken away while it was hashed does not log in, and is not remembered', async () => {
    const config = configWith({ prom: ['secret'] });
    const { check } = start(config);
    const pending = verdict(check, { user: 'prom', password: 'secret', config });
    check.applied(configWith({ prom: ['changed'] }));
    expect(await pending).toBe('credentials_wrong');
    expect(await verdict(check, { user: 'prom', password: 'secret', config })).toBe('credentials_wrong');
    expect(check.lockouts()).toEqual([]);
  });

  test('a password that became right while it was found wrong is right from then on', async () => {
    const config = configWith({ prom: ['secret'] });
    const { check } = start(config);
    const pending = verdict(check, { user: 'prom', password: 'changed', config });
    const next = configWith({ prom: ['changed'] });
    check.applied(next);
    expect(await pending).toBe('credentials_wrong');
    expect(await verdict(check, { user: 'prom', password: 'changed', config: next })).toBe('right');
  });

  test('a check that a reload of other things overtakes logs in', async () => {
    const config = configWith({ prom: ['secret'], graf: ['a'] });
    const { check } = start(config);
    const pending = verdict(check, { user: 'prom', password: 'secret', config });
    check.applied(configWith({ prom: ['secret'], graf: ['b'] }));
    expect(await pending).toBe('right');
  });
});

describe('many at once', () => {
  test('200 good logins on a cold gate cost one hash per credential', async () => {
    const { tries, counted } = start(configWith({ prom: ['secret'], graf: ['other'] }));
    const logins = Array.from({ length: 200 }, (_, index) =>
      tries(index % 2 === 0 ? { user: 'prom', password: 'secret' } : { user: 'graf', password: 'other' }),
    );
    expect(new Set(await Promise.all(logins))).toEqual(new Set(['right']));
    expect(counted('computed')).toBe(2);
    expect(counted('queue_full')).toBe(0);
  });

  test('a full queue is said at once, with the time after which to come again', async () => {
    const config = configWith(
      { prom: ['x'] },
      { hashing: { ...HASHING, queue: 1, queuePerAddress: 1, deadlineMs: 4500 } },
    );
    const { check, counted } = start(config, obedientWorker);
    void login(check, { user: 'prom', password: 'hang', config });
    expect(await login(check, { user: 'prom', password: 'more', config })).toEqual({
      kind: 'refused',
      reason: 'login_queue_full',
      retryAfterSeconds: 5,
    });
    expect(counted('queue_full')).toBe(1);
  });

  test('a full queue counts as no failure', async () => {
    const config = configWith({ prom: ['x'] }, { hashing: { ...HASHING, queuePerAddress: 1 } });
    const { check, log } = start(config, obedientWorker);
    void login(check, { user: 'prom', password: 'hang', config });
    for (let time = 0; time < 100; time++) await login(check, { user: 'prom', password: `x${String(time)}`, config });
    expect(check.lockouts()).toEqual([]);
    expect(log.lines).toEqual([]);
  });

  test('a client that left takes its job along', async () => {
    const config = configWith({ prom: ['x'] });
    const { check, counted, tries } = start(config, obedientWorker);
    const heard: CheckOutcome[] = [];
    const first = tries({ user: 'prom', password: 'other' });
    const leave = check.check({ user: 'prom', password: 'gone', address: '192.0.2.2', config }, (now) =>
      heard.push(now),
    );
    leave();
    await first;
    expect(await tries({ user: 'prom', password: 'right' })).toBe('right');
    expect(heard).toEqual([]);
    expect(counted('abandoned')).toBe(1);
    expect(counted('computed')).toBe(2);
  });

  test('a failure counts though the client left while it was hashed', async () => {
    const config = configWith({ prom: ['x'] });
    const { check, log } = start(config, obedientWorker);
    check.check({ user: 'prom', password: 'wrong', address: '192.0.2.2', config }, () => undefined)();
    await poll('the log line', () => log.lines.length === 1);
    expect(log.lines[0]?.fields).toMatchObject({ address: '192.0.2.2', reason: 'credentials_wrong' });
  });

  test('a hash that cannot be computed is an error of ours', async () => {
    const { tries, check } = start(configWith({ prom: ['x'] }), obedientWorker);
    expect(await tries({ user: 'prom', password: 'broken' })).toBe('internal_error');
    expect(check.lockouts()).toEqual([]);
  });
});

describe('lockout', () => {
  const lockPromAt = async ({ tries }: ReturnType<typeof start>, address: string) => {
    for (let time = 0; time < 10; time++) await tries({ user: 'prom', password: `wrong ${String(time)}`, address });
  };

  test('ten distinct wrong passwords lock, and say for how long', async () => {
    const config = configWith({ prom: ['secret'] });
    const gate = start(config);
    await lockPromAt(gate, '192.0.2.1');
    await gate.tries({ user: 'prom', password: 'takes the one verification' });
    const outcome = await login(gate.check, { user: 'prom', password: 'eleven', config });
    expect(outcome).toEqual({ kind: 'refused', reason: 'locked_out', retryAfterSeconds: 300 });
    expect(gate.counted('locked_out')).toBe(1);
    expect(gate.metrics.lockouts).toBe(1);
    const failed = gate.log.lines.filter(({ message }) => message === 'login failed').map(({ fields }) => fields);
    expect(gate.log.lines).toHaveLength(failed.length);
    expect(failed.filter((fields) => 'locks' in fields)).toEqual([expect.objectContaining({ locks: 'user' })]);
  });

  test('a remembered right credential is honoured while its address is locked', async () => {
    const gate = start(configWith({ prom: ['secret'] }));
    await gate.tries({ user: 'prom', password: 'secret' });
    await lockPromAt(gate, '192.0.2.1');
    for (let scrape = 0; scrape < 3; scrape++) {
      expect(await gate.tries({ user: 'prom', password: 'secret' })).toBe('right');
    }
  });

  test('with a cold cache one verification every 15 s lets the right one back in', async () => {
    const gate = start(configWith({ prom: ['secret'] }));
    await lockPromAt(gate, '192.0.2.1');
    expect(await gate.tries({ user: 'prom', password: 'first guess' })).toBe('credentials_wrong');
    expect(await gate.tries({ user: 'prom', password: 'secret' })).toBe('locked_out');
    gate.clock.advance(15_000);
    expect(await gate.tries({ user: 'prom', password: 'secret' })).toBe('right');
    expect(await gate.tries({ user: 'prom', password: 'secret' })).toBe('right');
  });

  test('a wrong pair that is known takes no verification away', async () => {
    const gate = start(configWith({ prom: ['secret'] }));
    await lockPromAt(gate, '192.0.2.1');
    const hashed = gate.counted('computed');
    for (let time = 0; time < 5; time++) {
      expect(await gate.tries({ user: 'prom', password: 'wrong 9' })).toBe('locked_out');
    }
    expect(gate.counted('computed')).toBe(hashed);
    expect(await gate.tries({ user: 'prom', password: 'secret' })).toBe('right');
  });

  test('is lifted by a change of the line, and the new password works at once', async () => {
    const gate = start(configWith({ prom: ['secret'] }));
    await lockPromAt(gate, '192.0.2.1');
    expect(await gate.tries({ user: 'prom', password: 'wrong 9' })).toBe('locked_out');
    const next = configWith({ prom: ['wrong 9'] });
    gate.check.applied(next);
    expect(gate.check.lockouts()).toEqual([]);
    expect(await gate.tries({ user: 'prom', password: 'wrong 9', config: next })).toBe('right');
  });

  test('is not lifted by a reload of other things', async () => {
    const gate = start(configWith({ prom: ['secret'], graf: ['a'] }));
    await lockPromAt(gate, '192.0.2.1');
    gate.check.applied(configWith({ prom: ['secret'], graf: ['b'] }));
    expect(gate.check.lockouts()).toHaveLength(1);
  });

  test('is listed with the name of a configured user, and no name of a stranger', async () => {
    const config = configWith({ prom: ['secret'] });
    const gate = start(config);
    await lockPromAt(gate, '192.0.2.1');
    for (let time = 0; time < 10; time++) {
      await gate.tries({ user: 'typed by a stranger', password: String(time), address: '2001:db8::7' });
    }
    const list = gate.check.lockouts();
    expect(list.map(({ address, user }) => [address, user])).toEqual([
      ['192.0.2.1', 'prom'],
      ['2001:db8::/64', 'unknown user'],
    ]);
    for (const { untilMs } of list) expect(Math.abs(untilMs - Date.now() - 300_000)).toBeLessThan(20_000);
  });

  test('is lifted by an operator', async () => {
    const gate = start(configWith({ prom: ['secret'] }));
    await lockPromAt(gate, '192.0.2.1');
    expect(gate.check.clearLockout('192.0.2.2')).toBe(0);
    expect(gate.check.clearLockout('192.0.2.1')).toBe(1);
    expect(gate.metrics.lockouts).toBe(0);
    expect(await gate.tries({ user: 'prom', password: 'secret' })).toBe('right');
  });

  test('never meets an exempt address', async () => {
    const lockout = { ...LOCKOUT, exempt: addresses('192.0.2.1') };
    const gate = start(configWith({ prom: ['secret'] }, { lockout }));
    await lockPromAt(gate, '192.0.2.1');
    expect(await gate.tries({ user: 'prom', password: 'secret' })).toBe('right');
    expect(gate.check.lockouts()).toEqual([]);
  });
});

describe('the log', () => {
  test('has one line per failed login: who from, why, whether again, and the name last', async () => {
    const { tries, log, counted } = start(configWith({ prom: ['secret'] }));
    await tries({ user: 'prom', password: 'wrong' });
    await tries({ user: 'prom', password: 'wrong' });
    await tries({ user: 'prom', password: 'secret' });
    expect(log.lines).toEqual(
      [false, true].map((repeat) => ({
        level: 'warn',
        message: 'login failed',
        fields: { address: '192.0.2.1', reason: 'credentials_wrong', repeat, user: 'prom' },
      })),
    );
    expect(Object.keys(log.lines[0]?.fields ?? {})).toEqual(['address', 'reason', 'repeat', 'user']);
    expect(counted('negative_cached')).toBe(1);
  });

  test('never has a password', async () => {
    const { tries, log } = start(configWith({ prom: ['right one'] }), obedientWorker);
    for (const password of ['hunter2', 'broken', 'die']) await tries({ user: 'prom', password });
    expect(log.lines.length).toBeGreaterThan(2);
    expect(JSON.stringify(log.lines)).not.toMatch(/hunter2|right one/);
  });
});
