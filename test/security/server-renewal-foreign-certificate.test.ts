/**
 * The attack: having a certificate renewed that this CA has not issued as a server's: one of another CA (also one that has
 * the same name, or stands in the same file to be trusted), one that the index does not know, one of a CA's own, and the
 * certificate of a server whose key somebody else has.
 */
import { createCa } from '../../src/tls/authority/certificate-authority.ts';
import { issueServer } from '../../src/tls/authority/issue.ts';
import { generateKey } from '../../src/tls/authority/keys.ts';
import { afterEach, expect, it } from 'vitest';
import { startEnrollingGate } from '../support/enrolling-gate.ts';
import type { EnrollingGate } from '../support/enrolling-gate.ts';
import { RENEWING_SERVERS, renewServer } from '../support/server-proof.ts';

let gate: EnrollingGate;
afterEach(async () => {
  await gate.close();
});

it('renews nothing of another CA, whatever the CA is called and whether it is trusted', async () => {
  const partner = await createCa({ name: 'partner', now: Date.now() });
  const namesake = await createCa({ name: 'test', now: Date.now() });
  gate = await startEnrollingGate(RENEWING_SERVERS, partner.cert);
  for (const ca of [partner, namesake]) {
    const server = await issueServer({ ca, names: ['site.example.com'], now: gate.now() });
    for (const claimed of [ca.cert, gate.ca.cert]) {
      expect((await renewServer(gate, server, { ca: claimed })).status).not.toBe(200);
    }
  }
});

it('renews nothing that the index does not know, though the key of the CA has signed it', async () => {
  gate = await startEnrollingGate(RENEWING_SERVERS);
  const server = await issueServer({ ca: gate.ca, names: ['site.example.com'], now: gate.now() });
  expect(await renewServer(gate, server)).toMatchObject({ status: 403 });
  expect(gate.refusals).toEqual(['renewal_refused']);
});

it('makes no certificate of the CA anew, and none of a server for whoever has seen its certificate', async () => {
  gate = await startEnrollingGate(RENEWING_SERVERS);
  expect(await renewServer(gate, gate.ca)).toMatchObject({ status: 401 });
  const { cert } = await gate.server('site');
  expect(await renewServer(gate, { cert, key: generateKey() })).toMatchObject({ status: 401 });
});
