/**
 * Answers http-01 (RFC 8555 §8.3) with a file, for a web server that has port 80. Writes nothing but
 * DIRECTORY/.well-known/acme-challenge/TOKEN, never through a symbolic link that leads out of the directory.
 */
import { constants } from 'node:fs';
import { mkdir, open, realpath, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { PromgateError } from '../../../lib/errors.ts';
import { createFile } from '../../../lib/private-file.ts';
import type { ChallengeAnswerer } from '../contract.ts';
import { isToken } from './token.ts';

const FOLDERS = ['.well-known', 'acme-challenge'];

/** `present` throws a PromgateError FILE_UNSAFE or FILE_WRITE; nothing is left behind then. */
export function createWebrootAnswerer(directory: string): ChallengeAnswerer {
  return {
    async present({ token, keyAuthorization }) {
      if (!isToken(token)) throw new PromgateError('FILE_UNSAFE', 'the token of the challenge is none');
      const folder = await challengeFolder(directory);
      const file = join(folder, token);
      // A CA gives the token of an unfinished challenge again: what a crash left behind is ours.
      await remove(file);
      await createFile(file, keyAuthorization, 0o644);
      if ((await pathOf(file)) !== file) {
        await remove(file);
        throw outside(folder);
      }
      return () => remove(file);
    },
  };
}

/** The folder, made where it is missing, readable for the web server. */
async function challengeFolder(directory: string): Promise<string> {
  let folder = await pathOf(directory);
  for (const name of FOLDERS) {
    const below = join(folder, name);
    try {
      await mkdir(below);
      await makeReadable(below);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw failure(`cannot make ${below}`, error);
    }
    // A link that somebody put there would send the file somewhere else.
    if ((await pathOf(below)) !== below) throw outside(below);
    folder = below;
  }
  return folder;
}

/** Another user serves it, whatever the umask says. By handle: by name, a link put there meanwhile would be opened up. */
async function makeReadable(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    await handle.chmod(0o755);
  } finally {
    await handle.close();
  }
}

async function pathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    throw failure(`cannot use ${path}`, error);
  }
}

async function remove(file: string): Promise<void> {
  try {
    await unlink(file);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw failure(`cannot remove ${file}`, error);
  }
}

function outside(path: string): PromgateError {
  return new PromgateError('FILE_UNSAFE', `${path} is a symbolic link, and is not followed`, {
    hint: 'make it a directory that only the web server and this gate can write to',
  });
}

function failure(what: string, cause: unknown): PromgateError {
  return new PromgateError('FILE_WRITE', `${what}: ${codeOf(cause)}`, {
    hint: 'the webroot must be there, and the gate must be allowed to write to it',
    cause,
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown error';
}
