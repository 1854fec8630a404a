/**
 * The attack: another user of the host puts a link, a file of his own or a directory that he may write where the gate
 * keeps its keys, to read a key, to have one of his own served, or to have the gate overwrite a file elsewhere. Or a name
 * in the configuration or the URL of a directory becomes a path that leads out of the state directory.
 */
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import fc from '../support/property.ts';
import type { StateStore } from '../../src/tls/acme/contract.ts';
import { accountFileName, certificateFileName } from '../../src/tls/acme/file-name.ts';
import { makeKey } from '../../src/tls/acme/key-and-request.ts';
import { EMPTY_STATE } from '../../src/tls/acme/state.ts';
import { createStateDirectory, type StateDirectory } from '../support/acme-state.ts';
import { createMint, DAY, pairOf, WANTED } from '../support/acme-renewals.ts';

const uid = process.getuid?.() ?? 0;
const URL_OF_CA = 'https://ca.example/directory';
let state: StateDirectory;
let parent: string;
let directory: string;
let log: StateDirectory['log'];
const storeOf = (ownerUid = uid): StateStore => state.store(ownerUid);

beforeEach(() => {
  state = createStateDirectory();
  ({ parent, path: directory, log } = state);
});

afterEach(() => {
  state.remove();
});

describe('the state directory', () => {
  it.each([0o720, 0o702, 0o777, 0o1777])('is refused when others may write it (%o)', async (mode) => {
    mkdirSync(directory);
    chmodSync(directory, mode);
    await expect(storeOf().open()).rejects.toMatchObject({
      code: 'FILE_UNSAFE',
      message: expect.stringContaining('other users'),
    });
  });

  it('is refused when it belongs to another user', async () => {
    mkdirSync(directory, { mode: 0o700 });
    await expect(storeOf(uid + 1).open()).rejects.toMatchObject({ code: 'FILE_UNSAFE' });
  });

  it('is refused when it is a link, even to a good directory', async () => {
    mkdirSync(join(parent, 'real'), { mode: 0o700 });
    symlinkSync('real', directory);
    await expect(storeOf().open()).rejects.toMatchObject({ code: 'FILE_UNSAFE' });
  });

  it('is refused when it is a file', async () => {
    writeFileSync(directory, '');
    await expect(storeOf().open()).rejects.toMatchObject({ code: 'FILE_UNSAFE' });
  });
});

describe('a file in it', () => {
  const prepare = async () => {
    const store = storeOf();
    await store.open();
    const mint = await createMint();
    const now = Date.now();
    const pair = pairOf(await mint({ notBefore: now - DAY, notAfter: now + DAY }));
    const state = { ...EMPTY_STATE, pair, issuedBy: URL_OF_CA };
    await store.write(WANTED, state);
    await store.writeAccountKey(URL_OF_CA, await makeKey('p256'));
    const name = certificateFileName(WANTED);
    return {
      store,
      state,
      pairFile: join(directory, `${name}.pair.json`),
      stateFile: join(directory, `${name}.state.json`),
    };
  };

  it('is not read through a link, and what the link points to is not overwritten', async () => {
    const { store, state, pairFile, stateFile } = await prepare();
    for (const path of [pairFile, stateFile]) {
      const target = `${join(parent, 'target')}${path === pairFile ? '1' : '2'}`;
      writeFileSync(target, readFileSync(path));
      rmSync(path);
      symlinkSync(target, path);
      const before = readFileSync(target, 'utf8');
      const read = await store.read(WANTED);
      if (path === pairFile) expect(read.pair).toBeNull();
      await store.write(WANTED, { ...state, stagedAt: 5 });
      expect(readFileSync(target, 'utf8')).toBe(before);
      expect(lstatSync(path).isFile()).toBe(true);
    }
    expect((await store.read(WANTED)).stagedAt).toBe(5);
  });

  it('is not believed when others may write it', async () => {
    const { store, pairFile } = await prepare();
    chmodSync(pairFile, 0o622);
    expect((await store.read(WANTED)).pair).toBeNull();
    expect(log.lines.at(-1)?.message).toContain('other users may write it');
  });

  it('is not believed when it belongs to another user', async () => {
    const { pairFile } = await prepare();
    // Only root can give a file away; without root the gate is told that it is another user.
    if (uid === 0) chownSync(pairFile, 65_534, 65_534);
    expect((await storeOf(uid === 0 ? 0 : uid + 1).read(WANTED)).pair).toBeNull();
  });

  it('that others could read is closed to them, with a warning', async () => {
    const { store, state, pairFile } = await prepare();
    chmodSync(pairFile, 0o644);
    expect((await store.read(WANTED)).pair).toEqual(state.pair);
    expect(statSync(pairFile).mode & 0o777).toBe(0o600);
    expect(log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });

  it('that is a pipe or a directory stops nothing', async () => {
    const { store, pairFile } = await prepare();
    rmSync(pairFile);
    mkdirSync(pairFile);
    expect((await store.read(WANTED)).pair).toBeNull();
  });

  it('that has a second name elsewhere is replaced, not written into', async () => {
    const { store, state, stateFile } = await prepare();
    const elsewhere = join(parent, 'elsewhere');
    linkSync(stateFile, elsewhere);
    const before = readFileSync(elsewhere, 'utf8');
    await store.write(WANTED, { ...state, stagedAt: 7 });
    expect(readFileSync(elsewhere, 'utf8')).toBe(before);
  });

  it('no log line and no error holds a key', async () => {
    const { store, state, pairFile } = await prepare();
    const secret = (state.pair.key.split('\n')[1] ?? '').slice(10, 40);
    writeFileSync(pairFile, readFileSync(pairFile, 'utf8').replace('"version": 1', '"version": 9'));
    await store.read(WANTED);
    writeFileSync(pairFile, state.pair.key);
    await store.read(WANTED);
    expect(secret).toHaveLength(30);
    expect(log.lines.length).toBeGreaterThan(1);
    expect(JSON.stringify(log.lines)).not.toContain(secret);
  });
});

describe('names', () => {
  const PLAIN = /^[a-z0-9.=~-]{1,200}$/;

  it.each([
    '../../etc/passwd',
    '/etc/passwd',
    '..',
    '.',
    'a/../b',
    'a\\b',
    'a\0b',
    '*.example.com',
    '::1',
    '192.0.2.1',
    'EXAMPLE.com',
    'ex=ample.com',
    'ü.example',
    '-rf',
    '~',
    'a'.repeat(5000),
  ])('%j becomes a plain file name', (name) => {
    const fileName = certificateFileName({ names: [name], keyType: 'p256', profile: null });
    expect(fileName).toMatch(PLAIN);
    expect(fileName.startsWith('.')).toBe(false);
    expect(fileName.startsWith('-')).toBe(false);
    expect(accountFileName(`https://x/${name}`)).toMatch(PLAIN);
  });

  it('any names and any URL become plain file names, and other names another one', () => {
    const name = fc.oneof(fc.string({ unit: 'binary', minLength: 1 }), fc.domain(), fc.ipV6());
    fc.assert(
      fc.property(name, name, fc.oneof(fc.webUrl(), fc.string({ unit: 'binary' })), (one, other, url) => {
        const [first, second] = [one, other].map((text) =>
          certificateFileName({ names: [text], keyType: 'p256', profile: null }),
        );
        expect(first).toMatch(PLAIN);
        expect(accountFileName(url)).toMatch(PLAIN);
        if (first === second)
          expect(one.toLowerCase() === other.toLowerCase() || (one.includes(':') && other.includes(':'))).toBe(true);
      }),
    );
  });

  it('nothing is written outside', async () => {
    const store = storeOf();
    await store.open();
    const wanted = { names: ['../../outside'], keyType: 'p256', profile: null } as const;
    await store.write(wanted, EMPTY_STATE);
    await store.writeAccountKey('https://../../outside', await makeKey('p256'));
    expect(readdirSync(parent)).toEqual(['acme']);
    expect(readdirSync(directory)).toHaveLength(2);
  });
});
