/**
 * File operations that die: after so many changes every further one fails, and so does every read, as after `kill -9`.
 * For `vi.mock('node:fs/promises', …)`.
 */
import type * as Files from 'node:fs/promises';

export interface Crash {
  /** How many changes are left until the crash; null: none is to come. */
  left: number | null;
  isOver: boolean;
  /** What happened so far. */
  readonly changes: string[];
}

export class Crashed extends Error {
  readonly code = 'CRASHED';
}

type AnyFunction = (...parameters: unknown[]) => Promise<unknown>;

const CHANGING = ['rename', 'link', 'unlink', 'symlink', 'mkdir', 'rm', 'chmod'] as const;
const READING = ['lstat', 'stat', 'readdir', 'readlink', 'realpath', 'readFile'] as const;

export function crashingFiles(actual: typeof Files, crash: Crash): typeof Files {
  const change = (what: string): void => {
    live();
    if (crash.left !== null && crash.left <= 0) crash.isOver = true;
    live();
    crash.changes.push(what);
    if (crash.left !== null) crash.left -= 1;
  };
  const live = (): void => {
    if (crash.isOver) throw new Crashed('crashed');
  };
  const guarded = (name: (typeof CHANGING | typeof READING)[number], before: () => void): AnyFunction => {
    const original = (actual as unknown as Record<typeof name, AnyFunction>)[name];
    return async (...parameters) => {
      before();
      return original(...parameters);
    };
  };
  const changing = CHANGING.map((name) => [
    name,
    guarded(name, () => {
      change(name);
    }),
  ]);
  const reading = READING.map((name) => [name, guarded(name, live)]);
  const open = async (...parameters: Parameters<typeof Files.open>): Promise<Files.FileHandle> => {
    const [, flags] = parameters;
    const isNew = typeof flags === 'number' && (flags & actual.constants.O_CREAT) !== 0;
    if (isNew) change('create');
    else live();
    const file = await actual.open(...parameters);
    const writeFile = file.writeFile.bind(file);
    file.writeFile = async (...content) => {
      change('write');
      await writeFile(...content);
    };
    // `kill -9` loses nothing that was written: only a loss of power would.
    file.sync = () => Promise.resolve();
    return file;
  };
  return { ...actual, ...(Object.fromEntries([...changing, ...reading]) as Partial<typeof Files>), open };
}
