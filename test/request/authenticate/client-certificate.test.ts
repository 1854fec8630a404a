import { describe, expect, test } from 'vitest';
import type { ClientAuthType, ClientTrust } from '../../../src/config/config.ts';
import { tlsOf } from '../../support/config-fixture.ts';
import {
  certificateOutcome,
  connectionVerdict,
  describeHolder,
  judgeCertificate,
  wasNotAsked,
} from '../../../src/request/authenticate/client-certificate.ts';
import type { PresentedCertificate } from '../../../src/request/connection.ts';
import { addresses, NO_SANS, presented, tlsFacts } from './fixtures.ts';

const NOW = 1000;
const CHAIN = [{ fingerprint: 'CA', serial: '01', issuerKey: 'ca', notBefore: 0, notAfter: 2000 }];
const good = presented({ chain: CHAIN, sans: { ...NO_SANS, dns: ['master.example.com'] } });
const bad = presented({ verifyError: 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY' });

function trust(type: ClientAuthType, changes: Partial<ClientTrust> = {}): ClientTrust {
  return { type, ca: [], caFingerprints: new Set(['CA']), crls: [], crlOnExpiry: 'deny', allowedSans: [], ...changes };
}

type Row = [type: ClientAuthType, none: string | null, good: string | null, bad: string | null, identifies: boolean];
const TABLE: Row[] = [
  ['NoClientCert', null, null, null, false],
  ['RequestClientCert', null, null, null, false],
  ['RequireAnyClientCert', 'certificate_missing', null, null, false],
  ['VerifyClientCertIfGiven', null, null, 'certificate_unknown_ca', true],
  ['RequireAndVerifyClientCert', 'certificate_missing', null, 'certificate_unknown_ca', true],
];

describe.each(TABLE)('%s', (type, ofNone, ofGood, ofBad, identifies) => {
  test('judges what is shown', () => {
    expect(judgeCertificate(tlsFacts(null), trust(type), NOW)).toBe(ofNone);
    expect(judgeCertificate(null, trust(type), NOW)).toBe(ofNone);
    expect(judgeCertificate(tlsFacts(good), trust(type), NOW)).toBe(ofGood);
    expect(judgeCertificate(tlsFacts(bad), trust(type), NOW)).toBe(ofBad);
  });

  test('identifies the holder only of a certificate that it verifies', () => {
    expect(certificateOutcome(tlsFacts(good), trust(type), NOW, describeHolder).kind).toBe(
      identifies ? 'verified' : 'notMine',
    );
    expect(certificateOutcome(tlsFacts(bad), trust(type), NOW, describeHolder).kind).toBe(
      identifies ? 'refused' : 'notMine',
    );
  });
});

test('a certificate identifies nobody where there is no trust', () => {
  expect(certificateOutcome(tlsFacts(good), null, NOW, describeHolder)).toEqual({ kind: 'notMine' });
});

test('a verdict of OpenSSL that nobody knows is a refusal', () => {
  const odd = presented({ chain: CHAIN, verifyError: 'SOMETHING_NEW' });
  expect(judgeCertificate(tlsFacts(odd), trust('VerifyClientCertIfGiven'), NOW)).toBe('certificate_invalid');
});

test('names must be allowed wherever a certificate is looked at', () => {
  const allowed = { allowedSans: ['other.example.com'] };
  const verdicts = TABLE.map(([type]) => judgeCertificate(tlsFacts(good), trust(type, allowed), NOW));
  expect(verdicts).toEqual([null, ...Array.from({ length: 4 }, () => 'certificate_san_not_allowed')]);
  const same = { allowedSans: ['other.example.com', 'master.example.com'] };
  expect(judgeCertificate(tlsFacts(good), trust('RequireAndVerifyClientCert', same), NOW)).toBeNull();
});

describe('the verdict on a connection', () => {
  const facts = (certificate: PresentedCertificate | null) => ({
    id: 1,
    peer: '192.0.2.1',
    tls: tlsFacts(certificate),
  });
  const tls = tlsOf({ trust: trust('RequireAndVerifyClientCert') });

  test('destroys what may ask nothing', () => {
    expect(connectionVerdict(facts(null), { tls, exempt: [] }, NOW)).toBe('certificate_missing');
    expect(connectionVerdict(facts(bad), { tls, exempt: [] }, NOW)).toBe('certificate_unknown_ca');
    expect(connectionVerdict(facts(good), { tls, exempt: [] }, NOW)).toBeNull();
    expect(connectionVerdict(facts(null), { tls, exempt: [] }, NOW, true)).toBeNull();
    expect(connectionVerdict(facts(bad), { tls, exempt: [] }, NOW, true)).toBe('certificate_unknown_ca');
  });

  test('lets it live where paths are public', () => {
    const exempt = [{ paths: new Set(['/-/healthy']), from: addresses('0.0.0.0/0') }];
    expect(connectionVerdict(facts(bad), { tls, exempt }, NOW)).toBeNull();
  });

  test('has nothing to say without TLS', () => {
    expect(connectionVerdict({ id: 1, peer: '192.0.2.1', tls: null }, { tls: null, exempt: [] }, NOW)).toBeNull();
  });
});

test('a connection that was never asked for a certificate is told apart', () => {
  expect(wasNotAsked(tlsFacts(null, false), trust('VerifyClientCertIfGiven'))).toBe(true);
  expect(wasNotAsked(tlsFacts(null, true), trust('VerifyClientCertIfGiven'))).toBe(false);
  expect(wasNotAsked(tlsFacts(null, false), trust('NoClientCert'))).toBe(false);
  expect(wasNotAsked(null, trust('VerifyClientCertIfGiven'))).toBe(false);
});

describe('the holder', () => {
  test('is named by the first DNS, e-mail, URI or IP name, else by the common name', () => {
    const named = (sans: Partial<typeof NO_SANS>) => describeHolder(presented({ sans: { ...NO_SANS, ...sans } })).name;
    expect(named({ dns: ['d'], email: ['e'], uri: ['u'], ip: ['i'] })).toBe('d');
    expect(named({ email: ['e'], uri: ['u'], ip: ['i'] })).toBe('e');
    expect(named({ uri: ['u'], ip: ['i'] })).toBe('u');
    expect(named({ ip: ['i'] })).toBe('i');
    expect(named({})).toBe('master');
    expect(describeHolder(presented({ commonName: null })).name).toBe('');
  });

  test('has a printable name of bounded length, whatever was signed', () => {
    const name = describeHolder(presented({ commonName: `a\n\u202e…${'x'.repeat(5000)}` })).name;
    expect(name).toMatch(/^a\\u000a\\u202e\?x+$/);
    expect(name).toHaveLength(253);
  });
});
