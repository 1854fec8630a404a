/**
 * Attack by accident: two commands on one CA at once, one of which has read its files before the other's step of a rotation.
 * A list of a CA that is gone would keep every gate from reloading; a key that is overwritten is lost.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parseCertificates } from '../../src/formats/x509.ts';
import { parseCrls } from '../../src/formats/crl.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { readAuthority } from '../../src/tls/authority/authority-directory.ts';
import type { Authority } from '../../src/tls/authority/authority-directory.ts';
import { createCa } from '../../src/tls/authority/certificate-authority.ts';
import { updateCrl } from '../../src/tls/authority/crl-file.ts';
import type { CertificateAndKey } from '../../src/tls/authority/keys.ts';
import { endRotation, prepareRotation, switchSigner } from '../../src/tls/authority/rotation.ts';

const DAY_MS = 86_400_000;
let directory: string;
let ca: CertificateAndKey;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'promgate-races-'));
  ca = await createCa({ name: 'fleet', now: Date.now() });
  writeFileSync(join(directory, 'ca.crt'), ca.cert);
  writeFileSync(join(directory, 'ca.key'), ca.key, { mode: 0o600 });
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

async function opened(): Promise<Authority> {
  const authority = await readAuthority(directory);
  if (authority === null) throw new Error('there is no CA');
  return authority;
}

const protect = (pem: string): string => pem;

it('a list that is made with what was read before the finish has no list of the CA that is gone', async () => {
  await updateCrl(await opened(), systemClock, { keys: [ca.key], lifetimeMs: DAY_MS });
  const keys = await prepareRotation(directory, systemClock, { keys: [ca.key], protect }, DAY_MS);
  await switchSigner(directory, systemClock, { keys, protect });
  // A command that asks for its passphrase now.
  const stale = await opened();
  await endRotation(directory, systemClock, { keys, protect }, DAY_MS);
  const revoke = [{ serial: 'AB', date: Date.now(), reason: 'keyCompromise' as const }];
  await updateCrl(stale, systemClock, { keys, lifetimeMs: DAY_MS, revoke });
  const trusted = parseCertificates(readFileSync(join(directory, 'ca.crt'), 'utf8'));
  const lists = parseCrls(readFileSync(join(directory, 'ca.crl'), 'utf8'));
  if (!trusted.ok || !lists.ok) throw new Error('what was written cannot be read');
  expect(trusted.value).toHaveLength(1);
  expect(lists.value).toHaveLength(1);
});

it('a rotation with keys that were read before another rotation is refused and overwrites nothing', async () => {
  const keys = await prepareRotation(directory, systemClock, { keys: [ca.key], protect }, DAY_MS);
  await switchSigner(directory, systemClock, { keys, protect });
  const late = prepareRotation(directory, systemClock, { keys: [ca.key], protect }, DAY_MS);
  await expect(late).rejects.toThrow('was changed by another command meanwhile');
  expect((await opened()).key.kind).toBe('ready');
  expect((await opened()).certificates).toHaveLength(2);
});
