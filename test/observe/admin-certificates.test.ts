/** The admin address about certificates: what is in use, and a renewal that begins once and is looked at until it ends. */
import { afterEach, expect, it } from 'vitest';
import type { CertificatePorts } from '../../src/observe/certificate-routes.ts';
import { startAdmin, type AdminFixture } from './admin-fixture.ts';

let fixture: AdminFixture | undefined;
afterEach(async () => {
  await fixture?.admin.close();
});

async function start(changes: Partial<CertificatePorts> = {}): Promise<{ asked: unknown[]; admin: AdminFixture }> {
  const asked: unknown[] = [];
  const ports: CertificatePorts = {
    certificates: () => [],
    acmeDigest: () => 'digest',
    renewCertificates: (...wanted) => {
      asked.push(wanted);
      return null;
    },
    renewal: () => ({ running: true, steps: [], error: null, hint: null }),
    ...changes,
  };
  fixture = await startAdmin(ports);
  return { asked, admin: fixture };
}

it('begins a renewal of one, of all, and a rehearsal, and says how it goes', async () => {
  const { asked, admin } = await start();
  for (const query of ['', '?name=gate.example.com', '?dry_run=true']) {
    const reply = await admin.ask(`/api/certificates/renew${query}`, { method: 'POST' });
    expect(reply.status).toBe(202);
    expect(JSON.parse(reply.body)).toMatchObject({ running: true });
  }
  expect(asked).toEqual([
    [null, false],
    ['gate.example.com', false],
    [null, true],
  ]);
  expect((await admin.ask('/api/certificates/renew')).status).toBe(200);
  expect(JSON.parse((await admin.ask('/api/certificates')).body)).toEqual({ certificates: [], acme: 'digest' });
});

it('says why it does not begin, and takes no name that cannot be one', async () => {
  const { asked, admin } = await start({ renewCertificates: () => 'a renewal is running' });
  const busy = await admin.ask('/api/certificates/renew', { method: 'POST' });
  expect([busy.status, JSON.parse(busy.body)]).toEqual([409, { error: 'a renewal is running' }]);
  const long = await admin.ask(`/api/certificates/renew?name=${'a'.repeat(300)}`, { method: 'POST' });
  expect(long.status).toBe(400);
  expect((await admin.ask('/api/certificates/renew?name=', { method: 'POST' })).status).toBe(400);
  expect(asked).toEqual([]);
});

it('begins nothing for a page of another site', async () => {
  const { asked, admin } = await start();
  const headers = { origin: 'https://evil.example.com' };
  expect((await admin.ask('/api/certificates/renew', { method: 'POST', headers })).status).toBe(403);
  expect(asked).toEqual([]);
});
