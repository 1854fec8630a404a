import { describe, expect, it } from 'vitest';
import { parseGoDuration, parsePrometheusDuration } from '../../src/formats/duration.ts';

describe('a Prometheus duration', () => {
  it.each([
    ['0', 0],
    ['0s', 0],
    ['15s', 15_000],
    ['5ms', 5],
    ['1m30s', 90_000],
    ['1h30m', 5_400_000],
    ['1d', 86_400_000],
    ['1w', 604_800_000],
    ['1y', 31_536_000_000],
    ['1y1w1d1h1m1s1ms', 32_230_861_001],
    ['292y', 292 * 31_536_000_000],
  ])('%s is %d ms', (text, ms) => {
    expect(parsePrometheusDuration(text)).toEqual({ ok: true, value: ms });
  });

  it.each([
    '',
    '1.5h',
    '30s1m',
    '10',
    '1M',
    '300y',
    '-1s',
    '1 s',
    '1s ',
    's',
    '1h1h',
    '1µs',
    '١s',
    `${'9'.repeat(50)}s`,
  ])('refuses %j', (text) => {
    expect(parsePrometheusDuration(text)).toMatchObject({ ok: false });
  });

  it('says that a unit is missing', () => {
    expect(parsePrometheusDuration('10')).toMatchObject({ hint: 'a unit is missing: did you mean 10s?' });
  });
});

describe('a Go duration', () => {
  it.each([
    ['0', 0],
    ['1.5h', 5_400_000],
    ['300ms', 300],
    ['1m0.5s', 60_500],
    ['+1s', 1000],
    ['.5s', 500],
    ['1.s', 1000],
    ['100us', 0.1],
    ['100µs', 0.1],
    ['100μs', 0.1],
    ['1s1m', 61_000],
  ])('%s is %d ms', (text, ms) => {
    const read = parseGoDuration(text);
    expect(read.ok && read.value).toBeCloseTo(ms, 9);
  });

  it.each(['', '10', '1d', '.s', '1', 's', '1..5s', '1e3s', ' 1s', '1s ', '+', '+-1s', '9999999999h', '1H'])(
    'refuses %j',
    (text) => {
      expect(parseGoDuration(text)).toMatchObject({ ok: false });
    },
  );

  it('refuses a negative one and says so', () => {
    expect(parseGoDuration('-1s')).toEqual({ ok: false, message: 'a duration here cannot be negative' });
  });
});
