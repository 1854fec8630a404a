/** What a real handshake leaves behind of the client's public key. */
import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { spkiHash } from '../../src/formats/spki-pin.ts';
import { handshake, trustOf } from '../request/authenticate/handshake.ts';
import { createAuthority } from '../support/certificates.ts';
import type { Authority } from '../support/certificates.ts';

let authority: Authority;

beforeAll(() => {
  authority = createAuthority('Gate CA');
});
afterAll(() => {
  authority.remove();
});

it('the hash is that of the leaf, not of a CA above it', async () => {
  const server = authority.issue({ name: 'localhost' });
  const client = authority.intermediate('Site CA').issue({ name: 'central', purpose: 'client' });
  const { certificate } = await handshake(server, trustOf([authority.cert]), client);
  const spki = new X509Certificate(client.cert).publicKey.export({ type: 'spki', format: 'der' });
  expect(certificate).toMatchObject({ commonName: 'central', verifyError: null, spkiHash: spkiHash(spki) });
});
