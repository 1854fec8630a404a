/**
 * A directory that is ours alone, and the files in it: read without following links, written as a whole, read back.
 * What cannot be read is set aside before something takes its place.
 */
import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir, rename } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { PromgateError } from '../../lib/errors.ts';
import { createFile, replaceFile, whyNotWritable } from '../../lib/private-file.ts';

const LARGEST_FILE = 1024 * 1024;
const OTHERS_MAY_WRITE = 0o022;
const OTHERS_MAY_ANYTHING = 0o077;
const MOST_SET_ASIDE = 9;

export type FileReading =
  | { readonly kind: 'text'; readonly text: string; /** Whether others could read it. */ readonly wasOpen: boolean }
  | { readonly kind: 'absent' }
  /** Something is there that is not to be used. */
  | { readonly kind: 'unusable'; readonly message: string };

export interface PrivateDirectory {
  readonly path: string;
  /** Makes it (0700) when it is missing, and judges it. @throws {PromgateError} FILE_UNSAFE, FILE_WRITE */
  open(): Promise<void>;
  names(): Promise<readonly string[]>;
  read(name: string): Promise<FileReading>;
  /** Writes 0600 and reads back. @throws {PromgateError} FILE_WRITE, FILE_UNSAFE; the old file stays. */
  write(name: string, content: string): Promise<void>;
  /** Writes a file that must not be there yet. @throws {PromgateError} FILE_UNSAFE when it is. */
  create(name: string, content: string): Promise<void>;
  /** Gives a file another name, under which nothing looks for it. @throws {PromgateError} FILE_WRITE */
  setAside(name: string): Promise<string>;
}

/** @param ownerUid who runs the gate; null: the system has no users to tell apart. */
export function privateDirectory(path: string, ownerUid: number | null): PrivateDirectory {
  const isOurs = (uid: number): boolean => ownerUid === null || uid === ownerUid;
  const at = (name: string): string => join(path, name);

  const read = async (name: string): Promise<FileReading> => {
    let file: FileHandle | undefined;
    try {
      // Without O_NONBLOCK the opening of a named pipe waits for a writer.
      file = await open(at(name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      const stat = await file.stat();
      if (!stat.isFile()) return { kind: 'unusable', message: 'it is no regular file' };
      if (!isOurs(stat.uid)) return { kind: 'unusable', message: `it belongs to another user (uid ${stat.uid})` };
      if ((stat.mode & OTHERS_MAY_WRITE) !== 0) return { kind: 'unusable', message: 'other users may write it' };
      if (stat.size > LARGEST_FILE) return { kind: 'unusable', message: 'it is larger than 1 MiB' };
      const wasOpen = (stat.mode & OTHERS_MAY_ANYTHING) !== 0;
      if (wasOpen) await file.chmod(0o600).catch(() => undefined);
      return { kind: 'text', text: await file.readFile('utf8'), wasOpen };
    } catch (error) {
      const code = codeOf(error);
      if (code === 'ENOENT') return { kind: 'absent' };
      return { kind: 'unusable', message: code === 'ELOOP' ? 'it is a symbolic link' : `it cannot be read: ${code}` };
    } finally {
      await file?.close();
    }
  };

  const verify = async (name: string, content: string): Promise<void> => {
    const back = await read(name);
    if (back.kind === 'text' && back.text === content) return;
    throw new PromgateError('FILE_WRITE', `${at(name)} does not hold what was written to it`, {
      hint: 'check the disk and the file system',
    });
  };

  return {
    path,
    read,
    async open() {
      try {
        await mkdir(path, { recursive: true, mode: 0o700 });
      } catch (error) {
        // EEXIST: something other than a directory; it is judged below.
        if (codeOf(error) !== 'EEXIST') {
          // On a file system that is mounted read-only a recursive mkdir says ENOENT.
          const code = (await whyNotWritable(path)) ?? codeOf(error);
          const hint =
            'set state_dir of acme to a directory that the gate may write: /var/lib/promgate/acme in its unit';
          throw new PromgateError('FILE_WRITE', `cannot make the state directory ${path}: ${code}`, {
            hint,
            cause: error,
          });
        }
      }
      const stat = await lstat(path).catch((error: unknown) => {
        throw unwritable(path, error);
      });
      const unsafe = (what: string, hint: string): PromgateError =>
        new PromgateError('FILE_UNSAFE', `the state directory ${path} ${what}`, { hint });
      if (stat.isSymbolicLink()) throw unsafe('is a symbolic link', 'name the directory that it points to');
      if (!stat.isDirectory()) throw unsafe('is not a directory', 'name a directory of its own');
      if (!isOurs(stat.uid)) {
        throw unsafe(`belongs to another user (uid ${stat.uid})`, `chown it to the user that runs promgate`);
      }
      if ((stat.mode & OTHERS_MAY_WRITE) !== 0) {
        throw unsafe('can be written by other users', `chmod 0700 ${path}`);
      }
      const obstacle = await whyNotWritable(path);
      if (obstacle !== null) {
        const hint = 'set state_dir of acme to a directory that the gate may write: /var/lib/promgate/acme in its unit';
        throw new PromgateError('FILE_WRITE', `cannot write the state directory ${path}: ${obstacle}`, { hint });
      }
    },
    names: () => readdir(path).catch(() => []),
    async write(name, content) {
      const old = await lstat(at(name)).catch(() => null);
      if (old === null) {
        await createFile(at(name), content, 0o600);
      } else {
        if (!old.isFile() || !isOurs(old.uid)) {
          throw new PromgateError('FILE_UNSAFE', `${at(name)} is not a regular file of our own`, {
            hint: 'move it away',
          });
        }
        await replaceFile(at(name), content);
      }
      await verify(name, content);
    },
    async create(name, content) {
      await createFile(at(name), content, 0o600);
      await verify(name, content);
    },
    async setAside(name) {
      const taken = new Set(await readdir(path).catch(() => []));
      const free = Array.from({ length: MOST_SET_ASIDE }, (_, index) => `${name}.unusable-${index + 1}`);
      const target = free.find((candidate) => !taken.has(candidate)) ?? `${name}.unusable-${MOST_SET_ASIDE}`;
      try {
        await rename(at(name), at(target));
      } catch (error) {
        throw unwritable(at(name), error);
      }
      return target;
    },
  };
}

function unwritable(path: string, cause: unknown): PromgateError {
  return new PromgateError('FILE_WRITE', `cannot write ${path}: ${codeOf(cause)}`, {
    hint: 'what was there before is untouched; check the directory, its permissions and the space on the disk',
    cause,
  });
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown error';
}
