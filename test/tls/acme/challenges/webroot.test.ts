/** http-01 by a file for another web server. */
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createWebrootAnswerer } from '../../../../src/tls/acme/challenges/webroot.ts';
import type { Challenge } from '../../../../src/tls/acme/contract.ts';

let directory: string;
beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'promgate-webroot-')));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const challenge = (token: string): Challenge => ({
  type: 'http-01',
  identifier: 'a.example.com',
  token,
  keyAuthorization: `${token}.thumbprint`,
});
const folder = (): string => join(directory, '.well-known/acme-challenge');

describe('the webroot', () => {
  it('holds the answer, readable for the web server, until the challenge is over', async () => {
    const before = process.umask(0o077);
    try {
      const remove = await createWebrootAnswerer(directory).present(challenge('tok-1'));
      const file = join(folder(), 'tok-1');
      expect(await readFile(file, 'utf8')).toBe('tok-1.thumbprint');
      expect((await stat(file)).mode & 0o777).toBe(0o644);
      expect((await stat(folder())).mode & 0o777).toBe(0o755);
      expect(await readdir(folder())).toEqual(['tok-1']);
      await remove();
      await remove();
      expect(await readdir(folder())).toEqual([]);
    } finally {
      process.umask(before);
    }
  });

  it('takes the place of what a crash left behind', async () => {
    await mkdir(folder(), { recursive: true });
    await writeFile(join(folder(), 'tok-2'), 'of yesterday');
    const remove = await createWebrootAnswerer(directory).present(challenge('tok-2'));
    expect(await readFile(join(folder(), 'tok-2'), 'utf8')).toBe('tok-2.thumbprint');
    await remove();
  });

  it('may itself be reached by a link of the operator', async () => {
    const link = join(directory, 'link');
    await mkdir(join(directory, 'real'));
    await symlink(join(directory, 'real'), link);
    const remove = await createWebrootAnswerer(link).present(challenge('tok'));
    expect(await readdir(join(directory, 'real/.well-known/acme-challenge'))).toEqual(['tok']);
    await remove();
  });

  it('that is missing is not made, and the failure says what to do', async () => {
    await expect(createWebrootAnswerer(join(directory, 'gone')).present(challenge('tok'))).rejects.toMatchObject({
      code: 'FILE_WRITE',
      message: expect.stringContaining('ENOENT'),
      hint: expect.stringContaining('webroot'),
    });
  });
});
