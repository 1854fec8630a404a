/**
 * The attack: the holder of a revoked certificate waits until the CRL has ended, where `crl_on_expiry: warn` keeps the
 * scrapes going. OpenSSL names one error only: it would say CRL_HAS_EXPIRED, and a gate that forgives this error forgives
 * the revocation with it. The second: an expired list that somebody else has signed, where OpenSSL verifies none.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { renderProblems } from '../../src/config/explain.ts';
import { judgeCertificate } from '../../src/request/authenticate/client-certificate.ts';
import { createConfigFixture } from '../config/config-fixture.ts';
import type { ConfigFixture } from '../config/config-fixture.ts';
import { handshake, trustOf } from '../request/authenticate/handshake.ts';
import { createAuthority } from '../support/certificates.ts';
import type { Authority, Issued } from '../support/certificates.ts';

const DAY_MS = 24 * 3_600_000;
const inDays = (days: number) => new Date(Date.now() + days * DAY_MS);
const PAST = { thisUpdate: inDays(-3), nextUpdate: inDays(-1) };
const WARN = { crlOnExpiry: 'warn' as const };

let authority: Authority;
let server: Issued;
let good: Issued;
let revoked: Issued;
let expired: string;

beforeAll(() => {
  authority = createAuthority('Gate CA');
  server = authority.issue({ name: 'localhost', sans: ['DNS:localhost'] });
  good = authority.issue({ name: 'stays', purpose: 'client' });
  revoked = authority.issue({ name: 'gone', purpose: 'client' });
  authority.revoke(revoked);
  expired = authority.crl(PAST).pem;
});

afterAll(() => {
  authority.remove();
});

describe('an expired CRL under crl_on_expiry: warn', () => {
  const reason = async (client: Issued, changes = {}) => {
    const trust = trustOf([authority.cert], [expired], changes);
    return judgeCertificate(await handshake(server, trust, client), trust, Date.now());
  };

  it('refuses the revoked certificate in a new handshake', async () => {
    expect(await reason(revoked, WARN)).toBe('certificate_revoked');
  });

  it('lets the others in, which deny does not', async () => {
    expect(await reason(good, WARN)).toBeNull();
    expect(await reason(good)).toBe('crl_expired');
  });

  it('still refuses what OpenSSL refuses', async () => {
    const stranger = createAuthority('Gate CA');
    try {
      expect(await reason(stranger.issue({ name: 'stays', purpose: 'client' }), WARN)).toBe('certificate_unknown_ca');
      const ended = authority.issue({ name: 'old', purpose: 'client', notBefore: inDays(-3), notAfter: inDays(-1) });
      expect(await reason(ended, WARN)).toBe('certificate_expired');
    } finally {
      stranger.remove();
    }
  });
});

describe('a CRL under crl_on_expiry: warn', () => {
  let fixture: ConfigFixture;

  beforeAll(() => {
    fixture = createConfigFixture();
  });
  afterAll(() => {
    fixture.remove();
  });

  const load = async () => {
    const file = fixture.write(
      'promgate.yml',
      `tls_server_config:
  cert_file: server.crt
  key_file: server.key
  client_ca_file: client-ca.crt
  client_auth_type: RequireAndVerifyClientCert
  client_crl_files: [client-ca.crl]
  crl_on_expiry: warn
`,
    );
    const result = await loadConfig(file, { generation: 1 });
    return { ok: result.ok, said: renderProblems(result.problems, file, result.text) };
  };

  it('is taken when the client CA has signed it', async () => {
    fixture.write('client-ca.crl', fixture.clientCa.crl(PAST).pem);
    expect(await load()).toMatchObject({
      ok: true,
      said: expect.stringContaining('what was revoked since is not known') as string,
    });
  });

  it('is refused when another CA of that name has signed it', async () => {
    const twin = createAuthority('Client CA');
    try {
      fixture.write('client-ca.crl', twin.crl().pem);
      expect(await load()).toMatchObject({
        ok: false,
        said: expect.stringContaining('has no valid signature') as string,
      });
    } finally {
      twin.remove();
    }
  });
});
