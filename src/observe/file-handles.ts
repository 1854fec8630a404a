/**
 * Notices that the process runs out of file handles. The event loop then accepts and closes new connections by itself,
 * without a word to anybody: their clients see the connection end, and the log nothing.
 */
import { readdir, readFile } from 'node:fs/promises';
import type { Clock } from '../lib/clock.ts';
import type { Log } from './ports.ts';

const EVERY_MS = 5_000;
const EXHAUSTED: ReadonlySet<unknown> = new Set(['EMFILE', 'ENFILE']);
/** Of the limit: from here on few are left, and below the other there are enough again. */
const FEW = 0.9;
const ENOUGH = 0.8;
const HINT = 'raise LimitNOFILE of the service, or lower max_connections';

export interface FileHandleWatch {
  close(): void;
}

export interface FileHandlePorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: { fileHandlesExhausted(exhausted: boolean): void };
  /** How many are in use, and how many there may be; rejects with EMFILE or ENFILE when none is left. For tests. */
  readonly count?: () => Promise<{ readonly used: number; readonly limit: number }>;
}

export function watchFileHandles({ clock, log, metrics, count = countOwn }: FileHandlePorts): FileHandleWatch {
  let state: 'enough' | 'few' | 'none' = 'enough';
  let isCounting = false;

  const become = (next: typeof state, fields: object): void => {
    if (next === state) return;
    if ((next === 'none') !== (state === 'none')) metrics.fileHandlesExhausted(next === 'none');
    state = next;
    if (next === 'none')
      log.error({ ...fields, hint: HINT }, 'no file handle is left: new connections are closed unanswered');
    else if (next === 'few') log.warn({ ...fields, hint: HINT }, 'few file handles are left');
    else log.warn(fields, 'there are enough file handles again');
  };
  const look = async (): Promise<void> => {
    try {
      const { used, limit } = await count();
      if (used >= limit * FEW) become('few', { used, limit });
      else if (used < limit * ENOUGH) become('enough', { used, limit });
      else if (state === 'none') become('few', { used, limit });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (EXHAUSTED.has(code)) become('none', { code });
    }
  };
  const timer = clock.every(EVERY_MS, () => {
    if (isCounting) return;
    isCounting = true;
    void look().then(() => {
      isCounting = false;
    });
  });
  return {
    close() {
      timer.cancel();
    },
  };
}

/** Where there is no /proc nothing is known: it rejects, and no state follows from that. */
async function countOwn(): Promise<{ used: number; limit: number }> {
  const limits = await readFile('/proc/self/limits', 'utf8');
  const limit = Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Infinity);
  return { used: (await readdir('/proc/self/fd')).length, limit };
}
