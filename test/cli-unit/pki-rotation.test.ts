import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readPair } from '../../src/cli/init/layout.ts';
import { keyMatches } from '../../src/formats/x509.ts';
import { parseCrls } from '../../src/formats/crl.ts';
import type { ClientCaReport } from '../../src/observe/client-ca-usage.ts';
import { createPkiFixture } from './pki-fixture.ts';
import type { PkiFixture } from './pki-fixture.ts';

const DAY_MS = 86_400_000;
const DAY_SECONDS = 86_400;
const PASSPHRASE = 'correct horse battery';
const OLD = 'O=promgate, CN=promgate CA fleet';
const NEW = 'O=promgate, CN=promgate CA fleet G2';

let f: PkiFixture;
let servers: Server[];

beforeEach(() => {
  f = createPkiFixture();
  servers = [];
});
afterEach(() => {
  for (const server of servers) server.close();
  f.remove();
});

const init = () => f.pki({ action: 'init', name: 'fleet' });
const prepare = () => f.pki({ action: 'rotate', step: 'prepare' });
const reissue = () => f.pki({ action: 'rotate', step: 'reissue', force: true });
const finish = () => f.pki({ action: 'rotate', step: 'finish', force: true });
const cas = (): string[] => f.certificates('ca.crt').map(({ subject }) => subject);
const lists = () => {
  const crls = parseCrls(f.text('ca.crl'));
  return crls.ok ? crls.value : [];
};
const usageOf = (name: string): string =>
  execFileSync('openssl', ['x509', '-in', f.path(name), '-noout', '-ext', 'extendedKeyUsage']).toString();

/** A gate that says this of its client CAs. @returns its admin address. */
async function gateThatSays(answer: () => readonly Partial<ClientCaReport>[]): Promise<string> {
  const server = createServer((_, response) => {
    const reports = answer().map((report) => ({
      ...{ fingerprint: '', subject: '', watchedSeconds: 0, seenSecondsAgo: null, last: null },
      ...report,
    }));
    response.end(JSON.stringify({ client_cas: reports }));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

describe('pki rotate', () => {
  it('puts a new CA beside the old one, in ca.crt, ca.key and ca.crl, and issues nothing from it yet', async () => {
    await init();
    const { stdout } = await prepare();
    expect(cas()).toEqual([OLD, NEW]);
    expect(f.text('ca.key').match(/BEGIN PRIVATE KEY/g)).toHaveLength(2);
    expect(f.mode('ca.key')).toBe(0o600);
    expect(lists().map(({ issuer }) => issuer)).toEqual([OLD, NEW]);
    expect(stdout.join('\n')).toContain('promgate pki rotate --reissue');
    expect(readdirSync(f.directory).sort()).toEqual(['ca-index.json', 'ca.crl', 'ca.crt', 'ca.key']);
    await f.pki({ action: 'issue client', name: 'a' });
    expect(f.certificate('a.crt').issuer).toBe(OLD);
  });

  it('again says where it stands, and makes no third CA', async () => {
    await init();
    await prepare();
    const before = f.text('ca.crt');
    await prepare();
    expect(f.text('ca.crt')).toBe(before);
    await reissue();
    const { stdout } = await prepare();
    expect(stdout.join('\n')).toContain(`${NEW} signs already`);
    expect(cas()).toEqual([NEW, OLD]);
  });

  it('gives the new CA the constraints and the lifetime of the old one, and a name of its own each time', async () => {
    await f.pki({ action: 'init', name: 'fleet', permitDns: ['example.com'] });
    const old = f.certificate('ca.crt');
    await prepare();
    const [, next] = f.certificates('ca.crt');
    expect((next?.notAfter ?? 0) - (next?.notBefore ?? 0)).toBe(old.notAfter - old.notBefore);
    await reissue();
    const refused = await f.refusal({ action: 'issue server', names: ['a.example.org'] });
    expect(refused.text).toContain('do not permit');
    await finish();
    await prepare();
    expect(cas()).toEqual([NEW, 'O=promgate, CN=promgate CA fleet G3']);
  });

  it('keeps the new key under the passphrase of the old one', async () => {
    f.typed = [PASSPHRASE];
    await f.pki({ action: 'init', name: 'fleet', passphrase: true });
    f.typed = ['wrong'];
    expect(await f.refusal({ action: 'rotate' })).toMatchObject({ code: 'PASSWORD_REFUSED' });
    expect(cas()).toEqual([OLD]);
    f.typed = [PASSPHRASE];
    await prepare();
    f.typed = [PASSPHRASE];
    await reissue();
    expect(f.text('ca.key').match(/BEGIN ENCRYPTED PRIVATE KEY/g)).toHaveLength(2);
    f.typed = [PASSPHRASE];
    await f.pki({ action: 'issue client', name: 'a' });
    expect(f.certificate('a.crt').issuer).toBe(NEW);
    f.typed = [PASSPHRASE];
    await f.pki({ action: 'revoke', target: 'a' });
    f.typed = [PASSPHRASE];
    await finish();
    expect(f.text('ca.key').match(/BEGIN ENCRYPTED PRIVATE KEY/g)).toHaveLength(1);
    f.typed = [PASSPHRASE];
    await f.pki({ action: 'crl' });
  });

  it('is refused without the key, and its later steps without the first', async () => {
    await init();
    expect((await f.refusal({ action: 'rotate', step: 'reissue', force: true })).text).toContain(
      'no rotation has begun',
    );
    await prepare();
    expect((await f.refusal({ action: 'rotate', step: 'finish', force: true })).text).toContain(
      'nothing was issued from the new CA yet',
    );
    rmSync(f.path('ca.key'));
    expect((await f.refusal({ action: 'rotate' })).text).toContain('is not here');
  });

  it('is no riddle to `init`, whatever the order of the keys', async () => {
    await init();
    const old = f.text('ca.key');
    await prepare();
    await reissue();
    const [first = ''] = f.text('ca.key').match(/-----BEGIN[^]*?-----END PRIVATE KEY-----\n/g) ?? [];
    f.write('ca.key', old + first);
    const state = await readPair({ cert: f.path('ca.crt'), key: f.path('ca.key') });
    expect(state).toMatchObject({ kind: 'complete', pair: { key: first }, certificate: { subject: NEW } });
  });

  it('throws away a key that a crash left without its certificate', async () => {
    await init();
    await f.pki({ action: 'init', name: 'other', directory: f.path('other') });
    f.write('ca.key', f.text('ca.key') + f.text('other/ca.key'));
    await prepare();
    const [, next] = f.certificates('ca.crt');
    expect(f.text('ca.key').match(/BEGIN PRIVATE KEY/g)).toHaveLength(2);
    expect(keyMatches(next?.pem ?? '', f.text('other/ca.key')).ok).toBe(false);
  });
});

describe('pki rotate --reissue', () => {
  beforeEach(async () => {
    await init();
    await f.pki({ action: 'issue server', names: ['site.example.com', '10.0.0.1'], days: 30 });
    await f.pki({ action: 'issue client', name: 'central', sans: ['uri:spiffe://x/y'], days: 7, keyType: 'p384' });
  });

  it('keeps names, purpose, lifetime and type of key, and makes new keys', async () => {
    const names = ['site.example.com', 'central'];
    const before = names.map((name) => ({ leaf: f.certificate(`${name}.crt`), key: f.text(`${name}.key`) }));
    f.clock.advance(DAY_MS);
    await prepare();
    await reissue();
    for (const [index, name] of names.entries()) {
      const [leaf, old] = [f.certificate(`${name}.crt`), before[index]];
      expect(leaf).toMatchObject({ issuer: NEW, subject: old?.leaf.subject, sans: old?.leaf.sans });
      expect(leaf.keyType).toBe(old?.leaf.keyType);
      expect(leaf.notAfter - leaf.notBefore).toBe((old?.leaf.notAfter ?? 0) - (old?.leaf.notBefore ?? 0));
      expect(f.text(`${name}.key`)).not.toBe(old?.key);
      expect(keyMatches(f.text(`${name}.crt`), f.text(`${name}.key`)).ok).toBe(true);
      expect(f.mode(`${name}.key`)).toBe(0o600);
      expect(f.text(`${name}.chain.crt`)).toBe(f.text(`${name}.crt`) + (f.certificates('ca.crt')[0]?.pem ?? ''));
    }
    expect(usageOf('central.crt')).toContain('TLS Web Client');
    expect(usageOf('site.example.com.crt')).toContain('TLS Web Server');
    const now = String(f.clock.now() / 1000);
    const files = ['central.crt', 'site.example.com.crt'].map((name) => f.path(name));
    const verify = ['verify', '-attime', now, '-CAfile', f.path('ca.crt'), ...files];
    expect(execFileSync('openssl', verify).toString()).toMatch(/OK\n.*OK\n$/);
  });

  it('again changes nothing, and issues what was issued from the old CA meanwhile', async () => {
    await prepare();
    await reissue();
    const central = f.text('central.crt');
    const { stdout } = await reissue();
    expect(stdout).toEqual([]);
    expect(f.text('central.crt')).toBe(central);
  });

  it('keeps a key that is elsewhere, and one that is a link', async () => {
    const csr = f.path('their.csr');
    const flags = ['-nodes', '-subj', '/CN=x', '-keyout', f.path('their.pem'), '-out', csr];
    execFileSync('openssl', ['req', '-new', '-newkey', 'rsa:2048', ...flags], { stdio: 'ignore' });
    await f.pki({ action: 'sign', request: csr, name: 'signed' });
    const key = f.text('central.key');
    unlinkSync(f.path('central.key'));
    writeFileSync(join(f.root, 'elsewhere.key'), key, { mode: 0o600 });
    symlinkSync(join(f.root, 'elsewhere.key'), f.path('central.key'));
    await prepare();
    const { stdout } = await reissue();
    expect(stdout.join('\n')).toMatch(/"signed": .*, the key that it had, sha256/);
    expect(keyMatches(f.text('signed.crt'), f.text('their.pem')).ok).toBe(true);
    expect(f.certificate('signed.crt')).toMatchObject({ issuer: NEW, commonName: 'signed' });
    expect(f.text('central.key')).toBe(key);
    expect(keyMatches(f.text('central.crt'), key).ok).toBe(true);
  });

  it('leaves what is revoked or has ended, and says which certificates have no file here', async () => {
    await f.pki({ action: 'issue client', name: 'leaver' });
    await f.pki({ action: 'issue client', name: 'away' });
    await f.pki({ action: 'revoke', target: 'leaver' });
    for (const suffix of ['crt', 'key', 'chain.crt']) rmSync(f.path(`away.${suffix}`));
    f.clock.advance(8 * DAY_MS);
    await prepare();
    const { stdout, stderr } = await reissue();
    expect(stdout.join('\n')).not.toMatch(/leaver|central/);
    expect(f.certificate('leaver.crt').issuer).toBe(OLD);
    expect(stderr.join('\n')).toContain('warning: of the old CA, and not in this directory: client "away"');
  });

  it('says so in every rotation: a certificate of an earlier CA, which is gone, replaces none', async () => {
    const csr = f.path('their.csr');
    const flags = ['-nodes', '-subj', '/CN=x', '-keyout', f.path('their.pem'), '-out', csr];
    execFileSync('openssl', ['req', '-new', '-newkey', 'rsa:2048', ...flags], { stdio: 'ignore' });
    const signAway = async () => {
      await f.pki({ action: 'sign', request: csr, name: 'away' });
      const { serial } = f.certificate('away.crt');
      for (const suffix of ['crt', 'chain.crt']) rmSync(f.path(`away.${suffix}`), { force: true });
      return serial;
    };
    const warning = 'warning: of the old CA, and not in this directory: client "away"';
    await signAway();
    for (const round of [1, 2]) {
      const { stdout } = await prepare();
      expect(stdout.join('\n'), String(round)).toContain('     promgate pki enroll away --renew --force\n  3. ');
      expect((await reissue()).stderr.join('\n'), String(round)).toContain(warning);
      const serial = await signAway();
      expect((await reissue()).stderr.join('\n'), String(round)).not.toContain(warning);
      await f.pki({ action: 'revoke', target: serial });
      expect((await reissue()).stderr.join('\n'), String(round)).toContain(warning);
      await signAway();
      await finish();
    }
  });

  it('names no client for `pki enroll` whose files are here', async () => {
    await f.pki({ action: 'renew', name: 'central' });
    const { stdout } = await prepare();
    expect(stdout.join('\n')).not.toContain('pki enroll');
    expect(stdout.join('\n')).toContain('  2. promgate pki rotate --reissue');
  });

  it('tells the new keys for `spki`, and which identity has the old one only', async () => {
    const config = join(f.root, 'promgate.yml');
    const [old] = f.index().issued.filter(({ name }) => name === 'central');
    const pinned = (...pins: string[]) => {
      const certificates = pins.map((spki) => ({ spki }));
      writeFileSync(config, JSON.stringify({ identities: [{ name: 'centre', certificates }] }));
    };
    pinned(old?.spki ?? '');
    await prepare();
    const first = (await reissue()).stderr;
    const next = f.index().issued.findLast(({ name }) => name === 'central')?.spki ?? '';
    expect(first).toContain(`promgate:   "central": spki: ${next}`);
    expect(first).toContain(
      `promgate: warning: identity "centre" in ${config} has the old key of "central": add { spki: ${next} } to its certificates`,
    );
    expect(first.findIndex((line) => line.includes('"centre"'))).toBeLessThan(
      first.findIndex((line) => line.includes('Carry the files')),
    );
    pinned(old?.spki ?? '', next);
    expect((await reissue()).stderr.join('\n')).not.toContain('"centre"');
  });

  it('has both lists name what each CA revoked, with one number', async () => {
    await prepare();
    await reissue();
    const [old] = f.index().issued.filter(({ name, issuer }) => name === 'central' && issuer !== undefined);
    const { stderr } = await f.pki({ action: 'revoke', target: old?.serial ?? '' });
    expect(stderr[0]).toContain(`number 3 of ${NEW}, 0 revoked, valid until`);
    expect(stderr[1]).toContain(`number 3 of ${OLD}, 1 revoked, valid until`);
    await f.pki({ action: 'revoke', target: f.path('central.crt') });
    await f.pki({ action: 'revoke', target: 'serial:0b' });
    expect(lists()).toMatchObject([
      { issuer: NEW, number: 5n, revoked: new Set([f.certificate('central.crt').serial, '0B']) },
      { issuer: OLD, number: 5n, revoked: new Set([old?.serial, '0B']) },
    ]);
    await finish();
    expect(lists()).toMatchObject([{ issuer: NEW, revoked: new Set([f.certificate('central.crt').serial, '0B']) }]);
  });

  it('is listed with the CA of each certificate', async () => {
    await prepare();
    await reissue();
    const listed = async () => {
      const { stdout } = await f.pki({ action: 'list', output: 'json' });
      const { certificates } = JSON.parse(stdout.join('\n')) as {
        certificates: { name: string; ca: string; state: string }[];
      };
      return certificates.map(({ name, ca, state }) => [name, ca, state]);
    };
    expect(await listed()).toEqual([
      [NEW, NEW, 'valid'],
      [OLD, OLD, 'valid'],
      ['central', OLD, 'valid'],
      ['central', NEW, 'valid'],
      ['site.example.com', OLD, 'valid'],
      ['site.example.com', NEW, 'valid'],
    ]);
    await finish();
    expect(await listed()).toContainEqual(['central', null, 'untrusted']);
  });
});

describe('pki rotate --finish', () => {
  let old: string;
  let next: string;
  let before: { cert: string; key: string };
  beforeEach(async () => {
    await init();
    await f.pki({ action: 'issue client', name: 'central' });
    before = { cert: f.text('central.crt'), key: f.text('central.key') };
    await prepare();
    await reissue();
    const [first, second] = f.certificates('ca.crt');
    [next, old] = [first?.fingerprint ?? '', second?.fingerprint ?? ''];
  });

  const trusted = (report: Partial<ClientCaReport>): Partial<ClientCaReport>[] => [
    { fingerprint: next },
    { fingerprint: old, watchedSeconds: 3 * DAY_SECONDS, ...report },
  ];
  const attempt = async (...admin: string[]) => {
    const terminal = await f.run({ action: 'rotate', step: 'finish', admin });
    return { code: terminal.code, text: terminal.all() };
  };

  it('takes the old CA away when no gate has seen it for a day', async () => {
    const admin = await gateThatSays(() => trusted({ seenSecondsAgo: DAY_SECONDS + 1 }));
    const without = await gateThatSays(() => [{ fingerprint: next, watchedSeconds: 5 }]);
    expect((await attempt(admin, without)).code).toBe(0);
    expect(cas()).toEqual([NEW]);
    expect(f.text('ca.key').match(/BEGIN PRIVATE KEY/g)).toHaveLength(1);
    expect(lists().map(({ issuer }) => issuer)).toEqual([NEW]);
  });

  it.each([
    [
      'has seen it within the day',
      { seenSecondsAgo: DAY_SECONDS - 1, last: { name: 'central', address: '10.0.0.1' } },
      'saw a client certificate of the old CA 23 h ago: "central" from "10.0.0.1"',
      /hint: a connection keeps the certificate .*max_connection_age/,
      /24 h$/m,
    ],
    [
      'was started within the day',
      { watchedSeconds: 3600 },
      'has looked for 60 min only: it cannot know of 24 hours',
      /hint: try again when it has run for 24 h$/m,
      /max_connection_age/,
    ],
  ])('is refused while a gate %s, and nothing changes', async (_, report, words, hint, otherHint) => {
    const quiet = await gateThatSays(() => trusted({}));
    const admin = await gateThatSays(() => trusted(report));
    const { code, text } = await attempt(quiet, admin);
    expect(code).toBe(1);
    expect(text).toContain(`the gate at ${admin} ${words}`);
    expect(text).not.toContain(quiet);
    expect(text).toMatch(hint);
    expect(text).not.toMatch(otherHint);
    expect(text).toContain('--force takes the old CA away all the same, and shuts out who still uses it');
    expect(cas()).toEqual([NEW, OLD]);
  });

  it('is refused while a gate does not trust the new CA', async () => {
    const admin = await gateThatSays(() => [{ fingerprint: old, watchedSeconds: 3 * DAY_SECONDS }]);
    expect((await attempt(admin)).text).toContain(`the gate at ${admin} does not trust the new CA`);
  });

  it('is refused when a gate does not answer, or is no gate of this version', async () => {
    expect(await f.refusal({ action: 'rotate', step: 'finish', admin: ['127.0.0.1:1'] })).toMatchObject({
      code: 'ADMIN_UNREACHABLE',
      text: expect.stringContaining('--force goes on without asking') as string,
    });
    const server = createServer((_, response) => response.end('hello'));
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const admin = [`127.0.0.1:${String((server.address() as AddressInfo).port)}`];
    expect(await f.refusal({ action: 'rotate', step: 'finish', admin })).toMatchObject({ code: 'ADMIN_UNREACHABLE' });
    expect(await f.refusal({ action: 'rotate', step: 'finish', admin: ['nonsense:'] })).toMatchObject({
      code: 'USAGE',
    });
    expect(cas()).toEqual([NEW, OLD]);
  });

  it('is refused while a certificate here is of the old CA', async () => {
    const admin = await gateThatSays(() => trusted({}));
    f.write('central.crt', before.cert);
    f.write('central.key', before.key);
    expect((await attempt(admin)).text).toContain('of the old CA still: "central"');
  });

  it('without a rotation says so, and changes nothing', async () => {
    await finish();
    const { stdout } = await finish();
    expect(stdout.join('\n')).toContain(`${NEW} is the only CA`);
    expect(existsSync(f.path('ca.key'))).toBe(true);
  });
});
