import { existsSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/lib/clock.ts';
import { readAuthority, readIndex, recordIssued } from '../../../src/tls/authority/authority-directory.ts';
import { updateCrl } from '../../../src/tls/authority/crl-file.ts';
import { parseIndex, printIndex } from '../../../src/tls/authority/certificate-index.ts';
import { encryptKey } from '../../../src/tls/authority/keys.ts';
import { createCa } from '../../../src/tls/authority/certificate-authority.ts';
import { createAuthorityFixture } from './authority-fixture.ts';
import type { AuthorityFixture } from './authority-fixture.ts';

const DAY_MS = 86_400_000;
const MONTH = 30 * DAY_MS;
const revocation = (serial: string) => ({ serial, date: Date.now(), reason: 'keyCompromise' as const });
const issued = (serial: string) => ({
  name: 'a',
  kind: 'client' as const,
  serial,
  notBefore: Math.floor(Date.now() / 1000) * 1000,
  notAfter: Math.floor(Date.now() / 1000) * 1000 + DAY_MS,
  spki: 'sha256/x',
});

let fixture: AuthorityFixture;

beforeEach(async () => {
  fixture = await createAuthorityFixture(systemClock);
});
afterEach(() => {
  fixture.remove();
});

const update = async (...serials: readonly string[]) =>
  updateCrl(await fixture.open(), systemClock, {
    keys: [fixture.ca.key],
    lifetimeMs: MONTH,
    revoke: serials.map(revocation),
  });

describe('the revocation list', () => {
  it('grows in number and in what it names', async () => {
    expect(await update('0A')).toMatchObject({ number: 1n, revoked: new Set(['0A']) });
    expect(await update('BB')).toMatchObject({ number: 2n, revoked: new Set(['0A', 'BB']) });
    expect((await fixture.crl()).nextUpdate).toBeGreaterThan(Date.now() + 29 * DAY_MS);
  });

  it.each(['ca-index.json', 'ca.crl'])('forgets nothing when %s is lost', async (lost) => {
    await update('0A');
    await update('BB');
    rmSync(fixture.path(lost));
    expect(await update('CC')).toMatchObject({ number: 3n, revoked: new Set(['0A', 'BB', 'CC']) });
    const { revoked } = await readIndex((await fixture.open()).paths);
    expect(revoked.map(({ serial, reason }) => [serial, reason])).toEqual(
      expect.arrayContaining([
        ['0A', 'keyCompromise'],
        ['BB', 'keyCompromise'],
      ]),
    );
  });

  it('keeps what was revoked when the process died before the list was written', async () => {
    await update('0A');
    const { paths } = await fixture.open();
    const index = await readIndex(paths);
    writeFileSync(paths.index, printIndex({ ...index, revoked: [...index.revoked, revocation('DD')], crlNumber: 2n }));
    expect(await update()).toMatchObject({ number: 3n, revoked: new Set(['0A', 'DD']) });
  });

  it('is not made by a CA that has ended', async () => {
    const old = await createCa({ name: 'old', now: Date.now() - 2 * 365 * DAY_MS, years: 1 });
    fixture.write('ca.crt', old.cert);
    fixture.write('ca.key', old.key);
    const ended = updateCrl(await fixture.open(), systemClock, { keys: [old.key], lifetimeMs: MONTH });
    await expect(ended).rejects.toMatchObject({ code: 'AUTHORITY_REFUSED' });
    expect(existsSync(fixture.path('ca.crl'))).toBe(false);
  });

  it('is not overwritten when it cannot be read', async () => {
    fixture.write('ca.crl', 'half a list');
    await expect(update('0A')).rejects.toMatchObject({ code: 'AUTHORITY_REFUSED' });
    expect(fixture.text('ca.crl')).toBe('half a list');
  });
});

describe('the index', () => {
  it('loses no entry to writers at the same time', async () => {
    const { paths } = await fixture.open();
    const serials = Array.from({ length: 12 }, (_, index) => `A${index.toString(16).toUpperCase()}`);
    await Promise.all([...serials.map((serial) => recordIssued(paths, systemClock, issued(serial))), update('FF')]);
    const index = await readIndex(paths);
    expect(index.issued.map(({ serial }) => serial).sort()).toEqual(serials);
    expect(index.revoked.map(({ serial }) => serial)).toEqual(['FF']);
    expect(statSync(paths.index).mode & 0o777).toBe(0o600);
    expect(readdirSync(fixture.directory).sort()).toEqual(['ca-index.json', 'ca.crl', 'ca.crt', 'ca.key']);
  });

  it('forgets what ended more than a year ago, unless a list names it still', async () => {
    const { paths } = await fixture.open();
    for (const serial of ['A1', 'A2']) await recordIssued(paths, systemClock, issued(serial));
    await update('A2');
    const later = (days: number) => ({ ...systemClock, now: () => systemClock.now() + days * DAY_MS });
    const serials = async () => (await readIndex(paths)).issued.map(({ serial }) => serial);
    await recordIssued(paths, later(366), { ...issued('A3'), notAfter: later(400).now() });
    expect(await serials()).toEqual(['A1', 'A2', 'A3']);
    await updateCrl(await fixture.open(), later(368), { keys: [fixture.ca.key], lifetimeMs: MONTH });
    expect(await serials()).toEqual(['A2', 'A3']);
  });

  it('breaks the lock of a process that died', async () => {
    const { paths } = await fixture.open();
    writeFileSync(paths.lock, '');
    const minuteAgo = new Date(Date.now() - 60_000);
    utimesSync(paths.lock, minuteAgo, minuteAgo);
    await recordIssued(paths, systemClock, issued('A1'));
    expect(existsSync(paths.lock)).toBe(false);
  });

  it('comes back as it was written', () => {
    const index = {
      issued: [issued('A1')],
      revoked: [{ ...revocation('B2'), date: 1_800_000_000_000 }],
      crlNumber: 7n,
    };
    expect(parseIndex(printIndex(index))).toEqual({ ok: true, value: index });
  });

  it.each([
    ['cut off', '{"version": 1, "issued": ['],
    ['of a later version', '{"version": 2, "crl_number": "1", "issued": [], "revoked": []}'],
    ['with a damaged entry', '{"version": 1, "crl_number": "1", "issued": [], "revoked": [{"serial": "xyz"}]}'],
    ['without a number', '{"version": 1, "issued": [], "revoked": []}'],
  ])('%s is refused and left alone', async (_, text) => {
    fixture.write('ca-index.json', text);
    await expect(update('0A')).rejects.toMatchObject({ code: 'AUTHORITY_REFUSED' });
    expect(fixture.text('ca-index.json')).toBe(text);
    expect(existsSync(fixture.path('ca.crl'))).toBe(false);
  });
});

describe('the CA', () => {
  it('may have its key under a passphrase or elsewhere', async () => {
    fixture.write('ca.key', encryptKey(fixture.ca.key, 'a long passphrase'));
    expect((await fixture.open()).key.kind).toBe('encrypted');
    rmSync(fixture.path('ca.key'));
    expect((await fixture.open()).key.kind).toBe('missing');
    rmSync(fixture.path('ca.crt'));
    expect(await readAuthority(fixture.directory)).toBeNull();
  });

  it('is refused when certificate and key do not belong together', async () => {
    fixture.write('ca.key', (await createCa({ name: 'other', now: Date.now() })).key);
    await expect(readAuthority(fixture.directory)).rejects.toMatchObject({ code: 'AUTHORITY_REFUSED' });
  });
});
