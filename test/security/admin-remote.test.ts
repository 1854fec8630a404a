/**
 * The attack: the admin listener was opened on an address of the network so that a Prometheus can scrape it, and now
 * anybody there reloads the gate, lifts the lockout of the address from which he guesses passwords, and reads on the
 * status page where files lie. Or he routes a packet for 127.0.0.1 into the host from outside.
 */
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { isLocalConnection, judgeAdminQuestion } from '../../src/observe/admin-guard.ts';
import { ask, startAdmin, type AdminFixture } from '../observe/admin-fixture.ts';

const QUESTION = { host: '192.0.2.1:9096', origin: undefined, fetchSite: undefined, local: false };

describe('from beyond loopback', () => {
  it.each([
    ['GET', '/metrics'],
    ['HEAD', '/metrics'],
    ['GET', '/-/healthy'],
    ['GET', '/-/ready'],
  ])('answers %s %s', (method, path) => {
    expect(judgeAdminQuestion({ ...QUESTION, method, path }, new Set())).toBeNull();
  });

  it.each([
    ['GET', '/'],
    ['GET', '/api/lockouts'],
    ['GET', '/api/users'],
    ['POST', '/-/reload'],
    ['POST', '/api/lockouts/clear'],
    ['POST', '/metrics'],
    ['GET', '/-/reload'],
    ['GET', '/nothing'],
  ])('refuses %s %s and says where to ask', (method, path) => {
    const refusal = judgeAdminQuestion({ ...QUESTION, method, path }, new Set());
    expect(refusal).toMatchObject({ status: 403, message: expect.stringContaining('loopback') as string });
  });
});

it.each([
  ['127.0.0.1', '127.0.0.1', true],
  ['127.0.0.5', '127.8.9.10', true],
  ['::1', '::1', true],
  ['::ffff:127.0.0.1', '::ffff:127.0.0.1', true],
  ['127.0.0.1', '192.0.2.1', false],
  ['192.0.2.1', '127.0.0.1', false],
  ['192.0.2.1', '192.0.2.1', false],
  ['::ffff:192.0.2.1', '::1', false],
  ['fe80::1', 'fe80::1', false],
  ['127.0.0.1', undefined, false],
  [undefined, undefined, false],
])('takes a connection to %s from %s as local: %s', (local, remote, expected) => {
  expect(isLocalConnection(local, remote)).toBe(expected);
});

describe('on every address', () => {
  let fixture: AdminFixture | null = null;

  afterEach(async () => {
    await fixture?.admin.close();
    fixture = null;
  });

  it('answers everything on loopback, and little on an address of the network', async () => {
    fixture = await startAdmin({ address: { kind: 'tcp', host: null, port: 0, text: ':0' } });
    const { port } = fixture;
    expect(await fixture.ask('/-/reload', { method: 'POST' })).toMatchObject({ status: 200 });
    const own = Object.values(networkInterfaces())
      .flatMap((list) => list ?? [])
      .find(({ internal, family }) => !internal && family === 'IPv4');
    // Without a network there is no such address; the rows above hold all the same.
    const place = { host: own?.address ?? '127.0.0.1', port };
    const expected = own === undefined ? 200 : 403;
    expect((await ask(place, '/-/reload', { method: 'POST' })).status).toBe(expected);
    expect((await ask(place, '/')).status).toBe(expected);
    expect((await ask(place, '/metrics')).status).toBe(200);
  });
});
