import { describe, expect, test } from 'vitest';
import { verdict, type ConnectionState } from '../../src/listen/verdict.ts';

const LIMITS = {
  headerTimeoutMs: 10_000,
  idleTimeoutMs: 330_000,
  idleTimeoutUnauthenticatedMs: 10_000,
  maxConnectionAgeMs: null,
};
const FRESH: ConnectionState = {
  openedAt: 0,
  restingSince: 0,
  isReceiving: false,
  authenticated: false,
  awaitsPreface: false,
  certificateEnd: null,
  leaveBy: null,
};
const at = (monotonic: number, epoch = monotonic) => ({ monotonic, epoch });

describe('verdict', () => {
  test('a stranger may rest for ten seconds', () => {
    expect(verdict(FRESH, at(9_999), LIMITS)).toEqual({ action: 'keep' });
    expect(verdict(FRESH, at(10_000), LIMITS)).toEqual({ action: 'destroy', reason: 'idle_timeout' });
  });

  test('who has authenticated may rest for five and a half minutes, and is told when it ends', () => {
    const known = { ...FRESH, authenticated: true };
    expect(verdict(known, at(329_999), LIMITS)).toEqual({ action: 'keep' });
    expect(verdict(known, at(330_000), LIMITS)).toEqual({ action: 'leave', reason: 'idle_timeout' });
  });

  test('an answer in flight is no rest, however long it takes', () => {
    expect(verdict({ ...FRESH, restingSince: null }, at(3_600_000), LIMITS)).toEqual({ action: 'keep' });
  });

  test('a head that is being received is left to the parser first, and not for ever', () => {
    const receiving = { ...FRESH, isReceiving: true };
    expect(verdict(receiving, at(21_999), LIMITS)).toEqual({ action: 'keep' });
    expect(verdict(receiving, at(22_000), LIMITS)).toEqual({ action: 'destroy', reason: 'idle_timeout' });
  });

  test('HTTP/2 without a preface ends after five seconds', () => {
    const silent = { ...FRESH, awaitsPreface: true };
    expect(verdict(silent, at(4_999), LIMITS)).toEqual({ action: 'keep' });
    expect(verdict(silent, at(5_000), LIMITS)).toEqual({ action: 'destroy', reason: 'http2_no_preface' });
  });

  test('a connection leaves at its greatest age, also while it answers', () => {
    const busy = { ...FRESH, restingSince: null };
    const limits = { ...LIMITS, maxConnectionAgeMs: 60_000 };
    expect(verdict(busy, at(59_999), limits)).toEqual({ action: 'keep' });
    expect(verdict(busy, at(60_000), limits)).toEqual({ action: 'leave', reason: 'connection_expired' });
  });

  test('a connection leaves at the end of its certificate, by the date and not by the uptime', () => {
    const busy = { ...FRESH, restingSince: null, certificateEnd: 1_000_000 };
    expect(verdict(busy, at(10, 1_000_000), LIMITS)).toEqual({ action: 'keep' });
    expect(verdict(busy, at(10, 1_000_001), LIMITS)).toEqual({ action: 'leave', reason: 'connection_expired' });
  });

  test('who is leaving is destroyed at the deadline and for nothing else', () => {
    const leaving = { ...FRESH, leaveBy: 500_000, awaitsPreface: true, certificateEnd: 1 };
    expect(verdict(leaving, at(499_999), LIMITS)).toEqual({ action: 'keep' });
    expect(verdict(leaving, at(500_000), LIMITS)).toEqual({ action: 'destroy', reason: 'draining' });
  });
});
