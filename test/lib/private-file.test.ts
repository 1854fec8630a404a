import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFile, replaceFile } from '../../src/lib/private-file.ts';

/** Only root can give files away, and so see that another one cannot. */
const asRoot = process.getuid?.() === 0;
let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'private-file-'));
  path = join(directory, 'secret');
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

const modeOf = (file: string): number => statSync(file).mode & 0o7777;

describe('createFile', () => {
  it('makes a file for its owner only, whatever the umask', async () => {
    const before = process.umask(0);
    try {
      await createFile(path, 'text');
    } finally {
      process.umask(before);
    }
    expect(modeOf(path)).toBe(0o600);
    expect(readFileSync(path, 'utf8')).toBe('text');
  });

  it('gives the mode that is asked for, whatever the umask', async () => {
    const before = process.umask(0o077);
    try {
      await createFile(path, 'text', 0o644);
    } finally {
      process.umask(before);
    }
    expect(modeOf(path)).toBe(0o644);
  });

  it.each(['file', 'directory', 'dangling link', 'link'])('does not touch a %s of that name', async (what) => {
    const other = join(directory, 'other');
    if (what === 'file') writeFileSync(path, 'old');
    if (what === 'directory') mkdirSync(path);
    if (what === 'dangling link' || what === 'link') symlinkSync(other, path);
    if (what === 'link') writeFileSync(other, 'old');
    await expect(createFile(path, 'new')).rejects.toMatchObject({ code: 'FILE_UNSAFE' });
    if (what === 'file') expect(readFileSync(path, 'utf8')).toBe('old');
    if (what === 'link') expect(readFileSync(other, 'utf8')).toBe('old');
    if (what === 'dangling link') expect(existsSync(other)).toBe(false);
  });

  it('leaves nothing else behind, also when it fails', async () => {
    await createFile(path, 'text');
    await expect(createFile(path, 'text')).rejects.toThrow();
    expect(readdirSync(directory)).toEqual(['secret']);
  });

  it('says which file cannot be written and why, without its content', async () => {
    const missing = join(directory, 'no', 'secret');
    const failure = createFile(missing, 'hunter2');
    await expect(failure).rejects.toMatchObject({ code: 'FILE_WRITE', message: `cannot write ${missing}: ENOENT` });
  });

  it('of two at once, one makes the file', async () => {
    const results = await Promise.allSettled([createFile(path, 'a'), createFile(path, 'b')]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(['a', 'b']).toContain(readFileSync(path, 'utf8'));
  });
});

describe('replaceFile', () => {
  it('keeps the mode, and puts a new file in the place of the old one', async () => {
    writeFileSync(path, 'old');
    chmodSync(path, 0o640);
    const { ino } = statSync(path);
    expect(await replaceFile(path, Buffer.from('new'))).toEqual({ ownerKept: true });
    expect(modeOf(path)).toBe(0o640);
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(statSync(path).ino).not.toBe(ino);
    expect(readdirSync(directory)).toEqual(['secret']);
  });

  it('keeps owner and group where it may', async () => {
    const id = asRoot ? 65_534 : (process.getuid?.() ?? 0);
    writeFileSync(path, 'old');
    if (asRoot) chownSync(path, id, id);
    chmodSync(path, 0o640);
    expect(await replaceFile(path, 'new')).toEqual({ ownerKept: true });
    expect(statSync(path).uid).toBe(id);
    expect(modeOf(path)).toBe(0o640);
  });

  it('where it may not, another group does not inherit what the old one was granted', async () => {
    writeFileSync(path, 'old');
    chmodSync(path, 0o664);
    chmodSync(directory, 0o777);
    if (asRoot) process.seteuid?.(65_534);
    try {
      expect(await replaceFile(path, 'new')).toEqual({ ownerKept: !asRoot });
    } finally {
      if (asRoot) process.seteuid?.(0);
    }
    expect(modeOf(path)).toBe(asRoot ? 0o604 : 0o664);
  });

  it('replaces what a link points to; the link stays', async () => {
    const target = join(directory, 'target');
    writeFileSync(target, 'old');
    symlinkSync('target', path);
    await replaceFile(path, 'new');
    expect(readlinkSync(path)).toBe('target');
    expect(readFileSync(target, 'utf8')).toBe('new');
  });

  it('a reader sees the old file or the new one, never a part', async () => {
    const texts = ['a'.repeat(300_000), 'b'.repeat(300_000)];
    writeFileSync(path, texts[0] ?? '');
    for (let round = 0; round < 20; round++) {
      const writing = replaceFile(path, texts[round % 2] ?? '');
      expect(texts).toContain(readFileSync(path, 'utf8'));
      await writing;
      expect(texts).toContain(readFileSync(path, 'utf8'));
    }
  });

  it.each(['directory', 'missing'])('refuses a %s', async (what) => {
    if (what === 'directory') mkdirSync(path);
    const code = what === 'directory' ? 'FILE_UNSAFE' : 'FILE_WRITE';
    await expect(replaceFile(path, 'new')).rejects.toMatchObject({ code });
    expect(readdirSync(directory)).toEqual(what === 'directory' ? ['secret'] : []);
  });
});
