import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import type * as Files from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  canReplaceTogether,
  replaceTogether,
  settleAll,
  settleTogether,
} from '../../../src/tls/authority/replace-together.ts';
import type { Crash } from './crashing-files.ts';

const crash = vi.hoisted((): Crash => ({ left: null, isOver: false, changes: [] }));
vi.mock('node:fs/promises', async (original) => {
  const { crashingFiles } = await import('./crashing-files.ts');
  return crashingFiles(await original<typeof Files>(), crash);
});

let directory: string;
const path = (name: string): string => join(directory, name);
const NAMES = ['a.crt', 'a.chain.crt', 'a.key'];
const paths = (): string[] => NAMES.map(path);
const texts = (): string[] => paths().map((file) => readFileSync(file, 'utf8'));
const OLD = ['old', 'old', 'old'];
const NEW = ['new', 'new', 'new'];
const replace = (): Promise<void> => replaceTogether(paths().map((file) => ({ path: file, text: 'new' })));

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'promgate-together-'));
  for (const file of paths()) writeFileSync(file, 'old', { mode: file.endsWith('.key') ? 0o640 : 0o644 });
});
afterEach(() => {
  Object.assign(crash, { left: null, isOver: false, changes: [] });
  rmSync(directory, { recursive: true });
});

describe('files that change together', () => {
  it('are all new afterwards, plain files with their modes, and nothing else is left', async () => {
    await replace();
    expect(texts()).toEqual(NEW);
    expect(readdirSync(directory).sort()).toEqual([...NAMES].sort());
    for (const file of paths()) expect(lstatSync(file).isFile()).toBe(true);
    expect(statSync(path('a.key')).mode & 0o777).toBe(0o640);
    expect(statSync(path('a.crt')).mode & 0o777).toBe(0o644);
  });

  it('are all old or all new after a crash between any two changes, and plain files once settled', async () => {
    await replace();
    const count = crash.changes.length;
    expect(count).toBeGreaterThan(20);
    const seen = new Set<string>();
    for (let at = 0; at < count; at++) {
      rmSync(directory, { recursive: true });
      directory = mkdtempSync(join(tmpdir(), 'promgate-together-'));
      for (const file of paths()) writeFileSync(file, 'old');
      Object.assign(crash, { left: at, isOver: false });
      await replace().catch(() => undefined);
      Object.assign(crash, { left: null, isOver: false });
      const found = texts();
      expect([OLD, NEW], `after ${String(at)} changes`).toContainEqual(found);
      await settleAll(directory);
      expect(texts(), `settled after ${String(at)} changes`).toEqual(found);
      for (const file of paths()) expect(lstatSync(file).isFile()).toBe(true);
      expect(readdirSync(directory).filter((name) => name.includes('together') && !name.endsWith('.tmp'))).toEqual([]);
      seen.add(found[0] ?? '');
      await replace();
      expect(texts()).toEqual(NEW);
    }
    expect(seen).toEqual(new Set(['old', 'new']));
  });

  it('are settled also when the crash came while they were being settled', async () => {
    for (let at = 0; at < 12; at++) {
      for (const file of paths()) writeFileSync(file, 'old');
      Object.assign(crash, { left: 21, isOver: false });
      await replace().catch(() => undefined);
      Object.assign(crash, { left: at, isOver: false });
      await settleTogether(path('a.crt')).catch(() => undefined);
      Object.assign(crash, { left: null, isOver: false });
      const found = texts();
      expect([OLD, NEW]).toContainEqual(found);
      await settleTogether(path('a.crt'));
      expect(texts()).toEqual(found);
      await replace();
    }
  });

  it('have to be plain files of one directory', async () => {
    expect(await canReplaceTogether(paths())).toBe(true);
    symlinkSync(path('a.key'), path('link.key'));
    expect(await canReplaceTogether([path('a.crt'), path('link.key')])).toBe(false);
    expect(await canReplaceTogether([path('a.crt'), path('absent.key')])).toBe(false);
    expect(await canReplaceTogether([path('a.crt'), join(directory, '..', 'a.key')])).toBe(false);
  });

  it('stay as they are when one of them cannot be read', async () => {
    rmSync(path('a.key'));
    await expect(replace()).rejects.toMatchObject({ code: 'FILE_WRITE' });
    expect(readFileSync(path('a.crt'), 'utf8')).toBe('old');
    expect(existsSync(path('.a.crt.together'))).toBe(false);
  });
});
