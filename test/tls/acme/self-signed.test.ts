import { X509Certificate } from 'node:crypto';
import { expect, it } from 'vitest';
import type { WantedCertificate } from '../../../src/tls/acme/contract.ts';
import { fits } from '../../../src/tls/acme/pair.ts';
import { makeSelfSigned } from '../../../src/tls/acme/self-signed.ts';
import { START } from '../../support/acme-renewals.ts';

const wanted: WantedCertificate = {
  names: ['gate.example.com', '*.Example.org', '192.0.2.7', '2001:DB8::1'],
  keyType: 'p256',
  profile: null,
};

it.each(['p256', 'p384', 'rsa2048'] as const)(
  'has the names and the type of key that are wanted: %s',
  async (keyType) => {
    const pair = await makeSelfSigned({ ...wanted, keyType }, START);
    expect(pair.names).toEqual(['gate.example.com', '*.example.org', '192.0.2.7', '2001:db8::1']);
    expect(fits(pair, { ...wanted, keyType })).toBe(true);
    expect(fits(pair, { ...wanted, keyType: 'rsa4096' })).toBe(false);
    expect(fits(pair, { ...wanted, names: [...wanted.names, 'other.example.com'], keyType })).toBe(false);
    expect(pair.notBefore).toBeLessThan(START);
    expect(pair.notAfter).toBeGreaterThan(START + 30 * 86_400_000);
  },
);

it('is no CA and signed by itself, for servers only', async () => {
  const certificate = new X509Certificate((await makeSelfSigned(wanted, START)).cert);
  expect(certificate.ca).toBe(false);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
});

it('is not made for what is no name', async () => {
  await expect(makeSelfSigned({ ...wanted, names: ['a b'] }, START)).rejects.toThrow(TypeError);
});
