import { describe, expect, test } from 'vitest';
import type { ClientTrust } from '../../../src/config/config.ts';
import type { Crl } from '../../../src/formats/crl.ts';
import { stillTrusted } from '../../../src/request/authenticate/certificate-trust.ts';
import type { ChainLink } from '../../../src/request/connection.ts';

const NOW = 1000;
const link = (fingerprint: string, issuerKey: string, changes: Partial<ChainLink> = {}): ChainLink => ({
  fingerprint,
  serial: `5E${fingerprint}`,
  issuerKey,
  notBefore: 500,
  notAfter: 2000,
  ...changes,
});
const chain = [link('LEAF', 'sub'), link('SUB', 'root'), link('ROOT', 'root')];
const crl = (issuerKey: string, changes: Partial<Crl> = {}): Crl => ({
  pem: '',
  issuer: `CN=${issuerKey}`,
  issuerKey,
  authorityKey: '',
  number: 1n,
  thisUpdate: 500,
  nextUpdate: 2000,
  revoked: new Set(),
  ...changes,
});
const trust = (
  crls: readonly Crl[] = [],
  fingerprints = ['ROOT'],
  crlOnExpiry: ClientTrust['crlOnExpiry'] = 'deny',
): ClientTrust => ({
  type: 'RequireAndVerifyClientCert',
  ca: [],
  caFingerprints: new Set(fingerprints),
  crls,
  crlOnExpiry,
  allowedSans: [],
});
const revoking = (issuerKey: string, serial: string, changes: Partial<Crl> = {}): Crl =>
  crl(issuerKey, { revoked: new Set([serial]), ...changes });

describe('the anchor', () => {
  test('must be a configured CA', () => {
    expect(stillTrusted(chain, trust(), NOW)).toBeNull();
    expect(stillTrusted(chain, trust([], ['OTHER']), NOW)).toBe('certificate_unknown_ca');
    expect(stillTrusted(chain, trust([], []), NOW)).toBe('certificate_unknown_ca');
  });

  test('is the last link, not any', () => {
    expect(stillTrusted(chain, trust([], ['LEAF', 'SUB']), NOW)).toBe('certificate_unknown_ca');
  });

  test('of a chain that was not verified is none', () => {
    expect(stillTrusted([], trust(), NOW)).toBe('certificate_unknown_ca');
  });
});

describe('dates', () => {
  test.each([0, 1, 2])('link %i must be valid now', (index) => {
    const changed = (changes: Partial<ChainLink>) =>
      chain.map((one, at) => (at === index ? { ...one, ...changes } : one));
    expect(stillTrusted(changed({ notAfter: NOW - 1 }), trust(), NOW)).toBe('certificate_expired');
    expect(stillTrusted(changed({ notBefore: NOW + 1 }), trust(), NOW)).toBe('certificate_not_yet_valid');
    expect(stillTrusted(changed({ notBefore: NOW, notAfter: NOW }), trust(), NOW)).toBeNull();
  });
});

describe('revocation', () => {
  const fresh = [crl('sub'), crl('root')];

  test('without any CRL nothing is revoked', () => {
    expect(stillTrusted(chain, trust(), NOW)).toBeNull();
  });

  test.each([
    ['leaf', 'sub', '5ELEAF'],
    ['intermediate', 'root', '5ESUB'],
    ['root', 'root', '5EROOT'],
  ])('of the %s refuses', (_name, issuer, serial) => {
    expect(stillTrusted(chain, trust([...fresh, revoking(issuer, serial)]), NOW)).toBe('certificate_revoked');
  });

  test('counts for the issuer of the list only', () => {
    expect(stillTrusted(chain, trust([...fresh, revoking('root', '5ELEAF')]), NOW)).toBeNull();
    expect(stillTrusted(chain, trust([...fresh, revoking('stranger', '5ELEAF')]), NOW)).toBeNull();
  });

  test('shows through an expired list', () => {
    const expired = revoking('sub', '5ELEAF', { nextUpdate: NOW - 1 });
    expect(stillTrusted(chain, trust([expired, crl('root')]), NOW)).toBe('certificate_revoked');
  });

  test('comes before the end of the certificate', () => {
    const ended = [link('LEAF', 'sub', { notAfter: NOW - 1 }), ...chain.slice(1)];
    expect(stillTrusted(ended, trust([...fresh, revoking('sub', '5ELEAF')]), NOW)).toBe('certificate_revoked');
  });

  test('an expired list refuses, also the one of a CA above', () => {
    expect(stillTrusted(chain, trust([crl('sub', { nextUpdate: NOW - 1 }), crl('root')]), NOW)).toBe('crl_expired');
    expect(stillTrusted(chain, trust([crl('sub'), crl('root', { nextUpdate: NOW - 1 })]), NOW)).toBe('crl_expired');
  });

  test('a list of the future refuses', () => {
    expect(stillTrusted(chain, trust([crl('sub'), crl('root', { thisUpdate: NOW + 1 })]), NOW)).toBe('crl_expired');
  });

  test('with any list configured every issuer needs one', () => {
    expect(stillTrusted(chain, trust([crl('root')]), NOW)).toBe('crl_expired');
    expect(stillTrusted(chain, trust([crl('sub')]), NOW)).toBe('crl_expired');
    expect(stillTrusted(chain, trust(fresh), NOW)).toBeNull();
  });

  test('one valid list among old ones is enough', () => {
    expect(stillTrusted(chain, trust([crl('sub', { nextUpdate: NOW - 1 }), ...fresh]), NOW)).toBeNull();
  });

  test('a list without an end does not expire', () => {
    expect(stillTrusted(chain, trust([crl('sub', { nextUpdate: null }), crl('root')]), NOW)).toBeNull();
  });
});

describe('crl_on_expiry: warn', () => {
  const judge = (crls: readonly Crl[]) => stillTrusted(chain, trust(crls, ['ROOT'], 'warn'), NOW);
  const ended = { nextUpdate: NOW - 1 };

  test('an expired list lets those in that are not on it', () => {
    expect(judge([crl('sub', ended), crl('root', ended)])).toBeNull();
  });

  test('an expired list keeps those out that are on it', () => {
    expect(judge([revoking('sub', '5ELEAF', ended), crl('root', ended)])).toBe('certificate_revoked');
  });

  test('an issuer without any list, or with one of the future, is refused as before', () => {
    expect(judge([crl('sub', ended)])).toBe('crl_expired');
    expect(judge([crl('sub', { thisUpdate: NOW + 1 }), crl('root')])).toBe('crl_expired');
  });
});
