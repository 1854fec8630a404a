/** Name constraints as the real OpenSSL judges them, and our own check that refuses the same before signing. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCa } from '../../../src/tls/authority/certificate-authority.ts';
import { issueClient, issueServer } from '../../../src/tls/authority/issue.ts';
import type { CertificateAndKey } from '../../../src/tls/authority/keys.ts';
import { encodeNameConstraints, isPermitted, permittedNames } from '../../../src/tls/authority/name-constraints.ts';
import { createWorkbench } from './openssl.ts';
import type { Workbench } from './openssl.ts';

const now = Math.floor(Date.now() / 1000) * 1000;
let bench: Workbench;
let key: string;

beforeAll(async () => {
  bench = createWorkbench();
  key = (await createCa({ name: 'key', now })).key;
});
afterAll(() => {
  bench.remove();
});

/** The same CA twice, one of them narrowed: what the free one signs is verified against the narrowed one. */
async function authorities(
  dns: string[],
  ip: string[],
): Promise<{ free: CertificateAndKey; narrow: CertificateAndKey }> {
  return {
    free: await createCa({ name: 'twin', now, key }),
    narrow: await createCa({ name: 'twin', now, key, permitted: permittedNames(dns, ip) }),
  };
}

describe.each([
  { dns: ['example.com'], ip: [], good: ['a.example.com', 'example.com'], bad: ['example.org', '10.0.0.1', '::1'] },
  { dns: [], ip: ['10.0.0.0/8'], good: ['10.1.2.3'], bad: ['11.0.0.1', '::1', 'a.example.com'] },
  {
    dns: ['example.com'],
    ip: ['2001:db8::/32'],
    good: ['2001:db8::7'],
    bad: ['2001:db9::7', '10.0.0.1', 'xexample.com'],
  },
])('a CA for $dns $ip', ({ dns, ip, good, bad }) => {
  it.each([...good.map((name) => ({ name, permitted: true })), ...bad.map((name) => ({ name, permitted: false }))])(
    '$name: $permitted, as OpenSSL sees it',
    async ({ name, permitted }) => {
      const { free, narrow } = await authorities(dns, ip);
      const leaf = await issueServer({ ca: permitted ? narrow : free, names: [name], now });
      const [caFile, leafFile] = [bench.file('ca.crt', narrow.cert), bench.file('leaf.crt', leaf.cert)];
      const { code, stderr } = await bench.openssl('verify', '-x509_strict', '-CAfile', caFile, leafFile);
      expect(code === 0, stderr).toBe(permitted);
      if (!permitted) {
        await expect(issueServer({ ca: narrow, names: [name], now })).rejects.toThrow('do not permit');
      }
    },
  );
});

describe('name constraints', () => {
  it.each<{ what: string; san?: string; subject?: string; permitted?: true }>([
    { what: 'a name that is permitted', san: 'DNS:a.example.com', permitted: true },
    { what: 'a directory name, which nobody is identified by', san: 'dirName:dn', permitted: true },
    { what: 'a DNS name', san: 'DNS:a.example.org' },
    { what: 'an IPv4 address', san: 'IP:10.0.0.1' },
    { what: 'an IPv6 address', san: 'IP:2001:db8::1' },
    { what: 'a URI of another host', san: 'URI:spiffe://other.org/admin' },
    { what: 'a URI of a permitted host', san: 'URI:spiffe://a.example.com/admin' },
    { what: 'a URI with a user and a port', san: 'URI:https://a.example.com@other.org:80/' },
    { what: 'a URI without a host', san: 'URI:urn:example:admin' },
    { what: 'a URI with an empty host', san: 'URI:file:///etc' },
    { what: 'an e-mail address', san: 'email:admin@other.org' },
    { what: 'an e-mail address of a permitted host', san: 'email:admin@example.com' },
    { what: 'an e-mail address in UTF-8', san: 'otherName:1.3.6.1.5.5.7.8.9;UTF8:admin@other.org' },
    { what: 'an e-mail address in the subject', subject: '/CN=client/emailAddress=admin@other.org' },
    { what: 'a permitted name beside a URI', san: 'DNS:a.example.com,URI:spiffe://other.org/admin' },
  ])('of a domain, under OpenSSL, with $what', async ({ san, subject = '/CN=client', permitted = false }) => {
    const { narrow } = await authorities(['example.com'], []);
    const [caFile, keyFile] = [bench.file('ca.crt', narrow.cert), bench.file('ca.key', narrow.key)];
    const request = ['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    const made = await bench.openssl(...request, '-keyout', 'leaf.key', '-out', 'leaf.csr', '-subj', subject);
    expect(made.code, made.stderr).toBe(0);
    const extensions = `basicConstraints=CA:false\n${san === undefined ? '' : `subjectAltName=${san}\n`}[dn]\nCN=admin\n`;
    const extFile = bench.file('leaf.ext', extensions);
    const sign = ['x509', '-req', '-in', 'leaf.csr', '-CA', caFile, '-CAkey', keyFile, '-extfile', extFile];
    const signed = await bench.openssl(...sign, '-out', 'leaf.crt');
    expect(signed.code, signed.stderr).toBe(0);
    const { code, stderr } = await bench.openssl('verify', '-CAfile', caFile, 'leaf.crt');
    expect(code === 0, stderr).toBe(permitted);
  });

  it.each<{ type: 'uri' | 'email'; value: string }>([
    { type: 'uri', value: 'spiffe://other.org/admin' },
    { type: 'uri', value: 'spiffe://a.example.com/admin' },
    { type: 'uri', value: 'urn:example:admin' },
    { type: 'email', value: 'admin@example.com' },
  ])('of a domain keep us from signing $value', async (name) => {
    const { narrow } = await authorities(['example.com'], []);
    await expect(issueClient({ ca: narrow, name: 'client', sans: [name], now })).rejects.toThrow('do not permit');
  });

  it('judge a common name that OpenSSL would take for a DNS name', async () => {
    const { free, narrow } = await authorities(['example.com'], []);
    const request = { name: 'host.example.org', sans: [], now };
    const caFile = bench.file('ca.crt', narrow.cert);
    const leafFile = bench.file('leaf.crt', (await issueClient({ ...request, ca: free })).cert);
    expect(await bench.openssl('verify', '-CAfile', caFile, leafFile)).not.toMatchObject({ code: 0 });
    await expect(issueClient({ ...request, ca: narrow })).rejects.toThrow('do not permit');
  });

  it('that cannot be read permit nothing', () => {
    expect(isPermitted(Buffer.from('3003', 'hex'), { type: 'dns', value: 'a.example.com' })).toBe(false);
  });

  it('of many names have a long form of length', () => {
    const names = Array.from({ length: 60 }, (_, index) => `zone-${index}.example.com`);
    const extension = encodeNameConstraints(permittedNames(names, []));
    expect(isPermitted(extension, { type: 'dns', value: 'a.zone-59.example.com' })).toBe(true);
    expect(isPermitted(extension, { type: 'dns', value: 'a.zone-60.example.com' })).toBe(false);
  });

  it.each(['*.example.com', 'a b', '10.0.0.1'])('are not made for the domain %j', (name) => {
    expect(() => permittedNames([name], [])).toThrow('is not a DNS name');
  });

  it('are not made for a network with host bits', () => {
    expect(() => permittedNames([], ['10.0.0.1/8'])).toThrow(TypeError);
  });
});
