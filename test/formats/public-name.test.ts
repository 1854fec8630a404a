/** Names that a public CA certifies, and those that none does. */
import { expect, it } from 'vitest';
import { unfitForPublicCa } from '../../src/formats/public-name.ts';

it.each([
  ...[
    'localhost',
    'gate',
    'gate.local',
    'gate.internal',
    'a.b.lan',
    'x.home.arpa',
    'gate.corp',
    'gate.test',
    'GATE.LOCAL',
  ],
  ...['*.local', '*.intranet', 'gate.local.', '10.1.2.3', '192.168.0.1', '172.20.0.1', '127.0.0.1', '169.254.1.1'],
  ...['100.64.0.1', '::1', 'fd00::1', 'fe80::1', '::ffff:10.0.0.1', '0.0.0.0'],
])('none certifies %s', (name) => {
  expect(unfitForPublicCa(name)).not.toBeNull();
});

it.each([
  'gate.example.com',
  '*.example.com',
  'local.example.com',
  'gate.localnet.org',
  '8.8.8.8',
  '2606:4700::1111',
  '172.32.0.1',
])('one may certify %s', (name) => {
  expect(unfitForPublicCa(name)).toBeNull();
});
