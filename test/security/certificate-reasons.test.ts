/**
 * The attacks: a certificate of a stranger's CA, of an ended or a future time, for servers, on the CRL, or none at all;
 * an expired CRL that hides a revocation; and a chain that was trusted at its handshake and is not any more. Each is
 * refused, with the reason that the operator needs, as the real OpenSSL reports it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { judgeCertificate } from '../../src/request/authenticate/client-certificate.ts';
import { createAuthority, type Authority, type Issued } from '../support/certificates.ts';
import { handshake, trustOf } from '../request/authenticate/handshake.ts';

type Shown = Pick<Issued, 'cert' | 'key'>;

const DAY_MS = 24 * 3_600_000;
const inDays = (days: number) => new Date(Date.now() + days * DAY_MS);

let root: Authority;
let below: Authority;
let stranger: Authority;
let twin: Authority;
let server: Issued;
let good: Issued;
let chained: Issued;

beforeAll(() => {
  root = createAuthority('Gate CA');
  twin = createAuthority('Gate CA');
  stranger = createAuthority('Stranger CA');
  below = root.intermediate('Site CA');
  server = root.issue({ name: 'localhost', sans: ['DNS:localhost'] });
  good = root.issue({ name: 'master', sans: ['DNS:master.example.com'], purpose: 'client' });
  chained = below.issue({ name: 'site', sans: ['DNS:site.example.com'], purpose: 'client' });
});

afterAll(() => {
  for (const authority of [root, twin, stranger]) authority.remove();
});

async function reason(client: Shown | null, trust = trustOf([root.cert])) {
  return judgeCertificate(await handshake(server, trust, client), trust, Date.now());
}

describe('at the handshake', () => {
  test('a good certificate is accepted, directly and through an intermediate', async () => {
    expect(await reason(good)).toBeNull();
    expect(await reason(chained)).toBeNull();
  });

  test('none at all', async () => {
    expect(await reason(null)).toBe('certificate_missing');
  });

  test('of another CA', async () => {
    expect(await reason(stranger.issue({ name: 'master', purpose: 'client' }))).toBe('certificate_unknown_ca');
  });

  test('of another CA with the name of ours', async () => {
    expect(await reason(twin.issue({ name: 'master', purpose: 'client' }))).toBe('certificate_unknown_ca');
  });

  test('expired', async () => {
    const ended = root.issue({ name: 'master', purpose: 'client', notBefore: inDays(-3), notAfter: inDays(-1) });
    expect(await reason(ended)).toBe('certificate_expired');
  });

  test('not valid yet', async () => {
    const future = root.issue({ name: 'master', purpose: 'client', notBefore: inDays(1), notAfter: inDays(3) });
    expect(await reason(future)).toBe('certificate_not_yet_valid');
  });

  test('made for servers', async () => {
    expect(await reason(root.issue({ name: 'master', purpose: 'server' }))).toBe('certificate_wrong_purpose');
  });

  test('with a name that is not allowed', async () => {
    const trust = trustOf([root.cert], [], { allowedSans: ['other.example.com'] });
    expect(await reason(good, trust)).toBe('certificate_san_not_allowed');
  });
});

describe('revocation', () => {
  test('at the handshake, and with an expired CRL that has the certificate', async () => {
    const authority = createAuthority('Revoking CA');
    try {
      const client = authority.issue({ name: 'gone', purpose: 'client' });
      const other = authority.issue({ name: 'stays', purpose: 'client' });
      authority.revoke(client);
      const fresh = trustOf([authority.cert], [authority.crl().pem]);
      expect(await reason(client, fresh)).toBe('certificate_revoked');
      expect(await reason(other, fresh)).toBeNull();
      const expired = trustOf(
        [authority.cert],
        [authority.crl({ thisUpdate: inDays(-3), nextUpdate: inDays(-1) }).pem],
      );
      expect(await reason(other, expired)).toBe('crl_expired');
      expect(await reason(client, expired)).not.toBeNull();
      const live = await handshake(server, trustOf([authority.cert]), client);
      expect(judgeCertificate(live, expired, Date.now())).toBe('certificate_revoked');
    } finally {
      authority.remove();
    }
  });

  test('a stranger cannot raise the alarm of a CRL that is missing or expired', async () => {
    const authority = createAuthority('Listed CA');
    const namesake = createAuthority('Listed CA');
    try {
      const missing = trustOf([authority.cert, root.cert], [root.crl().pem]);
      const expired = trustOf(
        [authority.cert],
        [authority.crl({ thisUpdate: inDays(-3), nextUpdate: inDays(-1) }).pem],
      );
      const selfSigned = { cert: stranger.cert, key: readFileSync(join(stranger.directory, 'ca.key'), 'utf8') };
      const strangers = [
        selfSigned,
        stranger.issue({ name: 'master', purpose: 'client' }),
        stranger.intermediate('Listed CA').issue({ name: 'master', purpose: 'client' }),
        namesake.issue({ name: 'master', purpose: 'client' }),
      ];
      for (const trust of [missing, expired]) {
        for (const client of strangers) expect(await reason(client, trust)).toBe('certificate_unknown_ca');
        expect(await reason(authority.issue({ name: 'master', purpose: 'client' }), trust)).toBe('crl_expired');
      }
    } finally {
      authority.remove();
      namesake.remove();
    }
  });

  test('with a CRL of one CA of the chain only, nobody below the other one is accepted', async () => {
    expect(await reason(chained, trustOf([root.cert], [root.crl().pem]))).toBe('crl_expired');
    expect(await reason(chained, trustOf([root.cert], [root.crl().pem, below.crl().pem]))).toBeNull();
  });
});

describe('on a live connection', () => {
  test('a later CRL, a removed CA, and the end of time reach it; a renewed CRL with the same CA does not', async () => {
    const facts = await handshake(server, trustOf([root.cert]), chained);
    const now = Date.now();
    const judge = (trust: ReturnType<typeof trustOf>, at = now) => judgeCertificate(facts, trust, at);
    const crls = () => [root.crl().pem, below.crl().pem];
    expect(judge(trustOf([root.cert, stranger.cert], crls()))).toBeNull();
    expect(judge(trustOf([stranger.cert]))).toBe('certificate_unknown_ca');
    expect(judge(trustOf([root.cert]), now + 2 * DAY_MS)).toBe('certificate_expired');
    expect(judge(trustOf([root.cert], [root.crl().pem]))).toBe('crl_expired');
    below.revoke(chained);
    expect(judge(trustOf([root.cert], crls()))).toBe('certificate_revoked');
  });

  test('a revoked intermediate takes everybody below it along', async () => {
    const other = root.intermediate('Site CA 2');
    const client = other.issue({ name: 'site', purpose: 'client' });
    const facts = await handshake(server, trustOf([root.cert]), client);
    root.revoke(other);
    const trust = trustOf([root.cert], [root.crl().pem, other.crl().pem]);
    expect(judgeCertificate(facts, trust, Date.now())).toBe('certificate_revoked');
  });

  test('what OpenSSL refused stays refused, whatever is trusted later', async () => {
    const client = stranger.issue({ name: 'master', purpose: 'client' });
    const facts = await handshake(server, trustOf([root.cert]), client);
    expect(judgeCertificate(facts, trustOf([root.cert, stranger.cert]), Date.now())).toBe('certificate_unknown_ca');
  });
});
