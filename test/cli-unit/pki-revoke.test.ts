import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { issueClient } from '../../src/tls/authority/issue.ts';
import { createPkiFixture } from './pki-fixture.ts';
import type { PkiFixture } from './pki-fixture.ts';

const DAY_MS = 86_400_000;

let f: PkiFixture;

beforeEach(async () => {
  f = createPkiFixture();
  await f.pki({ action: 'init' });
  await f.pki({ action: 'issue client', name: 'a' });
});
afterEach(() => {
  f.remove();
});

const certifyByHand = async (name: string) => {
  const ca = { cert: f.text('ca.crt'), key: f.text('ca.key') };
  return (await issueClient({ ca, name, sans: [], now: f.clock.now() })).cert;
};

describe('pki revoke', () => {
  it('by name: every certificate of it that has not ended', async () => {
    const first = f.certificate('a.crt').serial;
    await f.pki({ action: 'renew', name: 'a', newKey: true });
    const second = f.certificate('a.crt').serial;
    const { stdout } = await f.pki({ action: 'revoke', target: 'a', reason: 'keyCompromise' });
    expect(f.crl()).toMatchObject({ number: 2n, revoked: new Set([first, second]) });
    expect(stdout.join('\n')).toContain(`revoked serial ${first} of "a"`);
    expect(f.text('ca-index.json')).toContain('keyCompromise');
  });

  it('by serial number, with colons and in any case', async () => {
    const { serial } = f.certificate('a.crt');
    await f.pki({ action: 'revoke', target: serial.toLowerCase().replace(/(..)(?=.)/g, '$1:') });
    expect(f.crl().revoked).toEqual(new Set([serial]));
  });

  it('by file, and by the name of a file: also what the index does not know', async () => {
    f.write('b.crt', await certifyByHand('b'));
    f.write('c.crt', await certifyByHand('c'));
    await f.pki({ action: 'revoke', target: f.path('b.crt') });
    await f.pki({ action: 'revoke', target: 'c' });
    expect(f.crl()).toMatchObject({
      number: 3n,
      revoked: new Set([f.certificate('b.crt').serial, f.certificate('c.crt').serial]),
    });
  });

  it('a serial number that nobody knows, when it is said to be one', async () => {
    await f.pki({ action: 'revoke', target: 'serial:0b' });
    expect(f.crl().revoked).toEqual(new Set(['0B']));
  });

  it('takes no mistyped name for a serial number, and no certificate of another CA', async () => {
    for (const target of ['fade', 'nobody', 'serial:xyz', '', '../a']) {
      expect(await f.refusal({ action: 'revoke', target }), target).toMatchObject({ code: 'AUTHORITY_REFUSED' });
    }
    await f.pki({ action: 'init', directory: f.path('other') });
    const { text } = await f.refusal({ action: 'revoke', target: f.path('other/ca.crt') });
    expect(text).toContain('was not issued by');
    expect(f.crl()).toMatchObject({ number: 1n });
  });

  it('again writes the list again: it may have been lost', async () => {
    await f.pki({ action: 'revoke', target: 'a' });
    rmSync(f.path('ca.crl'));
    const { stdout } = await f.pki({ action: 'revoke', target: 'a' });
    expect(stdout.join('\n')).toContain('was revoked before');
    expect(f.crl()).toMatchObject({ number: 3n, revoked: new Set([f.certificate('a.crt').serial]) });
  });

  it('fails when the configuration beside it does not name the list, and revokes all the same', async () => {
    const config = join(f.root, 'promgate.yml');
    writeFileSync(config, 'tls_server_config: {client_ca_file: certs/ca.crt}\n');
    const before = await f.run({ action: 'revoke', target: 'a' });
    expect(before.code).toBe(1);
    expect(f.crl().revoked).toEqual(new Set([f.certificate('a.crt').serial]));
    expect(before.stderr.join('\n')).toContain('does not name this list');
    writeFileSync(config, 'tls_server_config: {client_ca_file: certs/ca.crt, client_crl_files: [certs/ca.crl]}\n');
    const after = await f.pki({ action: 'revoke', target: 'a' });
    expect(after.stderr.join('\n')).not.toMatch(/does not name|client_crl_files/);
  });
});

describe('pki crl', () => {
  it('raises the number and keeps the lifetime, unless another is asked for', async () => {
    await f.pki({ action: 'crl' });
    expect(f.crl()).toMatchObject({ number: 2n, nextUpdate: f.crl().thisUpdate + 30 * DAY_MS });
    await f.pki({ action: 'crl', days: 7 });
    await f.pki({ action: 'crl' });
    expect(f.crl()).toMatchObject({ number: 4n, nextUpdate: f.crl().thisUpdate + 7 * DAY_MS });
  });
});

describe('pki list', () => {
  it('has every certificate with its state, also those that the index does not know', async () => {
    await f.pki({ action: 'issue client', name: 'gone' });
    await f.pki({ action: 'issue server', names: ['soon.example.com'], days: 9 });
    await f.pki({ action: 'issue client', name: 'over', days: 2 });
    f.write('by-hand.crt', await certifyByHand('by-hand'));
    f.write('junk.crt', 'no certificate');
    await f.pki({ action: 'revoke', target: 'gone' });
    f.clock.advance(7 * DAY_MS);
    const { stdout } = await f.pki({ action: 'list', output: 'json' });
    const listed = JSON.parse(stdout.join('\n')) as { certificates: Record<string, unknown>[]; crls: unknown };
    expect(listed.certificates.map(({ name, kind, state, days_left: days }) => [name, kind, state, days])).toEqual([
      ['O=promgate, CN=promgate CA centre', 'ca', 'valid', expect.any(Number)],
      ['a', 'client', 'valid', 83],
      ['by-hand', 'client', 'valid', 390],
      ['gone', 'client', 'revoked', 83],
      ['over', 'client', 'expired', -5],
      ['soon.example.com', 'server', 'expiring', 2],
    ]);
    expect(listed.crls).toMatchObject([
      { ca: 'O=promgate, CN=promgate CA centre', number: '2', revoked: [f.certificate('gone.crt').serial] },
    ]);
  });

  it('as a table has one aligned line for each', async () => {
    const { stdout } = await f.pki({ action: 'list' });
    const lines = stdout.join('\n').split('\n');
    expect(lines[0]).toMatch(/^NAME +KIND +CA +SERIAL +EXPIRES +DAYS +STATE +SPKI$/);
    const { serial } = f.certificate('a.crt');
    expect(lines.find((line) => line.startsWith('a '))).toMatch(
      new RegExp(`^a +client +promgate CA centre +${serial} +\\d{4}-\\d\\d-\\d\\d +90 +valid +sha256/`),
    );
    expect(lines.at(-1)).toBe('Revocation list number 1: 0 revoked, next update in 29 days.');
  });
});
