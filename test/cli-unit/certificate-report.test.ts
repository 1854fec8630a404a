/** What `cert status` says: of files, of ACME certificates, of CAs and lists; when it worries, and how it is drawn. */
import { describe, expect, it } from 'vitest';
import type { AcmeSettings, KeyPair } from '../../src/config/config.ts';
import { reportCertificates } from '../../src/cli/certificate-report.ts';
import { certificateTable, lifetimeBar, span } from '../../src/cli/certificate-table.ts';
import type { CertificateStatus } from '../../src/tls/acme/contract.ts';
import { WINDOW_HAS_COME } from '../../src/tls/acme/schedule.ts';
import { EMPTY_STATE } from '../../src/tls/acme/state.ts';
import { configOf, tlsOf } from '../support/config-fixture.ts';

const DAY = 86_400_000;
const NOW = Date.parse('2026-06-01T00:00:00Z');
const wanted = { names: ['gate.example.com', '192.0.2.7'], keyType: 'p256', profile: null } as const;
const directory = { url: 'https://ca.example.com/dir', name: 'letsencrypt', ca: null, externalAccount: null };
const acme: AcmeSettings = {
  directories: [directory],
  staging: null,
  email: null,
  certificates: [wanted],
  challenge: { kind: 'http-01', listen: ':80' },
  stateDirectory: '/var/lib/promgate/acme',
};

function pairOf(from: number, to: number, changes: Partial<KeyPair> = {}): KeyPair {
  const [notBefore, notAfter] = [NOW + from * DAY, NOW + to * DAY];
  const facts = {
    serial: '01',
    issuer: 'CN=R13',
    keyType: 'ec',
    names: ['gate.example.com'],
    name: 'gate.example.com',
  };
  return { cert: '', key: '', ...facts, notBefore, notAfter, ...changes };
}

function acmeReport(
  changes: Partial<CertificateStatus['state']>,
  plan: CertificateStatus['plan'],
  unlike: string | null = null,
) {
  const config = configOf({
    acme,
    tls: tlsOf({ certificates: [pairOf(0, 90, { name: 'self-signed:gate.example.com' })] }),
  });
  const [report] = reportCertificates(config, [{ wanted, state: { ...EMPTY_STATE, ...changes }, unlike, plan }], NOW);
  if (report === undefined) throw new Error('no report');
  return report;
}

describe('a certificate that comes by ACME', () => {
  it('is ok with a third of its life left, and names the CA and the renewal', () => {
    const plan = { kind: 'wait', until: NOW + 3_600_000, why: 'then the CA is asked' } as const;
    const report = acmeReport({ pair: pairOf(-50, 40), issuedBy: directory.url }, plan);
    expect(report).toMatchObject({ state: 'ok', source: 'acme, letsencrypt', lastError: null });
    expect(report.next).toEqual({ at: NOW + 10 * DAY, why: 'a third of its lifetime is left' });
  });

  it('is close to its end when half of the reserve is gone, with the last error and the next attempt', () => {
    const plan = { kind: 'wait', until: NOW + 60_000, why: 'after 3 failed attempts' } as const;
    const failure = {
      at: NOW - 1000,
      directory: directory.url,
      role: 'real',
      kind: 'refused',
      reason: 'no\u001b[2J',
      retryAt: null,
    } as const;
    const report = acmeReport({ pair: pairOf(-80, 10), issuedBy: directory.url, failures: [failure] }, plan);
    expect(report.state).toBe('soon');
    expect(report.next).toEqual({ at: NOW + 60_000, why: 'after 3 failed attempts' });
    expect(report.lastError?.directory).toBe('letsencrypt');
    expect(certificateTable([report], NOW)).not.toContain('\u001b');
    expect(acmeReport({ pair: pairOf(-90, -1), issuedBy: directory.url }, plan).state).toBe('ended');
  });

  it('says when and why it was renewed', () => {
    const plan = { kind: 'wait', until: NOW + 3_600_000, why: '' } as const;
    const origin = { at: NOW - 3_600_000, profile: null, because: WINDOW_HAS_COME, isRenewal: true };
    const report = acmeReport({ pair: pairOf(-50, 40), issuedBy: directory.url, origin }, plan);
    const why = "renewed because the CA's renewal window (ARI) has come";
    expect(report.issued).toEqual({ at: origin.at, why });
    expect(certificateTable([report], NOW)).toMatch(/^ +issued +\d{4}-\d\d-\d\d \d\d:\d\d: renewed because the CA's/m);
    expect(acmeReport({ pair: pairOf(-50, 40), issuedBy: directory.url, origin: null }, plan).issued).toBeNull();
  });

  it('that is to be another one is not waited for', () => {
    const plan = { kind: 'order', directory: 'real', url: directory.url, why: 'other names are wanted' } as const;
    const report = acmeReport({ pair: pairOf(-50, 40), issuedBy: directory.url }, plan, 'other names are wanted');
    expect(report.next).toEqual({ at: NOW, why: 'other names are wanted' });
  });

  it('that was never issued is not ok, however long the self-signed one lives', () => {
    const plan = { kind: 'order', directory: 'real', url: directory.url, why: 'there is no certificate yet' } as const;
    const report = acmeReport({}, plan);
    expect(report).toMatchObject({ state: 'soon', source: 'self-signed until the CA issues one' });
    expect(report.next).toEqual({ at: NOW, why: 'there is no certificate yet' });
  });
});

it('judges a certificate of a file by its own lifetime', () => {
  const stateOf = (from: number, to: number) =>
    reportCertificates(configOf({ tls: tlsOf({ certificates: [pairOf(from, to)] }) }), [], NOW)[0]?.state;
  expect(stateOf(-300, 97)).toBe('ok');
  expect(stateOf(-370, 27)).toBe('soon');
  // Six days of life: the last two.
  expect(stateOf(-3, 3)).toBe('ok');
  expect(stateOf(-5, 1)).toBe('soon');
  expect(stateOf(-5, 0)).toBe('ended');
});

it('draws a bar that is empty only at the end', () => {
  expect(lifetimeBar(0, 100, 0)).toBe('[##########]');
  expect(lifetimeBar(0, 100, 50)).toBe('[#####-----]');
  expect(lifetimeBar(0, 100, 99.9)).toBe('[#---------]');
  expect(lifetimeBar(0, 100, 100)).toBe('[----------]');
  expect(lifetimeBar(100, 100, 50)).toBe('[#---------]');
});

it('names a span by its largest unit', () => {
  expect([61 * DAY, 5 * 3_600_000, 300_000, 40_000].map(span)).toEqual(['61 days', '5 h', '5 min', '40 s']);
});
