/**
 * Replaces several files of one directory at one moment, such as a certificate and its key: whoever reads them sees all
 * of the old or all of the new, also after a crash between any two steps. For that moment the names are symbolic links
 * through one link, which one rename turns; before and after they are plain files.
 */
import { randomBytes } from 'node:crypto';
import { chmod, constants, lstat, mkdir, open, readdir, readlink, rename, rm, symlink, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { PromgateError } from '../../lib/errors.ts';

export interface NewContent {
  readonly path: string;
  readonly text: string;
}

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** Whether `replaceTogether` can: all are there, and are plain files of one directory. */
export async function canReplaceTogether(paths: readonly string[]): Promise<boolean> {
  const [first = ''] = paths;
  for (const path of paths) {
    if (dirname(path) !== dirname(first)) return false;
    if ((await lstat(path).catch(() => null))?.isFile() !== true) return false;
  }
  return true;
}

/**
 * Owner and mode stay as they were. The first path names the set: a later call for it, or `settleTogether`, cleans up
 * after a crash.
 * @throws {PromgateError} FILE_WRITE; all of the files are as they were then, or all are new.
 */
export async function replaceTogether(files: readonly NewContent[]): Promise<void> {
  const [first] = files;
  if (first === undefined) return;
  await settleTogether(first.path);
  const { link, before, after, directory } = placesOf(first.path);
  try {
    for (const made of [before, after]) {
      await mkdir(made);
      // Whoever may enter the directory above may pass; each file has its own mode.
      await chmod(made, 0o711);
    }
    for (const { path, text } of files) {
      await copyOf(path, join(before, basename(path)), null);
      await copyOf(path, join(after, basename(path)), text);
    }
    await syncDirectory(before);
    await syncDirectory(after);
    await turn(link, basename(before));
    for (const { path } of files) await turn(path, join(basename(link), basename(path)));
    await syncDirectory(directory);
    await turn(link, basename(after));
    await syncDirectory(directory);
    await settleTogether(first.path);
  } catch (cause) {
    await settleTogether(first.path).catch(() => undefined);
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
    throw new PromgateError('FILE_WRITE', `cannot replace ${files.map(({ path }) => path).join(' and ')}: ${code}`, {
      hint: 'check the directory, its permissions and the space on the disk, and run the command again',
      cause,
    });
  }
}

/** Makes plain files of what a crash left behind: the old ones, or the new ones where they were in force already. */
export async function settleTogether(path: string): Promise<void> {
  const { link, before, after, directory } = placesOf(path);
  const target = await readlink(link).catch(() => null);
  if (target !== null) {
    const inForce = join(directory, basename(target));
    for (const name of await readdir(inForce)) {
      const stats = await lstat(join(directory, name)).catch(() => null);
      // A rename over the link that leads to it: at no moment is there nothing.
      if (stats?.isSymbolicLink() === true) await rename(join(inForce, name), join(directory, name));
    }
    await syncDirectory(directory);
    await unlink(link);
  }
  for (const leftover of [before, after]) await rm(leftover, { recursive: true, force: true });
}

/** Settles every set of a directory that a crash left behind. */
export async function settleAll(directory: string): Promise<void> {
  for (const file of await readdir(directory)) {
    const [, name] = /^\.(.+)\.together(?:-before|-after)?$/.exec(file) ?? [];
    if (name !== undefined) await settleTogether(join(directory, name));
  }
}

interface Places {
  readonly directory: string;
  /** Leads to `before`, then to `after`. */
  readonly link: string;
  readonly before: string;
  readonly after: string;
}

function placesOf(path: string): Places {
  const directory = dirname(path);
  const link = join(directory, `.${basename(path)}.together`);
  return { directory, link, before: `${link}-before`, after: `${link}-after` };
}

/** Makes or replaces a symbolic link. */
async function turn(path: string, target: string): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(8).toString('hex')}.tmp`);
  await symlink(target, temporary);
  try {
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}

/** @param text null: as the original. */
async function copyOf(original: string, path: string, text: string | null): Promise<void> {
  const source = await open(original, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { uid, gid, mode } = await source.stat();
    const copy = await open(path, NEW_FILE, 0o600);
    try {
      await copy.writeFile(text ?? (await source.readFile()));
      const made = await copy.stat();
      const ownerKept = (made.uid === uid && made.gid === gid) || (await tryChown(copy, uid, gid));
      // Another group than before must not inherit what the former one was granted.
      await copy.chmod(mode & (ownerKept ? 0o777 : 0o707));
      await copy.sync();
    } finally {
      await copy.close();
    }
  } finally {
    await source.close();
  }
}

async function tryChown(file: FileHandle, uid: number, gid: number): Promise<boolean> {
  return file.chown(uid, gid).then(
    () => true,
    () => false,
  );
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY).catch(() => null);
  if (directory === null) return;
  await directory.sync().catch(() => undefined);
  await directory.close();
}
