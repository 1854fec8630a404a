import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { spkiPin } from '../../src/formats/spki-pin.ts';
import { keyMatches } from '../../src/formats/x509.ts';
import { createCa } from '../../src/tls/authority/certificate-authority.ts';
import { issueServer } from '../../src/tls/authority/issue.ts';
import { createPkiFixture } from './pki-fixture.ts';
import type { PkiFixture } from './pki-fixture.ts';

const DAY_MS = 86_400_000;
const PASSPHRASE = 'correct horse battery';

let f: PkiFixture;

beforeEach(() => {
  f = createPkiFixture();
});
afterEach(() => {
  f.remove();
});

describe('pki init', () => {
  it('makes a CA, its key 0600, an index and an empty list, and names the CA after the host', async () => {
    const { stdout } = await f.pki({ action: 'init' });
    expect(readdirSync(f.directory).sort()).toEqual(['ca-index.json', 'ca.crl', 'ca.crt', 'ca.key']);
    expect(f.mode('ca.key')).toBe(0o600);
    expect(f.certificate('ca.crt')).toMatchObject({ subject: 'O=promgate, CN=promgate CA centre', isCa: true });
    expect(f.crl()).toMatchObject({ number: 1n, revoked: new Set() });
    expect(stdout.join('\n')).toContain(f.certificate('ca.crt').fingerprint.slice(0, 2));
  });

  it.each(['ca.crt', 'ca.key', 'ca.crl', 'ca-index.json'])('touches nothing where %s is', async (name) => {
    await f.pki({ action: 'init' });
    for (const other of readdirSync(f.directory)) if (other !== name) rmSync(f.path(other));
    const before = f.text(name);
    expect(await f.refusal({ action: 'init' })).toMatchObject({ code: 'FILE_UNSAFE' });
    expect(readdirSync(f.directory)).toEqual([name]);
    expect(f.text(name)).toBe(before);
  });

  it('narrows the CA to names and networks', async () => {
    await f.pki({ action: 'init', permitDns: ['example.com'], permitIp: ['10.0.0.0/8'] });
    await f.pki({ action: 'issue server', names: ['a.example.com', '10.1.2.3'] });
    const refused = await f.refusal({ action: 'issue server', names: ['a.example.org'] });
    expect(refused).toMatchObject({
      code: 'AUTHORITY_REFUSED',
      text: expect.stringContaining('do not permit') as string,
    });
    expect(f.has('a.example.org.key')).toBe(false);
  });

  it('refuses constraints that are none, and writes nothing', async () => {
    expect(await f.refusal({ action: 'init', permitIp: ['10.0.0.1/8'] })).toMatchObject({ code: 'AUTHORITY_REFUSED' });
    expect(f.has('')).toBe(false);
  });

  it('keeps the key under a passphrase, which signing asks for', async () => {
    f.typed = [PASSPHRASE];
    const { stderr } = await f.pki({ action: 'init', passphrase: true });
    expect(stderr.join('\n')).toContain('cannot renew a revocation list');
    expect(f.text('ca.key')).toContain('BEGIN ENCRYPTED PRIVATE KEY');
    f.typed = [PASSPHRASE];
    await f.pki({ action: 'issue client', name: 'a' });
    f.typed = ['wrong'];
    const refused = await f.refusal({ action: 'issue client', name: 'b' });
    expect(refused.code).toBe('PASSWORD_REFUSED');
    expect(refused.text).not.toContain('BEGIN');
    expect(f.has('b.crt')).toBe(false);
    f.typed = ['too short'];
    expect(await f.refusal({ action: 'init', passphrase: true, directory: f.path('other') })).toMatchObject({
      code: 'PASSWORD_REFUSED',
    });
    expect(f.has('other')).toBe(false);
  });
});

describe('pki issue', () => {
  beforeEach(async () => {
    await f.pki({ action: 'init' });
  });

  it('a client: leaf, key and chain for 90 days, and the tls_config of a Prometheus', async () => {
    const { stdout } = await f.pki({ action: 'issue client', name: 'prometheus' });
    const leaf = f.certificate('prometheus.crt');
    expect(leaf).toMatchObject({ commonName: 'prometheus', sans: { dns: ['prometheus'] }, keyType: 'ec' });
    expect(leaf.notAfter).toBe(f.clock.now() + 90 * DAY_MS);
    expect(f.mode('prometheus.key')).toBe(0o600);
    expect(keyMatches(f.text('prometheus.crt'), f.text('prometheus.key')).ok).toBe(true);
    expect(f.text('prometheus.chain.crt')).toBe(f.text('prometheus.crt') + f.text('ca.crt'));
    const said = stdout.join('\n');
    for (const name of ['ca.crt', 'prometheus.crt', 'prometheus.key']) expect(said).toContain(f.path(name));
    expect(said).toContain(spkiPin(leaf.publicKeySpki));
  });

  it('a client with names by type', async () => {
    const sans = [
      'dns:a.example.com',
      'ip:2001:db8::1',
      'email:a@example.com',
      'uri:spiffe://example.com/a',
      '10.0.0.1',
    ];
    await f.pki({
      action: 'issue client',
      name: 'Central of ops'.replaceAll(' ', '-'),
      sans,
      days: 7,
      keyType: 'rsa2048',
    });
    expect(f.certificate('central-of-ops.crt')).toMatchObject({
      commonName: 'Central-of-ops',
      keyType: 'rsa',
      notAfter: f.clock.now() + 7 * DAY_MS,
      sans: {
        dns: ['a.example.com'],
        ip: ['2001:db8::1', '10.0.0.1'],
        email: ['a@example.com'],
        uri: ['spiffe://example.com/a'],
      },
    });
  });

  it('a server, also for a wildcard: no name leaves the directory', async () => {
    await f.pki({ action: 'issue server', names: ['*.example.com', '10.0.0.1'] });
    expect(f.certificate('_.example.com.crt').sans).toMatchObject({ dns: ['*.example.com'], ip: ['10.0.0.1'] });
    for (const name of ['../a', 'a/b', '', 'ca', 'CA', 'ca-index', 'x.chain', '.hidden', 'a\u0000b', '-x']) {
      expect(await f.refusal({ action: 'issue client', name }), name).toMatchObject({ code: 'USAGE' });
    }
  });

  it('overwrites nothing, and leaves nothing half written', async () => {
    f.write('a.key', 'mine');
    expect(await f.refusal({ action: 'issue client', name: 'a' })).toMatchObject({ code: 'FILE_UNSAFE' });
    expect(f.text('a.key')).toBe('mine');
    expect(f.has('a.crt')).toBe(false);
  });

  it('refuses what is no name, and a CA that is not there', async () => {
    expect(await f.refusal({ action: 'issue client', name: 'a', sans: ['dns:a b'] })).toMatchObject({
      code: 'AUTHORITY_REFUSED',
    });
    expect(await f.refusal({ action: 'issue client', name: 'a', sans: ['?'] })).toMatchObject({ code: 'USAGE' });
    rmSync(f.path('ca.key'));
    expect(await f.refusal({ action: 'issue client', name: 'a' })).toMatchObject({ code: 'AUTHORITY_REFUSED' });
    rmSync(f.path('ca.crt'));
    const { text } = await f.refusal({ action: 'issue client', name: 'a' });
    expect(text).toContain('pki init');
  });
});

describe('pki renew', () => {
  beforeEach(async () => {
    await f.pki({ action: 'init' });
    await f.pki({ action: 'issue client', name: 'a', sans: ['uri:spiffe://x/y'], days: 10 });
    f.clock.advance(5 * DAY_MS);
  });

  it('keeps names, purpose, lifetime and key', async () => {
    const [old, key] = [f.certificate('a.crt'), f.text('a.key')];
    await f.pki({ action: 'renew', name: 'a' });
    const renewed = f.certificate('a.crt');
    expect(renewed).toMatchObject({ subject: old.subject, sans: old.sans, notAfter: f.clock.now() + 10 * DAY_MS });
    expect(renewed.serial).not.toBe(old.serial);
    expect(f.text('a.key')).toBe(key);
    expect(f.mode('a.key')).toBe(0o600);
    expect(f.text('a.chain.crt')).toBe(f.text('a.crt') + f.text('ca.crt'));
    const usage = execFileSync('openssl', ['x509', '-in', f.path('a.crt'), '-noout', '-ext', 'extendedKeyUsage']);
    expect(usage.toString()).toContain('TLS Web Client Authentication');
  });

  it('makes a new key when asked, 0600 as before', async () => {
    const key = f.text('a.key');
    const { stderr } = await f.pki({ action: 'renew', name: 'a', newKey: true });
    expect(f.text('a.key')).not.toBe(key);
    expect(f.mode('a.key')).toBe(0o600);
    expect(keyMatches(f.text('a.crt'), f.text('a.key')).ok).toBe(true);
    expect(stderr.join('\n')).toContain('pki revoke');
  });

  it('renews no certificate that is revoked, of another CA, or not there', async () => {
    await f.pki({ action: 'revoke', target: 'a' });
    expect((await f.refusal({ action: 'renew', name: 'a' })).text).toContain('is revoked');
    const other = await createCa({ name: 'centre', now: f.clock.now() });
    const foreign = await issueServer({ ca: other, names: ['b.example.com'], now: f.clock.now() });
    f.write('b.example.com.crt', foreign.cert);
    f.write('b.example.com.key', foreign.key);
    expect((await f.refusal({ action: 'renew', name: 'b.example.com' })).text).toContain('was not issued by');
    expect((await f.refusal({ action: 'renew', name: 'c' })).text).toContain('does not exist');
  });
});

describe('pki sign', () => {
  it('takes the key of the request and nothing else', async () => {
    await f.pki({ action: 'init' });
    const request = f.path('request.pem');
    const names = 'subjectAltName=DNS:admin.example.com';
    const flags = ['-nodes', '-subj', '/CN=admin', '-addext', names, '-keyout', f.path('their.key'), '-out', request];
    execFileSync('openssl', ['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', ...flags], {
      stdio: 'ignore',
    });
    const { stdout } = await f.pki({ action: 'sign', request, name: 'centre', sans: ['dns:centre.example.com'] });
    expect(f.certificate('centre.crt')).toMatchObject({
      commonName: 'centre',
      sans: { dns: ['centre.example.com'], email: [], uri: [], ip: [] },
    });
    expect(keyMatches(f.text('centre.crt'), f.text('their.key')).ok).toBe(true);
    expect(f.has('centre.key')).toBe(false);
    expect(stdout.join('\n')).not.toContain('admin');
  });

  it('refuses names that the CA may not certify, whatever the request asks for', async () => {
    await f.pki({ action: 'init', permitDns: ['example.com'] });
    const request = f.path('request.pem');
    const flags = ['-nodes', '-subj', '/CN=a.example.com', '-keyout', f.path('their.key'), '-out', request];
    execFileSync('openssl', ['req', '-new', '-newkey', 'rsa:2048', ...flags], { stdio: 'ignore' });
    expect(await f.refusal({ action: 'sign', request, name: 'centre', sans: ['dns:centre.example.org'] })).toEqual({
      code: 'AUTHORITY_REFUSED',
      text: 'the name constraints of the CA do not permit dns "centre.example.org" ',
    });
    expect(f.has('centre.crt')).toBe(false);
    expect(f.text('ca-index.json')).toContain('"issued": []');
    await f.pki({ action: 'sign', request, name: 'centre', sans: ['dns:centre.example.com'] });
  });

  it('refuses a request that its own key has not signed', async () => {
    await f.pki({ action: 'init' });
    const flags = ['-nodes', '-subj', '/CN=admin', '-keyout', f.path('their.key'), '-outform', 'DER'];
    const der = execFileSync('openssl', ['req', '-new', '-newkey', 'rsa:2048', ...flags], { stdio: 'pipe' });
    der[der.length - 1] = (der.at(-1) ?? 0) ^ 1;
    f.write(
      'r.pem',
      `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`,
    );
    const refused = await f.refusal({ action: 'sign', request: f.path('r.pem'), name: 'centre' });
    expect(refused).toMatchObject({ code: 'AUTHORITY_REFUSED', text: expect.stringContaining('not signed') as string });
    f.write('r.pem', 'junk');
    expect(await f.refusal({ action: 'sign', request: f.path('r.pem'), name: 'centre' })).toMatchObject({
      code: 'AUTHORITY_REFUSED',
    });
    expect(f.has('centre.crt')).toBe(false);
  });
});
