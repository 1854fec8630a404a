/**
 * The attack: whoever a server asks for its renewal (a gate that was taken over, one of a test installation, one that the
 * server was led to) takes what it has signed to another gate, or what the key has signed for another purpose.
 */
import { sign } from 'node:crypto';
import { printProof } from '../../src/formats/key-proof.ts';
import { afterEach, expect, it } from 'vitest';
import { startEnrollingGate } from '../support/enrolling-gate.ts';
import type { EnrollingGate } from '../support/enrolling-gate.ts';
import { createCa } from '../../src/tls/authority/certificate-authority.ts';
import { createSigningRequest } from '../../src/tls/authority/new-request.ts';
import { RENEWING_SERVERS, renewServer } from '../support/server-proof.ts';

let gate: EnrollingGate;
afterEach(async () => {
  await gate.close();
});

it('takes no signature that was made for the gate of another CA', async () => {
  gate = await startEnrollingGate(RENEWING_SERVERS);
  const server = await gate.server('site');
  const { cert: ca } = await createCa({ name: 'test', now: Date.now() });
  expect(await renewServer(gate, server, { ca })).toMatchObject({ status: 401 });
  expect(await renewServer(gate, server)).toMatchObject({ status: 200 });
});

it('takes no signature over other bytes than those of a renewal, such as those of TLS', async () => {
  gate = await startEnrollingGate(RENEWING_SERVERS);
  const { cert, key } = await gate.server('site');
  const body = cert + (await createSigningRequest(key, 'x'));
  const time = gate.now();
  const tls13 = Buffer.concat([Buffer.alloc(64, ' '), Buffer.from('TLS 1.3, server CertificateVerify\0')]);
  for (const bytes of [tls13, Buffer.from(body), Buffer.from(String(time) + body), Buffer.alloc(0)]) {
    const authorization = printProof({ time, signature: sign('sha256', bytes, key) });
    expect(await gate.ask({ headers: { authorization }, body })).toMatchObject({ status: 401 });
  }
});

it("counts wrong proofs as failed logins of their address, and as nobody else's", async () => {
  gate = await startEnrollingGate(`${RENEWING_SERVERS}\nlockout: {attempts: 3, attempts_per_address: 3}`);
  const server = await gate.server('site');
  for (let time = 0; time < 3; time++) {
    expect(await renewServer(gate, server, { time: 1_000_000 + time })).toMatchObject({ status: 401 });
  }
  expect(await renewServer(gate, server)).toMatchObject({ status: 429 });
  const elsewhere = await gate.client('central');
  expect(await gate.ask({ path: '/metrics', method: 'GET', client: elsewhere })).toMatchObject({ status: 200 });
  expect(gate.log.lines.some(({ fields }) => fields['user'] === 'server key')).toBe(true);
});
