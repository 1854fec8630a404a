import { describe, expect, it } from 'vitest';
import { drawWindow, pauseMs } from '../../../src/tls/acme/ari.ts';
import { DAY, HOUR, MINUTE, START } from '../../support/acme-renewals.ts';

const info = { start: START + 10 * DAY, end: START + 12 * DAY, explanationUrl: null, retryAfterMs: 2 * HOUR };

describe('the moment in a window', () => {
  it('is drawn evenly over the window', () => {
    const moments = [0, 0.25, 0.999999].map((random) => drawWindow(info, null, START, () => random)?.chosen);
    expect(moments[0]).toBe(info.start);
    expect(moments[1]).toBe(info.start + 12 * HOUR);
    expect(moments[2]).toBeLessThan(info.end);
  });

  it('stays when the CA says the same again, or moves the window a little', () => {
    const first = drawWindow(info, null, START, () => 0.5);
    expect(drawWindow(info, first, START + HOUR, () => 0.9)?.chosen).toBe(first?.chosen);
    const moved = { ...info, end: info.end - HOUR };
    expect(drawWindow(moved, first, START + HOUR, () => 0.9)).toMatchObject({ end: moved.end, chosen: first?.chosen });
  });

  it('is drawn anew when the CA has moved the window away from it, also into the past', () => {
    const first = drawWindow(info, null, START, () => 0.5);
    const revoked = { ...info, start: START - 2 * DAY, end: START - DAY };
    expect(drawWindow(revoked, first, START, () => 0.5)?.chosen).toBe(START - 1.5 * DAY);
  });

  it.each([
    ['ends when it starts', { start: START, end: START }],
    ['ends before it starts', { start: START, end: START - 1 }],
    ['has no start', { start: NaN, end: START }],
    ['never ends', { start: START, end: Infinity }],
  ])('is none when the window %s', (_, window) => {
    expect(drawWindow({ ...info, ...window }, null, START, () => 0.5)).toBeNull();
  });

  it('is asked for again after Retry-After, at most every ten minutes and at least four times a day', () => {
    expect(drawWindow(info, null, START, () => 0)?.askAgainAt).toBe(START + 2 * HOUR);
    expect(pauseMs(0)).toBe(10 * MINUTE);
    expect(pauseMs(-5)).toBe(10 * MINUTE);
    expect(pauseMs(30 * DAY)).toBe(6 * HOUR);
    expect(pauseMs(NaN)).toBe(6 * HOUR);
    expect(pauseMs(null)).toBe(6 * HOUR);
  });
});
