import { expect, test } from 'vitest';
import { KnownAddresses } from '../../src/listen/known-addresses.ts';
import { createFakeClock } from '../support/fake-clock.ts';

test('an address is known from its login on for a day, and an IPv6 /64 is one', () => {
  const clock = createFakeClock();
  const known = new KnownAddresses(clock);
  expect(known.has('192.0.2.1')).toBe(false);
  known.seen('192.0.2.1');
  known.seen('2001:db8::1');
  expect(known.has('192.0.2.1')).toBe(true);
  expect(known.has('192.0.2.2')).toBe(false);
  expect(known.has('2001:db8::abcd')).toBe(true);
  clock.advance(24 * 60 * 60 * 1000);
  expect(known.has('192.0.2.1')).toBe(false);
});

test('one who logs in from a whole network displaces its own addresses, not those of others', () => {
  const known = new KnownAddresses(createFakeClock());
  known.seen('192.0.2.1');
  for (let count = 0; count < 5_000; count++) known.seen(`10.0.${count >> 8}.${count & 255}`);
  expect(known.has('192.0.2.1')).toBe(true);
  expect(known.has('10.0.0.0')).toBe(false);
  expect(known.has('10.0.19.135')).toBe(true);
});
