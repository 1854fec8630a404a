import { chmodSync, chownSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CertificateState, StateStore, WantedCertificate } from '../../../src/tls/acme/contract.ts';
import { certificateFileName } from '../../../src/tls/acme/file-name.ts';
import { makeKey } from '../../../src/tls/acme/key-and-request.ts';
import { EMPTY_STATE } from '../../../src/tls/acme/state.ts';
import { createStateDirectory, type StateDirectory } from '../../support/acme-state.ts';
import type { LogLine } from '../../observe/recording-log.ts';
import { createMint, DAY, pairOf, WANTED } from '../../support/acme-renewals.ts';

/** Only root can become another user, and only another user can be refused by a directory. */
const asRoot = process.getuid?.() === 0;
const uid = process.getuid?.() ?? null;
const DIRECTORY_URL = 'https://ca.example/directory';
let place: StateDirectory;
let parent: string;
let directory: string;
let log: StateDirectory['log'];
let store: StateStore;
let mint: Awaited<ReturnType<typeof createMint>>;

const open = (ownerUid: number | null = uid): StateStore => place.store(ownerUid, directory);

beforeAll(async () => {
  mint = await createMint();
});

beforeEach(async () => {
  place = createStateDirectory();
  ({ parent, path: directory, log } = place);
  store = open();
  await store.open();
});

afterEach(() => {
  place.remove();
});

const warnings = (): LogLine[] => log.lines.filter(({ level }) => level === 'warn');
const file = (suffix: string, wanted = WANTED): string =>
  join(directory, `${certificateFileName(wanted)}.${suffix}.json`);

async function stateWith(names = WANTED.names, days = 90): Promise<CertificateState> {
  const now = Date.now();
  const pair = pairOf(await mint({ names, notBefore: now - DAY, notAfter: now + days * DAY }));
  return { ...EMPTY_STATE, pair, issuedBy: DIRECTORY_URL, orders: [{ at: now, directory: DIRECTORY_URL }] };
}

describe('the state directory', () => {
  it('is made for us alone, and its files too, whatever the umask', async () => {
    const before = process.umask(0);
    try {
      directory = join(parent, 'other');
      await open().open();
      store = open();
      await store.write(WANTED, await stateWith());
      await store.writeAccountKey(DIRECTORY_URL, await makeKey('p256'));
    } finally {
      process.umask(before);
    }
    expect(statSync(directory).mode & 0o7777).toBe(0o700);
    expect(readdirSync(directory)).toHaveLength(3);
    for (const name of readdirSync(directory)) expect(statSync(join(directory, name)).mode & 0o7777).toBe(0o600);
  });

  it('gives back what was written, also to another process', async () => {
    const state = await stateWith();
    await store.write(WANTED, state);
    expect(await store.read(WANTED)).toEqual(state);
    expect(await open().read(WANTED)).toEqual(state);
    expect(warnings()).toEqual([]);
  });

  it('knows nothing of a certificate at first', async () => {
    expect(await store.read(WANTED)).toEqual(EMPTY_STATE);
    expect(await store.readAccountKey(DIRECTORY_URL)).toBeNull();
  });

  it('writes the certificate only when it has changed, and keeps the one before', async () => {
    const first = await stateWith();
    await store.write(WANTED, first);
    const { ino } = statSync(file('pair'));
    await store.write(WANTED, { ...first, stagedAt: 5 });
    expect(statSync(file('pair')).ino).toBe(ino);
    const second = await stateWith();
    await store.write(WANTED, second);
    expect(statSync(file('pair')).ino).not.toBe(ino);
    expect(readFileSync(file('previous'), 'utf8')).toContain(JSON.stringify(first.pair?.cert).slice(1, -1));
  });

  it('serves the certificate with the old names until one with the new names has come', async () => {
    const old = await stateWith();
    await store.write(WANTED, old);
    const changed: WantedCertificate = { ...WANTED, names: [...WANTED.names, 'www.example.com'] };
    expect(await store.read(changed)).toEqual({ ...EMPTY_STATE, pair: old.pair, issuedBy: DIRECTORY_URL });
    await store.write(changed, await stateWith(changed.names));
    expect((await store.read(changed)).pair?.names).toContain('www.example.com');
    expect((await store.read(WANTED)).pair).toEqual(old.pair);
  });

  it('serves the certificate that has most of the names when the first one was changed', async () => {
    const [one, both] = [await stateWith(['a.example.com']), await stateWith(['a.example.com', 'b.example.com'], 30)];
    for (const state of [one, both]) await store.write({ ...WANTED, names: state.pair?.names ?? [] }, state);
    const wanted = (...names: string[]): WantedCertificate => ({ ...WANTED, names });
    expect((await store.read(wanted('c.example.com', 'b.example.com', 'a.example.com'))).pair?.serial).toBe(
      both.pair?.serial,
    );
    expect((await store.read(wanted('c.example.com'))).pair).toBeNull();
  });

  it('keeps where a certificate came from, and takes one of which nobody wrote it down', async () => {
    const origin = { at: 5, profile: 'shortlived', because: 'it was asked for', isRenewal: true };
    const state = { ...(await stateWith()), origin };
    await store.write(WANTED, state);
    expect(await open().read(WANTED)).toEqual(state);
    const before = JSON.parse(readFileSync(file('pair'), 'utf8')) as object;
    writeFileSync(file('pair'), JSON.stringify({ ...before, origin: undefined }));
    expect(await open().read(WANTED)).toEqual({ ...state, origin: null });
    expect(warnings()).toEqual([]);
  });

  it('keeps the first account key of a directory', async () => {
    const [first, second] = [await makeKey('p256'), await makeKey('p256')];
    const kept = await Promise.all([first, second].map((key) => open().writeAccountKey(DIRECTORY_URL, key)));
    expect(kept[0]).toBe(kept[1]);
    expect(await store.readAccountKey(DIRECTORY_URL)).toBe(kept[0]);
    expect(await store.readAccountKey('https://other.example/directory')).toBeNull();
  });
});

describe('a damaged file', () => {
  it.each([
    ['truncated', (text: string) => text.slice(0, text.length / 2)],
    ['empty', () => ''],
    ['of an older version', (text: string) => text.replace('"version": 1', '"version": 0')],
    ['of somebody else', () => '{"hello": "world"}'],
    [
      'with the key of another certificate',
      (text: string, other: string) => {
        const key = (JSON.parse(other) as { key: string }).key;
        return JSON.stringify({ ...(JSON.parse(text) as object), key });
      },
    ],
  ])('of a certificate (%s) is reported once, and the certificate before is served', async (_, damage) => {
    const [first, second] = [await stateWith(), await stateWith()];
    await store.write(WANTED, first);
    await store.write(WANTED, second);
    writeFileSync(
      file('pair'),
      damage(readFileSync(file('pair'), 'utf8'), JSON.stringify({ key: await makeKey('p256') })),
    );
    const damaged = readFileSync(file('pair'), 'utf8');
    expect((await store.read(WANTED)).pair).toEqual(first.pair);
    await store.read(WANTED);
    expect(warnings()).toHaveLength(1);
    // What takes its place does not destroy it: it may be readable to a newer version, or to a person.
    const third = await stateWith();
    await store.write(WANTED, third);
    expect((await store.read(WANTED)).pair).toEqual(third.pair);
    expect(readFileSync(`${file('pair')}.unusable-1`, 'utf8')).toBe(damaged);
    expect(readFileSync(file('previous'), 'utf8')).toContain(JSON.stringify(first.pair?.cert).slice(1, -1));
  });

  it('of what is remembered takes nothing from the certificate, and counts as a failure just now', async () => {
    const state = await stateWith();
    await store.write(WANTED, state);
    writeFileSync(file('state'), '{"version": 1, "na');
    const first = await store.read(WANTED);
    expect(first.pair).toEqual(state.pair);
    expect(first.failures).toMatchObject([{ kind: 'interrupted', role: 'real' }]);
    // It is not pushed on by looking at it.
    expect(await store.read(WANTED)).toEqual(first);
    await store.write(WANTED, state);
    expect(await store.read(WANTED)).toEqual(state);
  });

  it('of an account is set aside for a new key', async () => {
    await store.writeAccountKey(DIRECTORY_URL, await makeKey('p256'));
    const [name = ''] = readdirSync(directory);
    writeFileSync(join(directory, name), 'damaged');
    expect(await store.readAccountKey(DIRECTORY_URL)).toBeNull();
    const key = await makeKey('p256');
    expect(await store.writeAccountKey(DIRECTORY_URL, key)).toBe(key);
    expect(readFileSync(join(directory, `${name}.unusable-1`), 'utf8')).toBe('damaged');
  });
});

describe('a directory that cannot be written', () => {
  it('is a clear error, and what was there stays', async () => {
    const state = await stateWith();
    await store.write(WANTED, state);
    const next = await stateWith();
    const owner = asRoot ? 65_534 : (uid ?? 0);
    if (asRoot) for (const name of ['', ...readdirSync(directory)]) chownSync(join(directory, name), owner, owner);
    chmodSync(parent, 0o755);
    chmodSync(directory, 0o500);
    const readOnly = open(owner);
    if (asRoot) process.seteuid?.(owner);
    try {
      await readOnly.open();
      await expect(readOnly.write(WANTED, next)).rejects.toMatchObject({ code: 'FILE_WRITE' });
      const { signal } = new AbortController();
      const alone = readOnly.exclusively(WANTED, signal, () => Promise.resolve(1));
      await expect(alone).rejects.toMatchObject({ code: 'FILE_WRITE' });
      expect(await readOnly.read(WANTED)).toEqual(state);
    } finally {
      if (asRoot) process.seteuid?.(0);
      chmodSync(directory, 0o700);
    }
    expect(readdirSync(directory).toSorted()).toEqual(
      [file('pair'), file('state')].map((path) => path.slice(directory.length + 1)),
    );
  });
});
