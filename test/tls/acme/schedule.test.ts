import { beforeAll, describe, expect, it } from 'vitest';
import type { KeyPair } from '../../../src/config/config.ts';
import type { CertificateState, RecordedFailure } from '../../../src/tls/acme/contract.ts';
import { plan, renewalMoment } from '../../../src/tls/acme/schedule.ts';
import { EMPTY_STATE } from '../../../src/tls/acme/state.ts';
import { createMint, DAY, HOUR, MINUTE, pairOf, START } from '../../support/acme-renewals.ts';

const A = 'https://a.example/directory';
const B = 'https://b.example/directory';
const STAGING = 'https://staging.example/directory';
const one = { real: [A], staging: null };
const withStaging = { real: [A], staging: STAGING };
const two = { real: [A, B], staging: null };
let template: KeyPair;

beforeAll(async () => {
  template = pairOf(await (await createMint())({ notBefore: START, notAfter: START + DAY }));
});

const pair = (lifetime: number): KeyPair => ({ ...template, notBefore: START, notAfter: START + lifetime });
const stateOf = (some: Partial<CertificateState>): CertificateState => ({ ...EMPTY_STATE, ...some });
const failed = (some: Partial<RecordedFailure> = {}): RecordedFailure => ({
  at: START,
  directory: A,
  role: 'real',
  kind: 'challenge',
  reason: 'no',
  retryAt: null,
  ...some,
});
const silent = { ariSilentUntil: START + 365 * DAY };

describe('when a certificate is due', () => {
  it.each([
    ['90 days: a third', 90 * DAY, 30 * DAY],
    ['45 days: a third', 45 * DAY, 15 * DAY],
    ['ten days: a third', 10 * DAY, (10 * DAY) / 3],
    ['160 hours: half', 160 * HOUR, 80 * HOUR],
  ])('without renewal information, at %s of the lifetime', (_, lifetime, left) => {
    const state = stateOf({ pair: pair(lifetime), ...silent });
    const due = START + lifetime - left;
    expect(plan(state, due - 1, one)).toMatchObject({ kind: 'wait', until: due });
    expect(plan(state, due, one)).toMatchObject({ kind: 'order', directory: 'real', url: A });
  });

  it('is now when there is none', () => {
    expect(plan(EMPTY_STATE, START, one)).toMatchObject({ kind: 'order', directory: 'real', url: A });
  });

  const window = { start: START, end: START + 80 * DAY, askAgainAt: START + 365 * DAY, explanationUrl: null };
  const chosenAt = (chosen: number) => renewalMoment(stateOf({ pair: pair(90 * DAY), ari: { ...window, chosen } }))?.at;

  it('is at the moment that was drawn from the window of the CA, before or after a third is left', () => {
    expect(chosenAt(START + 20 * DAY)).toBe(START + 20 * DAY);
    expect(chosenAt(START + 70 * DAY)).toBe(START + 70 * DAY);
  });

  it('is never put off to the end by what the CA says', () => {
    expect(chosenAt(START + 1000 * DAY)).toBe(START + 75 * DAY);
  });

  it('is now when the window is in the past, but not more than once a day', () => {
    const ari = { ...window, chosen: START - DAY };
    const state = stateOf({ pair: pair(90 * DAY), ari });
    expect(plan(state, START + HOUR, one)).toMatchObject({ kind: 'wait', until: START + DAY });
    expect(plan(state, START + DAY, one).kind).toBe('order');
  });

  it('the CA is asked for a window first, and again when the time has come', () => {
    const state = stateOf({ pair: pair(90 * DAY) });
    expect(plan(state, START, one).kind).toBe('ask-ari');
    const known = stateOf({
      pair: pair(90 * DAY),
      ari: { ...window, chosen: START + 60 * DAY, askAgainAt: START + DAY },
    });
    expect(plan(known, START, one)).toMatchObject({ kind: 'wait', until: START + DAY });
    expect(plan(known, START + DAY, one).kind).toBe('ask-ari');
  });
});

describe('after a failure', () => {
  it('the real directory is asked again after the back-off, when there is no staging directory', () => {
    const state = stateOf({ failures: [failed()] });
    expect(plan(state, START + MINUTE - 1, one)).toMatchObject({ kind: 'wait', until: START + MINUTE });
    expect(plan(state, START + MINUTE, one)).toMatchObject({ kind: 'order', directory: 'real' });
  });

  it('the staging directory is asked before the real one is asked again', () => {
    const state = stateOf({ failures: [failed()] });
    expect(plan(state, START + MINUTE, withStaging)).toMatchObject({ directory: 'staging', url: STAGING });
    const passed = stateOf({ failures: [failed()], stagedAt: START + MINUTE });
    expect(plan(passed, START + MINUTE, withStaging)).toMatchObject({ directory: 'real', url: A });
  });

  it('a staging directory that refuses stands in the way three times, one that is down not at all', () => {
    const trial = (at: number, kind: RecordedFailure['kind']) =>
      failed({ at, kind, role: 'staging', directory: STAGING });
    const later = START + 2 * HOUR;
    const trials = [1, 2, 3].map((minute) => trial(START + minute * MINUTE, 'challenge'));
    const after = (failures: RecordedFailure[]) => plan(stateOf({ failures }), later, withStaging);
    expect(after([failed(), ...trials.slice(0, 2)])).toMatchObject({ directory: 'staging' });
    expect(after([failed(), ...trials])).toMatchObject({ directory: 'real' });
    expect(after([failed(), trial(START + MINUTE, 'unreachable')])).toMatchObject({ directory: 'real' });
  });

  it('a real directory that was not reached needs no trial', () => {
    const state = stateOf({ failures: [failed({ kind: 'unreachable' })] });
    expect(plan(state, START + MINUTE, withStaging)).toMatchObject({ directory: 'real' });
  });

  it('the next directory is asked at once, and the first one again after its back-off', () => {
    expect(plan(stateOf({ failures: [failed()] }), START, two)).toMatchObject({ kind: 'order', url: B });
    const both = stateOf({ failures: [failed(), failed({ directory: B, at: START + 1000 })] });
    expect(plan(both, START + 2000, two)).toMatchObject({ kind: 'wait', until: START + MINUTE });
    expect(plan(both, START + 2 * MINUTE, two)).toMatchObject({ kind: 'order', url: A });
  });

  it('Retry-After is obeyed, and holds for its own directory only', () => {
    const state = stateOf({ failures: [failed({ kind: 'rate-limited', retryAt: START + DAY })] });
    expect(plan(state, START + HOUR, one)).toMatchObject({ kind: 'wait', until: START + DAY });
    expect(plan(state, START + HOUR, two)).toMatchObject({ kind: 'order', url: B });
  });
});

describe('the limits of CAs', () => {
  it('a fifth failed validation within an hour is not provoked', () => {
    const failures = [0, 1, 3, 8].map((minute) => failed({ at: START + minute * MINUTE }));
    expect(plan(stateOf({ failures }), START + 20 * MINUTE, one)).toMatchObject({ kind: 'wait', until: START + HOUR });
  });

  it('validations that failed for another certificate with the same name count', () => {
    const neighbours = [0, 1, 3, 8].map((minute) => failed({ at: START + minute * MINUTE }));
    const answer = plan(EMPTY_STATE, START + 20 * MINUTE, { ...one, neighbours });
    expect(answer).toMatchObject({ kind: 'wait', until: START + HOUR });
  });

  it('a sixth certificate within seven days is not ordered, not even when the last one has ended', () => {
    const orders = [0, 1, 2, 3, 4].map((day) => ({ at: START + day * DAY, directory: A }));
    for (const state of [stateOf({ orders }), stateOf({ orders, pair: pair(DAY), ...silent })]) {
      expect(plan(state, START + 6 * DAY, one)).toMatchObject({ kind: 'wait', until: START + 7 * DAY });
      expect(plan(state, START + 7 * DAY, one)).toMatchObject({ kind: 'order' });
      expect(plan(state, START + 6 * DAY, two)).toMatchObject({ kind: 'order', url: B });
    }
  });

  it('nothing is ordered anywhere right after a certificate came', () => {
    const state = stateOf({ pair: pair(90 * DAY), orders: [{ at: START + 89 * DAY, directory: A }], ...silent });
    expect(plan(state, START + 89 * DAY, two)).toMatchObject({ kind: 'wait', until: START + 89 * DAY + HOUR });
  });
});
