import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/lib/clock.ts';
import { acquireLock } from '../../../src/tls/acme/lock.ts';
import type { ProcessIdentity } from '../../../src/tls/acme/lock.ts';

let directory: string;
let path: string;
/** The processes that run, with the moments at which they began. */
let running: Map<number, string>;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'acme-lock-'));
  path = join(directory, 'a.lock');
  running = new Map([
    [100, 'boot+1'],
    [200, 'boot+2'],
  ]);
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

function process(pid: number, place = 'here'): ProcessIdentity {
  return { pid, place, startOf: (other) => Promise.resolve(running.get(other) ?? null) };
}

const acquire = (identity: ProcessIdentity, waitMs = 0, signal = new AbortController().signal) =>
  acquireLock(path, waitMs, signal, { identity, clock: systemClock });

describe('a lock', () => {
  it('is held by one process at a time, and by the next when it is released', async () => {
    const lock = await acquire(process(100));
    expect(await acquire(process(200))).toBeNull();
    expect(await acquire(process(100))).toBeNull();
    await lock?.release();
    expect(readdirSync(directory)).toEqual([]);
    const next = await acquire(process(200));
    expect(next).not.toBeNull();
    await next?.release();
  });

  it('is waited for, but not for ever', async () => {
    const lock = await acquire(process(100));
    const waiting = acquire(process(200), 10_000);
    await lock?.release();
    const next = await waiting;
    expect(next).not.toBeNull();
    expect(await acquire(process(100), 600)).toBeNull();
    await next?.release();
  });

  it('is not waited for any longer when the wait is ended', async () => {
    const lock = await acquire(process(100));
    const controller = new AbortController();
    const waiting = acquire(process(200), 60_000, controller.signal);
    controller.abort();
    expect(await waiting).toBeNull();
    await lock?.release();
  });

  it('of a process that is gone is taken over', async () => {
    await acquire(process(100)).then(() => running.delete(100));
    const lock = await acquire(process(200));
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ pid: 200 });
    await lock?.release();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('of a process whose number another one has now is taken over', async () => {
    await acquire(process(100)).then(() => running.set(100, 'boot+3'));
    const lock = await acquire(process(200));
    expect(lock).not.toBeNull();
    await lock?.release();
  });

  it('of another machine counts while it is touched, whatever runs here under its number', async () => {
    const lock = await acquire(process(300, 'elsewhere'));
    expect(await acquire(process(200))).toBeNull();
    const old = Date.now() / 1000 - 3600;
    utimesSync(path, old, old);
    const next = await acquire(process(200));
    expect(next).not.toBeNull();
    // The one that was taken for gone comes back: it does not remove the lock of another.
    await lock?.release();
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ pid: 200 });
    await next?.release();
  });

  it.each(['', 'no JSON', '{"pid": -1}'])('file that says nothing (%j) is respected until it is old', async (text) => {
    writeFileSync(path, text);
    expect(await acquire(process(200))).toBeNull();
    const old = Date.now() / 1000 - 3600;
    utimesSync(path, old, old);
    const lock = await acquire(process(200));
    expect(lock).not.toBeNull();
    await lock?.release();
  });

  it('that was left behind is taken over by one of many', async () => {
    await acquire(process(100)).then(() => running.delete(100));
    const others = Array.from({ length: 12 }, (_, index) => 1000 + index);
    for (const pid of others) running.set(pid, 'boot+9');
    const locks = await Promise.all(others.map((pid) => acquire(process(pid))));
    const held = locks.filter((lock) => lock !== null);
    expect(held).toHaveLength(1);
    await held[0]?.release();
    expect(existsSync(path)).toBe(false);
  });

  it('says why when the directory cannot be written', async () => {
    path = join(directory, 'missing', 'a.lock');
    await expect(acquire(process(100))).rejects.toMatchObject({ code: 'FILE_WRITE' });
  });
});
