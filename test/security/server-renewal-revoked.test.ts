/**
 * The attack: the key of a server was stolen and its certificate revoked; the thief has it renewed all the same, by the list
 * that is gone or the index that is lost, by an older certificate of the same key, while the revocation is being written, or
 * after the end. And: filling the index, or holding a request back until somebody looks away.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { startEnrollingGate } from '../support/enrolling-gate.ts';
import type { EnrollingGate } from '../support/enrolling-gate.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { readAuthority, readIndex } from '../../src/tls/authority/authority-directory.ts';
import { updateCrl, updateCrlLocked } from '../../src/tls/authority/crl-file.ts';
import { withLock } from '../../src/tls/authority/file-lock.ts';
import { leafOf, RENEWING_SERVERS, renewServer } from '../support/server-proof.ts';

const DAY_MS = 86_400_000;

let gate: EnrollingGate;
afterEach(async () => {
  await gate.close();
});

async function authorityOf() {
  return (await readAuthority(gate.path('certs'))) ?? expect.fail('there is no CA');
}

const byTheft = (serial: string) => ({
  keys: [gate.ca.key],
  lifetimeMs: DAY_MS,
  revoke: [{ serial, date: Date.now(), reason: 'keyCompromise' as const }],
});

it('renews nothing that the index or the list has revoked', async () => {
  gate = await startEnrollingGate(RENEWING_SERVERS);
  const server = await gate.server('site');
  const index = gate.text('certs/ca-index.json');
  await updateCrl(await authorityOf(), systemClock, byTheft(leafOf(server.cert).serial));
  expect(await renewServer(gate, server)).toMatchObject({ status: 403 });
  const list = gate.text('certs/ca.crl');
  rmSync(gate.path('certs/ca.crl'));
  expect(await renewServer(gate, server)).toMatchObject({ status: 403 });
  writeFileSync(gate.path('certs/ca.crl'), list);
  writeFileSync(gate.path('certs/ca-index.json'), index);
  expect(await renewServer(gate, server)).toMatchObject({ status: 403 });
  expect(gate.refusals).toEqual(['renewal_refused', 'renewal_refused', 'renewal_refused']);
});

it('hands nothing out to a renewal that a revocation has overtaken', async () => {
  gate = await startEnrollingGate(RENEWING_SERVERS);
  const server = await gate.server('site');
  const authority = await authorityOf();
  let asked: ReturnType<typeof renewServer> | undefined;
  await withLock(authority.paths.lock, systemClock, async () => {
    asked = renewServer(gate, server);
    for (let turn = 0; turn < 300; turn++) await readIndex(authority.paths);
    await updateCrlLocked(authority, systemClock, byTheft(leafOf(server.cert).serial));
  });
  expect((await asked)?.status).toBe(403);
});

it('renews nothing that has ended, and a name at most ten times a day', async () => {
  gate = await startEnrollingGate(RENEWING_SERVERS);
  const [server, other] = [await gate.server('site', 1), await gate.server('other')];
  const answers = await Promise.all(Array.from({ length: 14 }, () => renewServer(gate, server)));
  const statuses = answers.map(({ status }) => status).sort();
  // One was issued before.
  expect(statuses).toEqual([...Array.from({ length: 9 }, () => 200), ...Array.from({ length: 5 }, () => 429)]);
  expect(await renewServer(gate, other)).toMatchObject({ status: 200 });
  gate.advance(2 * DAY_MS);
  expect(await renewServer(gate, server)).toMatchObject({ status: 403 });
});
