import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCa, wasIssuedHere } from '../../../src/tls/authority/certificate-authority.ts';
import { issueClient, issueServer } from '../../../src/tls/authority/issue.ts';
import { generateKey } from '../../../src/tls/authority/keys.ts';
import type { CertificateAndKey } from '../../../src/tls/authority/keys.ts';
import { describeCertificate, keyMatches, parseCertificates } from '../../../src/formats/x509.ts';
import { createAuthority } from '../../support/certificates.ts';
import { createWorkbench } from './openssl.ts';
import type { Workbench } from './openssl.ts';

const DAY_MS = 86_400_000;
const now = Math.floor(Date.now() / 1000) * 1000;
const server = ['localhost', '127.0.0.1', '::1', '2001:db8::7', 'gate.example.com', 'my_host'];

function infoOf(pem: string) {
  const certificates = parseCertificates(pem);
  if (!certificates.ok) throw new Error(certificates.message);
  return certificates.value[0] ?? expect.fail('no certificate');
}

let bench: Workbench;
let ca: CertificateAndKey;

beforeAll(async () => {
  bench = createWorkbench();
  ca = await createCa({ name: 'gate.example.com', now, key: generateKey() });
  bench.file('ca.crt', ca.cert);
  bench.file('server.crt', (await issueServer({ ca, names: server, now })).cert);
  const sans = [
    { type: 'dns' as const, value: 'prometheus' },
    { type: 'uri' as const, value: 'spiffe://example.com/prometheus' },
    { type: 'email' as const, value: 'ops@example.com' },
    { type: 'ip' as const, value: '2001:db8::1' },
  ];
  bench.file('client.crt', (await issueClient({ ca, name: 'prometheus', sans, now })).cert);
});

afterAll(() => {
  bench.remove();
});

describe('the real openssl', () => {
  it.each([
    ['server.crt', 'sslserver', 0],
    ['client.crt', 'sslclient', 0],
    ['server.crt', 'sslclient', 2],
    ['client.crt', 'sslserver', 2],
  ])('judges %s as %s with exit code %i', async (file, purpose, code) => {
    const judged = await bench.openssl('verify', '-x509_strict', '-CAfile', 'ca.crt', '-purpose', purpose, file);
    expect(judged.code, judged.stderr).toBe(code);
  });

  it('knows every name of the server', async () => {
    for (const name of server) {
      const flag = /[:]|^\d/.test(name) ? '-verify_ip' : '-verify_hostname';
      const judged = await bench.openssl('verify', '-CAfile', 'ca.crt', flag, name, 'server.crt');
      expect(judged.code, `${name}: ${judged.stderr}`).toBe(0);
    }
    const other = await bench.openssl('verify', '-CAfile', 'ca.crt', '-verify_hostname', 'else', 'server.crt');
    expect(other.code).toBe(2);
  });

  it('a leaf signs nothing, and the CA signs no further CA', async () => {
    const leaf = await issueServer({ ca, names: ['a'], now });
    await expect(issueServer({ ca: leaf, names: ['b'], now })).rejects.toThrow('not that of a CA');
    const { stdout } = await bench.openssl('x509', '-in', 'ca.crt', '-noout', '-text');
    expect(stdout).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0\s/);
    expect(stdout).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign\s/);
  });

  it('shows the constraints, the usages and the key identifiers of a leaf', async () => {
    const { stdout } = await bench.openssl('x509', '-in', 'server.crt', '-noout', '-text');
    expect(stdout).toMatch(/Basic Constraints: critical\s+CA:FALSE\s/);
    expect(stdout).toMatch(/ Key Usage: critical\s+Digital Signature\s/);
    expect(stdout).toMatch(/Extended Key Usage: \s+TLS Web Server Authentication\s/);
    const authority = /Subject Key Identifier: \s+([\dA-F:]+)/.exec(
      (await bench.openssl('x509', '-in', 'ca.crt', '-noout', '-text')).stdout,
    )?.[1];
    expect(stdout).toMatch(new RegExp(`Authority Key Identifier: \\s+${authority ?? 'none'}\\s`));
  });
});

it('serial numbers are positive, long and differ', async () => {
  const serials = new Set<string>();
  for (let count = 0; count < 20; count++) {
    const { serial } = infoOf((await issueServer({ ca, names: ['a'], now })).cert);
    expect(serial).toMatch(/^[\dA-F]{24,32}$/);
    serials.add(serial);
  }
  expect(serials.size).toBe(20);
});

it('is valid from five minutes ago, a CA for ten years and a leaf for 397 days', async () => {
  const [root, leaf] = [infoOf(ca.cert), infoOf((await issueServer({ ca, names: ['a'], now })).cert)];
  expect([root.notBefore, leaf.notBefore]).toEqual([now - 300_000, now - 300_000]);
  expect(new Date(root.notAfter).getUTCFullYear()).toBe(new Date(now).getUTCFullYear() + 10);
  expect(leaf.notAfter).toBe(now + 397 * DAY_MS);
});

it('a leaf never outlives its CA, and an ended CA issues nothing', async () => {
  const short = await createCa({ name: 'short', years: 1, now, key: generateKey() });
  const end = infoOf(short.cert).notAfter;
  expect(infoOf((await issueServer({ ca: short, names: ['a'], now: end - DAY_MS })).cert).notAfter).toBe(end);
  await expect(issueServer({ ca: short, names: ['a'], now: end })).rejects.toThrow('the CA certificate has ended');
});

it('issues for a key that is there already', async () => {
  const key = generateKey();
  const first = await issueServer({ ca, names: ['a'], now, key });
  const second = await issueServer({ ca, names: ['a', 'b'], now, key });
  expect(second.key).toBe(key);
  expect(keyMatches(second.cert, first.key).ok).toBe(true);
});

it('a name that looks like several attributes stays one', async () => {
  const name = 'x, CN=admin+O=evil';
  const { subject, commonName } = infoOf((await issueClient({ ca, name, sans: [], now })).cert);
  expect(commonName).toBe(name);
  expect(subject).toBe('CN=x\\, CN\\=admin\\+O\\=evil');
  expect(infoOf((await createCa({ name, now, key: generateKey() })).cert).commonName).toBe(`promgate CA ${name}`);
});

it('a host name beyond 64 characters stands in a critical SAN alone', async () => {
  const long = `${'a'.repeat(60)}.${'b'.repeat(60)}.example`;
  bench.file('long.crt', (await issueServer({ ca, names: [long], now })).cert);
  const verify = ['verify', '-x509_strict', '-CAfile', 'ca.crt', '-verify_hostname', long, 'long.crt'];
  expect((await bench.openssl(...verify)).code).toBe(0);
  const { stdout } = await bench.openssl('x509', '-in', 'long.crt', '-noout', '-text');
  expect(stdout).toContain('Subject Alternative Name: critical');
});

it.each(['', 'a b', 'a,DNS:evil', '-a', 'a.', '*', '*.a', '1.2.3', 'ü.de', 'a\0b', `${'a'.repeat(64)}.de`])(
  'refuses to issue for %j',
  async (name) => {
    await expect(issueServer({ ca, names: [name], now })).rejects.toThrow(TypeError);
    await expect(issueClient({ ca, name: 'x', sans: [{ type: 'dns', value: name }], now })).rejects.toThrow(TypeError);
  },
);

it('issues with a CA that openssl made', async () => {
  const foreign = createAuthority();
  try {
    const key = readFileSync(join(foreign.directory, 'ca.key'), 'utf8');
    const issued = await issueServer({ ca: { cert: foreign.cert, key }, names: ['localhost'], now });
    bench.file('foreign.crt', foreign.cert);
    bench.file('by-foreign.crt', issued.cert);
    const judged = await bench.openssl('verify', '-CAfile', 'foreign.crt', 'by-foreign.crt');
    expect(judged.code, judged.stderr).toBe(0);
  } finally {
    foreign.remove();
  }
});

it('issues with an RSA CA, and refuses small, Ed25519 and encrypted keys', async () => {
  const make = async (...argv: string[]): Promise<string> => (await bench.openssl('genpkey', ...argv)).stdout;
  const rsa = await make('-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048');
  const root = await createCa({ name: 'rsa', now, key: rsa });
  bench.file('rsa.crt', root.cert);
  bench.file('by-rsa.crt', (await issueServer({ ca: root, names: ['a'], now })).cert);
  expect((await bench.openssl('verify', '-CAfile', 'rsa.crt', 'by-rsa.crt')).code).toBe(0);
  const refused = [
    await make('-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:1024'),
    await make('-algorithm', 'ED25519'),
    await make('-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-aes256', '-pass', 'pass:x'),
  ];
  for (const key of refused) await expect(createCa({ name: 'x', now, key })).rejects.toThrow(TypeError);
});

it('recognises what it issued by the issuer, however it is printed', async () => {
  const { cert } = await issueServer({ ca, names: ['a'], now });
  expect(wasIssuedHere(new X509Certificate(cert).issuer)).toBe(true);
  expect(wasIssuedHere(describeCertificate(new X509Certificate(cert).raw).issuer)).toBe(true);
  expect(wasIssuedHere('C=US, O=Let’s Encrypt, CN=R3')).toBe(false);
  expect(wasIssuedHere('CN=O=promgate')).toBe(false);
});
