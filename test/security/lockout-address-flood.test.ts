/**
 * The attack: wrong passwords from more addresses than fit into memory, an IPv6 network for instance, to fill it, or to
 * make the gate forget whom it has locked out.
 */
import { expect, test } from 'vitest';
import { EMPTY_ADDRESS_SET } from '../../src/formats/address-set.ts';
import { createLockout } from '../../src/request/authenticate/lockout.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const RULES = {
  attempts: 10,
  windowMs: 60_000,
  durationMs: 300_000,
  attemptsPerAddress: 50,
  exempt: EMPTY_ADDRESS_SET,
};
const MOST = 16_384;

function start(most?: number) {
  const clock = createFakeClock();
  const lockout = createLockout(RULES, () => clock.monotonic(), most);
  const lock = (address: string): void => {
    for (let time = 0; time < 10; time++) lockout.fail({ address, user: 'prom', credential: String(time) });
  };
  return { lockout, clock, lock };
}

const network = (index: number): string => `2001:db8:${(index >> 16).toString(16)}:${(index & 0xffff).toString(16)}::1`;

test('110 000 networks take bounded memory, and no lock is forgotten', () => {
  const { lockout, lock } = start();
  lock('192.0.2.1');
  lock('198.51.100.1');
  for (let index = 0; index < 110_000; index++) {
    lockout.fail({ address: network(index), user: `user ${String(index)}`, credential: String(index) });
  }
  expect(lockout.addresses).toBe(MOST + 2);
  expect(lockout.lockedUntil('192.0.2.1', 'prom')).not.toBeNull();
  expect(lockout.lockedUntil('198.51.100.1', 'prom')).not.toBeNull();
});

test('addresses within one /64 are one entry', () => {
  const { lockout } = start();
  for (let index = 0; index < 20_000; index++) {
    lockout.fail({ address: `2001:db8::1:${index.toString(16)}`, user: String(index), credential: String(index) });
  }
  expect(lockout.addresses).toBe(1);
  expect(lockout.lockedUntil('2001:db8::ffff', 'anybody')).not.toBeNull();
});

test('locks without number are bounded too; the oldest go, strangers take none away', () => {
  const { lockout, clock, lock } = start(500);
  for (let index = 0; index < 600; index++) lock(network(index));
  expect(lockout.lockedAddresses).toBe(500);
  expect(lockout.lockedUntil(network(99), 'prom')).toBeNull();
  for (let index = 1000; index < 3000; index++) {
    lockout.fail({ address: network(index), user: 'prom', credential: 'x' });
  }
  expect(lockout.lockedAddresses).toBe(500);
  expect(lockout.lockedUntil(network(100), 'prom')).not.toBeNull();
  clock.advance(RULES.durationMs);
  lockout.sweep();
  expect(lockout.addresses).toBe(0);
});
