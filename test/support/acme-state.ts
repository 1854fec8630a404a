/** A state directory of its own, and stores over it as any user's process has them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/lib/clock.ts';
import type { StateStore } from '../../src/tls/acme/contract.ts';
import { createStateStore } from '../../src/tls/acme/store.ts';
import { recordingLog } from '../observe/recording-log.ts';

export interface StateDirectory {
  /** What it lies in: nothing else is there. */
  readonly parent: string;
  readonly path: string;
  readonly log: ReturnType<typeof recordingLog>;
  /** The store of a process of this user (default: the one that runs the test), at this directory (default: `path`). */
  store(ownerUid?: number | null, directory?: string): StateStore;
  remove(): void;
}

/** The directory itself is not made. */
export function createStateDirectory(): StateDirectory {
  const parent = mkdtempSync(join(tmpdir(), 'acme-state-'));
  const path = join(parent, 'acme');
  const log = recordingLog();
  return {
    parent,
    path,
    log,
    store: (ownerUid = process.getuid?.() ?? null, directory = path) =>
      createStateStore({
        directory,
        ownerUid,
        identity: { pid: 1, place: 'here', startOf: () => Promise.resolve('boot') },
        clock: systemClock,
        log,
      }),
    remove() {
      rmSync(parent, { recursive: true });
    },
  };
}
