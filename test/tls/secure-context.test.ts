import { constants } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { secureContextOptions } from '../../src/tls/secure-context.ts';
import { tlsOf } from '../listen/harness.ts';
import { createAuthority, type Authority, type Issued } from '../support/certificates.ts';

let authority: Authority;
let server: Issued;

beforeAll(() => {
  authority = createAuthority();
  server = authority.issue({ name: 'gate' });
});
afterAll(() => {
  authority.remove();
});

test('there is always a `ca`: an empty one trusts nobody, a missing one the whole world', () => {
  expect(secureContextOptions(server, tlsOf([server])).ca).toEqual([]);
  const trusting = tlsOf([server], { type: 'RequireAndVerifyClientCert', ca: [authority.cert] });
  expect(secureContextOptions(server, trusting).ca).toEqual([authority.cert]);
});

test('CRLs go along, and none is no empty CRL', () => {
  const { pem } = authority.crl();
  const changes = { type: 'RequireAndVerifyClientCert' as const, ca: [authority.cert] };
  const { crl } = secureContextOptions(server, tlsOf([server], { ...changes, crl: pem }));
  expect(crl).toHaveLength(1);
  expect(secureContextOptions(server, tlsOf([server], changes))).not.toHaveProperty('crl');
});

test('renegotiation is off always, tickets wherever clients show certificates', () => {
  const plain = secureContextOptions(server, tlsOf([server])).secureOptions ?? 0;
  expect(plain & constants.SSL_OP_NO_RENEGOTIATION).not.toBe(0);
  expect(plain & constants.SSL_OP_NO_TICKET).toBe(0);
  for (const type of ['RequestClientCert', 'VerifyClientCertIfGiven'] as const) {
    const options = secureContextOptions(server, tlsOf([server], { type, ca: [authority.cert] })).secureOptions ?? 0;
    expect(options & constants.SSL_OP_NO_RENEGOTIATION).not.toBe(0);
    expect(options & constants.SSL_OP_NO_TICKET).not.toBe(0);
  }
});

test('a list of TLS 1.2 ciphers keeps the suites of TLS 1.3', () => {
  const options = secureContextOptions(
    server,
    tlsOf([server], { settings: { ciphers: ['ECDHE-ECDSA-AES128-GCM-SHA256'], curves: ['P-256', 'X25519'] } }),
  );
  expect(options.ciphers).toMatch(/^TLS_AES_256_GCM_SHA384:.*:ECDHE-ECDSA-AES128-GCM-SHA256$/);
  expect(options.ecdhCurve).toBe('P-256:X25519');
  expect(() => createSecureContext(options)).not.toThrow();
});

test('versions and cipher order are the configured ones', () => {
  const options = secureContextOptions(
    server,
    tlsOf([server], { settings: { minVersion: 'TLSv1.3', preferServerCiphers: false } }),
  );
  expect(options).toMatchObject({
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    honorCipherOrder: false,
    ecdhCurve: 'auto',
  });
});
