/**
 * The attack: a page of evil.example lets its name resolve to 127.0.0.1 after it was loaded. The operator's browser now
 * takes the admin listener for evil.example, and the page reads metrics and lockouts, or makes the gate reload.
 */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { configOf } from '../support/config-fixture.ts';
import { sendRaw, startAdmin, type AdminFixture } from '../observe/admin-fixture.ts';

let fixture: AdminFixture;

beforeEach(async () => {
  const { address } = configOf().admin;
  fixture = await startAdmin({
    config: configOf({ admin: { address, hosts: new Set(['gate.example.com']) } }),
    reload: () => Promise.reject(new Error('must not be called')),
  });
});

afterEach(() => fixture.admin.close());

const FOREIGN = [
  'evil.example',
  'evil.example:9096',
  'localhost.evil.example',
  '127.0.0.1.evil.example',
  'evil.example#localhost',
  'localhost@evil.example',
  'evil@127.0.0.1',
  '127.1',
  '2130706433',
  '0x7f000001',
  '[evil.example]',
  '127.0.0.1:9096:80',
  'sub.gate.example.com',
  'gate.example.com.',
];

it.each(FOREIGN)('answers nothing to the Host %j', async (host) => {
  for (const path of ['/', '/metrics', '/-/healthy', '/api/lockouts']) {
    const { status, body } = await fixture.ask(path, { headers: { host } });
    expect(status).toBe(421);
    expect(body).not.toContain('promgate_');
  }
  expect(await fixture.ask('/-/reload', { method: 'POST', headers: { host } })).toMatchObject({ status: 421 });
});

it.each([
  '127.0.0.1',
  '127.0.0.1:1',
  'localhost',
  'LOCALHOST:80',
  '[::1]:9096',
  '192.0.2.1',
  'gate.example.com',
  'Gate.Example.Com:1',
])('answers to the Host %s', async (host) => {
  expect(await fixture.ask('/metrics', { headers: { host } })).toMatchObject({ status: 200 });
});

it.each([
  [
    'two Host headers',
    'GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
    421,
  ],
  ['an empty Host', 'GET /metrics HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n', 421],
  ['no Host on HTTP/1.0', 'GET /metrics HTTP/1.0\r\n\r\n', 421],
  ['no Host on HTTP/1.1', 'GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
  [
    'an absolute target',
    'GET http://localhost/metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
    421,
  ],
])('answers nothing to %s', async (_, bytes, status) => {
  expect(await sendRaw(fixture.port, bytes)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
});

it('says so in the log once in ten seconds, not once a request', async () => {
  for (let at = 0; at < 20; at += 1) await fixture.ask('/metrics', { headers: { host: `evil-${at}.example` } });
  expect(fixture.log.lines).toHaveLength(1);
  expect(fixture.log.lines[0]).toMatchObject({ level: 'warn', fields: { host: 'evil-0.example', status: 421 } });
});
