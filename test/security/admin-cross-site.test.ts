/**
 * The attack: any page in the operator's browser posts a form to http://127.0.0.1:9096/-/reload or lifts a lockout. It
 * cannot read the answer, but it does not have to.
 */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startAdmin, type AdminFixture } from '../observe/admin-fixture.ts';

let fixture: AdminFixture;
let reloads = 0;

beforeEach(async () => {
  reloads = 0;
  fixture = await startAdmin({
    reload: async () => {
      reloads += 1;
      return { ok: true, report: '' };
    },
  });
});

afterEach(() => fixture.admin.close());

it.each([
  ['a foreign Origin', { origin: 'https://evil.example' }],
  ['the Origin null of a sandboxed frame', { origin: 'null' }],
  ['another port of this host', { origin: 'http://127.0.0.1:3000' }],
  ['the same host over https', { origin: 'https://127.0.0.1:PORT' }],
  ['an Origin that begins like ours', { origin: 'http://127.0.0.1:PORT.evil.example' }],
  ['a cross-site fetch without an Origin', { 'sec-fetch-site': 'cross-site' }],
  ['a same-site fetch', { 'sec-fetch-site': 'same-site' }],
])('changes nothing for %s', async (_, headers) => {
  const filled = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, value.replace('PORT', String(fixture.port))]),
  );
  for (const path of ['/-/reload', '/api/lockouts/clear?address=192.0.2.1']) {
    expect(await fixture.ask(path, { method: 'POST', headers: filled })).toMatchObject({ status: 403 });
  }
  expect([reloads, fixture.cleared]).toEqual([0, []]);
});

it.each([
  ['a program, which sends no Origin', {}],
  ['the page of the listener itself', { origin: 'http://127.0.0.1:PORT', 'sec-fetch-site': 'same-origin' }],
  ['an address typed by a person', { 'sec-fetch-site': 'none' }],
])('reloads for %s', async (_, headers) => {
  const filled = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, value.replace('PORT', String(fixture.port))]),
  );
  expect(await fixture.ask('/-/reload', { method: 'POST', headers: filled })).toMatchObject({ status: 200 });
  expect(reloads).toBe(1);
});

it('changes nothing on GET', async () => {
  expect(await fixture.ask('/-/reload')).toMatchObject({ status: 405 });
  expect(await fixture.ask('/api/lockouts/clear?address=192.0.2.1')).toMatchObject({ status: 405 });
  expect([reloads, fixture.cleared]).toEqual([0, []]);
});

it('cannot be framed, nor read by another origin', async () => {
  const { headers } = await fixture.ask('/', { headers: { origin: 'https://evil.example' } });
  expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
  expect(headers['cross-origin-resource-policy']).toBe('same-origin');
  expect(headers['access-control-allow-origin']).toBeUndefined();
});
