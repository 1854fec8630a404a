import { describe, expect, test } from 'vitest';
import type { Authenticate } from '../../../src/config/config.ts';
import { createClaims } from '../../../src/request/authenticate/claim.ts';
import {
  authenticate,
  refusalByCertificate,
  takesPasswords,
  type CertificateOutcome,
  type PasswordOutcome,
} from '../../../src/request/authenticate/modes.ts';
import { holder } from './fixtures.ts';

const CERTIFICATES: Record<string, CertificateOutcome> = {
  none: { kind: 'notMine' },
  good: { kind: 'verified', certificate: holder({ dns: ['master.example.com'] }) },
  bad: { kind: 'refused', reason: 'certificate_revoked' },
};
const PASSWORDS: Record<string, PasswordOutcome> = {
  none: { kind: 'notMine' },
  good: { kind: 'right', user: 'prom' },
  bad: { kind: 'refused', reason: 'credentials_wrong' },
  locked: { kind: 'refused', reason: 'locked_out', retryAfterSeconds: 300 },
};

/** mode, certificate, password → the identity's name or the reason. The whole table. */
const TABLE: readonly (readonly [Authenticate, certificate: string, password: string, expected: string])[] = [
  ['none', 'none', 'none', 'anonymous'],
  ['none', 'none', 'good', 'anonymous'],
  ['none', 'none', 'bad', 'credentials_wrong'],
  ['none', 'none', 'locked', 'locked_out'],
  ['none', 'good', 'none', 'anonymous'],
  ['none', 'good', 'good', 'anonymous'],
  ['none', 'good', 'bad', 'credentials_wrong'],
  ['none', 'good', 'locked', 'locked_out'],
  ['none', 'bad', 'none', 'certificate_revoked'],
  ['none', 'bad', 'good', 'certificate_revoked'],
  ['none', 'bad', 'bad', 'certificate_revoked'],
  ['none', 'bad', 'locked', 'certificate_revoked'],
  ['password', 'none', 'none', 'credentials_missing'],
  ['password', 'none', 'good', 'password:prom'],
  ['password', 'none', 'bad', 'credentials_wrong'],
  ['password', 'none', 'locked', 'locked_out'],
  ['password', 'good', 'none', 'credentials_missing'],
  ['password', 'good', 'good', 'password:prom'],
  ['password', 'good', 'bad', 'credentials_wrong'],
  ['password', 'good', 'locked', 'locked_out'],
  ['password', 'bad', 'none', 'certificate_revoked'],
  ['password', 'bad', 'good', 'certificate_revoked'],
  ['password', 'bad', 'bad', 'certificate_revoked'],
  ['password', 'bad', 'locked', 'certificate_revoked'],
  ['certificate', 'none', 'none', 'certificate_missing'],
  ['certificate', 'none', 'good', 'certificate_missing'],
  ['certificate', 'none', 'bad', 'certificate_missing'],
  ['certificate', 'none', 'locked', 'certificate_missing'],
  ['certificate', 'good', 'none', 'certificate:master.example.com'],
  ['certificate', 'good', 'good', 'certificate:master.example.com'],
  ['certificate', 'good', 'bad', 'credentials_wrong'],
  ['certificate', 'good', 'locked', 'locked_out'],
  ['certificate', 'bad', 'none', 'certificate_revoked'],
  ['certificate', 'bad', 'good', 'certificate_revoked'],
  ['certificate', 'bad', 'bad', 'certificate_revoked'],
  ['certificate', 'bad', 'locked', 'certificate_revoked'],
  ['either', 'none', 'none', 'credentials_missing'],
  ['either', 'none', 'good', 'password:prom'],
  ['either', 'none', 'bad', 'credentials_wrong'],
  ['either', 'none', 'locked', 'locked_out'],
  ['either', 'good', 'none', 'certificate:master.example.com'],
  ['either', 'good', 'good', 'password:prom'],
  ['either', 'good', 'bad', 'credentials_wrong'],
  ['either', 'good', 'locked', 'locked_out'],
  ['either', 'bad', 'none', 'certificate_revoked'],
  ['either', 'bad', 'good', 'certificate_revoked'],
  ['either', 'bad', 'bad', 'certificate_revoked'],
  ['either', 'bad', 'locked', 'certificate_revoked'],
  ['both', 'none', 'none', 'certificate_missing'],
  ['both', 'none', 'good', 'certificate_missing'],
  ['both', 'none', 'bad', 'certificate_missing'],
  ['both', 'none', 'locked', 'certificate_missing'],
  ['both', 'good', 'none', 'credentials_missing'],
  ['both', 'good', 'good', 'password:prom'],
  ['both', 'good', 'bad', 'credentials_wrong'],
  ['both', 'good', 'locked', 'locked_out'],
  ['both', 'bad', 'none', 'certificate_revoked'],
  ['both', 'bad', 'good', 'certificate_revoked'],
  ['both', 'bad', 'bad', 'certificate_revoked'],
  ['both', 'bad', 'locked', 'certificate_revoked'],
];

function judge(mode: Authenticate, certificate: string, password: string) {
  return authenticate({
    mode,
    certificate: CERTIFICATES[certificate] ?? { kind: 'notMine' },
    password: PASSWORDS[password] ?? { kind: 'notMine' },
    claims: createClaims(null),
  });
}

describe('the table of authenticate', () => {
  test('is whole', () => {
    expect(new Set(TABLE.map((row) => row.slice(0, 3).join())).size).toBe(5 * 3 * 4);
  });

  test.each(TABLE)('%s with certificate %s and password %s: %s', (mode, certificate, password, expected) => {
    const outcome = judge(mode, certificate, password);
    expect(outcome.kind === 'identified' ? outcome.identity.name : outcome.reason).toBe(expected);
  });

  test('a bad credential never makes an identity, in any mode', () => {
    for (const [mode, certificate, password] of TABLE) {
      if (certificate !== 'bad' && password !== 'bad' && password !== 'locked') continue;
      expect(judge(mode, certificate, password).kind).toBe('refused');
    }
  });
});

test('a lockout says when it ends', () => {
  expect(judge('password', 'none', 'locked')).toEqual({
    kind: 'refused',
    reason: 'locked_out',
    retryAfterSeconds: 300,
  });
});

test('an anonymous request keeps its certificate for the log, and nothing else', () => {
  const outcome = judge('none', 'good', 'good');
  expect(outcome).toMatchObject({ identity: { label: 'anonymous', user: null, claim: { kind: 'open' } } });
  expect(outcome).toMatchObject({ identity: { certificate: { serial: '1001' } } });
});

test.each(['certificate', 'both'] as const)('%s settles a missing certificate before a password is hashed', (mode) => {
  expect(refusalByCertificate(mode, { kind: 'notMine' })).toBe('certificate_missing');
});

test('a header means nothing where there are no users and no mode that takes passwords', () => {
  expect(takesPasswords('certificate', false)).toBe(false);
  expect(takesPasswords('none', false)).toBe(false);
  for (const mode of ['password', 'either', 'both'] as const) expect(takesPasswords(mode, false)).toBe(true);
  expect(takesPasswords('certificate', true)).toBe(true);
});
