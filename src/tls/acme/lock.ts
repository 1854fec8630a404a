/**
 * A lock file: of several processes that share a directory one works at a time. A lock whose process is gone is taken
 * over; one of another machine, when nobody has touched it for a while. Waiting is bounded.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, unlink, utimes } from 'node:fs/promises';
import * as z from 'zod';
import type { Clock, Timer } from '../../lib/clock.ts';
import { PromgateError } from '../../lib/errors.ts';
import { createFile } from '../../lib/private-file.ts';
import { codeOf } from './private-directory.ts';

const TOUCH_EVERY_MS = 60_000;
const ABANDONED_AFTER_MS = 10 * TOUCH_EVERY_MS;
const LOOK_EVERY_MS = 500;
const LARGEST_LOCK = 4096;

/** Who runs here, and whether somebody else still does; /proc is the caller's business. */
export interface ProcessIdentity {
  readonly pid: number;
  /** What tells apart machines, boots and containers: process ids mean nothing elsewhere. */
  readonly place: string;
  /** When a process began, in any form that stays the same while it runs; null: there is none of this id. */
  startOf(pid: number): Promise<string | null>;
}

export interface LockPorts {
  readonly identity: ProcessIdentity;
  readonly clock: Clock;
}

export interface Lock {
  release(): Promise<void>;
}

const holderSchema = z.strictObject({
  pid: z.number().int().positive(),
  start: z.string().max(200),
  place: z.string().max(200),
  token: z.string().max(64),
});

/**
 * @param waitMs how long to wait for another process, at most.
 * @returns null when another process kept the lock, or the signal ended the wait.
 * @throws {PromgateError} FILE_WRITE when no lock can be made.
 */
export async function acquireLock(
  path: string,
  waitMs: number,
  signal: AbortSignal,
  { identity, clock }: LockPorts,
): Promise<Lock | null> {
  const deadline = clock.monotonic() + waitMs;
  const { pid, place } = identity;
  const start = (await identity.startOf(pid)) ?? 'unknown';
  const content = JSON.stringify({ pid, start, place, token: randomBytes(16).toString('hex') });
  for (;;) {
    if (signal.aborted) return null;
    if (await makeLock(path, content)) return hold(path, content, clock);
    if (await isAbandoned(path, identity, clock)) {
      await removeAbandoned(path, identity, clock);
      continue;
    }
    if (clock.monotonic() >= deadline) return null;
    await pause(Math.min(LOOK_EVERY_MS, waitMs), signal, clock);
  }
}

async function makeLock(path: string, content: string): Promise<boolean> {
  try {
    await createFile(path, content, 0o600);
    return true;
  } catch (error) {
    if (error instanceof PromgateError && error.code === 'FILE_UNSAFE') return false;
    throw error;
  }
}

function hold(path: string, content: string, clock: Clock): Lock {
  const timer: Timer = clock.every(TOUCH_EVERY_MS, () => {
    const seconds = clock.now() / 1000;
    utimes(path, seconds, seconds).catch(() => undefined);
  });
  return {
    async release() {
      timer.cancel();
      // Somebody who took us for gone may hold it now.
      if ((await readLock(path)) === content) await unlink(path).catch(() => undefined);
    },
  };
}

async function isAbandoned(path: string, identity: ProcessIdentity, clock: Clock): Promise<boolean> {
  const content = await readLock(path);
  if (content === null) return false;
  const holder = parseHolder(content);
  if (holder?.place === identity.place) return (await identity.startOf(holder.pid)) !== holder.start;
  const stat = await lstat(path).catch(() => null);
  return stat !== null && clock.now() - stat.mtimeMs > ABANDONED_AFTER_MS;
}

/**
 * Removes a lock that is abandoned, under a second lock: else the slower of two that saw the same abandoned lock would
 * remove the new one of the faster.
 */
async function removeAbandoned(path: string, identity: ProcessIdentity, clock: Clock): Promise<void> {
  const guard = `${path}.takeover`;
  if (!(await makeLock(guard, ''))) {
    const stat = await lstat(guard).catch(() => null);
    if (stat !== null && Math.abs(clock.now() - stat.mtimeMs) > TOUCH_EVERY_MS)
      await unlink(guard).catch(() => undefined);
    return;
  }
  try {
    if (await isAbandoned(path, identity, clock)) await unlink(path).catch(() => undefined);
  } finally {
    await unlink(guard).catch(() => undefined);
  }
}

/** null when it is gone, or nothing that can be read. */
async function readLock(path: string): Promise<string | null> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(LARGEST_LOCK), 0, LARGEST_LOCK, 0);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? null : '';
  }
}

function parseHolder(content: string): z.infer<typeof holderSchema> | null {
  try {
    return holderSchema.safeParse(JSON.parse(content)).data ?? null;
  } catch {
    return null;
  }
}

function pause(ms: number, signal: AbortSignal, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      timer.cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = clock.after(ms, end);
    signal.addEventListener('abort', end);
  });
}
