/**
 * The attack: sending once more what a server has sent for its renewal, at once, at the same moment, or later, as it was or
 * with the other form of the same ECDSA signature; to get certificates, or to use up those that the name may have in a day.
 * Whoever replays has no key, so that even a second certificate would be of no use: but each request buys one.
 */
import { parseProof, printProof } from '../../src/formats/key-proof.ts';
import { afterEach, expect, it } from 'vitest';
import { startEnrollingGate } from '../support/enrolling-gate.ts';
import type { EnrollingGate } from '../support/enrolling-gate.ts';
import { RENEWING_SERVERS, renewServer, serverProof } from '../support/server-proof.ts';

const MINUTE_MS = 60_000;
/** The order of P-256. */
const ORDER = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');

let gate: EnrollingGate;
afterEach(async () => {
  await gate.close();
});

/** (r, n - s) is a signature over the same bytes, too. */
function otherForm(authorization: string): string {
  const proof = parseProof(authorization) ?? expect.fail('not a proof');
  const { signature } = proof;
  const [rLength = 0] = signature.subarray(3);
  const r = BigInt(`0x${signature.subarray(4, 4 + rLength).toString('hex')}`);
  const s = BigInt(`0x${signature.subarray(6 + rLength).toString('hex')}`);
  const integer = (value: bigint): Buffer => {
    const hex = value.toString(16);
    const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
    const positive = (bytes[0] ?? 0) > 127 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes;
    return Buffer.concat([Buffer.from([2, positive.length]), positive]);
  };
  const both = Buffer.concat([integer(r), integer(ORDER - s)]);
  return printProof({ ...proof, signature: Buffer.concat([Buffer.from([0x30, both.length]), both]) });
}

it('buys one certificate with one request, whoever sends it again and in whatever form', async () => {
  gate = await startEnrollingGate(RENEWING_SERVERS);
  const server = await gate.server('site');
  const sent = await serverProof({ ...server, ca: gate.ca.cert, time: gate.now() });
  const together = await Promise.all([gate.ask(sent), gate.ask(sent), gate.ask(sent)]);
  expect(together.map(({ status }) => status).sort()).toEqual([200, 401, 401]);
  expect(await gate.ask({ ...sent, from: '127.0.0.2' })).toMatchObject({ status: 401 });
  const authorization = otherForm(sent.headers?.['authorization'] ?? '');
  expect(authorization).not.toBe(sent.headers?.['authorization']);
  expect(await gate.ask({ ...sent, headers: { authorization }, from: '127.0.0.2' })).toMatchObject({ status: 401 });
  expect(new Set(gate.refusals)).toEqual(new Set(['credentials_wrong']));
  expect(await renewServer(gate, server)).toMatchObject({ status: 200 });
});

it('takes the other form of a signature once, as it takes the first: it is what the holder signed', async () => {
  gate = await startEnrollingGate(RENEWING_SERVERS);
  const sent = await serverProof({ ...(await gate.server('site')), ca: gate.ca.cert, time: gate.now() });
  const authorization = otherForm(sent.headers?.['authorization'] ?? '');
  expect(await gate.ask({ ...sent, headers: { authorization } })).toMatchObject({ status: 200 });
  expect(await gate.ask(sent)).toMatchObject({ status: 401 });
});

it('takes nothing that is older or newer than the clocks of two hosts are apart', async () => {
  gate = await startEnrollingGate(RENEWING_SERVERS);
  const server = await gate.server('site');
  const kept = await serverProof({ ...server, ca: gate.ca.cert, time: gate.now() });
  gate.advance(6 * MINUTE_MS);
  expect(await gate.ask(kept)).toMatchObject({ status: 401 });
  for (const minutes of [-6, 6]) {
    const time = gate.now() + minutes * MINUTE_MS;
    expect(await renewServer(gate, server, { time })).toMatchObject({ status: 401 });
  }
  for (const minutes of [-4, 4]) {
    const time = gate.now() + minutes * MINUTE_MS;
    expect(await renewServer(gate, server, { time })).toMatchObject({ status: 200 });
  }
});

it('takes no part of a request into another: neither the time nor a byte of the body can be changed', async () => {
  gate = await startEnrollingGate(RENEWING_SERVERS);
  const parts = { ...(await gate.server('site')), ca: gate.ca.cert, time: gate.now() };
  const [one, other] = [await serverProof(parts), await serverProof(parts)];
  expect(await gate.ask({ ...one, body: other.body ?? '' })).toMatchObject({ status: 401 });
  expect(await gate.ask({ ...one, body: `${one.body ?? ''}\n` })).toMatchObject({ status: 401 });
  const authorization = (one.headers?.['authorization'] ?? '').replace(/time=\d+/, `time=${String(parts.time + 1)}`);
  expect(await gate.ask({ ...one, headers: { authorization } })).toMatchObject({ status: 401 });
  expect(await gate.ask(one)).toMatchObject({ status: 200 });
});
