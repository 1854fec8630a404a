/**
 * The attack: making a certificate last for ever, or grow. Whoever holds a client certificate may renew it with itself,
 * and with nothing but itself: not what is revoked or has ended, not for other names, not for longer, not without end.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { parseCertificates } from '../../src/formats/x509.ts';
import type { CertificateInfo } from '../../src/formats/x509.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { authorityPaths, readAuthority, readIndex } from '../../src/tls/authority/authority-directory.ts';
import { updateCrl } from '../../src/tls/authority/crl-file.ts';
import { createSigningRequest } from '../../src/tls/authority/new-request.ts';
import { newRequest, startEnrollingGate } from '../support/enrolling-gate.ts';
import type { Answered, EnrollingGate } from '../support/enrolling-gate.ts';

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

const issued = async () => (await readIndex(authorityPaths(gate.path('certs')))).issued;
const reasons = () => gate.refusals.slice();

describe('a renewal', () => {
  const renew = async (client: { cert: string; key: string }, name = 'admin'): Promise<Answered> =>
    gate.ask({ client, body: await createSigningRequest(client.key, name) });

  it('gives the same names for the same time, and never more', async () => {
    gate = await startEnrollingGate(RENEWING);
    const client = await gate.client('central', 30);
    const old = leafOf(client.cert);
    let current = client;
    for (let time = 0; time < 3; time++) {
      const renewed = leafOf((await renew(current)).body);
      expect(renewed).toMatchObject({ commonName: old.commonName, sans: old.sans });
      expect(renewed.serial).not.toBe(old.serial);
      expect(renewed.notAfter - renewed.notBefore).toBe(old.notAfter - old.notBefore);
      current = { cert: renewed.pem, key: client.key };
    }
  });

  it('is refused for what is revoked in the index or the list, also where the gate has no list', async () => {
    gate = await startEnrollingGate(RENEWING);
    const client = await gate.client('central');
    const { serial } = leafOf(client.cert);
    const authority = await readAuthority(gate.path('certs'));
    if (authority === null) throw new Error('no CA');
    const revoke = [{ serial, date: Date.now(), reason: 'unspecified' as const }];
    await updateCrl(authority, systemClock, { keys: [gate.ca.key], lifetimeMs: DAY_MS, revoke });
    expect(await renew(client)).toMatchObject({ status: 403 });
    expect(reasons()).toEqual(['renewal_refused']);
    const list = gate.text('certs/ca.crl');
    rmSync(gate.path('certs/ca.crl'));
    expect(await renew(client)).toMatchObject({ status: 403 });
    writeFileSync(gate.path('certs/ca.crl'), list);
    writeFileSync(gate.path('certs/ca-index.json'), '{"version": 1, "crl_number": "0", "issued": [], "revoked": []}');
    expect(await renew(client)).toMatchObject({ status: 403 });
  });

  it('is refused for one that has ended, and for one without a certificate', async () => {
    gate = await startEnrollingGate(RENEWING);
    const client = await gate.client('central', 1);
    gate.advance(2 * DAY_MS);
    expect((await renew(client)).status).toBe(0);
    expect((await gate.ask({ body: (await newRequest()).request })).status).toBe(0);
    expect(reasons()).toEqual(['certificate_expired', 'certificate_missing']);
  });

  it('is bounded, so that nobody fills the index', async () => {
    gate = await startEnrollingGate(RENEWING);
    const client = await gate.client('central');
    const answers = await Promise.all(Array.from({ length: 14 }, () => renew(client)));
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 200), 429, 429, 429, 429]);
    expect(await issued()).toHaveLength(10);
    expect(await renew(await gate.client('other'))).toMatchObject({ status: 200 });
  });

  it('is off unless the configuration says otherwise, and then the path is unknown', async () => {
    gate = await startEnrollingGate('authenticate: certificate\nenrollment: {authority: certs}');
    const client = await gate.client('central');
    expect(await renew(client)).toMatchObject({ status: 404 });
    expect(reasons()).toEqual(['path_unknown']);
  });

  it('follows the identities: unknown ones and addresses that are not allowed get nothing', async () => {
    gate = await startEnrollingGate(
      `${RENEWING}\nidentities: [{name: far, certificates: [{cn: far}], allow_from: [192.0.2.1]}]`,
    );
    expect(await renew(await gate.client('far'))).toMatchObject({ status: 403 });
    expect(await renew(await gate.client('unknown'))).toMatchObject({ status: 403 });
    expect(reasons()).toEqual(['identity_address', 'identity_unknown']);
  });

  it('is judged by what the handshake has shown: the names in the request count for nothing', async () => {
    gate = await startEnrollingGate(RENEWING);
    const client = await gate.client('central');
    expect(leafOf((await renew(client, 'admin')).body).commonName).toBe('central');
    expect(await gate.ask({ client, body: 'garbage' })).toMatchObject({ status: 400 });
    expect((await gate.ask({ client, body: 'x'.repeat(17_000) })).status).toBe(413);
  });
});
