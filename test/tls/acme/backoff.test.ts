import { describe, expect, it } from 'vitest';
import { backOffMs } from '../../../src/tls/acme/backoff.ts';
import { DAY, HOUR, MINUTE } from '../../support/acme-renewals.ts';

const base = { at: 0, remainingMs: null, isFree: false };

describe('the back-off', () => {
  it('climbs 1, 2, 5, 10, 20, 30 minutes, then hours, and stays at a day', () => {
    const minutes = Array.from({ length: 14 }, (_, index) => backOffMs({ ...base, failures: index + 1 }) / MINUTE);
    expect(minutes).toEqual([1, 2, 5, 10, 20, 30, 60, 120, 180, 360, 720, 1440, 1440, 1440]);
  });

  it('is the first step for what is no count', () => {
    expect(backOffMs({ ...base, failures: 0 })).toBe(MINUTE);
  });

  it('is at most a thirtieth of what is left of the certificate, and not below half an hour for that', () => {
    expect(backOffMs({ ...base, failures: 20, remainingMs: 15 * DAY })).toBe(12 * HOUR);
    expect(backOffMs({ ...base, failures: 20, remainingMs: 25 * HOUR })).toBe(50 * MINUTE);
    expect(backOffMs({ ...base, failures: 20, remainingMs: HOUR })).toBe(30 * MINUTE);
    expect(backOffMs({ ...base, failures: 2, remainingMs: HOUR })).toBe(2 * MINUTE);
  });

  it('goes by the ladder again once the certificate has ended', () => {
    expect(backOffMs({ ...base, failures: 20, remainingMs: -1 })).toBe(DAY);
  });

  it('begins with seconds where the CA was not reached at all: the network may come up later than the gate', () => {
    const seconds = Array.from({ length: 11 }, (_, index) => {
      return backOffMs({ ...base, isFree: true, failures: index + 1 }) / 1000;
    });
    expect(seconds).toEqual([10, 30, 60, 120, 300, 600, 1200, 1800, 2700, 2700, 2700]);
  });

  it('never misses the hour of a CA that was not reached', () => {
    for (const remainingMs of [null, -DAY, HOUR, 30 * DAY]) {
      expect(backOffMs({ failures: 30, at: 999, remainingMs, isFree: true })).toBeLessThan(50 * MINUTE);
    }
  });

  it('spreads those that failed together by up to a tenth, the same each time it is asked', () => {
    expect(backOffMs({ ...base, failures: 1, at: 500 })).toBe(MINUTE * 1.05);
    expect(backOffMs({ ...base, failures: 1, at: 1999 })).toBeLessThan(MINUTE * 1.1);
  });
});
