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
  it('leave e-mail addresses and URIs free', async () => {
    const { narrow } = await authorities(['example.com'], []);
    const sans = [{ type: 'uri' as const, value: 'spiffe://other/x' }];
    const leaf = await issueClient({ ca: narrow, name: 'client', sans, now });
    const [caFile, leafFile] = [bench.file('ca.crt', narrow.cert), bench.file('leaf.crt', leaf.cert)];
    expect(await bench.openssl('verify', '-CAfile', caFile, leafFile)).toMatchObject({ code: 0 });
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
