/** `acme` as it is written → what runs, and the rules that depend on the release of Node. */
import { mkdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig, loadSource } from '../../src/config/load.ts';
import { createConfigFixture, type ConfigFixture } from './config-fixture.ts';

let fixture: ConfigFixture;
beforeAll(() => {
  fixture = createConfigFixture();
});
afterAll(() => {
  fixture.remove();
});

async function load(yaml: string, nodeMajor = 20) {
  return loadConfig(fixture.write('acme.yml', `${yaml}\nauthenticate: none\n`), { generation: 1, nodeMajor });
}

describe('acme', () => {
  it('needs nothing but names: Let’s Encrypt with its staging directory, http-01 on port 80, P-256, state beside the file', async () => {
    const result = await load('acme: {domains: [Gate.Example.com, "2001:DB8::7"]}');
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    const { acme, tls } = result.config;
    expect(acme).toEqual({
      directories: [
        { name: 'letsencrypt', url: 'https://acme-v02.api.letsencrypt.org/directory', ca: null, externalAccount: null },
      ],
      staging: {
        name: 'letsencrypt-staging',
        url: 'https://acme-staging-v02.api.letsencrypt.org/directory',
        ca: null,
        externalAccount: null,
      },
      email: null,
      certificates: [{ names: ['gate.example.com', '2001:db8::7'], keyType: 'p256', profile: null }],
      challenge: { kind: 'http-01', listen: ':80' },
      stateDirectory: fixture.path('acme'),
    });
    expect(tls).toMatchObject({
      certificates: [],
      settings: { minVersion: 'TLSv1.2' },
      trust: { type: 'NoClientCert' },
    });
  });

  it('reads CAs and HMAC keys of each directory, and gives an entry what stands above it', async () => {
    mkdirSync(fixture.path('www'));
    const result = await load(`acme:
  directory_url: https://ca.example.com/directory
  ca_file: client-ca.crt
  key_type: p384
  profile: tlsserver
  challenge: {webroot: www}
  certificates: [{domains: [a.example.com]}, {domains: [b.example.com], profile: shortlived}]
  fallback: [{directory_url: google, external_account_binding: {key_id: me, hmac_key_file: hmac-key}}]`);
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    expect(result.config.acme).toMatchObject({
      directories: [
        { name: 'ca.example.com', ca: fixture.read('client-ca.crt'), externalAccount: null },
        { name: 'google', ca: null, externalAccount: { keyId: 'me', hmacKey: 'aVerySecretTokenOfTheCa0' } },
      ],
      staging: null,
      certificates: [
        { names: ['a.example.com'], keyType: 'p384', profile: 'tlsserver' },
        { names: ['b.example.com'], keyType: 'p384', profile: 'shortlived' },
      ],
      challenge: { kind: 'webroot', directory: fixture.path('www') },
    });
  });

  it('refuses keys of several types before Node 24, at the entry that has another one', async () => {
    const yaml = `acme:
  certificates: [{domains: [a.example.com]}, {domains: [b.example.com], key_type: p384}, {domains: [c.example.com], key_type: rsa2048}]`;
    const { ok, problems } = await load(yaml, 22);
    expect(ok).toBe(false);
    expect(problems.map(({ path }) => path)).toEqual([['acme', 'certificates', 2, 'key_type']]);
    expect((await load(yaml, 24)).ok).toBe(true);
  });

  it('has another hash with another name, and the same with another HMAC key', async () => {
    const hashOf = async (name: string, key: string) => {
      const result = await load(
        `acme: {directory_url: zerossl, domains: [${name}], external_account_binding: {key_id: me, hmac_key: ${key}}}`,
      );
      return result.ok ? result.config.hash : JSON.stringify(result.problems);
    };
    const first = await hashOf('a.example.com', 'aVerySecretTokenOfTheCa0');
    expect(first).toMatch(/^[0-9a-f]{12}$/);
    expect(await hashOf('a.example.com', 'anotherSecretTokenOfTheCa')).toBe(first);
    expect(await hashOf('b.example.com', 'aVerySecretTokenOfTheCa0')).not.toBe(first);
  });

  it('keeps the HMAC key in force when its file breaks', async () => {
    const result = await load(
      'acme: {directory_url: zerossl, domains: [a.example.com], external_account_binding: {key_id: me, hmac_key_file: hmac-key}}',
    );
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    fixture.write('hmac-key', '');
    const again = await loadSource(result.loaded, 'config', { generation: 2 });
    expect(again.ok).toBe(false);
    fixture.write('hmac-key', 'anotherSecretTokenOfTheCa\n');
    const mended = await loadSource(result.loaded, 'config', { generation: 2 });
    expect(mended.ok && mended.config.acme?.directories[0]?.externalAccount?.hmacKey).toBe('anotherSecretTokenOfTheCa');
  });
});
