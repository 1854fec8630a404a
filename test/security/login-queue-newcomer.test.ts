/**
 * The attack: 70 to 100 addresses (of IPv4, or of one IPv6 /48) guess one password at a time. Each is within its share,
 * together they keep every place of the queue of password checks, and a scraper whose password is not remembered (a
 * restart, a changed htpasswd file) is answered 503 for as long as they like. And behind one address, guesses fill the
 * share of that address, or take its one verification every 15 s, so that whoever else is behind it never gets in.
 */
import { afterEach, describe, expect, test } from 'vitest';
import type { Config, Hashing, Lockout } from '../../src/config/config.ts';
import { createPasswordCheck, type PasswordCheck } from '../../src/request/authenticate/password-check.ts';
import { recordingLog } from '../observe/recording-log.ts';
import { addresses, countingMetrics, usersOf, verdict } from '../request/authenticate/fixtures.ts';
import { workerOf } from '../request/authenticate/workers.ts';
import { configOf } from '../support/config-fixture.ts';
import { createFakeClock } from '../support/fake-clock.ts';

/** `today` is right; each job takes 5 ms, so that the queue stays full. */
const slowWorker = workerOf(`
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  parentPort.on('message', ({ id, password }) => {
    Atomics.wait(sleeper, 0, 0, 5);
    parentPort.postMessage({ id, matched: password === 'today' ? 0 : -1 });
  });
`);

const checks: PasswordCheck[] = [];
afterEach(async () => {
  await Promise.all(checks.splice(0).map((check) => check.close()));
});

interface Changes {
  readonly lockout?: Partial<Lockout>;
  readonly hashing?: Partial<Hashing>;
  readonly users?: Config['users'];
}

function start({ lockout, hashing, users = usersOf({ prom: ['today'] }) }: Changes = {}) {
  const base = configOf({ authenticate: 'password', users });
  const config = configOf({
    authenticate: 'password',
    users,
    lockout: { ...base.lockout, ...lockout },
    hashing: { workers: 1, queue: 16, queuePerAddress: 8, deadlineMs: 60_000, ...hashing },
  });
  const clock = createFakeClock();
  const check = createPasswordCheck({
    log: recordingLog(),
    metrics: countingMetrics(),
    clock,
    workerUrl: slowWorker,
  });
  checks.push(check);
  check.applied(config);
  const tries = (address: string, password: string, user = 'prom') =>
    verdict(check, { user, password, address, config });
  return { check, config, clock, tries };
}

/** Each address guesses again as soon as its guess is answered, until the returned function is called. */
function guessersAt(from: readonly string[], tries: (address: string, password: string) => Promise<string>) {
  const state = { isOver: false, guesses: 0 };
  const verified = new Set<string>();
  const done = from.map(async (address) => {
    while (!state.isOver) {
      const heard = await tries(address, `guess ${String(state.guesses++)}`);
      if (heard === 'credentials_wrong') verified.add(address);
      // What is refused is answered at once: the others have their turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  return {
    /** Until that many addresses have had a guess verified. */
    async settled(count: number) {
      while (verified.size < count) await new Promise((resolve) => setImmediate(resolve));
    },
    async end() {
      state.isOver = true;
      await Promise.all(done);
    },
  };
}

const NO_LOCKOUT = { attempts: 1e9, attemptsPerAddress: 1e9 };
const numbered = <T>(count: number, name: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => name(i));

describe.each([
  ['40 addresses of one network', numbered(40, (index) => `192.0.2.${String(index)}`)],
  ['40 addresses of 40 networks', numbered(40, (index) => `10.${String(index)}.7.1`)],
  ['40 groups of an IPv6 /56', numbered(40, (index) => `2001:db8:0:${(0x100 + index).toString(16)}::1`)],
  ['40 groups of an IPv6 /32', numbered(40, (index) => `2001:db8:${index.toString(16)}::1`)],
])('while %s guess one at a time', (_name, strangers) => {
  test('a newcomer that comes again logs in, also before all of them have failed', async () => {
    const { tries } = start({ lockout: NO_LOCKOUT });
    const flood = guessersAt(strangers, tries);
    try {
      await flood.settled(1);
      const heard = [await tries('198.51.100.7', 'today')];
      if (heard[0] !== 'right') heard.push(await tries('198.51.100.7', 'today'));
      expect(heard.at(-1)).toBe('right');
    } finally {
      await flood.end();
    }
  });

  test.each(['198.51.100.7', '2001:db9::7'])('a newcomer at %s logs in', async (newcomer) => {
    const { tries } = start({ lockout: NO_LOCKOUT });
    const flood = guessersAt(strangers, tries);
    try {
      await flood.settled(strangers.length);
      expect(await tries(newcomer, 'today')).toBe('right');
    } finally {
      await flood.end();
    }
  });
});

test('an address that has logged in before logs in beside any number of others that never failed', async () => {
  const { tries, check, config } = start({ lockout: NO_LOCKOUT, users: usersOf({ prom: ['today'], graf: ['x'] }) });
  expect(await tries('198.51.100.7', 'today')).toBe('right');
  // Another line: what was remembered is forgotten, and has to be hashed.
  check.applied({ ...config, generation: config.generation + 1, users: usersOf({ prom: ['today', 'tomorrow'] }) });
  const next = { ...config, generation: config.generation + 1, users: usersOf({ prom: ['today', 'tomorrow'] }) };
  const flood = numbered(400, (index) =>
    verdict(check, {
      user: 'prom',
      password: `guess ${String(index)}`,
      address: `10.${String(index % 200)}.${String(index)}.1`,
      config: next,
    }),
  );
  const login = verdict(check, { user: 'prom', password: 'today', address: '198.51.100.7', config: next });
  expect(await login).toBe('right');
  expect(new Set(await Promise.all(flood))).toContain('login_queue_full');
});

test('a user with a whole network of addresses that have logged in does not keep newcomers out', async () => {
  const { tries } = start({ lockout: NO_LOCKOUT, users: usersOf({ prom: ['today'], tenant: ['today'] }) });
  const network = numbered(60, (index) => `2001:db8:0:${index.toString(16)}::1`);
  for (const address of network) expect(await tries(address, 'today', 'tenant')).toBe('right');
  const flood = guessersAt([...network, ...network, ...network], (address, password) =>
    tries(address, password, 'tenant'),
  );
  try {
    await flood.settled(0);
    expect(await tries('198.51.100.7', 'today')).toBe('right');
  } finally {
    await flood.end();
  }
});

describe('behind one address', () => {
  const NAT = '192.0.2.1';

  test('that is never locked, guesses do not keep the places of a password that comes again', async () => {
    const { tries } = start({ lockout: { exempt: addresses(NAT) } });
    const flood = guessersAt(
      Array.from({ length: 30 }, () => NAT),
      tries,
    );
    try {
      await flood.settled(1);
      const heard: string[] = [];
      while (heard.at(-1) !== 'right' && heard.length < 3) heard.push(await tries(NAT, 'today'));
      expect(heard.at(-1)).toBe('right');
    } finally {
      await flood.end();
    }
  });

  test('that is locked, the scraper gets its turn, however fast the guesser is', async () => {
    const { clock, tries } = start({ hashing: { workers: 1 } });
    let guesses = 0;
    const guess = async (times: number) => {
      for (let time = 0; time < times; time++) await tries(NAT, `guess ${String(guesses++)}`);
    };
    await guess(20);
    const heard: string[] = [];
    while (heard.at(-1) !== 'right' && heard.length < 3) {
      await guess(100);
      heard.push(await tries(NAT, 'today'));
      clock.advance(15_000);
      // First at the moment at which a verification is free again.
      await guess(100);
    }
    expect(heard).toEqual(['locked_out', 'right']);
  });

  test('that is locked, guesses that are repeated too wait in the same row', async () => {
    const { clock, tries } = start();
    for (let time = 0; time < 20; time++) await tries(NAT, `guess ${String(time)}`);
    let known = 0;
    const heard: string[] = [];
    while (heard.at(-1) !== 'right' && heard.length < 16) {
      for (let time = 0; time < 10; time++) {
        const verdictOfGuess = await tries(NAT, `repeated ${String(known + time)}`);
        if (verdictOfGuess === 'credentials_wrong') known += 1;
      }
      heard.push(await tries(NAT, 'today'));
      clock.advance(15_000);
    }
    expect(heard.at(-1)).toBe('right');
  });

  test('that is locked for tokens, one that comes again is looked at', () => {
    const { check, config } = start();
    for (let time = 0; time < 20; time++) check.tokens.failed(NAT, `guess ${String(time)}`);
    expect(check.tokens.lockedFor(NAT, 'right', config)).not.toBeNull();
    for (let time = 0; time < 200; time++) check.tokens.lockedFor(NAT, `another ${String(time)}`, config);
    expect(check.tokens.lockedFor(NAT, 'right', config)).toBeNull();
    expect(check.tokens.lockedFor(NAT, 'x', config)).not.toBeNull();
  });
});
