/**
 * The attack: a client certificate that is not renewed as such (`renew` is off, its address is not allowed, it is nobody's)
 * is shown as a server's, to be renewed by its key; and the other way round a server's as a client's.
 */
import { afterEach, expect, it } from 'vitest';
import { startEnrollingGate } from '../support/enrolling-gate.ts';
import type { EnrollingGate } from '../support/enrolling-gate.ts';
import { describe as entryOf } from '../../src/cli/pki/issued-files.ts';
import { authorityPaths, recordIssued } from '../../src/tls/authority/authority-directory.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createSigningRequest } from '../../src/tls/authority/new-request.ts';
import { leafOf, RENEWING_SERVERS, renewServer } from '../support/server-proof.ts';

let gate: EnrollingGate;
afterEach(async () => {
  await gate.close();
});

it('renews no client certificate by its key, not even one that the index calls a server', async () => {
  gate = await startEnrollingGate(RENEWING_SERVERS);
  const client = await gate.client('central');
  expect(await renewServer(gate, client)).toMatchObject({ status: 401 });
  await recordIssued(authorityPaths(gate.path('certs')), systemClock, entryOf(client.cert, 'central', 'server'));
  expect(await renewServer(gate, client)).toMatchObject({ status: 401 });
  expect(new Set(gate.refusals)).toEqual(new Set(['credentials_wrong']));
});

it('renews no server certificate that is shown in a handshake', async () => {
  gate = await startEnrollingGate(RENEWING_SERVERS.replace('renew_servers', 'renew: true, renew_servers'));
  const client = await gate.server('site');
  const { status } = await gate.ask({ client, body: await createSigningRequest(client.key, 'x') });
  expect(status).not.toBe(200);
});

it('gives a server its own names for its own time, as a server, and never more', async () => {
  gate = await startEnrollingGate(RENEWING_SERVERS);
  const server = await gate.server('site', 30);
  const old = leafOf(server.cert);
  let { cert } = server;
  for (let time = 0; time < 3; time++) {
    const renewed = leafOf((await renewServer(gate, { cert, key: server.key })).body);
    expect(renewed).toMatchObject({ commonName: old.commonName, sans: old.sans, publicKeySpki: old.publicKeySpki });
    expect(renewed.serial).not.toBe(old.serial);
    expect(renewed.notAfter - renewed.notBefore).toBe(old.notAfter - old.notBefore);
    cert = renewed.pem;
  }
  expect((await gate.ask({ path: '/metrics', method: 'GET', client: { cert, key: server.key } })).status).not.toBe(200);
});
