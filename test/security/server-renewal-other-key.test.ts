/**
 * The attack: whoever can have a renewal signed puts another key into the request, or another certificate before it, so
 * that the names of the server come to a key of the attacker's; and who has no proof asks at the door that is open for it.
 */
import { afterEach, expect, it } from 'vitest';
import { startEnrollingGate } from '../support/enrolling-gate.ts';
import type { EnrollingGate } from '../support/enrolling-gate.ts';
import { generateKey } from '../../src/tls/authority/keys.ts';
import { createSigningRequest } from '../../src/tls/authority/new-request.ts';
import { leafOf, RENEWING_SERVERS, renewServer, serverProof } from '../support/server-proof.ts';

let gate: EnrollingGate;
afterEach(async () => {
  await gate.close();
});

it('certifies no other key than that of the certificate, though its key has signed the request', async () => {
  gate = await startEnrollingGate(RENEWING_SERVERS);
  const server = await gate.server('site');
  expect(await renewServer(gate, server, { requestKey: generateKey() })).toMatchObject({ status: 403 });
  expect(gate.refusals).toEqual(['renewal_refused']);
});

it('gives the key of one server no names of another', async () => {
  gate = await startEnrollingGate(RENEWING_SERVERS);
  const [one, other] = [await gate.server('one'), await gate.server('other')];
  expect(await renewServer(gate, { cert: other.cert, key: one.key })).toMatchObject({ status: 401 });
  for (const cert of [one.cert + other.cert, other.cert + one.cert, '', one.cert.replace('CERTIFICATE', 'X')]) {
    expect((await renewServer(gate, { cert, key: one.key })).status).not.toBe(200);
  }
  const { body } = await renewServer(gate, one);
  expect(leafOf(body).sans.dns).toEqual(['one.example.com']);
});

it('lets whoever has no certificate through the handshake for this alone, and only where servers are renewed', async () => {
  gate = await startEnrollingGate(RENEWING_SERVERS);
  for (const path of ['/metrics', '/', '/-/promgate/enroll/']) {
    expect(await gate.ask({ path, method: 'GET' })).toMatchObject({ status: 401 });
  }
  expect(await gate.ask({ body: await createSigningRequest(generateKey(), 'x') })).toMatchObject({ status: 401 });
  expect(await gate.ask({ headers: { authorization: 'Promgate-Key version=1, time=1' }, body: '' })).toMatchObject({
    status: 401,
  });
  const server = await gate.server('site');
  const sent = await serverProof({ ...server, ca: gate.ca.cert, time: gate.now() });
  await gate.reload('authenticate: either\nhtpasswd_file: htpasswd\nenrollment: {authority: certs}');
  expect(await gate.ask(sent)).toMatchObject({ status: 401 });
  await gate.reload(RENEWING_SERVERS.replace('renew_servers: true', ''));
  expect((await gate.ask(sent)).status).not.toBe(200);
  await gate.reload(RENEWING_SERVERS);
  await gate.enroller.look();
  expect(await gate.ask(sent)).toMatchObject({ status: 200 });
});
