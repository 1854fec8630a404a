/** What handshakes have cost, by address and net, over time. */
import { expect, test } from 'vitest';
import { BOUNDED_BYTES, HandshakeDebts } from '../../src/listen/handshake-debts.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const KB = 1024;

test('a handshake of ordinary size that goes well owes nothing, however often', () => {
  const debts = new HandshakeDebts(createFakeClock());
  for (let count = 0; count < 10_000; count++) debts.ended('192.0.2.1', 4 * KB, false);
  expect(debts.treatment('192.0.2.1')).toBe('free');
});

test('one large handshake bounds the next ones of its address and net, until it is forgiven', () => {
  const clock = createFakeClock();
  const debts = new HandshakeDebts(clock);
  debts.ended('192.0.2.1', 93 * KB, false);
  expect(debts.treatment('192.0.2.1')).toBe('bounded');
  expect(debts.treatment('192.0.2.77')).toBe('bounded');
  expect(debts.treatment('198.51.100.1')).toBe('free');
  clock.advance(16_000);
  expect(debts.treatment('192.0.2.1')).toBe('free');
});

test('large ones from everywhere bound everybody, and shut nobody out', () => {
  const debts = new HandshakeDebts(createFakeClock());
  for (const net of [1, 2, 3]) debts.ended(`10.${net}.0.1`, 93 * KB, true);
  expect(debts.treatment('198.51.100.1')).toBe('bounded');
});

test('an address whose certificates are refused again and again is shut out alone, and not for long', () => {
  const clock = createFakeClock();
  const debts = new HandshakeDebts(clock);
  for (let count = 0; count < 40; count++) debts.ended('2001:db8::1', BOUNDED_BYTES, true);
  expect(debts.treatment('2001:db8::2')).toBe('refused');
  expect(debts.treatment('2001:db8:0:1::1')).toBe('bounded');
  clock.advance(20_000);
  expect(debts.treatment('2001:db8::2')).toBe('bounded');
});

test('a centre with sixty jobs whose certificate has been revoked is not shut out at once, and gets its turns', () => {
  const clock = createFakeClock();
  const debts = new HandshakeDebts(clock);
  let heard = 0;
  for (let minute = 0; minute < 10; minute++) {
    for (let job = 0; job < 60; job++) {
      if (debts.treatment('192.0.2.1') !== 'refused') {
        heard += 1;
        debts.ended('192.0.2.1', 3 * KB, true);
      }
      clock.advance(250);
    }
  }
  expect(heard).toBeGreaterThan(60 * 4);
});

test('ever new addresses make the table no larger, and do not make it forget their net', () => {
  const debts = new HandshakeDebts(createFakeClock());
  for (let host = 0; host < 20_000; host++) {
    debts.ended(`10.${host >> 16}.${(host >> 8) & 255}.${host & 255}`, 3 * KB, true);
  }
  expect(debts.size).toBeLessThanOrEqual(4096);
  expect(debts.treatment('10.0.200.1')).toBe('bounded');
});
