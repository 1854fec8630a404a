/** The CA brought back from a backup on another host, and what was done between the backup and the loss. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/config.ts';
import { createPkiFixture } from './pki-fixture.ts';
import type { PkiFixture } from './pki-fixture.ts';

const DAY_MS = 86_400_000;
/** The command of docs/pki.md. */
const BACKUP = ['-cpf', 'ca-backup.tar', 'certs/ca.crt', 'certs/ca.key', 'certs/ca.crl', 'certs/ca-index.json'];
const CONFIG = `
listen_addresses: ["127.0.0.1:0"]
authenticate: certificate
tls_server_config:
  cert_file: certs/site.example.com.crt
  key_file: certs/site.example.com.key
  client_ca_file: certs/ca.crt
  client_crl_files: [certs/ca.crl]
upstreams: [{url: self, kind: exporter}]
`;

let lost: PkiFixture;
let found: PkiFixture;
let gate: Config;

const load = (previous: Config | null) =>
  loadConfig(join(lost.root, 'promgate.yml'), {
    generation: 1,
    clock: lost.clock,
    ...(previous === null ? {} : { previous }),
  });

beforeEach(async () => {
  [lost, found] = [createPkiFixture(), createPkiFixture()];
  await lost.pki({ action: 'init', name: 'fleet' });
  await lost.pki({ action: 'issue server', names: ['site.example.com'] });
  await lost.pki({ action: 'issue client', name: 'early' });
  execFileSync('tar', ['-C', lost.root, ...BACKUP], { cwd: lost.root });
  // After the backup: a certificate, a revocation, and lists of which a gate has the newest.
  await lost.pki({ action: 'issue client', name: 'late' });
  await lost.pki({ action: 'revoke', target: 'early' });
  for (let count = 0; count < 3; count++) await lost.pki({ action: 'crl' });
  writeFileSync(join(lost.root, 'promgate.yml'), CONFIG, { mode: 0o600 });
  const loaded = await load(null);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  gate = loaded.config;
  lost.clock.advance(DAY_MS);
  found.clock.advance(lost.clock.now() - found.clock.now());
  mkdirSync(found.directory, { recursive: true });
  execFileSync('tar', ['-C', found.root, '-xpf', join(lost.root, 'ca-backup.tar')]);
});
afterEach(() => {
  lost.remove();
  found.remove();
});

/** What a gate says that runs with the lists of the lost host and gets one of the restored. */
async function problemsOf(list: string): Promise<readonly string[]> {
  lost.write('ca.crl', list);
  const loaded = await load(gate);
  return loaded.problems.filter(({ severity }) => severity === 'error').map(({ message }) => message);
}

describe('a CA that was brought back from a backup', () => {
  it('is the CA again, its key as private as it was', async () => {
    expect(found.mode('ca.key')).toBe(0o600);
    expect(found.certificate('ca.crt').fingerprint).toBe(lost.certificate('ca.crt').fingerprint);
    await found.pki({ action: 'issue client', name: 'new' });
    expect(
      execFileSync('openssl', [
        'verify',
        '-partial_chain',
        '-attime',
        String(found.clock.now() / 1000),
        '-CAfile',
        lost.path('ca.crt'),
        found.path('new.crt'),
      ]).toString(),
    ).toContain('OK');
  });

  it('makes lists that running gates refuse, so that nothing is revoked less by mistake', async () => {
    await found.pki({ action: 'crl' });
    expect(found.crl()).toMatchObject({ number: 2n, revoked: new Set() });
    const [problem] = await problemsOf(found.text('ca.crl'));
    expect(problem).toContain('has number 2, older than number 5 in force');
  });

  it('goes on with the newest list of a gate: nothing that was revoked is forgotten', async () => {
    found.write('ca.crl', gate.tls?.trust.crls[0]?.pem ?? '');
    await found.pki({ action: 'crl', restored: true });
    const { number, revoked } = found.crl();
    expect(number).toBe(BigInt(Math.floor(found.clock.now() / 1000)));
    expect(revoked).toEqual(new Set([lost.certificate('early.crt').serial]));
    expect(await problemsOf(found.text('ca.crl'))).toEqual([]);
    await found.pki({ action: 'crl' });
    expect(found.crl().number).toBe((number ?? 0n) + 1n);
  });

  it('without a newer list makes one that every gate takes, from the clock', async () => {
    await found.pki({ action: 'crl', restored: true });
    expect(await problemsOf(found.text('ca.crl'))).toEqual([]);
    expect(found.crl().revoked).toEqual(new Set());
  });

  it('does not know what was issued later, and revokes it by serial number or file', async () => {
    expect((await found.refusal({ action: 'revoke', target: 'late' })).text).toContain(
      'there is no certificate "late"',
    );
    const { serial } = lost.certificate('late.crt');
    await found.pki({ action: 'revoke', target: serial });
    expect(found.crl().revoked).toEqual(new Set([serial]));
    found.write('late.crt', lost.text('late.crt'));
    const { stdout } = await found.pki({ action: 'list' });
    expect(stdout.join('\n')).toMatch(/^late +client +promgate CA fleet .* revoked /m);
  });

  it('is warned of when its key came back for everybody to read', async () => {
    chmodSync(found.path('ca.key'), 0o644);
    const { stderr } = await found.pki({ action: 'list' });
    expect(stderr.join('\n')).toContain(`every user of this host may read or replace ${found.path('ca.key')}`);
    chmodSync(found.path('ca.key'), 0o600);
    expect((await found.pki({ action: 'list' })).stderr).toEqual([]);
  });

  it('without its key says so, and nothing is lost', async () => {
    const index = found.text('ca-index.json');
    execFileSync('rm', [found.path('ca.key')]);
    for (const action of [{ action: 'crl' }, { action: 'rotate' }, { action: 'issue client', name: 'x' }] as const) {
      expect(await found.refusal(action)).toEqual({
        code: 'AUTHORITY_REFUSED',
        text: `${found.path('ca.key')} is not here: nothing can be signed without it run the command where the key is kept, or bring it back for as long as it takes`,
      });
    }
    expect(found.text('ca-index.json')).toBe(index);
  });
});

describe('a key under a passphrase', () => {
  it.each([
    ['a wrong one', 'not the passphrase', (key: string) => `wrong passphrase for ${key} nothing was changed`],
    [
      'none',
      '',
      (key: string) =>
        `${key} has a passphrase, and none was given type it, or give it as the one line of standard input; nothing was changed`,
    ],
  ])('and %s: every command that signs is refused, and nothing is lost', async (_, typed, words) => {
    const f = createPkiFixture();
    try {
      f.typed = ['correct horse battery'];
      await f.pki({ action: 'init', passphrase: true });
      const files = ['ca.crt', 'ca.key', 'ca.crl', 'ca-index.json'];
      const before = files.map((name) => f.text(name));
      for (const action of [
        { action: 'issue client', name: 'a' },
        { action: 'issue server', names: ['a.example.com'] },
        { action: 'revoke', target: 'serial:0b' },
        { action: 'crl' },
        { action: 'rotate' },
      ] as const) {
        f.typed = [typed];
        expect(await f.refusal(action)).toEqual({ code: 'PASSWORD_REFUSED', text: words(f.path('ca.key')) });
      }
      expect(files.map((name) => f.text(name))).toEqual(before);
      expect(f.has('a.crt')).toBe(false);
    } finally {
      f.remove();
    }
  });
});
