import { describe, expect, it } from 'vitest';
import type { CertificateState, RecordedFailure } from '../../../src/tls/acme/contract.ts';
import { decodeLedger, EMPTY_STATE, encodeLedger, settle, withFailure } from '../../../src/tls/acme/state.ts';
import { DAY, HOUR, START } from '../../support/acme-renewals.ts';

const names = ['a.example.com', 'b.example.com'];
const failure: RecordedFailure = {
  at: START,
  directory: 'https://a.example/directory',
  role: 'real',
  kind: 'challenge',
  reason: 'it said "no"',
  retryAt: START + HOUR,
};
const full: CertificateState = {
  ...EMPTY_STATE,
  ari: { start: 1, end: 3, chosen: 2, askAgainAt: START, explanationUrl: 'https://a.example/why' },
  ariSilentUntil: START,
  failures: [failure],
  orders: [{ at: START, directory: failure.directory }],
  stagedAt: START,
};

describe('what is remembered', () => {
  it('comes back as it was written', () => {
    const { ari, ariSilentUntil, failures, orders, stagedAt } = full;
    const value = { ari, ariSilentUntil, failures, orders, stagedAt };
    expect(decodeLedger(encodeLedger(names, full), names)).toEqual({ ok: true, value });
    expect(decodeLedger(encodeLedger(names, full), names.toReversed()).ok).toBe(true);
  });

  it.each([
    ['nothing', '', 'it is no complete JSON'],
    ['half of it', encodeLedger(names, full).slice(0, 200), 'it is no complete JSON'],
    [
      'an older version',
      encodeLedger(names, full).replace('"version": 1', '"version": 0'),
      'it has version 0, expected 1',
    ],
    [
      'a newer version',
      encodeLedger(names, full).replace('"version": 1', '"version": 2'),
      'it has version 2, expected 1',
    ],
    ['no version', encodeLedger(names, full).replace('"version": 1,', ''), 'it is not what promgate writes'],
    [
      'a key of somebody else',
      encodeLedger(names, full).replace('"names"', '"name"'),
      'it is not what promgate writes',
    ],
    ['null', 'null', 'it is not what promgate writes'],
    [
      'a time that is none',
      encodeLedger(names, full).replace(`"stagedAt": ${START}`, '"stagedAt": -1'),
      'it is not what promgate writes',
    ],
  ])('is refused when it is %s', (_, text, message) => {
    expect(decodeLedger(text, names)).toEqual({ ok: false, message });
  });

  it('of other names is refused', () => {
    const answer = decodeLedger(encodeLedger(names, full), ['a.example.com']);
    expect(answer).toEqual({ ok: false, message: 'it belongs to a certificate with other names' });
  });
});

describe('a clock that ran ahead', () => {
  it('does not hold up anything once it is set right', () => {
    const wrong = START + 3650 * DAY;
    const state: CertificateState = {
      ...full,
      ari: { start: wrong, end: wrong + DAY, chosen: wrong, askAgainAt: wrong, explanationUrl: null },
      ariSilentUntil: wrong,
      failures: [{ ...failure, at: wrong, retryAt: wrong + HOUR }],
      orders: [{ at: wrong, directory: failure.directory }],
      stagedAt: wrong,
    };
    const right = settle(state, START);
    expect(right.ari?.askAgainAt).toBe(START);
    expect(right).toMatchObject({ ariSilentUntil: START, stagedAt: START, orders: [{ at: START }] });
    expect(right.failures).toMatchObject([{ at: START, retryAt: START + 7 * DAY }]);
    expect(settle(right, START)).toBe(right);
  });

  it('does not hold up the next attempt after a failure without Retry-After either', () => {
    const state = { ...full, failures: [{ ...failure, at: START + 3650 * DAY, retryAt: null }] };
    expect(settle(state, START).failures).toEqual([{ ...failure, at: START, retryAt: null }]);
  });

  it('is not suspected for a Retry-After of a day', () => {
    const state = { ...full, failures: [{ ...failure, retryAt: START + DAY }] };
    expect(settle(state, START)).toBe(state);
  });

  it('orders are forgotten after seven days', () => {
    expect(settle(full, START + 7 * DAY).orders).toEqual([]);
    expect(settle(full, START + 7 * DAY - 1).orders).toHaveLength(1);
  });
});

describe('failures', () => {
  it('are bounded, and the newest of each directory stays', () => {
    let failures: RecordedFailure[] = [{ ...failure, directory: 'https://old.example/' }];
    for (let count = 0; count < 200; count++) failures = withFailure(failures, { ...failure, at: START + count });
    expect(failures.length).toBe(49);
    expect(failures[0]?.directory).toBe('https://old.example/');
    expect(failures.at(-1)?.at).toBe(START + 199);
  });
});
