/**
 * One writer at a time: a lock file that two processes cannot both make. One that a killed process left behind is broken
 * after a while; what it guards takes well under a second.
 */
import { randomBytes } from 'node:crypto';
import { constants, link, lstat, open, rename, unlink } from 'node:fs/promises';
import type { Clock } from '../../lib/clock.ts';
import { PromgateError } from '../../lib/errors.ts';

/** Nobody works as long as this: the holder is dead. */
const STALE_MS = 30_000;
const WAIT_MS = 10_000;
const STEP_MS = 50;

/**
 * Runs `work` while nobody else holds the lock of this name.
 * @throws {PromgateError} FILE_WRITE when the lock cannot be had within 10 seconds, or what `work` throws.
 */
export async function withLock<T>(path: string, clock: Clock, work: () => Promise<T>): Promise<T> {
  const deadline = clock.monotonic() + WAIT_MS;
  for (;;) {
    const own = await tryLock(path);
    if (own !== null) {
      try {
        return await work();
      } finally {
        await release(path, own);
      }
    }
    await breakStale(path, clock);
    if (clock.monotonic() >= deadline) {
      throw new PromgateError('FILE_WRITE', `${path} is held by another command`, {
        hint: 'try again; when no other promgate works on this directory, remove the file',
      });
    }
    await new Promise<void>((resolve) => clock.after(STEP_MS, resolve, { ref: true }));
  }
}

/** @returns the inode of the lock; null when somebody has it. */
async function tryLock(path: string): Promise<bigint | null> {
  try {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const file = await open(path, flags, 0o600);
    try {
      return (await file.stat({ bigint: true })).ino;
    } finally {
      await file.close();
    }
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'EEXIST') return null;
    throw new PromgateError('FILE_WRITE', `cannot write ${path}: ${code}`, {
      hint: 'the directory must exist, and be writable for this user',
      cause: error,
    });
  }
}

/** A lock that was broken meanwhile is somebody else's by now. */
async function release(path: string, own: bigint): Promise<void> {
  const there = await lstat(path, { bigint: true }).catch(() => null);
  if (there?.ino === own) await unlink(path).catch(() => undefined);
}

async function breakStale(path: string, clock: Clock): Promise<void> {
  const found = await lstat(path, { bigint: true }).catch(() => null);
  if (found === null || clock.now() - Number(found.mtimeMs) < STALE_MS) return;
  const aside = `${path}.${randomBytes(8).toString('hex')}.stale`;
  try {
    await rename(path, aside);
    // Two may break the same lock, and the second then takes away the new one of the first: it is put back.
    if ((await lstat(aside, { bigint: true })).ino !== found.ino) await link(aside, path);
  } catch {
    // Somebody else was quicker.
  } finally {
    await unlink(aside).catch(() => undefined);
  }
}

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown error';
}
