/**
 * Writes files that hold secrets or that somebody reads meanwhile: a crash leaves the old file or the new one, never
 * half of it, and no other user can read or redirect what is on its way. Never follows a link that it did not resolve.
 */
import { randomBytes } from 'node:crypto';
import { access, constants, link, lstat, mkdir, open, realpath, rename, stat, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { PromgateError } from './errors.ts';

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** What `link` says on file systems without hard links. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV']);

/**
 * Makes a new file that appears at once with its whole content. `mode` is exact, whatever the umask says. What root makes
 * in the directory of another user belongs to that one, who could not read it otherwise.
 * @throws {PromgateError} FILE_UNSAFE when something of that name is there, FILE_WRITE when it cannot be written.
 */
export async function createFile(path: string, data: string | Buffer, mode = 0o600): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await writeNew(temporary, data, async (file) => {
      await giveToOwnerOf(dirname(path), file);
      await file.chmod(mode);
    });
    await linkOrCopy(temporary, path, data, mode);
  } catch (error) {
    throw errnoOf(error) === 'EEXIST' ? alreadyThere(path, error) : writeFailure(path, error);
  } finally {
    await unlink(temporary).catch(() => undefined);
  }
  await syncDirectory(dirname(path));
}

/**
 * Puts new content in the place of a file, with the mode and, where the process may, the owner of the old one. A
 * symbolic link stays; what it points to is replaced.
 * @returns `ownerKept` false when the owner or group could not be kept; the group's permissions are dropped then.
 * @throws {PromgateError} FILE_UNSAFE when it is no regular file, FILE_WRITE when it cannot be written.
 */
export async function replaceFile(path: string, data: string | Buffer): Promise<{ readonly ownerKept: boolean }> {
  let temporary: string | null = null;
  try {
    const target = await realpath(path);
    const old = await lstat(target);
    if (!old.isFile()) throw new PromgateError('FILE_UNSAFE', `${path} is not a regular file`);
    temporary = temporaryName(target);
    let ownerKept = true;
    await writeNew(temporary, data, async (file) => {
      const made = await file.stat();
      if (made.uid !== old.uid || made.gid !== old.gid) ownerKept = await tryChown(file, old.uid, old.gid);
      // Another group than before must not inherit what the former one was granted.
      await file.chmod(old.mode & (ownerKept ? 0o7777 : 0o7707));
    });
    await rename(temporary, target);
    temporary = null;
    await syncDirectory(dirname(target));
    return { ownerKept };
  } catch (error) {
    throw error instanceof PromgateError ? error : writeFailure(path, error);
  } finally {
    if (temporary !== null) await unlink(temporary).catch(() => undefined);
  }
}

/**
 * Makes a directory and what is missing above it. What root makes in the directory of another user belongs to that one.
 * @throws what the system says.
 */
export async function createDirectory(path: string): Promise<void> {
  const highest = await mkdir(path, { recursive: true });
  if (highest === undefined) return;
  const made: string[] = [];
  for (let one = resolve(path); one.length >= resolve(highest).length; one = dirname(one)) made.unshift(one);
  for (const one of made) {
    // A link that its new owner may have put there meanwhile is not followed.
    const directory = await open(one, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      await giveToOwnerOf(dirname(one), directory);
    } finally {
      await directory.close();
    }
  }
}

/** Only root can; its own directories stay as they are. */
async function giveToOwnerOf(directory: string, made: FileHandle): Promise<void> {
  const [owner, own] = [await stat(directory), await made.stat()];
  if (own.uid !== 0 || owner.uid === 0) return;
  await made.chown(owner.uid, owner.gid).catch(() => undefined);
}

/**
 * Whether this process may make files in a directory, or make the directory itself. Writes nothing; a file system that is
 * mounted read-only is found too, also by root.
 * @returns null when it may, else the code of the system: EROFS, EACCES.
 */
export async function whyNotWritable(directory: string): Promise<string | null> {
  try {
    await access(directory, constants.W_OK | constants.X_OK);
    return null;
  } catch (error) {
    const code = errnoOf(error);
    const parent = dirname(directory);
    return code === 'ENOENT' && parent !== directory ? whyNotWritable(parent) : code;
  }
}

async function writeNew(
  path: string,
  data: string | Buffer,
  setPermissions: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const file = await open(path, NEW_FILE, 0o600);
  try {
    await file.writeFile(data);
    await setPermissions(file);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** `link` never overwrites, `rename` would. Without hard links the file is written in place, still exclusively. */
async function linkOrCopy(temporary: string, path: string, data: string | Buffer, mode: number): Promise<void> {
  try {
    await link(temporary, path);
  } catch (error) {
    if (!NO_LINKS.has(errnoOf(error))) throw error;
    await writeNew(path, data, async (file) => {
      await giveToOwnerOf(dirname(path), file);
      await file.chmod(mode);
    });
  }
}

async function tryChown(file: FileHandle, uid: number, gid: number): Promise<boolean> {
  try {
    await file.chown(uid, gid);
    return true;
  } catch {
    return false;
  }
}

/** Without it a crash of the machine can forget the name of a file whose content is on the disk. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY).catch(() => null);
  if (directory === null) return;
  await directory.sync().catch(() => undefined);
  await directory.close();
}

function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(8).toString('hex')}.tmp`);
}

function alreadyThere(path: string, cause: unknown): PromgateError {
  return new PromgateError('FILE_UNSAFE', `${path} is there already and was not touched`, {
    hint: 'if another command made it meanwhile, run this one again',
    cause,
  });
}

function writeFailure(path: string, cause: unknown): PromgateError {
  return new PromgateError('FILE_WRITE', `cannot write ${path}: ${errnoOf(cause)}`, {
    hint: 'what was there before is untouched; check the directory, its permissions and the space on the disk',
    cause,
  });
}

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown error';
}
