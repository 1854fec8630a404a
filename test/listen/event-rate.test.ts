import { expect, test } from 'vitest';
import { EventRate } from '../../src/listen/event-rate.ts';

test('the event after the limit is a flood, and a new window begins from nothing', () => {
  const rate = new EventRate(3, 10_000);
  expect([1, 2, 3].map((now) => rate.exceeds(now))).toEqual([false, false, false]);
  expect(rate.exceeds(10_000)).toBe(true);
  expect(rate.exceeds(10_001)).toBe(false);
});
