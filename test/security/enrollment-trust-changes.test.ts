/**
 * Attack: somebody whom the gate trusts for now gets a certificate that outlives the trust: the holder of another CA's
 * certificate, a renewal that is held back over a revocation or overtakes it, a renewal for a key of one's own.
 */
import { request as httpsRequest } from 'node:https';
import { writeFileSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { parseCertificates } from '../../src/formats/x509.ts';
import type { CertificateInfo } from '../../src/formats/x509.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { readAuthority, readIndex } from '../../src/tls/authority/authority-directory.ts';
import { createCa } from '../../src/tls/authority/certificate-authority.ts';
import { updateCrlLocked } from '../../src/tls/authority/crl-file.ts';
import { withLock } from '../../src/tls/authority/file-lock.ts';
import { issueClient } from '../../src/tls/authority/issue.ts';
import { createSigningRequest } from '../../src/tls/authority/new-request.ts';
import { makeCrl } from '../../src/tls/authority/revocation-list.ts';
import { newRequest, startEnrollingGate } from '../support/enrolling-gate.ts';
import type { EnrollingGate } from '../support/enrolling-gate.ts';

const DAY_MS = 86_400_000;
const RENEWING = 'authenticate: certificate\nenrollment: {authority: certs, renew: true}';
let gate: EnrollingGate;

afterEach(async () => {
  await gate.close();
});

function leafOf(pem: string): CertificateInfo {
  const certificates = parseCertificates(pem);
  const [leaf] = certificates.ok ? certificates.value : [];
  if (leaf === undefined) throw new Error(`no certificate: ${pem}`);
  return leaf;
}

it('renews nothing that another CA of the same file has issued', async () => {
  const foreign = await createCa({ name: 'partner', now: Date.now() });
  gate = await startEnrollingGate(RENEWING, foreign.cert);
  const client = await issueClient({ ca: foreign, name: 'partner-1', sans: [], days: 30, now: Date.now() });
  expect((await gate.ask({ client, body: await createSigningRequest(client.key, 'x') })).status).toBe(403);
});

it('renews for the key that the certificate has, and for no other', async () => {
  gate = await startEnrollingGate(RENEWING);
  const client = await gate.client('central');
  expect((await gate.ask({ client, body: (await newRequest('x')).request })).status).toBe(403);
  expect((await gate.ask({ client, body: await createSigningRequest(client.key, 'x') })).status).toBe(200);
});

it('renews nothing for half of what `both` asks for', async () => {
  gate = await startEnrollingGate(
    'authenticate: both\nhtpasswd_file: htpasswd\nenrollment: {authority: certs, renew: true}',
  );
  const client = await gate.client('central');
  expect((await gate.ask({ client, body: await createSigningRequest(client.key, 'x') })).status).not.toBe(200);
});

it('hands nothing out to a renewal that a revocation has overtaken', async () => {
  gate = await startEnrollingGate(RENEWING);
  const client = await gate.client('central');
  const { serial } = leafOf(client.cert);
  const authority = await readAuthority(gate.path('certs'));
  if (authority === null) throw new Error('there is no CA');
  const body = await createSigningRequest(client.key, 'x');
  let asked: ReturnType<EnrollingGate['ask']> | undefined;
  await withLock(authority.paths.lock, systemClock, async () => {
    asked = gate.ask({ client, body });
    // The gate reads the same file, and then waits for the lock.
    for (let turn = 0; turn < 300; turn++) await readIndex(authority.paths);
    const revoke = [{ serial, date: Date.now(), reason: 'keyCompromise' as const }];
    await updateCrlLocked(authority, systemClock, { keys: [gate.ca.key], lifetimeMs: DAY_MS, revoke });
  });
  expect((await asked)?.status).toBe(403);
});

/** Sends the head of a renewal, changes what the gate trusts while it waits for the body, and sends the body. */
async function heldBack(change: (serial: string) => Promise<void>): Promise<number> {
  const client = await gate.client('central');
  const body = await createSigningRequest(client.key, 'x');
  return new Promise((resolve, reject) => {
    const request = httpsRequest({
      host: '127.0.0.1',
      port: gate.port,
      servername: 'localhost',
      ca: gate.ca.cert,
      ...client,
      path: '/-/promgate/enroll',
      method: 'POST',
      agent: false,
      headers: { 'content-length': String(body.length), expect: '100-continue' },
    });
    request.on('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on('error', () => {
      resolve(0);
    });
    request.on('continue', () => {
      change(leafOf(client.cert).serial).then(() => request.end(body), reject);
    });
    request.flushHeaders();
  });
}

it.each([
  ['renewal is switched off', 'authenticate: certificate\nenrollment: {authority: certs}'],
  ['its identity is taken away', `${RENEWING}\nidentities: [{name: other, certificates: [{cn: other}]}]`],
])('signs nothing for a body that was held back until %s', async (_name, yaml) => {
  gate = await startEnrollingGate(RENEWING);
  expect(await heldBack(() => gate.reload(yaml))).not.toBe(200);
});

it('signs nothing for a body that was held back until the certificate is on a list from elsewhere', async () => {
  gate = await startEnrollingGate(RENEWING);
  const status = await heldBack(async (serial) => {
    const now = Date.now();
    const dates = { number: 5n, thisUpdate: now - 1000, nextUpdate: now + DAY_MS };
    const list = await makeCrl({ ca: gate.ca, revoked: [{ serial, date: now }], ...dates });
    writeFileSync(gate.path('fleet.crl'), list, { mode: 0o600 });
    await gate.reload(RENEWING, 'client_crl_files: [fleet.crl]');
  });
  expect(status).not.toBe(200);
});
