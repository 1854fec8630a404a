import { describe, expect, it } from 'vitest';
import { createRateLimiter } from '../../../src/request/accept/rate-limit.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

describe('createRateLimiter', () => {
  it('gives the burst at once, then one token an interval', () => {
    const clock = createFakeClock();
    const limiter = createRateLimiter({ intervalMs: 1_000, burst: 2 }, clock);
    expect([limiter.take().ok, limiter.take().ok, limiter.take().ok]).toEqual([true, true, false]);
    clock.advance(1_000);
    expect([limiter.take().ok, limiter.take().ok]).toEqual([true, false]);
  });

  it('says how long to wait', () => {
    const clock = createFakeClock();
    const limiter = createRateLimiter({ intervalMs: 1_000, burst: 1 }, clock);
    limiter.take();
    clock.advance(250);
    expect(limiter.take()).toEqual({ ok: false, waitMs: 750 });
  });

  it('never holds more than the burst', () => {
    const clock = createFakeClock();
    const limiter = createRateLimiter({ intervalMs: 10, burst: 3 }, clock);
    clock.advance(60_000);
    expect(Array.from({ length: 5 }, () => limiter.take().ok)).toEqual([true, true, true, false, false]);
  });

  it('limits nothing without a limit', () => {
    const limiter = createRateLimiter(null, createFakeClock());
    expect(Array.from({ length: 1_000 }, () => limiter.take().ok)).not.toContain(false);
  });
});
