/**
 * The attack: a CA, or whoever sits where it should be, sends a challenge whose token is a path (`../../etc/cron.d/x`), or
 * somebody who may write to the webroot puts a symbolic link in the way, so that the gate writes, replaces or serves
 * what is none of the challenge's business.
 */
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createHttpListener } from '../../src/tls/acme/challenges/http-listener.ts';
import { createWebrootAnswerer } from '../../src/tls/acme/challenges/webroot.ts';
import type { Challenge } from '../../src/tls/acme/contract.ts';

const TOKENS = [
  '',
  '.',
  '..',
  '../escape',
  'a/b',
  '/etc/passwd',
  'a\\b',
  'a\0b',
  'a.b',
  'a b',
  'ä',
  '%2e%2e',
  'a\n',
  'x'.repeat(257),
];

let base: string;
let webroot: string;
beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'promgate-token-')));
  webroot = join(base, 'www');
  await mkdir(webroot);
});
afterEach(async () => {
  await rm(base, { recursive: true, force: true });
});

const challenge = (token: string): Challenge => ({
  type: 'http-01',
  identifier: 'a.example.com',
  token,
  keyAuthorization: 'answer',
});
const everything = async (): Promise<string[]> => (await readdir(base, { recursive: true })).toSorted();

describe('a token that is none', () => {
  it.each(TOKENS)('touches no file: %j', async (token) => {
    const before = await everything();
    await expect(createWebrootAnswerer(webroot).present(challenge(token))).rejects.toThrow(/token/);
    expect(await everything()).toEqual(before);
  });

  it.each(TOKENS)('opens no listener: %j', async (token) => {
    const listener = createHttpListener('127.0.0.1:0');
    await expect(listener.present(challenge(token))).rejects.toThrow(/token/);
    expect(listener.address()).toBeNull();
  });
});

describe('a symbolic link in the webroot', () => {
  it('at .well-known is not followed', async () => {
    await mkdir(join(base, 'elsewhere'));
    await symlink(join(base, 'elsewhere'), join(webroot, '.well-known'));
    await expect(createWebrootAnswerer(webroot).present(challenge('tok'))).rejects.toMatchObject({
      code: 'FILE_UNSAFE',
    });
    expect(await readdir(join(base, 'elsewhere'))).toEqual([]);
  });

  it('at acme-challenge is not followed', async () => {
    await mkdir(join(base, 'elsewhere'));
    await mkdir(join(webroot, '.well-known'));
    await symlink(join(base, 'elsewhere'), join(webroot, '.well-known/acme-challenge'));
    await expect(createWebrootAnswerer(webroot).present(challenge('tok'))).rejects.toMatchObject({
      code: 'FILE_UNSAFE',
    });
    expect(await readdir(join(base, 'elsewhere'))).toEqual([]);
  });

  it('at the place of the answer is replaced, and what it led to stays as it was', async () => {
    const victim = join(base, 'victim');
    await writeFile(victim, 'precious');
    await mkdir(join(webroot, '.well-known/acme-challenge'), { recursive: true });
    await symlink(victim, join(webroot, '.well-known/acme-challenge/tok'));
    const remove = await createWebrootAnswerer(webroot).present(challenge('tok'));
    expect(await readFile(join(webroot, '.well-known/acme-challenge/tok'), 'utf8')).toBe('answer');
    await remove();
    expect(await readFile(victim, 'utf8')).toBe('precious');
  });
});
